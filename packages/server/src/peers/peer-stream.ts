import type { Socket } from "node:net";
import { encodeFrameHead, type Frame, FrameDecoder } from "./frame.ts";
import type { PeerLimits, PeerTransportOptions } from "./options.ts";

/** Who ended a stream, and why. Only an end made by the peer (or its kernel) may hint at its death (rule H2). */
export interface StreamEnd {
	readonly by: "peer" | "us";
	readonly reason: string;
}

/** Bytes of all streams of one peer, counted as they pass. */
export interface StreamTotals {
	sentBytes: number;
	receivedBytes: number;
}

/** Frames that hold no message which this end of a stream reads. */
export const UNSOUND = "message malformed";

export interface StreamListener {
	readonly totals: StreamTotals;
	/** Every complete frame of one read. Null, or why they were not sound: the stream closes. */
	frames(frames: readonly Frame[]): string | null;
	/** Once; everything that had arrived was handed over before. */
	ended(end: StreamEnd): void;
	/** The socket took everything it was given. */
	drained(): void;
}

/** A peer connection after its handshake, in either direction: frames in, chunks out, silence noticed. */
export class PeerStream {
	private readonly socket: Socket;
	private readonly limits: PeerLimits;
	private readonly now: () => number;
	private readonly decoder: FrameDecoder;
	private readonly heartbeat: Uint8Array;
	private readonly listener: StreamListener;
	private readonly onWritten = (): void => {
		if (this.socket.writableLength > 0) return;
		this.drainedAtMs = this.now();
		if (this.end === null) this.listener.drained();
	};
	private heardAtMs: number;
	private wroteAtMs: number;
	/** When nothing waited last. */
	private drainedAtMs: number;
	private end: StreamEnd | null = null;
	readonly openedAtMs: number;

	/** Takes the socket over: its former listeners must be gone. `rest` arrived behind the handshake. */
	constructor(socket: Socket, rest: Uint8Array, options: PeerTransportOptions, limits: PeerLimits, listener: StreamListener) {
		this.socket = socket;
		this.limits = limits;
		this.now = () => options.clock.monotonicMs();
		this.decoder = new FrameDecoder(options.bytes, limits.frameBytesMax);
		this.heartbeat = encodeFrameHead(options.bytes, new Uint8Array(0), 0, 0);
		this.listener = listener;
		this.openedAtMs = this.now();
		this.heardAtMs = this.openedAtMs;
		this.wroteAtMs = this.openedAtMs;
		this.drainedAtMs = this.openedAtMs;
		let failure = "";
		socket.on("data", (chunk: Uint8Array) => this.read(chunk));
		socket.on("error", (error: NodeJS.ErrnoException) => {
			failure = error.code ?? error.message;
		});
		socket.on("close", () => {
			this.end ??= { by: "peer", reason: failure === "" ? "closed" : failure };
			listener.ended(this.end);
		});
		if (rest.length > 0) this.read(rest);
	}

	/** One write for all chunks. */
	write(chunks: readonly Uint8Array[]): void {
		this.wroteAtMs = this.now();
		const last = chunks.length - 1;
		for (const chunk of chunks) this.listener.totals.sentBytes += chunk.length;
		if (last > 0) this.socket.cork();
		for (let i = 0; i < last; i++) this.socket.write(chunks[i] as Uint8Array);
		this.socket.write(chunks[last] as Uint8Array, this.onWritten);
		if (last > 0) this.socket.uncork();
	}

	/** Bytes given to the socket that the kernel has not taken. */
	get unsentBytes(): number {
		return this.socket.writableLength;
	}

	/** Sends what is queued in the socket, then closes. */
	finish(reason: string): void {
		this.end ??= { by: "us", reason };
		this.socket.destroySoon();
	}

	close(reason: string): void {
		this.end ??= { by: "us", reason };
		this.socket.destroy();
	}

	/** About twice a second. `paused`: this process itself was away, so silence proves nothing. */
	watch(paused: boolean): void {
		const nowMs = this.now();
		if (paused || this.socket.writableLength === 0) this.drainedAtMs = nowMs;
		if (paused) this.heardAtMs = nowMs;
		if (nowMs - this.heardAtMs > this.limits.linkSilenceMs) {
			this.close("silent");
			return;
		}
		if (nowMs - this.drainedAtMs > this.limits.linkStallMs) {
			this.close("not read");
			return;
		}
		const idle = nowMs - this.wroteAtMs >= this.limits.linkHeartbeatMs;
		if (idle && this.socket.writableLength === 0) this.write([this.heartbeat]);
	}

	private read(chunk: Uint8Array): void {
		if (this.end !== null) return;
		this.heardAtMs = this.now();
		this.listener.totals.receivedBytes += chunk.length;
		const frames: Frame[] = [];
		// A plain view: what is cut from it goes on to rooms in which `slice` must copy.
		const fault = this.decoder.feed(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length), frames);
		const unsound = frames.length === 0 ? null : this.listener.frames(frames);
		if (fault !== null) this.close(fault);
		else if (unsound !== null) this.close(unsound);
	}
}
