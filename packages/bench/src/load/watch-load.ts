/**
 * Watchers on some streams, and puts that all of them see. Operations are events that arrived; latency is the time from the
 * sending of a put to its event, by a stamp in the value. Nothing is put before the watchers have nearly all of what was put
 * already, so that what is measured is not how fast a backlog grows.
 */
import { etcdserverpb } from "@flotilla/api";
import { CallError, type GrpcConnection } from "../client/grpc-connection.ts";
import { MessageStream } from "../client/message-stream.ts";
import type { Recorder } from "../measure/recorder.ts";
import { PATHS } from "./requests.ts";
import type { RunningLoad } from "./unary-load.ts";

const PATH = "/etcdserverpb.Watch/Watch";
export const WATCHED_KEY = "flotilla-bench-watched";
const STAMP_BYTES = 8;
const CREATED_MS = 30_000;
/** Puts that may be ahead of the slowest watchers. */
const AHEAD_MAX = 16;
/** Of the messages of a stream every so many is looked into for its stamp. */
const LOOKED_INTO = 16;

export interface WatchLoadOptions {
	readonly watchers: number;
	readonly streams: number;
	/** Puts a second; 0: as fast as the watchers take them. */
	readonly rate: number;
	readonly valueBytes: number;
	readonly recorder: Recorder;
	/** Every event is timed, not one now and then. */
	readonly everyLatency: boolean;
}

export class WatchLoad implements RunningLoad {
	/** Puts that were answered. */
	puts = 0;
	private readonly connections: readonly GrpcConnection[];
	private readonly options: WatchLoadOptions;
	private readonly streams: WatchStream[] = [];
	private running = false;
	private sent = 0;
	private events = 0;
	private readonly asking = new Set<Promise<void>>();
	private startedMs = 0;
	private pacer: NodeJS.Timeout | null = null;

	constructor(connections: readonly GrpcConnection[], options: WatchLoadOptions) {
		this.connections = connections;
		this.options = options;
	}

	/** Resolves when every watcher is there. */
	async prepare(): Promise<void> {
		const { watchers, streams } = this.options;
		const count = Math.min(streams, watchers);
		for (let at = 0; at < count; at++) {
			const connection = this.connections[at % this.connections.length] as GrpcConnection;
			const own = Math.floor(watchers / count) + (at < watchers % count ? 1 : 0);
			this.streams.push(new WatchStream(this, connection, own));
		}
		await Promise.all(this.streams.map((stream) => stream.created));
	}

	start(): void {
		this.running = true;
		this.startedMs = performance.now();
		this.pace();
	}

	async stop(): Promise<void> {
		this.running = false;
		if (this.pacer !== null) clearTimeout(this.pacer);
		// What is written must be known before anybody looks at the revision.
		await Promise.allSettled(this.asking);
		for (const stream of this.streams) stream.cancel();
	}

	arrived(count: number): void {
		this.events += count;
		if (this.running) this.options.recorder.count(count);
	}

	timed(ms: number): void {
		if (this.running) this.options.recorder.latencyOf(ms);
	}

	failed(text: string): void {
		if (this.running) this.options.recorder.failure(text);
	}

	get everyLatency(): boolean {
		return this.options.everyLatency;
	}

	private pace(): void {
		if (!this.running) return;
		const { rate, watchers } = this.options;
		const due = rate > 0 ? Math.floor(((performance.now() - this.startedMs) / 1_000) * rate) : Number.POSITIVE_INFINITY;
		while (this.sent < due && this.sent - this.events / watchers < AHEAD_MAX && this.asking.size < AHEAD_MAX) this.put();
		this.pacer = setTimeout(() => this.pace(), 1);
	}

