/**
 * One WebSocket of a client: its messages in, texts out, and what it may cost. The library speaks the protocol (RFC 6455); here is
 * what it leaves open: pings, silence, bytes that nobody reads, messages that do not end, frames without use.
 */
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { TokenBucket } from "../http2/flood-guard.ts";
import { Stillness } from "../http2/patience.ts";
import type { WebSocketLimits } from "./front-options.ts";
import type { AbandonReason, ConnectionHold, HeldBytes, UnfinishedRequest } from "./held-bytes.ts";
import type { HttpSocket } from "./seam.ts";

/** Answers go out in pieces, so that a slow reader is told from one that reads nothing. */
const PIECE_BYTES = 64 << 10;
/** Of a message that is larger, so much is read in a turn: what a socket that is cut off held goes only at the turn's end. */
const TURN_BYTES = 64 << 10;
/** What may wait before whoever makes answers is told to stop; pongs are left out beyond it. */
const WAITING_BYTES_MAX = 16 << 10;
const FRAME_HEAD_BYTES = 6;
/** As for HTTP/2 (rule D1). */
const CONTROL = { burst: 2_000, perSecond: 200 } as const;

/** RFC 6455, 7.4.1. */
export const CloseCode = { normal: 1000, goingAway: 1001 } as const;

export type CutReason = "silent" | "slow" | "unread" | "stalled" | "flood" | "portFull";

export interface WebSocketWorld {
	readonly limits: WebSocketLimits;
	readonly held: HeldBytes;
	onCut(link: WebSocketLink, reason: CutReason): void;
	onGone(link: WebSocketLink): void;
}

export class WebSocketLink implements HttpSocket, UnfinishedRequest {
	readonly peer: string;
	/** Of the message that is coming in. */
	progressBytes = 0;
	watchedSinceMs = Number.NaN;
	held = false;
	/** It has asked for something. */
	busy = false;
	private readonly ws: WebSocket;
	private readonly socket: Socket;
	private readonly world: WebSocketWorld;
	private readonly hold: ConnectionHold;
	private readonly control = new TokenBucket(CONTROL.burst, CONTROL.perSecond, () => performance.now());
	private readonly reading = new Stillness();
	private readonly silence = new Stillness();
	/** Bytes since the last whole message, but for those of control frames. */
	private unfinishedBytes = 0;
	private unreadBytes = 0;
	private piecesLeft = 0;
	private bytesHeard = 0;
	private full = false;
	/** It has read enough for this turn. */
	private resting = false;
	private pinged = false;
	private gone = false;
	private messageListener: ((text: string) => void) | null = null;
	private drainListener: (() => void) | null = null;
	private readonly closeListeners: Array<() => void> = [];

	constructor(ws: WebSocket, socket: Socket, world: WebSocketWorld) {
		this.ws = ws;
		this.socket = socket;
		this.world = world;
		this.peer = `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`;
		this.hold = world.held.connect(() => this.cut("unread"));
		// Before the library sees them.
		socket.prependListener("data", (chunk: Buffer) => this.heard(chunk.length));
		ws.on("message", (data) => this.take(data as Buffer));
		ws.on("ping", (data) => {
			if (this.takeControl(data.length) && this.socket.writableLength <= WAITING_BYTES_MAX) ws.pong(data);
		});
		ws.on("pong", (data) => this.takeControl(data.length));
		// It has told the client by the close code, and closes.
		ws.on("error", () => {});
		ws.once("close", () => this.closed());
	}

	/** None of the client's is paused: there is one message at a time. */
	readonly paused = false;
	pause(): void {}
	resume(): void {}

	onMessage(listener: (text: string) => void): void {
		this.messageListener = listener;
	}

	holdBack(): void {
		if (this.held || this.gone) return;
		this.held = true;
		this.ws.pause();
	}

	readOn(): void {
		if (!this.held || this.gone) return;
		this.held = false;
		if (!this.resting) this.ws.resume();
	}

	/** A message that says nothing: it is borne for a while. */
	wasted(): void {
		if (!this.control.take()) this.cut("flood");
	}

	onDrain(listener: () => void): void {
		this.drainListener = listener;
	}

