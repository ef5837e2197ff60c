import { InvariantError } from "@flotilla/base";
import type { FloorImage, TableRow } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import { FloorMachine, type FloorOp, floorDue } from "./floor.ts";
import { decodeFloor, encodeFloor, FLOOR_ROW, type FloorRecord } from "./floor-record.ts";

const identity = { clusterId: 0xcdf818194e3a8c32n, memberId: 0x8e9e05c52164694dn, generation: "1" };
const confState = { voters: [1n, 0x8e9e05c52164694dn], learners: [7n], votersOutgoing: [], learnersNext: [], autoLeave: false };

function image(appliedIndex: number, batchSeq: number, tables: readonly TableRow[] = []): FloorImage {
	const mark = { revision: appliedIndex, compactRevision: -1, count: 3, digest: 0xdeadbeef, digest2: 1 };
	return { appliedIndex, term: 2, confState, mark, tables, tableDigest: 0xffffffff, batchSeq };
}

function row(key: string, text: string): TableRow {
	return { key, value: new TextEncoder().encode(text) };
}

describe("floor record", () => {
	const floor: FloorRecord = { ...identity, ...image(2 ** 40, 0) };

	test("says after decoding what was encoded", () => {
		const { batchSeq: _batchSeq, tables: _tables, ...record } = { ...identity, ...image(2 ** 40, 0) };
		expect(decodeFloor(encodeFloor(floor))).toEqual({ ok: true, floor: record });
		const joint = { ...record, confState: { ...confState, votersOutgoing: [3n], learnersNext: [1n], autoLeave: true } };
		expect(decodeFloor(encodeFloor(joint))).toEqual({ ok: true, floor: joint });
	});

	test("is refused when any byte of it differs, or one is missing", () => {
		const bytes = encodeFloor(floor);
		for (let at = 0; at < bytes.length; at++) {
			const changed = bytes.slice();
			changed[at] = (changed[at] as number) ^ 0x10;
			expect(decodeFloor(changed), `byte ${at}`).toMatchObject({ ok: false });
			expect(decodeFloor(bytes.subarray(0, at)), `length ${at}`).toMatchObject({ ok: false, code: "damaged" });
		}
	});

	test("of a later format is called newer, not damaged", () => {
		const bytes = encodeFloor(floor);
		bytes[0] = 2;
		expect(decodeFloor(bytes)).toEqual({ ok: false, code: "newer", found: "format 2", wanted: "format 1" });
	});
});

function harness(rows: readonly TableRow[] = []) {
	const ops: FloorOp[] = [];
	const durable: number[] = [];
	const failures: string[] = [];
	const machine = new FloorMachine(
		{
			identity,
			submit: (op) => ops.push(op),
			floorDurable: (done) => durable.push(done.appliedIndex),
			floorFailed: (reason) => failures.push(reason),
		},
		rows,
	);
	const complete = (id: number, error: string | null = null) => machine.complete({ id, error, rows: null, records: null });
	return { machine, ops, durable, failures, complete };
}

describe("floor machine", () => {
	test("waits for the batches, then for the barrier, then for the write, and only then is the floor durable", () => {
		const { machine, ops, durable, complete } = harness();
		machine.start(image(40, 3));
		machine.batchStored(2);
		expect(ops).toEqual([]);
		machine.batchStored(3);
		expect(ops).toEqual([{ kind: "barrier" }]);
		expect(complete(99), "someone else's completion").toBe(false);
		expect(complete(1)).toBe(true);
		expect(ops.map(({ kind }) => kind)).toEqual(["barrier", "floor"]);
		expect(durable).toEqual([]);
		expect(complete(2)).toBe(true);
		expect(durable).toEqual([40]);
		expect(machine.busy).toBe(false);
	});

	test("writes the rows that changed, removes those that are gone, and always the floor", () => {
		const { machine, ops, complete } = harness([row("members/1", "a"), row("members/2", "b"), row("version/cluster", "3.6.0")]);
		machine.start(image(5, 0, [row("members/1", "a"), row("members/3", "c"), row("version/cluster", "3.7.0")]));
		complete(1);
		complete(2);
		machine.start(image(6, 0, [row("members/1", "a"), row("version/cluster", "3.7.0")]));
		complete(3);
		const written = ops.map((op) => (op.kind === "floor" ? op.rows.map(({ key, value }) => [key, value !== null]) : op.kind));
		expect(written).toEqual([
			"barrier",
			[
				["members/3", true],
				["version/cluster", true],
				["members/2", false],
				[FLOOR_ROW, true],
			],
			"barrier",
			[
				["members/3", false],
				[FLOOR_ROW, true],
			],
		]);
	});

	test("a failed barrier is told and nothing is written behind it", () => {
		const { machine, ops, durable, failures, complete } = harness();
		machine.start(image(5, 0));
		complete(1, "IO error: no space left on device");
		expect(failures).toEqual(["IO error: no space left on device"]);
		expect([ops.length, durable.length]).toEqual([1, 0]);
	});

	test("a second floor before the first has ended is a bug", () => {
		const { machine } = harness();
		machine.start(image(5, 9));
		expect(() => machine.start(image(6, 9))).toThrow(InvariantError);
	});
});

describe("a floor is due", () => {
	const policy = { bytes: 16, entries: 100 };
	for (const [name, bytes, entries, due] of [
		["not without entries", 1_000, 0, false],
		["not before the bytes are there", 15, 5_000, false],
		["not before the entries are there", 127, 99, false],
		["when both are there", 16, 100, true],
		["for few large entries, when the log has grown eight times as far", 128, 1, true],
	] as Array<[string, number, number, boolean]>) {
		test(name, () => expect(floorDue(policy, bytes, entries)).toBe(due));
	}
});