	private put(): void {
		const connection = this.connections[this.sent % this.connections.length] as GrpcConnection;
		const value = Buffer.alloc(Math.max(STAMP_BYTES, this.options.valueBytes));
		value.writeDoubleLE(performance.now(), 0);
		this.sent++;
		const asked: Promise<void> = connection.ask(PATHS.put, etcdserverpb.PutRequest.encode({ key: Buffer.from(WATCHED_KEY), value })).then(
			() => {
				this.puts++;
				this.asking.delete(asked);
				if (this.options.rate === 0) this.goOn();
			},
			(error: Error) => {
				this.asking.delete(asked);
				this.failed(error instanceof CallError ? error.message : String(error));
			},
		);
		this.asking.add(asked);
	}

	/** At once, not at the next look. */
	private goOn(): void {
		if (this.pacer !== null) clearTimeout(this.pacer);
		this.pace();
	}
}

class WatchStream extends MessageStream {
	readonly created: Promise<void>;
	private readonly load: WatchLoad;
	private missing: number;
	private isReady: () => void = () => {};
	private isBroken: (error: Error) => void = () => {};
	private messages = 0;
	private cancelled = false;

	constructor(load: WatchLoad, connection: GrpcConnection, watchers: number) {
		super(connection.http2);
		this.load = load;
		this.missing = watchers;
		this.created = new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(new Error(`watchers were not made within ${CREATED_MS} ms`)), CREATED_MS);
			this.isReady = () => {
				clearTimeout(timer);
				resolve();
			};
			this.isBroken = (error) => {
				clearTimeout(timer);
				reject(error);
			};
		});
		if (!connection.open(this, connection.method(PATH))) throw new Error("no stream is free for a watcher");
		const create = etcdserverpb.WatchCreateRequest.create({ key: Buffer.from(WATCHED_KEY) });
		const message = etcdserverpb.WatchRequest.encode({ requestUnion: { kind: "createRequest", value: create } });
		for (let made = 0; made < watchers; made++) this.connection.sendMessage(this, message, false);
	}

	override onMessage(bytes: Buffer, start: number, end: number): void {
		const events = countEvents(bytes, start, end);
		if (events === 0) this.onOther(bytes.subarray(start, end));
		else {
			this.load.arrived(events);
			if (this.load.everyLatency || this.messages++ % LOOKED_INTO === 0) this.time(bytes.subarray(start, end));
		}
	}

	override onStatus(code: number, text: string): void {
		if (this.cancelled) return;
		this.load.failed(`a watch stream ended: ${text === "" ? `status ${code}` : text}`);
		this.isBroken(new CallError(code, text));
	}

	cancel(): void {
		this.cancelled = true;
		this.connection.reset(this, 8);
	}

	private onOther(message: Buffer): void {
		const { created, canceled, cancelReason } = etcdserverpb.WatchResponse.decode(message);
		if (canceled) this.load.failed(`a watcher was cancelled: ${cancelReason}`);
		if (created && --this.missing === 0) this.isReady();
	}

	private time(message: Buffer): void {
		const nowMs = performance.now();
		for (const { kv } of etcdserverpb.WatchResponse.decode(message).events) {
			if (kv === null || kv.value.length < STAMP_BYTES) continue;
			const { buffer, byteOffset } = kv.value;
			this.load.timed(nowMs - new DataView(buffer, byteOffset).getFloat64(0, true));
		}
	}
}

const EVENTS_TAG = (11 << 3) | 2;

/** Events of an encoded WatchResponse, without decoding them. */
export function countEvents(bytes: Buffer, start: number, end: number): number {
	let events = 0;
	for (let at = start; at < end; ) {
		const tag = bytes[at++] as number;
		if (tag === EVENTS_TAG) events++;
		// All tags of the message are one byte; its fields are varints and blocks with a length.
		let value = 0;
		let shift = 1;
		for (;;) {
			const byte = bytes[at++] as number;
			value += (byte & 0x7f) * shift;
			shift *= 0x80;
			if (byte < 0x80) break;
		}
		if ((tag & 7) === 2) at += value;
	}
	return events;
}
