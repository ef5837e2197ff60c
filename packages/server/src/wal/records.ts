/**
 * What one frame says, as records: type u8, flags u8, reserved u16, body length u32, body, zeros to a multiple of 8. They
 * stand in the order of `FrameContent`'s fields, so that a state is always read before what relies on it.
 */
import { type ByteOps, combineCrc32c, readU32 } from "@flotilla/base";
import type { ConfState, Entry, HardState, LogIndex, NodeId, SnapshotMeta, Term } from "@flotilla/raft";
import { decodeEntries, ENTRY_RECORD_TYPE, encodeEntries, entriesBytes, slabCrc } from "./entry-codec.ts";
import { BodyReader, BodyWriter, RECORD_HEADER_BYTES, recordBytes } from "./record-body.ts";
import type { WalIdentity } from "./wal-interface.ts";

const RecordType = { hardState: 1, entry: ENTRY_RECORD_TYPE, truncate: 3, snapshot: 4, checkpoint: 5, fence: 6 } as const;
const HARD_STATE_BYTES = 24;

/** State of the log before a segment's first frame; older segments are not needed to understand what follows. */
export interface Checkpoint {
	readonly identity: WalIdentity;
	readonly hardState: HardState;
	readonly snapshot: SnapshotMeta;
	readonly lastIndex: LogIndex;
	readonly lastTerm: Term;
}

/** Everything up to `verifiedSeq` was verified and is durable; `closing` ends a clean stop. */
export interface Fence {
	readonly verifiedSeq: number;
	readonly closing: boolean;
}

export interface FrameContent {
	readonly checkpoint: Checkpoint | null;
	readonly hardState: HardState | null;
	readonly snapshot: SnapshotMeta | null;
	/** 0: none. */
	readonly truncateFrom: LogIndex;
	/** Term of the entry before `truncateFrom`, which may lie in a segment that is gone. */
	readonly truncateTerm: Term;
	readonly entries: readonly Entry[];
	readonly fence: Fence | null;
}

export const NO_ENTRIES: readonly Entry[] = Object.freeze([]);

export const EMPTY_CONTENT: FrameContent = Object.freeze({
	checkpoint: null,
	hardState: null,
	snapshot: null,
	truncateFrom: 0,
	truncateTerm: 0,
	entries: NO_ENTRIES,
	fence: null,
});

/** Bytes of the payload that `writeContent` makes; a multiple of 8. */
export function contentBytes(content: FrameContent): number {
	let total = entriesBytes(content.entries);
	if (content.checkpoint !== null) total += recordBytes(checkpointBytes(content.checkpoint));
	if (content.hardState !== null) total += recordBytes(HARD_STATE_BYTES);
	if (content.snapshot !== null) total += recordBytes(snapshotBytes(content.snapshot));
	if (content.truncateFrom !== 0) total += recordBytes(16);
	if (content.fence !== null) total += recordBytes(8);
	return total;
}

export function contentRecords(content: FrameContent): number {
	const singles = [content.checkpoint, content.hardState, content.snapshot, content.fence];
	const present = singles.reduce((count, single) => count + (single === null ? 0 : 1), 0);
	return present + (content.truncateFrom === 0 ? 0 : 1) + content.entries.length;
}

/** Writes the records from `at` on and returns where they end. */
export function writeContent(target: Uint8Array, at: number, content: FrameContent): number {
	const out = new BodyWriter(target, at);
	const { checkpoint, hardState, snapshot, fence } = content;
	if (checkpoint !== null) {
		out.begin(RecordType.checkpoint, 0, checkpointBytes(checkpoint));
		putCheckpoint(out, checkpoint);
	}
	if (hardState !== null) {
		out.begin(RecordType.hardState, 0, HARD_STATE_BYTES);
		putHardState(out, hardState);
	}
	if (snapshot !== null) {
		out.begin(RecordType.snapshot, 0, snapshotBytes(snapshot));
		putSnapshot(out, snapshot);
	}
	if (content.truncateFrom !== 0) {
		out.begin(RecordType.truncate, 0, 16);
		out.u64(content.truncateFrom);
		out.u64(content.truncateTerm);
	}
	if (content.entries.length > 0) out.raw(encodeEntries(content.entries));
	if (fence !== null) {
		out.begin(RecordType.fence, fence.closing ? 1 : 0, 8);
		out.u64(fence.verifiedSeq);
	}
	return out.end();
}

/** To join two CRCs costs as much as to sum so many bytes. */
const JOINED_BYTES_MIN = 2_048;

/** CRC-32C of the payload that `writeContent` wrote to bytes[start, end): that of its entries is mostly known already. */
export function contentCrc(ops: ByteOps, bytes: Uint8Array, start: number, end: number, content: FrameContent): number {
	if (content.entries.length === 0 || content.fence !== null || end - start < JOINED_BYTES_MIN) return ops.crc32c(bytes, start, end);
	const slab = encodeEntries(content.entries);
	return combineCrc32c(ops.crc32c(bytes, start, end - slab.length), slabCrc(ops, slab), slab.length);
}