	onClose(listener: () => void): void {
		if (this.gone) listener();
		else this.closeListeners.push(listener);
	}

	send(text: string): boolean {
		if (this.gone || this.ws.readyState !== this.ws.OPEN) return true;
		const bytes = Buffer.from(text, "utf8");
		if (!this.hold.holdAnswer(this.unreadBytes, bytes.length)) {
			this.cut("unread");
			return true;
		}
		this.unreadBytes += bytes.length;
		for (let at = 0; at === 0 || at < bytes.length; at += PIECE_BYTES) {
			const piece = bytes.subarray(at, at + PIECE_BYTES);
			this.ws.send(piece, { binary: false, fin: at + PIECE_BYTES >= bytes.length }, () => this.left(piece.length));
		}
		this.full = this.unreadBytes > WAITING_BYTES_MAX;
		return !this.full;
	}

	close(code: number, reason = ""): void {
		if (this.gone) return;
		this.ws.close(code, reason);
		// Whatever it still says is read, but not heard; only so is its own close frame found.
		this.readOn();
	}

	/** At once, without a word: for those that would not hear one. */
	cut(reason: CutReason | null): void {
		if (this.gone) return;
		if (reason !== null) this.world.onCut(this, reason);
		this.ws.terminate();
		this.closed();
	}

	abandon(reason: AbandonReason): void {
		this.cut(reason === "stalled" ? "stalled" : "portFull");
	}

	look(nowMs: number): void {
		const { pingMs, pongMs, readMs } = this.world.limits;
		if (this.reading.since(this.unreadBytes > 0, this.piecesLeft, nowMs) >= readMs) {
			this.cut("slow");
			return;
		}
		// What this side does not read is not held against the client; nor is a pong that waits behind answers.
		const silentMs = this.silence.since(!this.held && this.unreadBytes === 0, this.bytesHeard, nowMs);
		if (silentMs === 0) this.pinged = false;
		if (silentMs >= pingMs + pongMs) this.cut("silent");
		else if (silentMs >= pingMs && !this.pinged && this.ws.readyState === this.ws.OPEN) {
			this.pinged = true;
			this.ws.ping();
		}
	}

	private heard(count: number): void {
		this.bytesHeard += count;
		this.progressBytes += count;
		this.unfinishedBytes += count;
		this.hold.grew(this, count);
		if (this.unfinishedBytes > TURN_BYTES) this.rest();
	}

	private rest(): void {
		if (this.resting || this.gone) return;
		this.resting = true;
		this.ws.pause();
		setImmediate(() => {
			this.resting = false;
			if (!this.held && !this.gone) this.ws.resume();
		});
	}

	/** Of the chunk in which a message ends, what follows is not counted: 64 KiB at most. */
	private take(data: Buffer): void {
		this.begun(0);
		if (this.gone || this.ws.readyState !== this.ws.OPEN) return;
		if (data.length === 0) this.wasted();
		else {
			this.busy = true;
			this.messageListener?.(data.toString("utf8"));
		}
	}

	private takeControl(payloadBytes: number): boolean {
		this.begun(Math.max(0, this.unfinishedBytes - payloadBytes - FRAME_HEAD_BYTES));
		if (this.control.take()) return true;
		this.cut("flood");
		return false;
	}

	/** So much of the next message has come. */
	private begun(bytes: number): void {
		const given = this.unfinishedBytes - bytes;
		this.unfinishedBytes = bytes;
		if (bytes === 0) {
			this.watchedSinceMs = Number.NaN;
			this.hold.settled(this);
		}
		this.hold.release(given);
	}

	private left(count: number): void {
		if (this.gone) return;
		this.hold.releaseAnswer(this.unreadBytes, count);
		this.unreadBytes -= count;
		this.piecesLeft++;
		if (!this.full || this.unreadBytes > 0) return;
		this.full = false;
		this.drainListener?.();
	}

	private closed(): void {
		if (this.gone) return;
		this.gone = true;
		this.begun(0);
		this.world.held.forget(this.hold);
		this.world.onGone(this);
		for (const listener of this.closeListeners.splice(0)) listener();
	}
}
