import { portableBytes } from "@flotilla/base";
import type { StoreMark } from "@flotilla/mvcc";
import { type TableRow, tableDigest } from "@flotilla/replica";
import type { OpenStore } from "../ports.ts";
import type { WriteAheadLog } from "../wal/wal-interface.ts";
import * as bootstrap from "./bootstrap.ts";
import { encodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";
import type { MemberFormat } from "./format-file.ts";
import { ask, store as onStore, RefusedStart, type Steps } from "./recovery-steps.ts";
import { refusal } from "./refusal.ts";

export interface RestoredState {
	/** Where the saved state stood in its log. */
	readonly index: number;
	readonly term: number;
	readonly mark: StoreMark;
	/** Without members. */
	readonly rows: readonly TableRow[];
}

/**
 * Ends the making of a member from a saved state: its records are in `disk`. The member's log starts at the index of the saved
 * state instead of the bootstrap point, so nothing below can ever be rebuilt as an empty store (rule S6), and the members that
 * are made from one file agree on where they start.
 */
export function* finishRestore(disk: OpenStore, format: MemberFormat, state: RestoredState, walId: bigint): Steps<WriteAheadLog> {
	const { clusterId, memberId, generation } = format;
	const index = Math.max(state.index, bootstrap.BOOTSTRAP_INDEX + 1);
	const confState = bootstrap.bootstrapConfState(format.initialMembers);
	const rows = [...bootstrap.bootstrapRows(format), ...state.rows];
	const floor: FloorRecord = {
		...{ clusterId, memberId, generation, appliedIndex: index, term: state.term, confState, mark: state.mark },
		tableDigest: tableDigest(portableBytes, rows),
	};
	yield* onStore(disk, generation, { kind: "barrier" });
	yield* onStore(disk, generation, { kind: "floor", rows: [...rows, { key: FLOOR_ROW, value: encodeFloor(floor) }] });
	yield* ask({ on: "closeStore", store: disk });
	const base = { index, term: state.term, confState, generation: "" };
	const { opening } = yield* ask({
		on: "createLog",
		identity: { clusterId, memberId, walId },
		hardState: { term: state.term, vote: 0n, commit: index },
		base,
	});
	if (!opening.ok) {
		const { text } = opening.refusal;
		throw new RefusedStart(
			refusal("io", {
				what: "the log cannot be made",
				where: bootstrap.LOG_FOLDER,
				found: text,
				wanted: "a new log",
				next: "Free or replace the disk",
			}),
		);
	}
	yield* bootstrap.writeFormat(format);
	return opening.wal;
}
