import { fail } from "@flotilla/base";

/** Bytes of a record key without the tombstone mark. */
export const RECORD_KEY_BYTES = 17;
/** Sub-revisions stay below this, so that index columns have a bit to spare for the tombstone mark. */
export const SUB_MAX = 0x7fff_ffff;
const SEPARATOR = 0x5f;
const TOMBSTONE_MARK = 0x74;

export interface RecordKey {
	readonly main: number;
	readonly sub: number;
	readonly tombstone: boolean;
}

/** 8 bytes of main revision, `_`, 8 bytes of sub revision, and `t` for a tombstone. Byte order is revision order. */
export function encodeRecordKey(main: number, sub: number, tombstone: boolean): Uint8Array {
	const key = new Uint8Array(tombstone ? RECORD_KEY_BYTES + 1 : RECORD_KEY_BYTES);
	writeRecordKey(key, 0, main, sub, tombstone);
	return key;
}

/** Writes the key at `at` and returns where it ends. */
export function writeRecordKey(target: Uint8Array, at: number, main: number, sub: number, tombstone: boolean): number {
	const mainHigh = Math.floor(main / 0x1_0000_0000);
	target[at] = 0;
	target[at + 1] = mainHigh >>> 16;
	target[at + 2] = mainHigh >>> 8;
	target[at + 3] = mainHigh;
	target[at + 4] = main >>> 24;
	target[at + 5] = main >>> 16;
	target[at + 6] = main >>> 8;
	target[at + 7] = main;
	target[at + 8] = SEPARATOR;
	target[at + 9] = 0;
	target[at + 10] = 0;
	target[at + 11] = 0;
	target[at + 12] = 0;
	target[at + 13] = sub >>> 24;
	target[at + 14] = sub >>> 16;
	target[at + 15] = sub >>> 8;
	target[at + 16] = sub;
	if (!tombstone) return at + RECORD_KEY_BYTES;
	target[at + 17] = TOMBSTONE_MARK;
	return at + RECORD_KEY_BYTES + 1;
}

/** Null when the bytes are not a record key in its one form. */
export function decodeRecordKey(key: Uint8Array): RecordKey | null {
	const tombstone = key.length === RECORD_KEY_BYTES + 1;
	if (tombstone && key[RECORD_KEY_BYTES] !== TOMBSTONE_MARK) return null;
	if (!tombstone && key.length !== RECORD_KEY_BYTES) return null;
	if (key[8] !== SEPARATOR) return null;
	const mainHigh = readU32BigEndian(key, 0);
	if (mainHigh >= 0x20_0000) return null;
	if (readU32BigEndian(key, 9) !== 0) return null;
	const sub = readU32BigEndian(key, 13);
	if (sub > SUB_MAX) return null;
	return { main: mainHigh * 0x1_0000_0000 + readU32BigEndian(key, 4), sub, tombstone };
}

/** For reports: main and sub as people read them. */
export function describeRecordKey(main: number, sub: number, tombstone: boolean): string {
	return `${main}_${sub}${tombstone ? "t" : ""}`;
}

export function assertSub(sub: number): void {
	if (sub > SUB_MAX) fail("a revision holds fewer changes than this", { sub });
}

function readU32BigEndian(bytes: Uint8Array, at: number): number {
	return (
		(((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
	);
}
