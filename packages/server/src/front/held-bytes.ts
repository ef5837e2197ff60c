/** What clients make the gRPC port keep in memory, counted by connection: requests that are not whole yet, and answers that nobody reads. */
import { TokenBucket } from "../http2/flood-guard.ts";
import type { HoldLimits } from "./front-options.ts";
import { Grpc, type GrpcFront, type Status } from "./seam.ts";

/** A stream that is not read any more may still fill its window. */
export const PAUSED_STREAM_BYTES = 65_536;

/** A request of which bytes came, but not all. */
export interface UnfinishedRequest {
	readonly paused: boolean;
	/** Its handler takes no more of it now. */
	readonly held: boolean;
	pause(): void;
	resume(): void;
	/** The call gets its status, and its bytes are given back. */
	abandon(reason: AbandonReason): void;
	/** Bytes that came since `watchedSinceMs`; both belong to whoever watches for progress. */
	progressBytes: number;
	/** NaN before the first look. */
	watchedSinceMs: number;
}

export type AbandonReason = "connectionFull" | "portFull" | "stalled";

export const ABANDONED: Readonly<Record<AbandonReason, Status>> = {
	connectionFull: { code: Grpc.resourceExhausted, message: "etcdserver: too many bytes in unfinished requests of this connection" },
	portFull: { code: Grpc.resourceExhausted, message: "etcdserver: too many bytes in unfinished requests" },
	stalled: { code: Grpc.deadlineExceeded, message: "etcdserver: the request did not arrive in time" },
};

/** An answer beyond what may wait for its reader. */
export const UNREAD: Status = { code: Grpc.resourceExhausted, message: "etcdserver: too many bytes in unread answers of this connection" };

/** Why a connection is ended. */
const ANSWERS_UNREAD = "answers are not read";
const REQUESTS_STALLED = "requests do not arrive";

const SECONDS_PER_MINUTE = 60;

/** Looks of `endStalled` in the time that a request may stand still. */
export const LOOKS_PER_STALL = 6;

/** With what its clients make it hold now. */
export interface CountedFront extends GrpcFront {
	readonly held: { readonly requestBytes: number; readonly answerBytes: number };
}

/** All connections of one front. */
export class HeldBytes {
	requestBytes = 0;
	answerBytes = 0;
	readonly options: HoldLimits;
	private readonly connections = new Set<ConnectionHold>();

	constructor(options: HoldLimits) {
		this.options = options;
	}

	/** `close` ends the connection at once, for the reason that it is given. */
	connect(close: (reason: string) => void): ConnectionHold {
		const connection = new ConnectionHold(this, close);
		this.connections.add(connection);
		return connection;
	}

	forget(connection: ConnectionHold): void {
		this.connections.delete(connection);
		connection.writeOff();
	}

	/** Whoever holds most loses its unfinished calls; its finished ones and its streams go on. */
	shedRequests(): void {
		while (this.requestBytes > this.options.unfinishedBytesMax) {
			const largest = this.largest((connection) => connection.requestBytes);
			if (largest === null || !largest.abandonAll("portFull")) return;
		}
	}

	/** Answers cannot be taken back one by one: the connection with the most is closed. */
	shedAnswers(): void {
		while (this.answerBytes > this.options.unreadBytesMax) {
			const largest = this.largest((connection) => connection.answerBytes);
			if (largest === null) return;
			this.forget(largest);
			largest.close(ANSWERS_UNREAD);
		}
	}

	/** To be called now and then: ends the calls whose clients stopped in the middle of a request, and connections that do it again and again. */
	endStalled(nowMs: number): void {
		for (const connection of this.connections) {
			if (!connection.endStalled(nowMs)) connection.close(REQUESTS_STALLED);
		}
	}

	private largest(bytesOf: (connection: ConnectionHold) => number): ConnectionHold | null {
		let found: ConnectionHold | null = null;
		for (const connection of this.connections) {
			if (bytesOf(connection) > (found === null ? 0 : bytesOf(found))) found = connection;
		}
		return found;
	}
}

export class ConnectionHold {
	requestBytes = 0;
	answerBytes = 0;
	private countedBytes = 0;
	readonly close: (reason: string) => void;
	private readonly port: HeldBytes;
	private readonly stalls: TokenBucket;
	/** Calls that wait for the rest of a request: all of them are watched for progress. */
	private readonly waiting = new Set<UnfinishedRequest>();
	/** Those of them in the middle of a message, oldest first. */
	private readonly partial = new Set<UnfinishedRequest>();
	private pausedCount = 0;
	private writtenOff = false;

