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

/** Slicing-by-8 tables: eight bytes a step, about 1.4 GB/s in V8. */
const tables = buildTables();

export function crc32c(bytes: Uint8Array, start: number, end: number, seed: number): number {
	const [t0, t1, t2, t3, t4, t5, t6, t7] = tables;
	let crc = ~seed;
	let i = start;
	const fast = end - ((end - start) & 7);
	for (; i < fast; i += 8) {
		const low =
			crc ^ ((bytes[i] as number) | ((bytes[i + 1] as number) << 8) | ((bytes[i + 2] as number) << 16) | ((bytes[i + 3] as number) << 24));
		crc =
			(t7[low & 255] as number) ^
			(t6[(low >>> 8) & 255] as number) ^
			(t5[(low >>> 16) & 255] as number) ^
			(t4[low >>> 24] as number) ^
			(t3[bytes[i + 4] as number] as number) ^
			(t2[bytes[i + 5] as number] as number) ^
			(t1[bytes[i + 6] as number] as number) ^
			(t0[bytes[i + 7] as number] as number);
	}
	for (; i < end; i++) crc = (t0[(crc ^ (bytes[i] as number)) & 255] as number) ^ (crc >>> 8);
	return ~crc >>> 0;
}

type Table = Int32Array;
type Tables = readonly [Table, Table, Table, Table, Table, Table, Table, Table];

function buildTables(): Tables {
	const all = Array.from({ length: 8 }, () => new Int32Array(256));
	for (let n = 0; n < 256; n++) {
		let c = n;
		for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
		(all[0] as Table)[n] = c;
	}
	for (let n = 0; n < 256; n++) {
		for (let t = 1; t < 8; t++) {
			const before = (all[t - 1] as Table)[n] as number;
			(all[t] as Table)[n] = ((all[0] as Table)[before & 255] as number) ^ (before >>> 8);
		}
	}
	return all as unknown as Tables;
}
