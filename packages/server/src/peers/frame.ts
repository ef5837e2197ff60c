/**
 * Frames on a peer stream, after the handshake. All numbers are little endian:
 *
 *   0 length u32 (of what follows the head) | 4 envelope bytes u32 | 8 slab CRC u32 | 12 head CRC u32 | 16 envelope | slab
 *
 * The head's CRC covers bytes 0 to 12 and the envelope; the slab (entries, forwarded requests) has its own, so that one slab
 * for several peers is summed once. CRC-32C both. A frame of length 0 is a link heartbeat.
 */
import { assert, type ByteOps, readU32, writeU32 } from "@flotilla/base";

export const FRAME_HEAD_BYTES = 16;
const CRC_AT = 12;

export interface Frame {
	readonly envelope: Uint8Array;
	/** A view; empty for most kinds. */
	readonly slab: Uint8Array;
	/** Checked. */
	readonly slabCrc: number;
}

export type FrameFault = "frame too long" | "frame malformed" | "frame checksum mismatch";

/** Head and envelope in one piece; the slab follows on the wire as it is. */
export function encodeFrameHead(bytes: ByteOps, envelope: Uint8Array, slabBytes: number, slabCrc: number): Uint8Array {
	const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES + envelope.length);
	writeU32(head, 0, envelope.length + slabBytes);
	writeU32(head, 4, envelope.length);
	writeU32(head, 8, slabCrc);
	head.set(envelope, FRAME_HEAD_BYTES);
	writeU32(head, CRC_AT, headCrc(bytes, head, envelope.length));
	return head;
}

/**
 * Cuts chunks into frames. Frames that lie whole in a chunk are views of it; others are put together in a buffer of exactly
 * their size, made only after the announced length was compared with the limit. After a fault nothing more may be fed.
 */
export class FrameDecoder {
	private readonly bytes: ByteOps;
	private readonly frameBytesMax: number;
	/** A frame that is still coming: first only its head, then all of it. */
	private partial: Uint8Array = EMPTY;
	private filled = 0;
	private broken = false;
	/** Head and envelope of `partial` were looked at. */
	private headSound = false;

	constructor(bytes: ByteOps, frameBytesMax: number) {
		this.bytes = bytes;
		this.frameBytesMax = frameBytesMax;
	}

	/** Appends the frames that this chunk completes to `frames`, those before a fault included. */
	feed(chunk: Uint8Array, frames: Frame[]): FrameFault | null {
		assert(!this.broken, "a frame decoder is not fed after a fault");
		const fault = this.cut(chunk, frames);
		this.broken = fault !== null;
		return fault;
	}

	/** Bytes held for a frame that is not complete. */
	get heldBytes(): number {
		return this.partial.length;
	}

	private cut(chunk: Uint8Array, frames: Frame[]): FrameFault | null {
		let at = 0;
		while (at < chunk.length) {
			if (this.filled === 0) {
				const total = chunk.length - at >= FRAME_HEAD_BYTES ? totalBytes(chunk, at) : FRAME_HEAD_BYTES;
				if (total > this.frameBytesMax) return "frame too long";
				if (chunk.length - at >= total) {
					const fault = this.finish(chunk.subarray(at, at + total), frames);
					if (fault !== null) return fault;
					at += total;
					continue;
				}
				this.partial = rawBytes(total);
			}
			const taken = Math.min(this.partial.length - this.filled, chunk.length - at);
			this.partial.set(chunk.subarray(at, at + taken), this.filled);
			this.filled += taken;
			at += taken;
			const fault = this.filled === this.partial.length ? this.completePartial(frames) : this.earlyFault();
			if (fault !== null) return fault;
		}
		return null;
	}

	private completePartial(frames: Frame[]): FrameFault | null {
		const total = totalBytes(this.partial, 0);
		if (total > this.frameBytesMax) return "frame too long";
		if (total > this.partial.length) {
			const whole = rawBytes(total);
			whole.set(this.partial);
			this.partial = whole;
			return null;
		}
		const frame = this.partial;
		this.partial = EMPTY;
		this.filled = 0;
		this.headSound = false;
		return this.finish(frame, frames);
	}

	/** Does not wait for the slab: a length that grew on the way would swallow megabytes of what follows before it is seen. */
	private earlyFault(): FrameFault | null {
		if (this.headSound || this.filled < FRAME_HEAD_BYTES) return null;
		const envelopeBytes = readU32(this.partial, 4);
		const envelopeEnd = FRAME_HEAD_BYTES + envelopeBytes;
		if (envelopeEnd > totalBytes(this.partial, 0)) return "frame malformed";
		if (this.filled < envelopeEnd) return null;
		this.headSound = headCrc(this.bytes, this.partial, envelopeBytes) === readU32(this.partial, CRC_AT);
		return this.headSound ? null : "frame checksum mismatch";
	}

	private finish(frame: Uint8Array, frames: Frame[]): FrameFault | null {
		const envelopeBytes = readU32(frame, 4);
		const envelopeEnd = FRAME_HEAD_BYTES + envelopeBytes;
		if (envelopeEnd > frame.length) return "frame malformed";
		if (headCrc(this.bytes, frame, envelopeBytes) !== readU32(frame, CRC_AT)) return "frame checksum mismatch";
		const slabCrc = readU32(frame, 8);
		if (this.bytes.crc32c(frame, envelopeEnd, frame.length) !== slabCrc) return "frame checksum mismatch";
		if (frame.length > FRAME_HEAD_BYTES) {
			frames.push({ envelope: frame.subarray(FRAME_HEAD_BYTES, envelopeEnd), slab: frame.subarray(envelopeEnd), slabCrc });
		}
		return null;
	}
}

const EMPTY = new Uint8Array(0);

/** Not zeroed: every byte is written before it is read. No Buffer, since the entries become views of it, and `slice` of those must copy. */
function rawBytes(count: number): Uint8Array {
	return new Uint8Array(Buffer.allocUnsafeSlow(count).buffer);
}

function totalBytes(bytes: Uint8Array, at: number): number {
	return FRAME_HEAD_BYTES + readU32(bytes, at);
}

function headCrc(bytes: ByteOps, frame: Uint8Array, envelopeBytes: number): number {
	const numbers = bytes.crc32c(frame, 0, CRC_AT);
	return bytes.crc32c(frame, FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + envelopeBytes, numbers);
}
