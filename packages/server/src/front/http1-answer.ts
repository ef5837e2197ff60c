/** Answers of HTTP/1.1 on their way out: piece by piece, so that a slow reader is told from one that reads nothing (rule D4). */
import type { ServerResponse } from "node:http";
import { Stillness } from "../http2/patience.ts";
import type { WebSocketLimits } from "./front-options.ts";

/** Whoever takes so much in the time that there is for reading goes on. */
const PIECE_BYTES = 16 << 10;
/** Pieces in one turn of the loop where the other end takes them at once. */
const TURN_PIECES = 16;
/** What may wait before whoever makes an answer is told to stop. */
const WAITING_BYTES_MAX = 16 << 10;
const LOOK_MS_MAX = 1_000;
const UNREAD = "answers are not read";

/** All of one port, looked at now and then. */
export class Answers {
	private readonly limits: Pick<WebSocketLimits, "readMs" | "onCut">;
	private readonly leaving = new Set<Answer>();
	private readonly looks: NodeJS.Timeout;

	constructor(limits: Pick<WebSocketLimits, "readMs" | "onCut">) {
		this.limits = limits;
		this.looks = setInterval(() => this.look(performance.now()), Math.min(LOOK_MS_MAX, limits.readMs / 2)).unref();
	}

	begin(response: ServerResponse): Answer {
		const answer = new Answer(response);
		this.leaving.add(answer);
		response.once("close", () => {
			this.leaving.delete(answer);
			answer.gone();
		});
		return answer;
	}

	close(): void {
		clearInterval(this.looks);
	}

	private look(nowMs: number): void {
		const { readMs, onCut } = this.limits;
		for (const answer of this.leaving) {
			if (answer.unreadMs(nowMs) < readMs) continue;
			this.leaving.delete(answer);
			onCut?.(UNREAD, answer.peer);
			answer.cut();
		}
	}
}

export class Answer {
	private readonly response: ServerResponse;
	private readonly reading = new Stillness();
	/** Pieces of the first of them have left up to `at`. */
	private readonly waiting: Buffer[] = [];
	private at = 0;
	private waitingBytes = 0;
	private piecesLeft = 0;
	private moving = false;
	private full = false;
	private ended = false;
	private drainListener: (() => void) | null = null;

	constructor(response: ServerResponse) {
		this.response = response;
	}

	get peer(): string {
		const { socket } = this.response;
		return `${socket?.remoteAddress ?? "unknown"}:${socket?.remotePort ?? 0}`;
	}

	/** The only one, and all of it. */
	whole(body: string | Uint8Array): void {
		const bytes = typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
		if (bytes.length <= PIECE_BYTES) {
			this.ended = true;
			this.response.end(bytes);
			return;
		}
		this.response.setHeader("Content-Length", bytes.length);
		this.put(bytes);
		this.end();
	}

	/** False: no more until `onDrain`. */
	write(text: string): boolean {
		if (this.response.destroyed || this.ended) return true;
		this.put(Buffer.from(text));
		this.full = this.waitingBytes > WAITING_BYTES_MAX;
		return !this.full;
	}

	onDrain(listener: () => void): void {
		this.drainListener = listener;
	}

	end(): void {
		if (this.ended) return;
		this.ended = true;
		if (!this.moving) this.response.end();
	}

	/** How long its client has read nothing of what waits for it. Behind another answer of the same connection it is not its turn. */
	unreadMs(nowMs: number): number {
		const { response } = this;
		const waits = this.waitingBytes > 0 || (this.ended && !response.writableFinished);
		return this.reading.since(waits && response.socket !== null, this.piecesLeft, nowMs);
	}

	cut(): void {
		this.response.socket?.destroy();
	}

	/** It is answered, or nobody is there to read it. */
	gone(): void {
		this.waiting.length = 0;
		this.waitingBytes = 0;
	}

	private put(bytes: Buffer): void {
		if (bytes.length === 0) return;
		this.waiting.push(bytes);
		this.waitingBytes += bytes.length;
		if (this.moving) return;
		this.moving = true;
		this.move();
	}

	/** One piece at a time: several that wait would leave as one. */
	private move(): void {
		const [first] = this.waiting;
		if (first === undefined) {
			this.moving = false;
			if (this.ended) this.response.end();
			else if (this.full) {
				this.full = false;
				this.drainListener?.();
			}
			return;
		}
		const piece = first.subarray(this.at, this.at + PIECE_BYTES);
		this.response.write(piece, () => this.left(piece.length));
	}

	private left(count: number): void {
		if (this.waitingBytes === 0 || this.response.destroyed) return;
		this.waitingBytes -= count;
		this.at += count;
		if (this.at === this.waiting[0]?.length) {
			this.waiting.shift();
			this.at = 0;
		}
		this.piecesLeft++;
		if (this.piecesLeft % TURN_PIECES === 0) setImmediate(() => this.move());
		else this.move();
	}
}
