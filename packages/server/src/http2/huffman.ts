/** The Huffman code of HPACK (RFC 7541, appendix B). It is canonical: the lengths of the codes give the codes. */
import { ConnectionFault, ErrorCode } from "./protocol.ts";

const END_OF_STRING = 256;
/** Code lengths in bits of the symbols 0 to 255, as runs of [length, count] where they repeat; the last is the end of a string. */
// biome-ignore format: a table of sixteen symbols a line
const LENGTHS: readonly number[] = [
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	30,
];
const LONGEST = 30;
const SHORTEST = 5;
/** Codes up to this length are found by one look. */
const LOOK_BITS = 8;

interface Codes {
	readonly code: Int32Array;
	/** Symbols in the order of their codes. */
	readonly ordered: Int16Array;
	/** By length: the first code of it, the first code behind it, and where its symbols begin in `ordered`. */
	readonly first: Int32Array;
	readonly behind: Int32Array;
	readonly offset: Int32Array;
	/** By the next `LOOK_BITS` bits: symbol << 4 | length; 0 where the code is longer. */
	readonly look: Int16Array;
}

const CODES = build();

function build(): Codes {
	const code = new Int32Array(END_OF_STRING + 1);
	const ordered = new Int16Array(END_OF_STRING + 1);
	const first = new Int32Array(LONGEST + 1);
	const behind = new Int32Array(LONGEST + 1);
	const offset = new Int32Array(LONGEST + 1);
	const look = new Int16Array(1 << LOOK_BITS);
	let next = 0;
	let count = 0;
	for (let length = 1; length <= LONGEST; length++) {
		next <<= 1;
		first[length] = next;
		offset[length] = count;
		for (let symbol = 0; symbol <= END_OF_STRING; symbol++) {
			if (LENGTHS[symbol] !== length) continue;
			if (length <= LOOK_BITS) look.fill((symbol << 4) | length, next << (LOOK_BITS - length), (next + 1) << (LOOK_BITS - length));
			ordered[count++] = symbol;
			code[symbol] = next++;
		}
		behind[length] = next;
	}
	return { code, ordered, first, behind, offset, look };
}

/** Bytes that `text` (one byte a character) takes in Huffman code. */
export function huffmanBytes(text: string): number {
	let bits = 0;
	for (let at = 0; at < text.length; at++) bits += LENGTHS[text.charCodeAt(at) & 0xff] as number;
	return (bits + 7) >>> 3;
}

/** Writes the code of `text` at `at`; the caller has made sure of `huffmanBytes` of room. Returns where it ends. */
export function huffmanEncode(text: string, target: Uint8Array, at: number): number {
	let held = 0;
	let heldBits = 0;
	let to = at;
	for (let from = 0; from < text.length; from++) {
		const symbol = text.charCodeAt(from) & 0xff;
		const length = LENGTHS[symbol] as number;
		const code = CODES.code[symbol] as number;
		// In two halves, so that never more than 7 + 16 bits are held.
		if (length > 16) {
			held = (held << (length - 16)) | (code >>> 16);
			heldBits += length - 16;
			for (; heldBits >= 8; heldBits -= 8) target[to++] = held >>> (heldBits - 8);
			held &= 0xff;
		}
		const rest = Math.min(length, 16);
		held = (held << rest) | (code & (0xffff >>> (16 - rest)));
		heldBits += rest;
		for (; heldBits >= 8; heldBits -= 8) target[to++] = held >>> (heldBits - 8);
		held &= 0xff;
	}
	if (heldBits > 0) target[to++] = (held << (8 - heldBits)) | (0xff >>> heldBits);
	return to;
}

/**
 * The text of `source[start, end)`. A code that does not end, padding that is longer than seven bits or not of ones, and the
 * end of a string inside it are errors (RFC 7541, 5.2).
 */
export function huffmanDecode(source: Uint8Array, start: number, end: number): string {
	const { look } = CODES;
	const symbols = Buffer.allocUnsafe(Math.ceil(((end - start) * 8) / SHORTEST));
	const endBit = end * 8;
	let count = 0;
	let bit = start * 8;
	while (endBit - bit >= SHORTEST) {
		const at = bit >>> 3;
		// Ones behind the end: they are padding, and no code of eight bits or fewer consists of ones.
		const pair = ((source[at] as number) << 8) | (at + 1 < end ? (source[at + 1] as number) : 0xff);
		const found = look[(pair >>> (8 - (bit & 7))) & 0xff] as number;
		const next = found === 0 ? longCode(source, bit, endBit) : found;
		const length = found === 0 ? next & 0x1f : next & 0xf;
		if (length === 0 || bit + length > endBit) break;
		symbols[count++] = found === 0 ? next >>> 5 : next >>> 4;
		bit += length;
	}
	const left = endBit - bit;
	if (left > 7 || (left > 0 && ((source[end - 1] as number) & (0xff >>> (8 - left))) !== 0xff >>> (8 - left))) {
		throw new ConnectionFault(ErrorCode.compressionError, "Huffman padding is wrong");
	}
	return symbols.toString("latin1", 0, count);
}

/** Symbol << 5 | length of a code longer than `LOOK_BITS`; 0 when the bits end before it does. */
function longCode(source: Uint8Array, bit: number, endBit: number): number {
	const { first, behind, offset, ordered } = CODES;
	let code = 0;
	for (let length = 1; length <= LONGEST && bit + length <= endBit; length++) {
		const at = bit + length - 1;
		code = (code << 1) | (((source[at >>> 3] as number) >>> (7 - (at & 7))) & 1);
		if (length <= LOOK_BITS || code < (first[length] as number) || code >= (behind[length] as number)) continue;
		const symbol = ordered[(offset[length] as number) + code - (first[length] as number)] as number;
		if (symbol === END_OF_STRING) throw new ConnectionFault(ErrorCode.compressionError, "end of string inside of a string");
		return (symbol << 5) | length;
	}
	return 0;
}
