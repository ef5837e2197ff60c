/** Bodies of records, written and read field by field (records.ts says which). */
import { assert, readBigU64, readU32, readU64, writeBigU64, writeU32, writeU64 } from "@flotilla/base";

export const RECORD_HEADER_BYTES = 8;

/** Size of a record, padding included. */
export function recordBytes(bodyBytes: number): number {
	return RECORD_HEADER_BYTES + Math.ceil(bodyBytes / 8) * 8;
}

/** Writes bodies one after another; `begin` checks that the one before had the length that was announced. */
export class BodyWriter {
	private readonly target: Uint8Array;
	private at: number;
	private bodyEnd: number;

	constructor(target: Uint8Array, at: number) {
		this.target = target;
		this.at = at;
		this.bodyEnd = at;
	}

	begin(type: number, flags: number, bodyBytes: number): void {
		this.end();
		const at = this.at;
		this.target[at] = type;
		this.target[at + 1] = flags;
		this.target[at + 2] = 0;
		this.target[at + 3] = 0;
		writeU32(this.target, at + 4, bodyBytes);
		this.at = at + RECORD_HEADER_BYTES;
		this.bodyEnd = this.at + bodyBytes;
	}

	/** Whole records, written as they are. */
	raw(records: Uint8Array): void {
		this.end();
		this.target.set(records, this.at);
		this.at += records.length;
		this.bodyEnd = this.at;
	}

	end(): number {
		assert(this.at === this.bodyEnd, "a record's body must have the announced length");
		assert(this.at % 8 === 0, "every record's body is a multiple of 8");
		return this.at;
	}

	u32(value: number): void {
		writeU32(this.target, this.at, value);
		this.at += 4;
	}

	u64(value: number): void {
		writeU64(this.target, this.at, value);
		this.at += 8;
	}

	id(value: bigint): void {
		writeBigU64(this.target, this.at, value);
		this.at += 8;
	}

	ascii(text: string): void {
		const end = this.at + Math.ceil(text.length / 8) * 8;
		for (let i = 0; i < text.length; i++) {
			const code = text.charCodeAt(i);
			assert(code > 0x1f && code < 0x7f, "a store generation has a printable ASCII name");
			this.target[this.at + i] = code;
		}
		this.target.fill(0, this.at + text.length, end);
		this.at = end;
	}
}

/** Reads one body. A read beyond its end gives 0 and makes `finished` false. */
export class BodyReader {
	private readonly bytes: Uint8Array;
	private readonly end: number;
	private at: number;
	private bad = false;

	constructor(bytes: Uint8Array, at: number, bodyBytes: number) {
		this.bytes = bytes;
		this.at = at;
		this.end = at + bodyBytes;
	}

	get left(): number {
		return this.end - this.at;
	}

	/** True when the whole body was read and nothing was wrong. */
	finished(): boolean {
		return !this.bad && this.at === this.end;
	}

	reject(): void {
		this.bad = true;
	}

	u32(): number {
		const at = this.advance(4);
		return at < 0 ? 0 : readU32(this.bytes, at);
	}

	u64(): number {
		const at = this.advance(8);
		const value = at < 0 ? 0 : readU64(this.bytes, at);
		if (value < 0) this.bad = true;
		return Math.max(value, 0);
	}

	id(): bigint {
		const at = this.advance(8);
		return at < 0 ? 0n : readBigU64(this.bytes, at);
	}

	ascii(length: number): string {
		const at = this.advance(Math.ceil(length / 8) * 8);
		if (at < 0) return "";
		let text = "";
		for (let i = 0; i < length; i++) text += String.fromCharCode(this.bytes[at + i] as number);
		return text;
	}

	private advance(count: number): number {
		if (this.bad || count > this.end - this.at) {
			this.bad = true;
			return -1;
		}
		const at = this.at;
		this.at += count;
		return at;
	}
}
