/** One watcher on one HTTP/2 stream that is read only when the test says so: what is not read stays with the server. */
import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { etcdserverpb } from "@flotilla/api";
import { visitPuts } from "./watch-puts.ts";

const HEAD_BYTES = 5;

export interface RawWatchOptions {
	readonly prefix: string;
	readonly fragment?: boolean;
	/** Of a response that tells of deletions: how many. */
	readonly onDeletions?: (count: number) => void;
	/** Called for each put that a watcher hears of which is being read: where its value begins in these bytes. */
	readonly onEvent: (revision: number, bytes: Buffer, valueAt: number) => void;
	onCanceled(compactRevision: number, reason: string): void;
	/** The stream ended, by whomever; what the server said of it, if anything. */
	readonly onEnded?: (text: string) => void;
}

export class RawWatch {
	/** Resolves with the revision of the created response, which is read in any case. */
	readonly created: Promise<number>;
	private readonly stream: ClientHttp2Stream;
	private readonly options: RawWatchOptions;
	private becomeCreated: (revision: number) => void = () => {};
	/** What has come of messages that are not whole, and how much of it there must be before it is worth a look. */
	private pieces: Buffer[] = [];
	private held = 0;
	private wanted = HEAD_BYTES;

	constructor(session: ClientHttp2Session, options: RawWatchOptions) {
		this.options = options;
		this.stream = session.request({
			":method": "POST",
			":path": "/etcdserverpb.Watch/Watch",
			te: "trailers",
			"content-type": "application/grpc",
		});
		let text = "the stream was closed";
		this.stream.on("error", (error) => {
			text = error.message;
		});
		this.stream.on("trailers", (trailers) => {
			text = `${trailers["grpc-status"]?.toString()}: ${trailers["grpc-message"]?.toString()}`;
		});
		this.stream.once("close", () => options.onEnded?.(text));
		this.created = new Promise((resolve, reject) => {
			this.becomeCreated = resolve;
			this.stream.once("close", () => reject(new Error("the watch stream ended before it was created")));
		});
		this.stream.on("data", (chunk: Buffer) => this.take(chunk));
		const end = Buffer.from(options.prefix);
		end[end.length - 1] = (end.at(-1) ?? 0) + 1;
		const value = etcdserverpb.WatchCreateRequest.create({
			key: Buffer.from(options.prefix),
			rangeEnd: end,
			fragment: options.fragment ?? false,
		});
		const request = etcdserverpb.WatchRequest.encode({ requestUnion: { kind: "createRequest", value } });
		const head = Buffer.alloc(HEAD_BYTES);
		head.writeUInt32BE(request.length, 1);
		this.stream.write(Buffer.concat([head, request]));
	}

	stopReading(): void {
		this.stream.pause();
	}

	read(): void {
		this.stream.resume();
	}

	close(): void {
		this.stream.close();
	}

	private take(chunk: Buffer): void {
		this.pieces.push(chunk);
		this.held += chunk.length;
		// A response may be as long as all events of a revision: it is put together once.
		if (this.held < this.wanted) return;
		const bytes = this.pieces.length === 1 ? chunk : Buffer.concat(this.pieces);
		let at = 0;
		this.wanted = HEAD_BYTES;
		while (bytes.length - at >= HEAD_BYTES) {
			const end = at + HEAD_BYTES + bytes.readUInt32BE(at + 1);
			this.wanted = end - at;
			if (end > bytes.length) break;
			const puts = visitPuts(bytes, at + HEAD_BYTES, end, this.options.onEvent);
			if (puts === 0) this.hear(etcdserverpb.WatchResponse.decode(bytes.subarray(at + HEAD_BYTES, end)));
			at = end;
			this.wanted = HEAD_BYTES;
		}
		const rest = bytes.subarray(at);
		this.pieces = rest.length === 0 ? [] : [rest];
		this.held = rest.length;
	}

	private hear({ header, created, canceled, compactRevision, cancelReason, events }: etcdserverpb.WatchResponse): void {
		if (events.length > 0) this.options.onDeletions?.(events.length);
		if (created) this.becomeCreated(header?.revision ?? 0);
		if (canceled) this.options.onCanceled(compactRevision, cancelReason);
	}
}
