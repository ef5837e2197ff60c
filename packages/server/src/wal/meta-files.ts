/**
 * The two small files beside the segments.
 *
 *   identity  0 magic | 8 version u32 | 12 zero u32 | 16 cluster | 24 member | 32 walId | 40 crc u32 | 44 zero u32
 *   vote      two slots of 4 KiB, written in turn; in each: 0 magic | 8 version u32 | 12 crc u32 (over 16..63)
 *             16 walId | 24 counter | 32 term | 40 vote | 48 head (highest durable frame known) | 56 spare
 */
import type { ByteOps } from "@flotilla/base";
import { readBigU64, readU32, readU64, writeBigU64, writeU32, writeU64 } from "@flotilla/base";
import type { NodeId, Term } from "@flotilla/raft";
import { WAL_VERSION } from "./format.ts";
import type { WalIdentity } from "./wal-interface.ts";

export const IDENTITY_PATH = "identity";
export const IDENTITY_TMP_PATH = "identity.tmp";
export const VOTE_PATH = "vote";
export const VOTE_TMP_PATH = "vote.tmp";
export const IDENTITY_BYTES = 48;
export const VOTE_SLOT_BYTES = 4096;
const VOTE_SLOT_USED_BYTES = 64;

const IDENTITY_MAGIC = 0x64_69_74_6f_6c_66;
const VOTE_MAGIC = 0x65_74_6f_76_6c_66;

export interface VoteSlot {
	/** Rises by one with each slot written. */
	readonly counter: number;
	readonly term: Term;
	readonly vote: NodeId;
	/** Frames up to here were durable when the slot was written. */
	readonly headSeq: number;
}

export type VersionProblem = "newer" | "older";
export type MetaProblem = { readonly code: "corrupt" | "foreign" | VersionProblem; readonly text: string };

export function encodeIdentity(ops: ByteOps, identity: WalIdentity): Uint8Array {
	const bytes = new Uint8Array(IDENTITY_BYTES);
	writeU64(bytes, 0, IDENTITY_MAGIC);
	writeU32(bytes, 8, WAL_VERSION);
	writeBigU64(bytes, 16, identity.clusterId);
	writeBigU64(bytes, 24, identity.memberId);
	writeBigU64(bytes, 32, identity.walId);
	writeU32(bytes, 40, ops.crc32c(bytes, 0, 40, 0));
	return bytes;
}

export function decodeIdentity(ops: ByteOps, bytes: Uint8Array): WalIdentity | MetaProblem {
	if (bytes.length === 0) return { code: "corrupt", text: "the file is empty" };
	if (bytes.every((byte) => byte === 0)) return { code: "corrupt", text: "the file is filled with zeros" };
	if (bytes.length < IDENTITY_BYTES) return { code: "corrupt", text: `the file has ${bytes.length} bytes instead of ${IDENTITY_BYTES}` };
	if (readU64(bytes, 0) !== IDENTITY_MAGIC) return { code: "corrupt", text: "the file has a wrong magic number" };
	if (ops.crc32c(bytes, 0, 40, 0) !== readU32(bytes, 40)) return { code: "corrupt", text: "the file fails its checksum" };
	const version = readU32(bytes, 8);
	if (version !== WAL_VERSION) return otherVersion(version);
	if (bytes.length > IDENTITY_BYTES || readU32(bytes, 44) !== 0) return { code: "corrupt", text: "the file has bytes behind its end" };
	return { clusterId: readBigU64(bytes, 16), memberId: readBigU64(bytes, 24), walId: readBigU64(bytes, 32) };
}

export function otherVersion(version: number): { readonly code: VersionProblem; readonly text: string } {
	return {
		code: version > WAL_VERSION ? "newer" : "older",
		text: `its format is version ${version}, this program reads version ${WAL_VERSION} only`,
	};
}

export function encodeVoteSlot(ops: ByteOps, walId: bigint, slot: VoteSlot): Uint8Array {
	const bytes = new Uint8Array(VOTE_SLOT_BYTES);
	writeU64(bytes, 0, VOTE_MAGIC);
	writeU32(bytes, 8, WAL_VERSION);
	writeBigU64(bytes, 16, walId);
	writeU64(bytes, 24, slot.counter);
	writeU64(bytes, 32, slot.term);
	writeBigU64(bytes, 40, slot.vote);
	writeU64(bytes, 48, slot.headSeq);
	writeU32(bytes, 12, ops.crc32c(bytes, 16, VOTE_SLOT_USED_BYTES, 0));
	return bytes;
}

/** What the vote file says: the slot with the higher counter, and the highest head that any good slot knows. */
export function decodeVoteFile(ops: ByteOps, walId: bigint, bytes: Uint8Array): VoteSlot | MetaProblem {
	if (bytes.length === 0) return { code: "corrupt", text: "the file is empty" };
	if (bytes.length !== 2 * VOTE_SLOT_BYTES) {
		return { code: "corrupt", text: `the file has ${bytes.length} bytes instead of ${2 * VOTE_SLOT_BYTES}` };
	}
	const slots = [decodeSlot(ops, walId, bytes, 0), decodeSlot(ops, walId, bytes, VOTE_SLOT_BYTES)];
	const good = slots.filter((slot): slot is VoteSlot => slot !== null && "counter" in slot);
	if (good.length === 0) {
		const told = slots.find((slot): slot is MetaProblem => slot !== null && "code" in slot);
		return told ?? { code: "corrupt", text: "both of its slots fail their checksum" };
	}
	const newest = good.reduce((a, b) => (a.counter > b.counter ? a : b));
	return { ...newest, headSeq: Math.max(...good.map((slot) => slot.headSeq)) };
}

/** Of a file that can be read: slots that fail their checksum, 0 or 1. */
export function damagedVoteSlots(ops: ByteOps, walId: bigint, bytes: Uint8Array): number {
	return [0, VOTE_SLOT_BYTES].filter((at) => decodeSlot(ops, walId, bytes, at) === null).length;
}

/** Null: damaged, which a crash while it was written explains. */
function decodeSlot(ops: ByteOps, walId: bigint, bytes: Uint8Array, at: number): VoteSlot | MetaProblem | null {
	if (readU64(bytes, at) !== VOTE_MAGIC) return null;
	if (ops.crc32c(bytes, at + 16, at + VOTE_SLOT_USED_BYTES, 0) !== readU32(bytes, at + 12)) return null;
	const version = readU32(bytes, at + 8);
	if (version !== WAL_VERSION) return otherVersion(version);
	const found = readBigU64(bytes, at + 16);
	if (found !== walId) {
		return { code: "foreign", text: `it belongs to log ${found.toString(16)}, the identity file names log ${walId.toString(16)}` };
	}
	const [counter, term, headSeq] = [readU64(bytes, at + 24), readU64(bytes, at + 32), readU64(bytes, at + 48)];
	if (counter < 1 || term < 0 || headSeq < 0) return null;
	return { counter, term, vote: readBigU64(bytes, at + 40), headSeq };
}
