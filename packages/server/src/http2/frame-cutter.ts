/** Cuts what a socket reads into frames. A frame that is not whole waits for its rest in a buffer of its own size. */
import { ConnectionFault, ErrorCode, FRAME_BYTES_MIN, FRAME_HEAD_BYTES } from "./protocol.ts";

/** The content lies in bytes[start, end) and is the callee's only during the call. */
export type OnFrame = (type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number) => void;

export class FrameCutter {
	private readonly onFrame: OnFrame;
	private rest: Buffer | null = null;
	private restLength = 0;

	constructor(onFrame: OnFrame) {
		this.onFrame = onFrame;
	}

	/** In the middle of a frame. */
	get waits(): boolean {
		return this.rest !== null;
	}

	/** Throws a ConnectionFault at a frame longer than was allowed, and what `onFrame` throws. */
	feed(chunk: Buffer): void {
		let at = this.rest === null ? 0 : this.complete(chunk);
		const end = chunk.length;
		while (end - at >= FRAME_HEAD_BYTES) {
			const next = at + FRAME_HEAD_BYTES + contentBytes(chunk, at);
			if (next > end) break;
			this.frame(chunk, at, next);
			at = next;
		}
		if (at < end) this.keep(chunk, at);
	}

	/** Gives the frame that waited its rest. Returns where the chunk goes on. */
	private complete(chunk: Buffer): number {
		let rest = this.rest as Buffer;
		let at = 0;
		if (this.restLength < FRAME_HEAD_BYTES) {
			at = chunk.copy(rest, this.restLength, 0, FRAME_HEAD_BYTES - this.restLength);
			this.restLength += at;
			if (this.restLength < FRAME_HEAD_BYTES) return at;
			rest = this.room(rest, 0, FRAME_HEAD_BYTES);
		}
		const taken = chunk.copy(rest, this.restLength, at, Math.min(chunk.length, at + rest.length - this.restLength));
		this.restLength += taken;
		if (this.restLength === rest.length) {
			this.rest = null;
			this.frame(rest, 0, rest.length);
		}
		return at + taken;
	}

	private keep(chunk: Buffer, at: number): void {
		const have = chunk.length - at;
		if (have >= FRAME_HEAD_BYTES) {
			this.room(chunk, at, have);
		} else {
			this.rest = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
			chunk.copy(this.rest, 0, at);
			this.restLength = have;
		}
	}

	/** Room for the whole frame whose first `have` bytes are at `at`. */
	private room(from: Buffer, at: number, have: number): Buffer {
		const room = Buffer.allocUnsafe(FRAME_HEAD_BYTES + contentBytes(from, at));
		from.copy(room, 0, at, at + have);
		this.rest = room;
		this.restLength = have;
		return room;
	}

	private frame(bytes: Buffer, at: number, end: number): void {
		const streamId =
			(((bytes[at + 5] as number) & 0x7f) << 24) |
			((bytes[at + 6] as number) << 16) |
			((bytes[at + 7] as number) << 8) |
			(bytes[at + 8] as number);
		this.onFrame(bytes[at + 3] as number, bytes[at + 4] as number, streamId, bytes, at + FRAME_HEAD_BYTES, end);
	}
}

function contentBytes(bytes: Buffer, at: number): number {
	const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
	if (length > FRAME_BYTES_MIN) throw new ConnectionFault(ErrorCode.frameSizeError, "a frame is longer than was allowed");
	return length;
}
