import type { ByteOps } from "./bytes.ts";
import { int64Of, putVarint64, uint64Of } from "./halves.ts";

/** Protobuf wire types (protobuf encoding guide, "Message structure"). */
export const WireType = { varint: 0, fixed64: 1, bytes: 2, startGroup: 3, endGroup: 4, fixed32: 5 } as const;

/** Malformed protobuf bytes. Its message carries no content of the input. */
export class WireError extends Error {
	override readonly name = "WireError";
}

/**
 * Cursor over one protobuf message. Lengths are compared with what is left before anything is allocated; bytes are views
 * of the input. 64-bit fields are read either as a safe integer or as a bigint, by the caller's choice.
 */
export class WireReader {
	readonly bytes: Uint8Array;
	at: number;
	end: number;

	constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
		this.bytes = bytes;
		this.at = start;
		this.end = end;
	}

	get done(): boolean {
		return this.at >= this.end;
	}

	/** Field tag as (number << 3 | type). Field number 0 and numbers above 2^29 - 1 are refused. */
	tag(): number {
		const tag = this.uint32();
		if (tag >>> 3 === 0) throw new WireError("illegal tag");
		return tag;
	}

	/** Low 32 bits of a varint of up to 10 bytes. */
	uint32(): number {
		this.varint();
		return this.low;
	}

	/** A 32-bit enum or int32 (negative values come as ten bytes). */
	int32(): number {
		this.varint();
		return this.low | 0;
	}

	bool(): boolean {
		this.varint();
		return this.low !== 0 || this.high !== 0;
	}

	/** int64 as a number. Beyond the safe range it is clamped to +-2^53, which every revision check then refuses by range. */
	int64Clamped(): number {
		this.varint();
		const value = (this.high | 0) * 0x1_0000_0000 + this.low;
		if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
		if (value < Number.MIN_SAFE_INTEGER) return Number.MIN_SAFE_INTEGER;
		return value;
	}

	/** int64 with all 64 bits, signed. */
	int64(): bigint {
		this.varint();
		return int64Of(this.low, this.high);
	}

	/** uint64 with all 64 bits. */
	uint64(): bigint {
		this.varint();
		return uint64Of(this.low, this.high);
	}

	/** A view of the next length-delimited field. */
	view(): Uint8Array {
		const start = this.lengthPrefix();
		return this.bytes.subarray(start, this.at);
	}

	/** Reads a length, checks it, moves behind the field and returns where its content starts (it ends at `at`). */
	lengthPrefix(): number {
		this.varint();
		if (this.high !== 0 || this.low > this.end - this.at) throw new WireError("length exceeds the message");
		const start = this.at;
		this.at += this.low;
		return start;
	}

	/** Steps over a field of the given tag. Groups are skipped up to a depth of 32. */
	skip(tag: number, depth = 0): void {
		switch (tag & 7) {
			case WireType.varint:
				this.varint();
				return;
			case WireType.fixed64:
				this.advance(8);
				return;
			case WireType.bytes:
				this.lengthPrefix();
				return;
			case WireType.fixed32:
				this.advance(4);
				return;
			case WireType.startGroup: {
				if (depth >= 32) throw new WireError("groups nested too deep");
				for (;;) {
					const inner = this.tag();
					if ((inner & 7) === WireType.endGroup) {
						if (inner >>> 3 !== tag >>> 3) throw new WireError("group end does not match");
						return;
					}
					this.skip(inner, depth + 1);
				}
			}
			default:
				throw new WireError("illegal wire type");
		}
	}

	private low = 0;
	private high = 0;

	private advance(count: number): void {
		if (count > this.end - this.at) throw new WireError("field exceeds the message");
		this.at += count;
	}

	/** Leaves the value in `low` and `high` (both unsigned 32-bit). More than ten bytes are refused. */
	private varint(): void {
		const { bytes, end } = this;
		let at = this.at;
		let byte = 0;
		let low = 0;
		for (let shift = 0; shift < 28; shift += 7) {
			if (at >= end) throw new WireError("truncated varint");
			byte = bytes[at++] as number;
			low |= (byte & 0x7f) << shift;
			if (byte < 0x80) {
				this.at = at;
				this.low = low >>> 0;
				this.high = 0;
				return;
			}
		}
		if (at >= end) throw new WireError("truncated varint");
		byte = bytes[at++] as number;
		low |= (byte & 0x0f) << 28;
		let high = (byte & 0x7f) >>> 4;
		for (let shift = 3; byte >= 0x80; shift += 7) {
			if (shift > 31) throw new WireError("varint of more than ten bytes");
			if (at >= end) throw new WireError("truncated varint");
			byte = bytes[at++] as number;
			high |= (byte & 0x7f) << shift;
		}
		this.at = at;
		this.low = low >>> 0;
		this.high = high >>> 0;
	}
}

/** Writers are made for one message and come by the thousand; a buffer beyond the engine's smallest costs more than the message. */
const SPARE_BYTES = 256;
const SPARES_MAX = 16;
/** What they hold is never read: a writer hands out only what it wrote. */
const spares: Uint8Array[] = [];
const NO_BYTES = new Uint8Array(0);

/**
 * Growing protobuf output. `finish` copies what was written, and the writer is empty again.
 * Fields with default values are left out by the caller, as proto3 asks.
 */
export class WireWriter {
	private buffer: Uint8Array;
	private length = 0;
	private readonly ops: ByteOps;

	constructor(ops: ByteOps, capacity = SPARE_BYTES) {
		this.ops = ops;
		this.buffer = capacity <= SPARE_BYTES ? (spares.pop() ?? new Uint8Array(SPARE_BYTES)) : new Uint8Array(capacity);
	}

	get size(): number {
		return this.length;
	}

	finish(): Uint8Array {
		const bytes = this.buffer.slice(0, this.length);
		this.length = 0;
		if (this.buffer.length === SPARE_BYTES && spares.length < SPARES_MAX) {
			spares.push(this.buffer);
			this.buffer = NO_BYTES;
		}
		return bytes;
	}

	/** Unsigned varint of a safe, non-negative integer. */
	varint(value: number): this {
		this.reserve(10);
		let rest = value;
		while (rest >= 0x80) {
			this.buffer[this.length++] = (rest % 0x80) | 0x80;
			rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 0x80);
		}
		this.buffer[this.length++] = rest;
		return this;
	}

	/** int64 or uint64 from a bigint; negative ones take ten bytes. */
	varintBig(value: bigint): this {
		this.reserve(10);
		this.length = putVarint64(this.buffer, this.length, value);
		return this;
	}

	/** int64 from a safe integer, negative ones included. */
	int64(value: number): this {
		return value >= 0 ? this.varint(value) : this.varintBig(BigInt(value));
	}

	/** Length prefix and content. */
	bytes(content: Uint8Array): this {
		this.varint(content.length);
		return this.raw(content);
	}

	/** Length prefix and one byte a character. */
	latin1(text: string): this {
		return this.bytes(this.ops.fromLatin1(text));
	}

	/** Content as it is, without a length. */
	raw(content: Uint8Array): this {
		this.reserve(content.length);
		this.buffer.set(content, this.length);
		this.length += content.length;
		return this;
	}

	private reserve(count: number): void {
		const needed = this.length + count;
		if (needed <= this.buffer.length) return;
		const grown = new Uint8Array(Math.max(needed, this.buffer.length * 2));
		grown.set(this.buffer.subarray(0, this.length));
		this.buffer = grown;
	}
}
