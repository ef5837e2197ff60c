/** The body of a request of HTTP/1.1: whole, or refused. What has come of those that are not whole is counted by the port. */
import type { Readable } from "node:stream";
import type { AbandonReason, ConnectionHold, HeldBytes, UnfinishedRequest } from "./held-bytes.ts";

export type BodyReading =
	| { readonly ok: true; readonly bytes: Uint8Array }
	/**
	 * `tooMany`: all bodies together have grown too large, and this was one of the largest. `stalled`: too little of it came in too long.
	 * `gone`: the client left before its request was whole.
	 */
	| { readonly ok: false; readonly code: Refusal | "gone" };
type Refusal = "tooLarge" | "tooMany" | "stalled";

/** What still comes of one that is refused is thrown away, so that the answer is not lost to a reset. */
export function readBody(request: Readable, bytesMax: number, held: HeldBytes): Promise<BodyReading> {
	return new Promise((resolve) => {
		const body = new IncomingBody(request, bytesMax, held, resolve);
		request.on("data", (chunk: Buffer) => body.take(chunk));
		request.once("end", () => body.whole());
		request.once("error", () => body.end({ ok: false, code: "gone" }));
		request.once("close", () => body.end({ ok: false, code: "gone" }));
	});
}

class IncomingBody implements UnfinishedRequest {
	readonly held = false;
	readonly paused = false;
	progressBytes = 0;
	watchedSinceMs = Number.NaN;
	private readonly request: Readable;
	private readonly bytesMax: number;
	private readonly port: HeldBytes;
	private readonly hold: ConnectionHold;
	private readonly done: (reading: BodyReading) => void;
	private chunks: Buffer[] = [];
	private bytes = 0;
	private over = false;

	constructor(request: Readable, bytesMax: number, port: HeldBytes, done: (reading: BodyReading) => void) {
		this.request = request;
		this.bytesMax = bytesMax;
		this.port = port;
		this.hold = port.connect(() => request.destroy());
		this.done = done;
		this.hold.expect(this);
	}

	take(chunk: Buffer): void {
		if (this.over) return;
		if (this.bytes + chunk.length > this.bytesMax) {
			this.refuse("tooLarge");
			return;
		}
		this.bytes += chunk.length;
		this.progressBytes += chunk.length;
		this.chunks.push(chunk);
		this.hold.grew(this, chunk.length);
	}

	whole(): void {
		const { chunks } = this;
		this.end({ ok: true, bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks) });
	}

	/** What is counted goes with it. */
	end(reading: BodyReading): void {
		if (this.over) return;
		this.over = true;
		this.hold.settled(this);
		this.hold.release(this.bytes);
		this.port.forget(this.hold);
		this.chunks = [];
		this.done(reading);
	}

	abandon(reason: AbandonReason): void {
		this.refuse(reason === "stalled" ? "stalled" : "tooMany");
	}

	/** There is one at a time on a connection. */
	pause(): void {}
	resume(): void {}

	private refuse(code: Refusal): void {
		this.end({ ok: false, code });
		this.request.resume();
	}
}
