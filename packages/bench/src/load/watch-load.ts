/**
 * Watchers on some streams, and puts that all of them see. Operations are events that arrived; latency is the time from
 * when a put was due (at a rate), or sent (without one), to its event, by a stamp in the value. Nothing is put before the watchers have
 * nearly all of what was put already, so that what is measured is not how fast a backlog grows.
 */
import { etcdserverpb } from "@flotilla/api";
import { CallError, type GrpcConnection } from "../client/grpc-connection.ts";
import { MessageStream } from "../client/message-stream.ts";
import type { Recorder } from "../measure/recorder.ts";
import { PATHS } from "./requests.ts";
import type { RunningLoad } from "./unary-load.ts";
import { countEvents, visitValues } from "./watch-response.ts";

const PATH = "/etcdserverpb.Watch/Watch";
export const WATCHED_KEY = "flotilla-bench-watched";
/** What all of them watch is the prefix that ends with it. */
const BEHIND_PREFIX = Buffer.from(`${WATCHED_KEY.slice(0, -1)}${String.fromCharCode(WATCHED_KEY.charCodeAt(WATCHED_KEY.length - 1) + 1)}`);
const STAMP_BYTES = 8;
const CREATED_MS = 30_000;
/** How long what was put last may be on its way when the load ends. */
const ARRIVAL_MS = 30_000;
/** Of the messages of a stream every so many is looked into for its stamp. */
const LOOKED_INTO = 16;

export interface WatchLoadOptions {
	readonly watchers: number;
	readonly streams: number;
	/** Puts a second; 0: as fast as the watchers take them. */
	readonly rate: number;
	/** Puts that may be under way, and ahead of the watchers. */
	readonly ahead: number;
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
		const giveUpMs = performance.now() + ARRIVAL_MS;
		while (this.lacking() > 0 && performance.now() < giveUpMs) await new Promise((resolve) => setTimeout(resolve, 10));
		for (const stream of this.streams) stream.cancel();
	}

	/** Once it has stopped: null, or what was not heard, or heard twice. */
	doubt(): string | null {
		if (this.lacking() > 0) return `${this.lacking()} of ${this.puts * this.options.watchers} events did not arrive`;
		// What was put and not acknowledged may be heard of as well.
		const tooMany = this.streams.some((stream) => stream.events > this.sent * stream.watchers);
		return tooMany ? "more events arrived than there were puts" : null;
	}

	private lacking(): number {
		return this.streams.reduce((sum, { events, watchers }) => sum + Math.max(0, this.puts * watchers - events), 0);
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
		const { rate, watchers, ahead } = this.options;
		const due = rate > 0 ? Math.floor(((performance.now() - this.startedMs) / 1_000) * rate) : Number.POSITIVE_INFINITY;
		while (this.sent < due && this.sent - this.events / watchers < ahead && this.asking.size < ahead) {
			this.put(rate > 0 ? this.startedMs + (this.sent / rate) * 1_000 : performance.now());
		}
		this.pacer = setTimeout(() => this.pace(), 1);
	}

	/** `dueMs`: one that could not leave then, since watchers or answers were behind, is charged for that, too. */
	private put(dueMs: number): void {
		const connection = this.connections[this.sent % this.connections.length] as GrpcConnection;
		const value = Buffer.alloc(Math.max(STAMP_BYTES, this.options.valueBytes));
		value.writeDoubleLE(dueMs, 0);
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
	readonly watchers: number;
	/** That arrived at them. */
	events = 0;
	private readonly load: WatchLoad;
	private missing: number;
	private isReady: () => void = () => {};
	private isBroken: (error: Error) => void = () => {};
	private messages = 0;
	private cancelled = false;

	constructor(load: WatchLoad, connection: GrpcConnection, watchers: number) {
		super(connection.http2);
		this.load = load;
		this.watchers = watchers;
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
		const create = etcdserverpb.WatchCreateRequest.create({ key: Buffer.from(WATCHED_KEY), rangeEnd: BEHIND_PREFIX });
		const message = etcdserverpb.WatchRequest.encode({ requestUnion: { kind: "createRequest", value: create } });
		for (let made = 0; made < watchers; made++) this.connection.sendMessage(this, message, false);
	}

	override onMessage(bytes: Buffer, start: number, end: number): void {
		const events = countEvents(bytes, start, end);
		if (events === 0) this.onOther(bytes.subarray(start, end));
		else {
			this.events += events;
			this.load.arrived(events);
			if (this.load.everyLatency || this.messages++ % LOOKED_INTO === 0) this.time(bytes, start, end);
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

	private time(bytes: Buffer, start: number, end: number): void {
		const nowMs = performance.now();
		visitValues(bytes, start, end, (at, length) => {
			if (length >= STAMP_BYTES) this.load.timed(nowMs - bytes.readDoubleLE(at));
		});
	}
}
