import { fail } from "./assert.ts";
import { highHalf, lowHalf, uint64Of } from "./halves.ts";

/** Indexes, terms, revisions and sequences are safe integers inside; on disk and on the wire they are 64-bit little endian. */

/** Reads an unsigned 64-bit little-endian integer as two 32-bit halves. -1 when it is above 2^53 - 1. */
export function readU64(bytes: Uint8Array, at: number): number {
	const high = readU32(bytes, at + 4);
	if (high >= 0x200000) return -1;
	return high * 0x1_0000_0000 + readU32(bytes, at);
}

export function writeU64(bytes: Uint8Array, at: number, value: number): void {
	if (!Number.isSafeInteger(value) || value < 0) fail("a 64-bit field needs a safe integer", { value });
	writeU32(bytes, at, value % 0x1_0000_0000);
	writeU32(bytes, at + 4, Math.floor(value / 0x1_0000_0000));
}

export function readU32(bytes: Uint8Array, at: number): number {
	return (
		((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)) >>> 0
	);
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
	bytes[at] = value;
	bytes[at + 1] = value >>> 8;
	bytes[at + 2] = value >>> 16;
	bytes[at + 3] = value >>> 24;
}

/** All 64 bits, for ids. */
export function readBigU64(bytes: Uint8Array, at: number): bigint {
	return uint64Of(readU32(bytes, at), readU32(bytes, at + 4));
}

export function writeBigU64(bytes: Uint8Array, at: number, value: bigint): void {
	writeU32(bytes, at, lowHalf(value));
	writeU32(bytes, at + 4, highHalf(value));
}
