import { concatBytes, portableBytes, readBigU64, readU32, readU64, writeBigU64, writeU32, writeU64 } from "@flotilla/base";
import type { StoreMark } from "@flotilla/mvcc";
import type { ConfState, NodeId } from "@flotilla/raft";

/** Row of the store that holds the floor; written in one synced batch with the table rows that changed (rule S2). */
export const FLOOR_ROW = "FLOOR";
export const STORE_FORMAT = 1;

/** What the store says of itself: everything up to `appliedIndex` is in it, and this is how it must add up. */
export interface FloorRecord {
	readonly clusterId: bigint;
	readonly memberId: NodeId;
	/** Name of the store's folder behind `store.`. */
	readonly generation: string;
	readonly appliedIndex: number;
	readonly term: number;
	readonly confState: ConfState;
	readonly mark: StoreMark;
	/** CRC-32C over the table rows in key order. */
	readonly tableDigest: number;
}

export type FloorDecoding =
	| { readonly ok: true; readonly floor: FloorRecord }
	| { readonly ok: false; readonly code: "damaged" | "newer"; readonly found: string; readonly wanted: string };

/**
 * Layout, little endian: format u32, CRC-32C u32 over what follows, cluster id, member id, applied index, term, revision,
 * compact revision + 1, count (u64 each), digest, digest2, table digest (u32 each), flags u32 (bit 0: auto leave), then
 * the four lists of the configuration (count u32, ids u64) and the generation's name (length u32, one byte a character).
 */
export function encodeFloor(floor: FloorRecord): Uint8Array {
	const head = new Uint8Array(8);
	const fixed = new Uint8Array(72);
	writeBigU64(fixed, 0, floor.clusterId);
	writeBigU64(fixed, 8, floor.memberId);
	writeU64(fixed, 16, floor.appliedIndex);
	writeU64(fixed, 24, floor.term);
	writeU64(fixed, 32, floor.mark.revision);
	writeU64(fixed, 40, floor.mark.compactRevision + 1);
	writeU64(fixed, 48, floor.mark.count);
	writeU32(fixed, 56, floor.mark.digest);
	writeU32(fixed, 60, floor.mark.digest2);
	writeU32(fixed, 64, floor.tableDigest);
	writeU32(fixed, 68, floor.confState.autoLeave ? 1 : 0);
	const { voters, learners, votersOutgoing, learnersNext } = floor.confState;
	const lists = [voters, learners, votersOutgoing, learnersNext].map(encodeIds);
	const body = concatBytes([fixed, ...lists, encodeName(floor.generation)]);
	writeU32(head, 0, STORE_FORMAT);
	writeU32(head, 4, portableBytes.crc32c(body));
	return concatBytes([head, body]);
}

/** Never throws, whatever the bytes are. */
export function decodeFloor(bytes: Uint8Array): FloorDecoding {
	if (bytes.length < 84) return { ok: false, code: "damaged", found: `${bytes.length} bytes`, wanted: "at least 84 bytes" };
	const format = readU32(bytes, 0);
	if (format > STORE_FORMAT) return { ok: false, code: "newer", found: `format ${format}`, wanted: `format ${STORE_FORMAT}` };
	const crc = portableBytes.crc32c(bytes, 8);
	if (crc !== readU32(bytes, 4)) {
		return { ok: false, code: "damaged", found: `checksum ${crc.toString(16)}`, wanted: `checksum ${readU32(bytes, 4).toString(16)}` };
	}
	const at = { next: 80 };
	const voters = decodeIds(bytes, at);
	const learners = decodeIds(bytes, at);
	const votersOutgoing = decodeIds(bytes, at);
	const learnersNext = decodeIds(bytes, at);
	const generation = portableBytes.latin1(bytes, at.next + 4, at.next + 4 + readU32(bytes, at.next));
	const mark: StoreMark = {
		revision: readU64(bytes, 40),
		compactRevision: readU64(bytes, 48) - 1,
		count: readU64(bytes, 56),
		digest: readU32(bytes, 64),
		digest2: readU32(bytes, 68),
	};
	return {
		ok: true,
		floor: {
			clusterId: readBigU64(bytes, 8),
			memberId: readBigU64(bytes, 16),
			generation,
			appliedIndex: readU64(bytes, 24),
			term: readU64(bytes, 32),
			confState: { voters, learners, votersOutgoing, learnersNext, autoLeave: (readU32(bytes, 76) & 1) === 1 },
			mark,
			tableDigest: readU32(bytes, 72),
		},
	};
}

function encodeIds(ids: readonly NodeId[]): Uint8Array {
	const bytes = new Uint8Array(4 + 8 * ids.length);
	writeU32(bytes, 0, ids.length);
	for (const [place, id] of ids.entries()) writeBigU64(bytes, 4 + 8 * place, id);
	return bytes;
}

function decodeIds(bytes: Uint8Array, at: { next: number }): NodeId[] {
	const count = readU32(bytes, at.next);
	const ids: NodeId[] = [];
	for (let place = 0; place < count; place++) ids.push(readBigU64(bytes, at.next + 4 + 8 * place));
	at.next += 4 + 8 * count;
	return ids;
}

function encodeName(name: string): Uint8Array {
	const bytes = new Uint8Array(4);
	writeU32(bytes, 0, name.length);
	return concatBytes([bytes, portableBytes.fromLatin1(name)]);
}
