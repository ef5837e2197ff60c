import { assert, marks } from "@flotilla/base";
import type { Entry, HardState, LogIndex, RestoredLog, Term } from "@flotilla/raft";
import type { RecoveredLog, WriteAheadLog } from "../wal/wal-interface.ts";
import { LOG_FOLDER } from "./bootstrap.ts";
import type { FloorRecord } from "./floor-record.ts";
import { FORMAT_FILE, type MemberFormat } from "./format-file.ts";
import { ask, refuse, type Steps } from "./recovery-steps.ts";
import { REPLACE_MEMBER, refusal, type StartRefusal } from "./refusal.ts";

/** The log and the data folder name the same owner. */
export function checkLogOwner(log: RecoveredLog, format: MemberFormat): StartRefusal | null {
	for (const [name, found, wanted] of [
		["cluster", log.identity.clusterId, format.clusterId],
		["member", log.identity.memberId, format.memberId],
	] as const) {
		if (found === wanted) continue;
		return refusal("foreign", {
			what: `the log belongs to another ${name}`,
			where: LOG_FOLDER,
			found: `${name} ${found.toString(16)}`,
			wanted: `${name} ${wanted.toString(16)} as in the file ${FORMAT_FILE}`,
			next: "Put back the log that belongs to this data folder",
		});
	}
	return null;
}

/** Floor (applied index A) and log (from F to L, commit C) must meet; what was acknowledged must be there. */
export function checkLog(
	floor: Pick<FloorRecord, "appliedIndex" | "term">,
	log: RecoveredLog,
	termAt: (index: LogIndex) => Term | null,
): StartRefusal | null {
	const { firstIndex, lastIndex, lastTerm, hardState } = log;
	const { appliedIndex, term } = floor;
	const refuseLog = (code: "logBeginsLate" | "logBehindStore" | "logDamaged", what: string, found: string, wanted: string) =>
		refusal(code, { what, where: LOG_FOLDER, found, wanted, next: `Restore the folder ${LOG_FOLDER} from a copy, or: ${REPLACE_MEMBER}` });
	if (appliedIndex + 1 < firstIndex) {
		const wanted = `an entry ${appliedIndex + 1}, the first one that the store lacks`;
		return refuseLog("logBeginsLate", "the log begins behind the end of the store", `entries from ${firstIndex} on`, wanted);
	}
	if (appliedIndex > lastIndex) {
		const wanted = `entries up to ${appliedIndex}, which the store has applied`;
		return refuseLog("logBehindStore", "the log has lost its end", `entries up to ${lastIndex}`, wanted);
	}
	if (hardState.commit > lastIndex) {
		const wanted = `entries up to ${hardState.commit}, which the log calls committed`;
		return refuseLog("logBehindStore", "the log has lost its end", `entries up to ${lastIndex}`, wanted);
	}
	if (hardState.term < lastTerm) {
		return refuseLog(
			"logDamaged",
			"the log holds entries of a term it does not know",
			`term ${lastTerm}`,
			`at most term ${hardState.term}`,
		);
	}
	// A store of another history may reach as far as this log: the terms tell (thesis §3.5, log matching).
	const found = termAt(appliedIndex);
	if (found === null || found === term) return null;
	return refusal("logBehindStore", {
		what: "log and store are of different histories",
		where: `${LOG_FOLDER}, entry ${appliedIndex}`,
		found: `term ${found}`,
		wanted: `term ${term} as in the store`,
		next: `Put back log and store of the same time, or: ${REPLACE_MEMBER}`,
	});
}

/** The least floor that goes with this log: what else it must be does not depend on a store. */
export function beginningOf(
	{ firstIndex }: RecoveredLog,
	termAt: (index: LogIndex) => Term | null,
): Pick<FloorRecord, "appliedIndex" | "term"> {
	return { appliedIndex: firstIndex - 1, term: termAt(firstIndex - 1) ?? 0 };
}

/** One read takes so much of the log into memory; all that was read stays there until it is applied. */
const READ_BYTES = 1 << 20;

/** The entries above the floor, and what the core restarts with. */
export function* readTail(wal: WriteAheadLog, floor: FloorRecord, log: RecoveredLog): Steps<RestoredLog> {
	const { appliedIndex, term, confState, generation } = floor;
	const hardState = yield* noteCommit(wal, log.hardState, appliedIndex);
	const entries = yield* readEntries(wal, appliedIndex + 1, log.lastIndex);
	return {
		hardState,
		base: { index: appliedIndex, term, confState, generation },
		entries,
		firstIndex: Math.min(log.firstIndex, appliedIndex + 1),
		applied: appliedIndex,
	};
}

/**
 * What the store has applied was committed, and a running log writes its commit down with its next frame only. The core reports what
 * it starts with as durable (rule C3), so the log must hold it by then: the store alone can be lost (rule S6), and the next one may end
 * before that index.
 */
function* noteCommit(wal: WriteAheadLog, before: HardState, commit: LogIndex): Steps<HardState> {
	if (commit <= before.commit) return before;
	marks.commitNotedByStart++;
	const hardState = { ...before, commit };
	yield* ask({ on: "amendLog", wal, change: { hardState, entries: [], snapshot: null } });
	return hardState;
}

function* readEntries(wal: WriteAheadLog, fromIndex: number, uptoIndex: number): Steps<Entry[]> {
	const entries: Entry[] = [];
	for (let next = fromIndex; next <= uptoIndex; ) {
		for (const entry of yield* entriesOf(wal, next, uptoIndex)) {
			assert(entry.index === next, "the log gives entries in order");
			entries.push(entry);
			next++;
		}
	}
	return entries;
}

/** One of them at least, and not more than a read takes. */
export function* entriesOf(wal: WriteAheadLog, fromIndex: LogIndex, uptoIndex: LogIndex): Steps<readonly Entry[]> {
	const { entries } = yield* ask({ on: "readLog", wal, fromIndex, uptoIndex, bytesMax: READ_BYTES });
	if (entries.length > 0) return entries;
	throw refuse("logDamaged", {
		what: "the log cannot be read again",
		where: `${LOG_FOLDER}, entry ${fromIndex}`,
		found: "nothing",
		wanted: "the entry that was there a moment ago",
		next: "Look for disk errors in the system's log, then start again",
	});
}
