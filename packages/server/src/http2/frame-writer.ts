/**
 * Frames of one turn, behind one another in as few pieces of memory as may be, so that they leave with one write. Small
 * contents are copied, large ones go along as they are.
 */
import { type ErrorCode, Flag, FRAME_HEAD_BYTES, FrameType } from "./protocol.ts";

const CHUNK_BYTES = 64 << 10;
/** From here on a content is not copied. */
const VIEW_BYTES_MIN = 8 << 10;
/** How gRPC begins a message. */
export const MESSAGE_HEAD_BYTES = 5;
const ANSWER_FRAMES_BYTES = 3 * FRAME_HEAD_BYTES + MESSAGE_HEAD_BYTES;

/** Chunks that are not in use, for all connections that share it: idle connections hold none. */
export class ChunkPool {
	private readonly free: Buffer[] = [];
	private readonly chunksMax: number;

	constructor(chunksMax = 64) {
		this.chunksMax = chunksMax;
	}

	take(): Buffer {
		return this.free.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
	}

	give(chunk: Buffer): void {
		if (this.free.length < this.chunksMax) this.free.push(chunk);
	}
}

export class FrameWriter {
	/** Bytes that were not taken. */
	size = 0;
	private readonly pool: ChunkPool;
	private chunk: Buffer | null = null;
	/** Of the chunk: what is written, and where the part begins that is in no piece yet. */
	private length = 0;
	private begun = 0;
	private pieces: Uint8Array[] = [];
	/** Chunks that lie in taken pieces. */
	private lent: Buffer[] = [];

	constructor(pool: ChunkPool) {
		this.pool = pool;
	}

	/** Everything since the last time. The memory is the caller's until `release` or, if that never comes, for good. */
	take(): Uint8Array[] {
		this.closePiece();
		const { pieces } = this;
		this.pieces = [];
		this.size = 0;
		if (this.chunk !== null) this.lent.push(this.chunk);
		this.chunk = null;
		this.length = 0;
		this.begun = 0;
		return pieces;
	}

	/** What was taken has been sent: its memory may be used again. `sent` false: somebody still reads it. */
	release(sent: boolean): void {
		if (sent) for (const chunk of this.lent) this.pool.give(chunk);
		this.lent = [];
	}

	headers(streamId: number, block: Uint8Array, endStream: boolean, frameBytesMax: number): void {
		const ending = endStream ? Flag.endStream : 0;
		if (block.length <= frameBytesMax) {
			this.frameHead(block.length, FrameType.headers, Flag.endHeaders | ending, streamId);
			this.copy(block);
			return;
		}
		for (let at = 0; at < block.length; at += frameBytesMax) {
			const end = Math.min(at + frameBytesMax, block.length);
			const flags = (at === 0 ? ending : 0) | (end === block.length ? Flag.endHeaders : 0);
			this.frameHead(end - at, at === 0 ? FrameType.headers : FrameType.continuation, flags, streamId);
			this.copy(block.subarray(at, end));
		}
	}

	/** Contents follow with `content`, `bytes` of them in all. */
	dataHead(streamId: number, bytes: number, endStream: boolean): void {
		this.frameHead(bytes, FrameType.data, endStream ? Flag.endStream : 0, streamId);
	}

	content(bytes: Uint8Array): void {
		if (bytes.length < VIEW_BYTES_MIN) {
			this.copy(bytes);
			return;
		}
		this.closePiece();
		this.pieces.push(bytes);
		this.size += bytes.length;
	}

	/** How gRPC frames a message: a flag and the length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
	messageHead(bytes: number, compressed: boolean): void {
		this.reserve(5);
		const chunk = this.chunk as Buffer;
		let at = this.length;
		chunk[at++] = compressed ? 1 : 0;
		this.uint32(at, bytes);
		this.length += 5;
		this.size += 5;
	}

	/** A short answer of gRPC, as `headers`, `dataHead`, `messageHead`, `content` and `headers` with the end of the stream write it. */
	answer(streamId: number, head: Uint8Array, message: Uint8Array, trailers: Uint8Array): void {
		const bytes = ANSWER_FRAMES_BYTES + head.length + message.length + trailers.length;
		this.reserve(bytes);
		const chunk = this.chunk as Buffer;
		let at = this.putHead(chunk, this.length, head.length, FrameType.headers, Flag.endHeaders, streamId);
		at = putShort(chunk, at, head);
		at = this.putHead(chunk, at, MESSAGE_HEAD_BYTES + message.length, FrameType.data, 0, streamId);
		chunk[at] = 0;
		this.uint32(at + 1, message.length);
		at = putShort(chunk, at + MESSAGE_HEAD_BYTES, message);
		at = this.putHead(chunk, at, trailers.length, FrameType.headers, Flag.endHeaders | Flag.endStream, streamId);
		this.length = putShort(chunk, at, trailers);
		this.size += bytes;
	}

