import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { TAP_VERSION } from "@flotilla/base";
import type { Scheduler } from "../ports.ts";
import type { EventTap, TapRecord } from "./event-tap.ts";
import { LineSplitter } from "./line-splitter.ts";
import { decodeTapRequest, encodeServerLine, encodeTapRecord } from "./tap-line.ts";

const READERS_MAX = 32;
const READER_BYTES_MAX = 1 << 20;
/** Past events given at most: they fit a reader's queue. */
const RECENT_MAX = 4_096;
const REQUEST_CHARACTERS_MAX = 4_096;

/**
 * Serves the tap on a Unix socket that only the owner may open. A reader that does not keep up loses events, counted and told
 * to it; it never costs the member more than a megabyte.
 */
export class TapSocket {
	private readonly server: Server;
	private readonly readers = new Set<Socket>();

	/** `path` must be free to use: a file left there by a former process is removed. Errors go to `failed`, once. */
	constructor(path: string, tap: EventTap, scheduler: Scheduler, failed: (error: Error) => void) {
		this.server = createServer((socket) => {
			this.readers.add(socket);
			socket.on("close", () => this.readers.delete(socket));
			socket.on("error", () => socket.destroy());
			serveReader(socket, tap, scheduler);
		});
		this.server.maxConnections = READERS_MAX;
		this.server.on("error", failed);
		rmSync(path, { force: true });
		this.server.listen(path, () => chmodSync(path, 0o600));
		// The tap alone is no reason to keep a process alive.
		this.server.unref();
	}

	/** Resolves when the socket file is gone and all readers are cut. */
	close(): Promise<void> {
		for (const reader of this.readers) reader.destroy();
		return new Promise((resolve) => this.server.close(() => resolve()));
	}
}

function serveReader(socket: Socket, tap: EventTap, scheduler: Scheduler): void {
	const splitter = new LineSplitter(REQUEST_CHARACTERS_MAX);
	let asked = false;
	socket.setEncoding("utf8");
	socket.unref();
	socket.on("data", (piece: string) => {
		const lines = splitter.feed(piece);
		if (lines === null) return void socket.destroy();
		if (asked || lines.length === 0) return;
		asked = true;
		const request = decodeTapRequest(lines[0] as string, RECENT_MAX);
		if (request === null) return void socket.end(encodeServerLine({ error: "not a tap request" }));
		const feed = new ReaderFeed(socket, scheduler);
		feed.line(encodeServerLine({ tap: TAP_VERSION, member: tap.member.toString(16), total: tap.total }));
		for (const record of tap.recent(request.recent, request.names)) feed.record(record);
		socket.on(
			"close",
			tap.subscribe(request.names, (record) => feed.record(record)),
		);
	});
}

/** One reader's bounded queue: lines of a turn leave in one write. */
class ReaderFeed {
	private readonly socket: Socket;
	private readonly scheduler: Scheduler;
	private waiting: string[] = [];
	private waitingBytes = 0;
	private dropped = 0;
	private scheduled = false;

	constructor(socket: Socket, scheduler: Scheduler) {
		this.socket = socket;
		this.scheduler = scheduler;
	}

	record(record: TapRecord): void {
		if (this.waitingBytes + this.socket.writableLength > READER_BYTES_MAX) {
			this.dropped++;
			return;
		}
		if (this.dropped > 0) {
			this.line(encodeServerLine({ dropped: this.dropped }));
			this.dropped = 0;
		}
		this.line(encodeTapRecord(record));
	}

	line(line: string): void {
		this.waiting.push(line);
		this.waitingBytes += line.length;
		if (this.scheduled) return;
		this.scheduled = true;
		this.scheduler.soon(() => this.send());
	}

	private send(): void {
		this.scheduled = false;
		this.socket.write(this.waiting.join(""));
		this.waiting = [];
		this.waitingBytes = 0;
	}
}