/** The records of bytes[start, end), or null when they are not `records` well-formed ones in the right order. `withData`: of entries. */
export function readContent(bytes: Uint8Array, start: number, end: number, records: number, withData = true): FrameContent | null {
	const content: Mutable<FrameContent> = { ...EMPTY_CONTENT };
	let at = start;
	let count = 0;
	let before = 0;
	while (at < end) {
		if (end - at < RECORD_HEADER_BYTES) return null;
		const type = bytes[at] as number;
		const bodyBytes = readU32(bytes, at + 4);
		if (bytes[at + 2] !== 0 || bytes[at + 3] !== 0) return null;
		if (bodyBytes > end - at - RECORD_HEADER_BYTES || at + recordBytes(bodyBytes) > end) return null;
		const order = RECORD_ORDER.indexOf(type);
		if (order < before || (order === before && count > 0)) return null;
		before = order;
		if (type === RecordType.entry) {
			const runEnd = entryRunEnd(bytes, at, end);
			const entries = decodeEntries(bytes, at, runEnd, withData);
			if (entries === null) return null;
			content.entries = entries;
			count += entries.length;
			at = runEnd;
			continue;
		}
		const body = new BodyReader(bytes, at + RECORD_HEADER_BYTES, bodyBytes);
		readRecord(content, type, bytes[at + 1] as number, body);
		if (!body.finished()) return null;
		count++;
		at += recordBytes(bodyBytes);
	}
	return count === records && at === end ? content : null;
}

const RECORD_ORDER: readonly number[] = [
	RecordType.checkpoint,
	RecordType.hardState,
	RecordType.snapshot,
	RecordType.truncate,
	RecordType.entry,
	RecordType.fence,
];

/** A record of an unknown type leaves its body unread and is refused by `finished`. */
function readRecord(content: Mutable<FrameContent>, type: number, flags: number, body: BodyReader): void {
	if (flags > (type === RecordType.fence ? 1 : 0)) body.reject();
	switch (type) {
		case RecordType.checkpoint:
			content.checkpoint = takeCheckpoint(body);
			return;
		case RecordType.hardState:
			content.hardState = takeHardState(body);
			return;
		case RecordType.snapshot:
			content.snapshot = takeSnapshot(body);
			return;
		case RecordType.truncate:
			content.truncateFrom = body.u64();
			content.truncateTerm = body.u64();
			if (content.truncateFrom === 0) body.reject();
			return;
		case RecordType.fence:
			content.fence = { verifiedSeq: body.u64(), closing: flags === 1 };
			return;
		default:
			body.reject();
	}
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** End of the run of entry records that starts at `at`; lengths beyond the end are left for `decodeEntries` to refuse. */
function entryRunEnd(bytes: Uint8Array, at: number, end: number): number {
	let runEnd = at;
	while (end - runEnd >= RECORD_HEADER_BYTES && bytes[runEnd] === RecordType.entry) runEnd += recordBytes(readU32(bytes, runEnd + 4));
	return Math.min(runEnd, end);
}

function putHardState(out: BodyWriter, state: HardState): void {
	out.u64(state.term);
	out.id(state.vote);
	out.u64(state.commit);
}

function takeHardState(body: BodyReader): HardState {
	return { term: body.u64(), vote: body.id(), commit: body.u64() };
}

/** Counts of the four lists and the flag, 4 bytes each and 4 spare, then the ids. */
function confStateBytes(conf: ConfState): number {
	return 24 + 8 * (conf.voters.length + conf.learners.length + conf.votersOutgoing.length + conf.learnersNext.length);
}

function putConfState(out: BodyWriter, conf: ConfState): void {
	const lists = [conf.voters, conf.learners, conf.votersOutgoing, conf.learnersNext];
	for (const list of lists) out.u32(list.length);
	out.u32(conf.autoLeave ? 1 : 0);
	out.u32(0);
	for (const list of lists) for (const id of list) out.id(id);
}

function takeConfState(body: BodyReader): ConfState {
	const counts = [body.u32(), body.u32(), body.u32(), body.u32()] as const;
	const flag = body.u32();
	if (flag > 1 || body.u32() !== 0) body.reject();
	const take = (count: number): NodeId[] => {
		// The count is compared with what is left before anything is made of it.
		if (count * 8 > body.left) {
			body.reject();
			return [];
		}
		return Array.from({ length: count }, () => body.id());
	};
	return {
		voters: take(counts[0]),
		learners: take(counts[1]),
		votersOutgoing: take(counts[2]),
		learnersNext: take(counts[3]),
		autoLeave: flag === 1,
	};
}

/** Index, term, length of the name and 4 spare, the name padded to 8, the configuration. */
function snapshotBytes(snapshot: SnapshotMeta): number {
	return 24 + Math.ceil(snapshot.generation.length / 8) * 8 + confStateBytes(snapshot.confState);
}

function putSnapshot(out: BodyWriter, snapshot: SnapshotMeta): void {
	out.u64(snapshot.index);
	out.u64(snapshot.term);
	out.u32(snapshot.generation.length);
	out.u32(0);
	out.ascii(snapshot.generation);
	putConfState(out, snapshot.confState);
}

function takeSnapshot(body: BodyReader): SnapshotMeta {
	const index = body.u64();
	const term = body.u64();
	const nameBytes = body.u32();
	if (body.u32() !== 0) body.reject();
	const generation = body.ascii(nameBytes);
	return { index, term, generation, confState: takeConfState(body) };
}

function checkpointBytes(checkpoint: Checkpoint): number {
	return 24 + HARD_STATE_BYTES + 16 + snapshotBytes(checkpoint.snapshot);
}

function putCheckpoint(out: BodyWriter, checkpoint: Checkpoint): void {
	out.id(checkpoint.identity.clusterId);
	out.id(checkpoint.identity.memberId);
	out.id(checkpoint.identity.walId);
	putHardState(out, checkpoint.hardState);
	out.u64(checkpoint.lastIndex);
	out.u64(checkpoint.lastTerm);
	putSnapshot(out, checkpoint.snapshot);
}

function takeCheckpoint(body: BodyReader): Checkpoint {
	const identity = { clusterId: body.id(), memberId: body.id(), walId: body.id() };
	const hardState = takeHardState(body);
	const lastIndex = body.u64();
	const lastTerm = body.u64();
	return { identity, hardState, snapshot: takeSnapshot(body), lastIndex, lastTerm };
}