	reset(streamId: number, code: ErrorCode): void {
		this.frameHead(4, FrameType.rstStream, 0, streamId);
		this.word(code);
	}

	settings(pairs: ReadonlyArray<readonly [number, number]>): void {
		this.frameHead(pairs.length * 6, FrameType.settings, 0, 0);
		for (const [id, value] of pairs) {
			this.reserve(2);
			const chunk = this.chunk as Buffer;
			chunk[this.length++] = id >>> 8;
			chunk[this.length++] = id;
			this.size += 2;
			this.word(value);
		}
	}

	settingsAck(): void {
		this.frameHead(0, FrameType.settings, Flag.ack, 0);
	}

	ping(content: Uint8Array, ack: boolean): void {
		this.frameHead(8, FrameType.ping, ack ? Flag.ack : 0, 0);
		this.copy(content);
	}

	goaway(lastStreamId: number, code: ErrorCode, text: string): void {
		const debug = Buffer.from(text, "latin1");
		this.frameHead(8 + debug.length, FrameType.goaway, 0, 0);
		this.word(lastStreamId);
		this.word(code);
		this.copy(debug);
	}

	windowUpdate(streamId: number, increment: number): void {
		this.frameHead(4, FrameType.windowUpdate, 0, streamId);
		this.word(increment);
	}

	raw(bytes: Uint8Array): void {
		this.copy(bytes);
	}

	private frameHead(bytes: number, type: number, flags: number, streamId: number): void {
		this.reserve(FRAME_HEAD_BYTES);
		this.length = this.putHead(this.chunk as Buffer, this.length, bytes, type, flags, streamId);
		this.size += FRAME_HEAD_BYTES;
	}

	/** Returns where the content begins. */
	private putHead(chunk: Buffer, at: number, bytes: number, type: number, flags: number, streamId: number): number {
		chunk[at] = bytes >>> 16;
		chunk[at + 1] = bytes >>> 8;
		chunk[at + 2] = bytes;
		chunk[at + 3] = type;
		chunk[at + 4] = flags;
		this.uint32(at + 5, streamId);
		return at + FRAME_HEAD_BYTES;
	}

	private word(value: number): void {
		this.reserve(4);
		this.uint32(this.length, value);
		this.length += 4;
		this.size += 4;
	}

	private uint32(at: number, value: number): void {
		const chunk = this.chunk as Buffer;
		chunk[at] = value >>> 24;
		chunk[at + 1] = value >>> 16;
		chunk[at + 2] = value >>> 8;
		chunk[at + 3] = value;
	}

	private copy(bytes: Uint8Array): void {
		let from = 0;
		while (from < bytes.length) {
			this.reserve(1);
			const chunk = this.chunk as Buffer;
			const count = Math.min(bytes.length - from, chunk.length - this.length);
			if (count <= SHORT_BYTES) {
				let to = this.length;
				for (let at = from; at < from + count; at++) chunk[to++] = bytes[at] as number;
			} else {
				chunk.set(count === bytes.length ? bytes : bytes.subarray(from, from + count), this.length);
			}
			this.length += count;
			from += count;
		}
		this.size += bytes.length;
	}

	/** `bytes` in one piece, at most a few. */
	private reserve(bytes: number): void {
		if (this.chunk !== null && this.length + bytes <= this.chunk.length) return;
		this.closePiece();
		if (this.chunk !== null) this.lent.push(this.chunk);
		this.chunk = this.pool.take();
		this.length = 0;
		this.begun = 0;
	}

	private closePiece(): void {
		if (this.chunk === null || this.length === this.begun) return;
		this.pieces.push(this.chunk.subarray(this.begun, this.length));
		this.begun = this.length;
	}
}

/** A loop beats the call of `set` for so few. */
const SHORT_BYTES = 24;

/** Returns where it ends. */
function putShort(target: Buffer, at: number, bytes: Uint8Array): number {
	const { length } = bytes;
	if (length > SHORT_BYTES * 2) target.set(bytes, at);
	else for (let i = 0; i < length; i++) target[at + i] = bytes[i] as number;
	return at + length;
}
