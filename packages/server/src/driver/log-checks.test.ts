import { EMPTY_MARK } from "@flotilla/mvcc";
import { describe, expect, test } from "vitest";
import type { RecoveredLog } from "../wal/wal-interface.ts";
import type { FloorRecord } from "./floor-record.ts";
import { checkLog, checkLogOwner } from "./log-checks.ts";

const confState = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
const FLOOR: FloorRecord = {
	clusterId: 7n,
	memberId: 1n,
	generation: "1",
	appliedIndex: 100,
	term: 3,
	confState,
	mark: EMPTY_MARK,
	tableDigest: 0,
};
const LOG: RecoveredLog = {
	identity: { clusterId: 7n, memberId: 1n, walId: 9n },
	hardState: { term: 4, vote: 0n, commit: 110 },
	snapshot: { index: 1, term: 1, confState, generation: "" },
	changesMembers: false,
	firstIndex: 50,
	lastIndex: 120,
	lastTerm: 4,
	nextSeq: 5,
	tornBytes: 0,
	cleanStop: true,
};

function verdict(floor: Partial<FloorRecord>, log: Partial<RecoveredLog>, termAtFloor: number | null = 3): string | null {
	return checkLog({ ...FLOOR, ...floor }, { ...LOG, ...log }, () => termAtFloor)?.code ?? null;
}

describe("floor and log meet", () => {
	test("when the floor lies within the log, at its end, or directly before it", () => {
		expect(verdict({}, {})).toBe(null);
		expect(verdict({ appliedIndex: 120 }, {})).toBe(null);
		expect(verdict({ appliedIndex: 49 }, {}, null)).toBe(null);
	});

	test("when the store has applied more than the log knows to be committed: a commit need not be synced", () => {
		expect(verdict({}, { hardState: { term: 4, vote: 0n, commit: 60 } })).toBe(null);
	});
});

describe("a log is refused", () => {
	test("that begins behind the end of the store", () => {
		expect(verdict({ appliedIndex: 48 }, {}, null)).toBe("logBeginsLate");
	});

	test("that ends before what the store has applied, or before its own commit", () => {
		expect(verdict({ appliedIndex: 121 }, {})).toBe("logBehindStore");
		expect(verdict({}, { hardState: { term: 4, vote: 0n, commit: 121 } })).toBe("logBehindStore");
	});

	test("that holds entries of a term above its own", () => {
		expect(verdict({}, { hardState: { term: 3, vote: 0n, commit: 110 } })).toBe("logDamaged");
	});

	test("of another history than the store", () => {
		const refused = checkLog(FLOOR, LOG, () => 2);
		expect(refused?.code).toBe("logBehindStore");
		expect(refused?.text).toBe(
			"Cannot start (logBehindStore): log and store are of different histories. wal, entry 100: found term 2, need term 3 as in the store. " +
				"Put back log and store of the same time, or: Keep the folder for examination; remove this member from the cluster " +
				"(etcdctl member remove) and add it anew with an empty data folder.",
		);
	});

	test("of another cluster or member than the folder's", () => {
		const format = { clusterId: 7n, memberId: 1n, state: "ready", generation: "1", initialMembers: [] } as const;
		expect(checkLogOwner(LOG, format)).toBe(null);
		expect(checkLogOwner({ ...LOG, identity: { ...LOG.identity, clusterId: 8n } }, format)?.text).toMatch(
			/found cluster 8, need cluster 7/,
		);
		expect(checkLogOwner({ ...LOG, identity: { ...LOG.identity, memberId: 2n } }, format)?.text).toMatch(/found member 2, need member 1/);
	});
});
