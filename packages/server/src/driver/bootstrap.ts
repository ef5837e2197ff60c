import { portableBytes } from "@flotilla/base";
import { EMPTY_MARK } from "@flotilla/mvcc";
import type { ConfState, NodeId, SnapshotMeta } from "@flotilla/raft";
import { bootstrapTables, type MemberInfo, type TableRow, tableDigest } from "@flotilla/replica";
import type { OpenStore } from "../ports.ts";
import { encodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";
import { encodeFormat, FORMAT_FILE, type MemberFormat } from "./format-file.ts";
import { file, list, store as onStore, replaceFile, type Steps } from "./recovery-steps.ts";

/** The point that every initial member starts from (thesis §4; no configuration entry is written for it). */
export const BOOTSTRAP_INDEX = 1;
export const BOOTSTRAP_TERM = 1;
export const FIRST_GENERATION = "1";
export const LOG_FOLDER = "wal";

export function bootstrapConfState(members: MemberFormat["initialMembers"]): ConfState {
	const voters = members.map(({ id }) => id).sort((a, b) => (a < b ? -1 : 1));
	return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
}

/** A member that joins has no configuration before it is sent the cluster's: it votes for nobody and campaigns never. */
export function bootstrapPoint({ joined, initialMembers }: MemberFormat): SnapshotMeta {
	if (joined === true) return { index: 0, term: 0, confState: bootstrapConfState([]), generation: "" };
	return { index: BOOTSTRAP_INDEX, term: BOOTSTRAP_TERM, confState: bootstrapConfState(initialMembers), generation: "" };
}

export function bootstrapRows(format: MemberFormat): TableRow[] {
	return bootstrapTables(format.initialMembers.map(asMember));
}

export function bootstrapFloor(format: MemberFormat): FloorRecord {
	const { index, term, confState } = bootstrapPoint(format);
	return {
		clusterId: format.clusterId,
		memberId: format.memberId,
		generation: format.generation,
		appliedIndex: index,
		term,
		confState,
		mark: EMPTY_MARK,
		tableDigest: tableDigest(portableBytes, bootstrapRows(format)),
	};
}

function asMember({ id, name: _name, peerUrls }: { id: NodeId; name: string; peerUrls: readonly string[] }): MemberInfo {
	// The name is known from the flags, but a member has none until it has announced itself (etcd API, MemberList).
	return { id, name: "", peerUrls: [...peerUrls].sort(), clientUrls: [], learner: false };
}

/** Makes the store what it is before anything was applied, whatever an interrupted first start left in it. */
export function* fillStore(disk: OpenStore, format: MemberFormat): Steps<FloorRecord> {
	const floor = bootstrapFloor(format);
	const rows = bootstrapRows(format);
	const left = (yield* onStore(disk, format.generation, { kind: "readTables" })).rows ?? [];
	const gone = left.filter(({ key }) => key !== FLOOR_ROW && !rows.some((row) => row.key === key));
	yield* onStore(disk, format.generation, { kind: "barrier" });
	yield* onStore(disk, format.generation, {
		kind: "floor",
		rows: [...gone.map(({ key }) => ({ key, value: null })), ...rows, { key: FLOOR_ROW, value: encodeFloor(floor) }],
	});
	return floor;
}

/** Removes what an interrupted first start left of the log. */
export function* clearLog(): Steps<void> {
	for (const name of yield* list(LOG_FOLDER)) yield* file({ kind: "unlink", path: `${LOG_FOLDER}/${name}` });
	const names = yield* list("");
	for (const name of ["identity", "identity.tmp", "vote", "vote.tmp"]) {
		if (names.includes(name)) yield* file({ kind: "unlink", path: name });
	}
}

export function* writeFormat(format: MemberFormat): Steps<void> {
	yield* replaceFile(FORMAT_FILE, encodeFormat(format));
}
