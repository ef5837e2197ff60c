/**
 * What the parts of a transfer hold (rule N2). Part 0: length u32 and the floor record of the state sent, the number of table rows
 * that stand in the parts behind it u32, then table rows as records. The next parts: those rows, there may be more of them (a
 * million leases) than a frame of the stream takes. All others: records. A record: key length u16, value length u32, key, value;
 * little endian. Each revision record has its own checksum, the floor record too, the rows are summed in it, and a frame of the
 * stream has one as well.
 */
import { concatBytes, portableBytes, readU32, writeU32 } from "@flotilla/base";
import type { StoredRecord } from "@flotilla/mvcc";
import type { TableRow } from "@flotilla/replica";
import { decodeFloor, encodeFloor, type FloorRecord } from "./floor-record.ts";

const RECORD_HEAD_BYTES = 6;

export interface SnapshotHead {
	/** As its sender would write it. */
	readonly floor: FloorRecord;
	readonly rows: readonly TableRow[];
	/** Rows that are in later parts. */
	readonly rowsBehind: number;
}

export function encodeHead({ floor, rows, rowsBehind }: SnapshotHead): Uint8Array {
	const floorBytes = encodeFloor(floor);
	const length = new Uint8Array(4);
	writeU32(length, 0, floorBytes.length);
	const behind = new Uint8Array(4);
	writeU32(behind, 0, rowsBehind);
	return concatBytes([length, floorBytes, behind, encodeRows(rows)]);
}

export function encodeRows(rows: readonly TableRow[]): Uint8Array {
	return encodeRecords(rows.map(({ key, value }) => ({ key: portableBytes.fromLatin1(key), value })));
}

/** Views of the bytes; null when they are not whole rows. */
export function decodeRows(bytes: Uint8Array): TableRow[] | null {
	return decodeRecords(bytes)?.map(({ key, value }) => ({ key: portableBytes.latin1(key), value })) ?? null;
}

/** Where the rows that go into one part with row `from` end: at `bytesMax`, after one row at least. */
export function rowsEnd(rows: readonly TableRow[], from: number, bytesMax: number): number {
	let end = from;
	for (let bytes = 0; end < rows.length; end++) {
		const { key, value } = rows[end] as TableRow;
		bytes += RECORD_HEAD_BYTES + key.length + value.length;
		if (bytes > bytesMax && end > from) break;
	}
	return end;
}

/** Null when the bytes are no sound head. */
export function decodeHead(bytes: Uint8Array): SnapshotHead | null {
	if (bytes.length < 4) return null;
	const end = 4 + readU32(bytes, 0);
	if (end + 4 > bytes.length) return null;
	const decoding = decodeFloor(bytes.slice(4, end));
	const rows = decodeRows(bytes.subarray(end + 4));
	if (!decoding.ok || rows === null) return null;
	return { floor: decoding.floor, rows, rowsBehind: readU32(bytes, end) };
}

export function encodeRecords(records: readonly StoredRecord[]): Uint8Array {
	let total = 0;
	for (const { key, value } of records) total += RECORD_HEAD_BYTES + key.length + value.length;
	const bytes = new Uint8Array(total);
	let at = 0;
	for (const { key, value } of records) {
		bytes[at] = key.length;
		bytes[at + 1] = key.length >>> 8;
		writeU32(bytes, at + 2, value.length);
		bytes.set(key, at + RECORD_HEAD_BYTES);
		bytes.set(value, at + RECORD_HEAD_BYTES + key.length);
		at += RECORD_HEAD_BYTES + key.length + value.length;
	}
	return bytes;
}

/** Views of the bytes; null when they are not whole records. */
export function decodeRecords(bytes: Uint8Array): StoredRecord[] | null {
	const records: StoredRecord[] = [];
	let at = 0;
	while (at < bytes.length) {
		if (at + RECORD_HEAD_BYTES > bytes.length) return null;
		const keyEnd = at + RECORD_HEAD_BYTES + ((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
		const end = keyEnd + readU32(bytes, at + 2);
		if (end > bytes.length) return null;
		records.push({ key: bytes.subarray(at + RECORD_HEAD_BYTES, keyEnd), value: bytes.subarray(keyEnd, end) });
		at = end;
	}
	return records;
}
