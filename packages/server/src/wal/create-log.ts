/** A log's first files. Until the identity file has its name there is no log, and the owner begins anew. */
import type { ByteOps } from "@flotilla/base";
import type { HardState, SnapshotMeta } from "@flotilla/raft";
import type { FileRequest, FileScript } from "../disk/file-script.ts";
import { frameSeed } from "./format.ts";
import { LogState } from "./log-state.ts";
import {
	encodeIdentity,
	encodeVoteSlot,
	IDENTITY_PATH,
	IDENTITY_TMP_PATH,
	VOTE_PATH,
	VOTE_SLOT_BYTES,
	VOTE_TMP_PATH,
} from "./meta-files.ts";
import type { LogRecovery } from "./recover-log.ts";
import { refuseIo } from "./refusal.ts";
import { encodeSegmentStart, installSegment, newSegment, segmentPrefixBytes } from "./segment-files.ts";
import { SPARE_NAME } from "./tail-repair.ts";
import type { WalIdentity, WalRefusal } from "./wal-interface.ts";

export interface NewLog {
	readonly identity: WalIdentity;
	readonly hardState: HardState;
	/** What the log starts from; its first entry is the one after. */
	readonly base: SnapshotMeta;
	readonly folder: string;
	readonly segmentBytes: number;
}

export function* createScript(ops: ByteOps, { identity, hardState, base, folder, segmentBytes }: NewLog): FileScript<LogRecovery> {
	const checkpoint = { identity, hardState, snapshot: base, lastIndex: base.index, lastTerm: base.term };
	const fileBytes = Math.max(segmentBytes, Math.ceil(segmentPrefixBytes(checkpoint) / 4096) * 4096);
	const start = { sequence: 1, firstSeq: 1, fileBytes, chain: 0, syncedSeq: 0, checkpoint };
	const { data, prevCrc } = encodeSegmentStart(ops, frameSeed(ops, identity), start);
	const segment = newSegment(folder, start, 0, data.length);
	const voteSlot = { counter: 1, term: hardState.term, vote: hardState.vote, headSeq: 1 };
	const temporary = `${folder}/${SPARE_NAME}`;
	let refusal = yield* each([
		{ kind: "makeFolder", folder },
		{ kind: "writeFile", path: VOTE_TMP_PATH, data: bothSlots(encodeVoteSlot(ops, identity.walId, voteSlot)) },
		{ kind: "rename", from: VOTE_TMP_PATH, to: VOTE_PATH },
		{ kind: "create", path: temporary, bytes: fileBytes },
	]);
	if (refusal !== null) return { ok: false, refusal };
	const problem = yield* installSegment(folder, temporary, segment.path, data);
	if (problem !== null) return { ok: false, refusal: refuseIo({ path: segment.path }, "making", problem) };
	refusal = yield* each([
		{ kind: "writeFile", path: IDENTITY_TMP_PATH, data: encodeIdentity(ops, identity) },
		{ kind: "rename", from: IDENTITY_TMP_PATH, to: IDENTITY_PATH },
		{ kind: "syncFolder", folder: "" },
	]);
	if (refusal !== null) return { ok: false, refusal };
	const state = new LogState(checkpoint);
	state.map.segments.push(segment);
	return {
		ok: true,
		end: { state, segment, endOffset: data.length, nextSeq: 2, prevCrc, voteSlot, hardState, tornBytes: 0, cleanStop: true },
	};
}

/** The first slot stands in the place of an even counter; the one here stands in both, so that either may be damaged. */
function bothSlots(slot: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(2 * VOTE_SLOT_BYTES);
	bytes.set(slot, 0);
	bytes.set(slot, VOTE_SLOT_BYTES);
	return bytes;
}

function* each(requests: readonly FileRequest[]): FileScript<WalRefusal | null> {
	for (const request of requests) {
		const completion = yield request;
		if (completion.error === null) continue;
		const path = "path" in request ? request.path : "folder" in request ? request.folder : request.to;
		return refuseIo({ path }, describe[request.kind] ?? request.kind, completion.error);
	}
	return null;
}

const describe: Readonly<Record<string, string>> = {
	makeFolder: "making",
	create: "making",
	writeFile: "writing",
	rename: "naming",
	syncFolder: "syncing",
};
