/**
 * Entries as bytes: one form for the log on disk and for messages to peers, so that a turn's entries are encoded once.
 * A slab is a run of records, each padded with zeros to a multiple of 8:
 *
 *   0 type u8 = 2 | 1 entry kind u8 | 2 reserved u16 = 0 | 4 body length u32 (16 + data) | 8 index u64 | 16 term u64 | 24 data
 *
 * All numbers are little endian. A slab carries no checksum: the frame around it does.
 */
import { type ByteOps, readU32, readU64, writeU32, writeU64 } from "@flotilla/base";
import { Entry, EntryKind } from "@flotilla/raft";

export const ENTRY_RECORD_TYPE = 2;
/** Bytes before an entry's data. */
export const ENTRY_HEADER_BYTES = 24;
const ENTRY_FIXED_BODY_BYTES = 16;

/** Size of one entry's record, padding included. */
export function entryRecordBytes(dataBytes: number): number {
	return ENTRY_HEADER_BYTES + Math.ceil(dataBytes / 8) * 8;
}

/** Size of the slab of `entries`. O(entries). */
export function entriesBytes(entries: readonly Entry[]): number {
	let total = 0;
	for (let i = 0; i < entries.length; i++) total += entryRecordBytes((entries[i] as Entry).data.length);
	return total;
}

/**
 * The slab of `entries`. The same entries (by identity) asked for again within a turn or so give the same slab: the log and
 * every peer then share one encoding. The caller must not write to it.
 */
export function encodeEntries(entries: readonly Entry[]): Uint8Array {
	if (entries.length === 0) return EMPTY;
	const known = recentSlabs.find(entries);
	if (known !== null) return known;
	const slab = new Uint8Array(entriesBytes(entries));
	let at = 0;
	for (let i = 0; i < entries.length; i++) at = writeEntry(slab, at, entries[i] as Entry);
	recentSlabs.add(entries, slab, UNKNOWN_CRC);
	return slab;
}

/**
 * Entries of bytes[start, end): consecutive indexes from 1 on, terms from 1 on that never fall. Null when anything is off (a
 * length beyond the end, an unknown kind, padding that is not zero, an index above 2^53 - 1). Their data are views of `bytes`,
 * which the caller must not write to afterwards; their slab is the input itself, so writing them to the log copies no entry.
 * Without data they are examined all the same, and come empty: a start looks at millions and wants their places only.
 * `crc`: of bytes[start, end), where that is known.
 */
export function decodeEntries(bytes: Uint8Array, start: number, end: number, withData = true, crc = UNKNOWN_CRC): Entry[] | null {
	if (start < 0 || end > bytes.length || start > end) return null;
	const entries: Entry[] = [];
	let at = start;
	let previous: Entry | null = null;
	while (at < end) {
		const entry = decodeEntry(bytes, at, end, withData);
		if (entry === null) return null;
		if (previous !== null && (entry.index !== previous.index + 1 || entry.term < previous.term)) return null;
		entries.push(entry);
		previous = entry;
		at += entryRecordBytes(readU32(bytes, at + 4) - ENTRY_FIXED_BODY_BYTES);
	}
	if (withData && entries.length > 0) recentSlabs.add(entries, bytes.subarray(start, end), crc);
	return entries;
}

/** CRC-32C of a slab as `encodeEntries` gave it: the log and every peer share one summing, too, and the one who received it its check. */
export function slabCrc(ops: ByteOps, slab: Uint8Array): number {
	return recentSlabs.crcOf(ops, slab);
}

/** The entry whose record starts at `at` and ends at or before `end`, or null. */
export function decodeEntry(bytes: Uint8Array, at: number, end: number, withData = true): Entry | null {
	if (end - at < ENTRY_HEADER_BYTES) return null;
	if (bytes[at] !== ENTRY_RECORD_TYPE || bytes[at + 2] !== 0 || bytes[at + 3] !== 0) return null;
	const kind = bytes[at + 1];
	if (kind !== EntryKind.normal && kind !== EntryKind.config) return null;
	const bodyBytes = readU32(bytes, at + 4);
	const dataBytes = bodyBytes - ENTRY_FIXED_BODY_BYTES;
	if (dataBytes < 0 || dataBytes > end - at - ENTRY_HEADER_BYTES) return null;
	const dataEnd = at + ENTRY_HEADER_BYTES + dataBytes;
	const paddedEnd = at + entryRecordBytes(dataBytes);
	if (paddedEnd > end) return null;
	for (let i = dataEnd; i < paddedEnd; i++) if (bytes[i] !== 0) return null;
	const index = readU64(bytes, at + 8);
	const term = readU64(bytes, at + 16);
	if (index < 1 || term < 1) return null;
	return new Entry(index, term, kind, withData ? bytes.subarray(at + ENTRY_HEADER_BYTES, dataEnd) : EMPTY);
}

function writeEntry(slab: Uint8Array, at: number, entry: Entry): number {
	const dataBytes = entry.data.length;
	slab[at] = ENTRY_RECORD_TYPE;
	slab[at + 1] = entry.kind;
	writeU32(slab, at + 4, ENTRY_FIXED_BODY_BYTES + dataBytes);
	writeU64(slab, at + 8, entry.index);
	writeU64(slab, at + 16, entry.term);
	slab.set(entry.data, at + ENTRY_HEADER_BYTES);
	return at + entryRecordBytes(dataBytes);
}

/**
 * The slabs made last. A fixed number, because a slab kept as long as its entries would double the memory of the log's tail;
 * entries are compared one by one by identity, since a truncated log may hold another entry between two that it held before.
 */
class RecentSlabs {
	private readonly kept: ({ readonly entries: readonly Entry[]; readonly slab: Uint8Array; crc: number } | null)[];
	private next = 0;

	constructor(capacity: number) {
		this.kept = new Array(capacity).fill(null);
	}

	find(entries: readonly Entry[]): Uint8Array | null {
		const count = entries.length;
		for (const slot of this.kept) {
			if (slot === null || slot.entries.length !== count || slot.entries[0] !== entries[0]) continue;
			if (slot.entries[count - 1] === entries[count - 1] && sameEntries(slot.entries, entries)) return slot.slab;
		}
		return null;
	}

	crcOf(ops: ByteOps, slab: Uint8Array): number {
		const slot = this.kept.find((each) => each?.slab === slab);
		if (slot === undefined || slot === null) return ops.crc32c(slab);
		if (slot.crc === UNKNOWN_CRC) slot.crc = ops.crc32c(slab);
		return slot.crc;
	}

	add(entries: readonly Entry[], slab: Uint8Array, crc: number): void {
		// A copy of the list: the owner may reuse its array in the next turn.
		this.kept[this.next] = { entries: entries.slice(), slab, crc };
		this.next = (this.next + 1) % this.kept.length;
	}
}

function sameEntries(a: readonly Entry[], b: readonly Entry[]): boolean {
	for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
	return true;
}

const EMPTY = new Uint8Array(0);
const UNKNOWN_CRC = -1;
/** A cache only: what it holds changes no result. */
const recentSlabs = new RecentSlabs(8);
