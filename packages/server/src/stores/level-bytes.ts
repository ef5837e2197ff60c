/** The numbers and the compression of LevelDB's files. Everything here throws `RangeError` where bytes end too early. */

/** More than any directory of blocks takes: what a damaged length may make us hold. */
const DECODED_BYTES_MAX = 64 << 20;

export class ByteReader {
	private readonly bytes: Uint8Array;
	private at = 0;

	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
	}

	get left(): number {
		return this.bytes.length - this.at;
	}

	u8(): number {
		const byte = this.bytes[this.at++];
		if (byte === undefined) throw new RangeError("it ends in the middle");
		return byte;
	}

	/** Little end first. */
	u32(): number {
		return (this.u8() | (this.u8() << 8) | (this.u8() << 16) | (this.u8() << 24)) >>> 0;
	}

	/** Seven bits a byte, the lowest first. */
	varint(): number {
		let value = 0;
		for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
			const byte = this.u8();
			value += (byte & 0x7f) * scale;
			if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
		}
		throw new RangeError("a number is too large");
	}

	take(count: number): Uint8Array {
		if (count > this.left) throw new RangeError("it ends in the middle");
		this.at += count;
		return this.bytes.subarray(this.at - count, this.at);
	}
}

/** Snappy's raw form (google/snappy, format_description.txt): the length, then literals and copies of what came before. */
export function snappyDecoded(bytes: Uint8Array): Uint8Array {
	const reader = new ByteReader(bytes);
	const length = reader.varint();
	if (length > DECODED_BYTES_MAX) throw new RangeError(`${length} bytes are too many`);
	const decoded = new Uint8Array(length);
	let at = 0;
	while (reader.left > 0) {
		const tag = reader.u8();
		if ((tag & 3) === 0) {
			const short = tag >> 2;
			let count = short;
			if (short >= 60) {
				count = 0;
				for (let byte = 0; byte < short - 59; byte++) count += reader.u8() * 2 ** (8 * byte);
			}
			const literal = reader.take(count + 1);
			if (at + literal.length > length) throw new RangeError("more than there should be");
			decoded.set(literal, at);
			at += literal.length;
			continue;
		}
		const [count, back] = copyOf(tag, reader);
		if (back === 0 || back > at || at + count > length) throw new RangeError("a copy of what is not there");
		// Byte by byte: it may overlap with itself.
		for (const end = at + count; at < end; at++) decoded[at] = decoded[at - back] as number;
	}
	if (at !== length) throw new RangeError("less than there should be");
	return decoded;
}

function copyOf(tag: number, reader: ByteReader): [count: number, back: number] {
	switch (tag & 3) {
		case 1:
			return [((tag >> 2) & 7) + 4, ((tag >> 5) << 8) | reader.u8()];
		case 2:
			return [(tag >> 2) + 1, reader.u8() | (reader.u8() << 8)];
		default:
			return [(tag >> 2) + 1, reader.u32()];
	}
}
