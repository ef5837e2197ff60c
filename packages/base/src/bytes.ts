/**
 * What the pure rooms need to do with bytes. Handed to constructors: Node gives a fast one, browsers and tests use
 * `portableBytes`. Both must agree on all 256 byte values.
 */
export interface ByteOps {
	/** One character per byte (code points 0..255), order preserved under `<`. `end` is excluded. */
	latin1(bytes: Uint8Array, start?: number, end?: number): string;
	/** Inverse of `latin1`. Characters above 255 must not occur. */
	fromLatin1(text: string): Uint8Array;
	/** Negative, zero or positive; bytewise unsigned, the shorter one first on an equal prefix. */
	compare(a: Uint8Array, b: Uint8Array): number;
	/** CRC-32C (Castagnoli) over bytes[start, end), continuing `seed` (the CRC of what came before; 0 at the start). */
	crc32c(bytes: Uint8Array, start?: number, end?: number, seed?: number): number;
}

export const portableBytes: ByteOps = {
	latin1(bytes, start = 0, end = bytes.length) {
		if (end - start <= SHORT_BYTES) return shortLatin1(bytes, start, end);
		let text = "";
		// Slices keep the argument list of fromCharCode within every engine's limit.
		for (let at = start; at < end; at += 4096) {
			text += String.fromCharCode.apply(null, bytes.subarray(at, Math.min(end, at + 4096)) as unknown as number[]);
		}
		return text;
	},
	fromLatin1(text) {
		const bytes = new Uint8Array(text.length);
		for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
		return bytes;
	},
	compare(a, b) {
		const shared = Math.min(a.length, b.length);
		for (let i = 0; i < shared; i++) {
			const difference = (a[i] as number) - (b[i] as number);
			if (difference !== 0) return difference;
		}
		return a.length - b.length;
	},
	crc32c: (bytes, start = 0, end = bytes.length, seed = 0) => crc32c(bytes, start, end, seed),
};

const SHORT_BYTES = 64;

/** Keys are short, and engines pass a plain array on much faster than a typed one: 69 ns instead of 119 for 8 bytes. */
function shortLatin1(bytes: Uint8Array, start: number, end: number): string {
	const codes = new Array<number>(end - start);
	for (let at = start; at < end; at++) codes[at - start] = bytes[at] as number;
	return String.fromCharCode.apply(null, codes);
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
	if (a.length !== b.length) return false;
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
	return true;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
	let total = 0;
	for (const part of parts) total += part.length;
	const joined = new Uint8Array(total);
	let at = 0;
	for (const part of parts) {
		joined.set(part, at);
		at += part.length;
	}
	return joined;
}

/**
 * Sixteen tables of 256 in one array, so that one base and one bound serve all look-ups. Short inputs go eight bytes a step, read
 * byte by byte (1.2 GB/s in V8). Whole words (1.9 GB/s) need a view, which takes 60 ns to make: the last one is kept, since records
 * lie one after another in the same buffer.
 */
const TABLE = buildTables();
const WORDS_FROM = 128;
let viewed: ArrayBufferLike = new ArrayBuffer(0);
let view: DataView = new DataView(viewed);

export function crc32c(bytes: Uint8Array, start: number, end: number, seed: number): number {
	return end - start >= WORDS_FROM ? crcOfWords(bytes, start, end, seed) : crcOfBytes(bytes, start, end, ~seed);
}

/** `crc` is the running remainder, not yet inverted. */
function crcOfBytes(bytes: Uint8Array, start: number, end: number, remainder: number): number {
	let crc = remainder;
	let i = start;
	const fast = end - ((end - start) & 7);
	for (; i < fast; i += 8) {
		const low =
			crc ^ ((bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24));
		crc =
			(TABLE[1792 | (low & 255)] as number) ^
			(TABLE[1536 | ((low >>> 8) & 255)] as number) ^
			(TABLE[1280 | ((low >>> 16) & 255)] as number) ^
			(TABLE[1024 | (low >>> 24)] as number) ^
			(TABLE[768 | (bytes[i + 4] as number)] as number) ^
			(TABLE[512 | (bytes[i + 5] as number)] as number) ^
			(TABLE[256 | (bytes[i + 6] as number)] as number) ^
			(TABLE[bytes[i + 7] as number] as number);
	}
	for (; i < end; i++) crc = (TABLE[(crc ^ (bytes[i] as number)) & 255] as number) ^ (crc >>> 8);
	return ~crc >>> 0;
}

function crcOfWords(bytes: Uint8Array, start: number, end: number, seed: number): number {
	if (bytes.buffer !== viewed) {
		viewed = bytes.buffer;
		view = new DataView(viewed);
	}
	const words = view;
	let crc = ~seed;
	const fast = end - ((end - start) & 15);
	const stop = bytes.byteOffset + fast;
	for (let at = bytes.byteOffset + start; at < stop; at += 16) {
		const a = crc ^ words.getInt32(at, true);
		const b = words.getInt32(at + 4, true);
		const c = words.getInt32(at + 8, true);
		const d = words.getInt32(at + 12, true);
		crc =
			(TABLE[3840 | (a & 255)] as number) ^
			(TABLE[3584 | ((a >>> 8) & 255)] as number) ^
			(TABLE[3328 | ((a >>> 16) & 255)] as number) ^
			(TABLE[3072 | (a >>> 24)] as number) ^
			(TABLE[2816 | (b & 255)] as number) ^
			(TABLE[2560 | ((b >>> 8) & 255)] as number) ^
			(TABLE[2304 | ((b >>> 16) & 255)] as number) ^
			(TABLE[2048 | (b >>> 24)] as number) ^
			(TABLE[1792 | (c & 255)] as number) ^
			(TABLE[1536 | ((c >>> 8) & 255)] as number) ^
			(TABLE[1280 | ((c >>> 16) & 255)] as number) ^
			(TABLE[1024 | (c >>> 24)] as number) ^
			(TABLE[768 | (d & 255)] as number) ^
			(TABLE[512 | ((d >>> 8) & 255)] as number) ^
			(TABLE[256 | ((d >>> 16) & 255)] as number) ^
			(TABLE[d >>> 24] as number);
	}
	return crcOfBytes(bytes, fast, end, crc);
}

/** Entry 256 * t + n: the remainder of byte n followed by t zero bytes. */
function buildTables(): Int32Array {
	const all = new Int32Array(16 * 256);
	for (let n = 0; n < 256; n++) {
		let c = n;
		for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
		all[n] = c;
	}
	for (let at = 256; at < all.length; at++) {
		const before = all[at - 256] as number;
		all[at] = (all[before & 255] as number) ^ (before >>> 8);
	}
	return all;
}
