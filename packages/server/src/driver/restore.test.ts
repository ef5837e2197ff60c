/** Rule N8: where the log of a member begins that is made from a saved state, and in which order it is made. */
import { EMPTY_MARK } from "@flotilla/mvcc";
import { describe, expect, test } from "vitest";
import type { OpenStore } from "../ports.ts";
import { BOOTSTRAP_INDEX } from "./bootstrap.ts";
import { decodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";
import type { MemberFormat } from "./format-file.ts";
import type { RecoveryOp, RecoveryReply } from "./recovery-steps.ts";
import { finishRestore } from "./restore.ts";

const FORMAT: MemberFormat = {
	clusterId: 7n,
	memberId: 2n,
	state: "making",
	generation: "1",
	initialMembers: [1n, 2n, 3n].map((id) => ({ id, name: `m${id}`, peerUrls: [`http://m${id}`] })),
};
const MARK = { ...EMPTY_MARK, revision: 40 };
const ROWS = [{ key: "auth/state", value: Uint8Array.of(9) }];

interface Made {
	readonly order: string[];
	readonly floor: FloorRecord;
	readonly rows: readonly string[];
	readonly log: Extract<RecoveryOp, { on: "createLog" }>;
}

function replyTo(op: RecoveryOp): RecoveryReply {
	const completion = { id: 1, error: null, bytes: 0, data: null, names: [], rows: null, records: null };
	if (op.on === "file" || op.on === "store") return { on: op.on, completion };
	if (op.on === "closeStore") return { on: "closeStore" };
	if (op.on === "createLog") return { on: "createLog", opening: { ok: true, wal: {}, recovered: {} } as never };
	return expect.unreachable(op.on);
}

/** Of a state that stood at this index of its own cluster's log. */
function restored(index: number): Made {
	const steps = finishRestore({} as OpenStore, FORMAT, { index, term: 6, mark: MARK, rows: ROWS }, 99n);
	const order: string[] = [];
	let floor: FloorRecord | null = null;
	let rows: readonly string[] = [];
	let log: Made["log"] | null = null;
	for (let step = steps.next(); step.done !== true; ) {
		const op = step.value;
		order.push(op.on === "store" ? op.op.kind : op.on);
		if (op.on === "createLog") log = op;
		if (op.on === "store" && op.op.kind === "floor") {
			rows = op.op.rows.map(({ key }) => key);
			const decoding = decodeFloor(op.op.rows.find(({ key }) => key === FLOOR_ROW)?.value ?? new Uint8Array(0));
			if (decoding.ok) floor = decoding.floor;
		}
		step = steps.next(replyTo(op));
	}
	if (floor === null || log === null) throw new Error("a restore writes a floor and makes a log");
	return { order, floor, rows, log };
}

describe("a member that is made from a saved state", () => {
	test("begins its log where that state stood, with no vote, and its store says the same", () => {
		const { floor, log, rows } = restored(50);
		const voters = [1n, 2n, 3n];
		expect(log.base).toMatchObject({ index: 50, term: 6, confState: { voters } });
		expect(log.hardState).toEqual({ term: 6, vote: 0n, commit: 50 });
		expect(floor).toMatchObject({ appliedIndex: 50, term: 6, mark: MARK, memberId: 2n, generation: "1", confState: { voters } });
		expect(rows).toContain("auth/state");
	});

	test("begins above the point of an empty store, whatever the state says: else it would be made anew from nothing (rule S6)", () => {
		for (const index of [0, BOOTSTRAP_INDEX]) {
			const { floor, log } = restored(index);
			expect([floor.appliedIndex, log.base.index, log.hardState.commit]).toEqual(new Array(3).fill(BOOTSTRAP_INDEX + 1));
		}
	});

	test("is one when its log is there, behind a floor that a barrier has made whole", () => {
		const { order } = restored(50);
		expect(order.slice(0, 4)).toEqual(["barrier", "floor", "closeStore", "createLog"]);
		expect(order.slice(4).every((op) => op === "file")).toBe(true);
		expect(order.length).toBeGreaterThan(4);
	});
});