	constructor(port: HeldBytes, close: (reason: string) => void) {
		const { stallsBurst, stallsPerMinute } = port.options;
		this.port = port;
		this.close = close;
		this.stalls = new TokenBucket(stallsBurst, stallsPerMinute / SECONDS_PER_MINUTE, () => performance.now());
	}

	expect(request: UnfinishedRequest): void {
		this.waiting.add(request);
	}

	/** Bytes of a message came and it is not whole: they are kept, and perhaps no more of it is read for now. */
	grew(request: UnfinishedRequest, bytes: number): void {
		this.partial.add(request);
		this.waiting.add(request);
		this.hold(bytes);
		const { unfinishedBytesPaused, unfinishedBytesPerConnectionMax } = this.port.options;
		if (this.requestBytes > unfinishedBytesPerConnectionMax) request.abandon("connectionFull");
		// The oldest always goes on, so that the others come after it.
		else if (this.requestBytes > unfinishedBytesPaused && !request.paused && request !== this.oldest()) {
			request.pause();
			this.pausedCount++;
			this.hold(PAUSED_STREAM_BYTES);
		}
		this.port.shedRequests();
	}

	hold(bytes: number): void {
		this.requestBytes += bytes;
		this.port.requestBytes += bytes;
	}

	/** Its message is whole. What it holds is given back by `release`, now or when the client ends its half. */
	completed(request: UnfinishedRequest): void {
		this.partial.delete(request);
		this.unpause(request);
	}

	/** Nothing more of it is waited for. */
	settled(request: UnfinishedRequest): void {
		this.waiting.delete(request);
		this.completed(request);
	}

	release(bytes: number): void {
		this.hold(-bytes);
		if (this.pausedCount > 0) this.resumeSome();
	}

	abandonAll(reason: AbandonReason): boolean {
		const before = this.requestBytes;
		for (const request of [...this.waiting]) request.abandon(reason);
		return this.requestBytes < before;
	}

	/**
	 * Of a stream that has `held` bytes unread already. False when that is too much, or the connection has too much: there each stream
	 * counts an eighth of the bound at most, so that a single answer may have any size and leaves room for those of other calls.
	 */
	holdAnswer(held: number, bytes: number): boolean {
		if (this.writtenOff) return false;
		const { unreadBytesPerConnectionMax: most } = this.port.options;
		const more = this.counted(held + bytes) - this.counted(held);
		if ((held > 0 && held + bytes > most) || (this.countedBytes > 0 && this.countedBytes + more > most)) return false;
		this.countedBytes += more;
		this.answerBytes += bytes;
		this.port.answerBytes += bytes;
		this.port.shedAnswers();
		return !this.writtenOff;
	}

	/** It is closed, and so are its calls soon: what they give back counts no more. */
	writeOff(): void {
		this.writtenOff = true;
		this.port.answerBytes -= this.answerBytes;
		this.answerBytes = 0;
	}

	/** `held`: what the stream had unread before. */
	releaseAnswer(held: number, bytes: number): void {
		if (this.writtenOff) return;
		this.countedBytes -= this.counted(held) - this.counted(held - bytes);
		this.answerBytes -= bytes;
		this.port.answerBytes -= bytes;
	}

	/** False when too many of its requests did. */
	endStalled(nowMs: number): boolean {
		const { stallMs, stallBytes } = this.port.options;
		for (const request of [...this.waiting]) {
			// What the server itself holds back is not held against the client.
			if (request.paused || request.held || request.progressBytes >= stallBytes || Number.isNaN(request.watchedSinceMs)) {
				request.progressBytes = 0;
				request.watchedSinceMs = nowMs;
			} else if (nowMs - request.watchedSinceMs >= stallMs) {
				if (!this.stalls.take()) return false;
				request.abandon("stalled");
			}
		}
		return true;
	}

	/** Of what a stream has unread, what counts against the bound of the connection. */
	private counted(held: number): number {
		return Math.min(held, this.port.options.unreadBytesPerConnectionMax >>> 3);
	}

	private resumeSome(): void {
		const { unfinishedBytesPaused } = this.port.options;
		const oldest = this.oldest();
		for (const request of this.partial) {
			if (request !== oldest && this.requestBytes - PAUSED_STREAM_BYTES >= unfinishedBytesPaused) return;
			this.unpause(request);
		}
	}

	private unpause(request: UnfinishedRequest): void {
		if (!request.paused) return;
		this.pausedCount--;
		this.hold(-PAUSED_STREAM_BYTES);
		request.resume();
	}

	private oldest(): UnfinishedRequest | undefined {
		return this.partial.values().next().value;
	}
}
