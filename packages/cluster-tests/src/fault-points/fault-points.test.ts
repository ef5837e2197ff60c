/** Terms, the table that two threads share, and what an armed point does to the part that passes it. */
import type { FileCompletion, FileDisk, FileOp } from "@flotilla/server/internal";
import { describe, expect, test } from "vitest";
import { partsAround } from "./around.ts";
import { describeTerm, PointTable, parseTerm } from "./point-table.ts";

describe("a term", () => {
	test.each(["panic", 'sleep("250ms")', 'error("EIO")', "3*panic", '10%error("ENOSPC")'])(
		"%s is read and told as it was written",
		(text) => {
			const term = parseTerm(text);
			expect(term === null ? null : describeTerm(term)).toBe(text);
		},
	);

	test("seconds are milliseconds", () => expect(parseTerm('sleep("2s")')?.action).toEqual({ kind: "sleep", ms: 2_000 }));

	test.each(["", "die", "sleep(1)", 'error("EWHAT")', "0*panic", "101%panic", "0%panic", "3*10%panic"])("%j is none", (text) =>
		expect(parseTerm(text)).toBe(null),
	);
});

describe("the table", () => {
	const error = { action: { kind: "error", error: "EIO" }, count: 0, percent: 100 } as const;

	test("is seen by whoever shares its memory, and counts who passes", () => {
		const [mine, theirs] = [new PointTable(), new PointTable()];
		const shared = new PointTable(mine.memory);
		shared.arm("wal.beforeWrite", error);
		expect(mine.pass("wal.beforeWrite", () => 0)).toEqual(error.action);
		expect(mine.pass("store.beforeBatch", () => 0)).toBe(null);
		expect(theirs.pass("wal.beforeWrite", () => 0)).toBe(null);
		shared.disarm("wal.beforeWrite");
		expect(mine.pass("wal.beforeWrite", () => 0)).toBe(null);
		expect([shared.hits("wal.beforeWrite"), shared.hits("store.beforeBatch")]).toEqual([2, 1]);
	});

	test("keeps to counts and chances", () => {
		const table = new PointTable();
		table.arm("peers.beforeSend", { ...error, count: 2 });
		expect([1, 2, 3].map(() => table.pass("peers.beforeSend", () => 0) !== null)).toEqual([true, true, false]);
		table.arm("peers.beforeSend", { ...error, percent: 30 });
		expect([0, 29, 30, 99].map((chance) => table.pass("peers.beforeSend", () => chance) !== null)).toEqual([true, true, false, false]);
	});
});

test("an operation of the disk fails where its point says so, and is not carried out; behind it, it was", async () => {
	const carriedOut: number[] = [];
	const disk: FileDisk = {
		onCompletion: () => {},
		submit(op) {
			carriedOut.push(op.id);
			this.onCompletion({ id: op.id, error: null, bytes: 3, data: null, names: null });
		},
	};
	let armed = "";
	const pointed = partsAround((name) => (name === armed ? "EIO" : null)).disk(disk);
	const run = (op: FileOp): Promise<FileCompletion> =>
		new Promise((resolve) => {
			pointed.onCompletion = resolve;
			pointed.submit(op);
		});
	const write = (id: number): FileOp => ({ id, kind: "write", path: "wal/1", lane: 0, offset: 0, data: new Uint8Array(3) });
	expect(await run(write(1))).toMatchObject({ id: 1, error: null, bytes: 3 });
	armed = "wal.beforeWrite";
	expect(await run(write(2))).toMatchObject({ id: 2, error: "EIO", bytes: 0 });
	armed = "wal.afterWrite";
	expect(await run(write(3))).toMatchObject({ id: 3, error: "EIO", bytes: 3 });
	expect(carriedOut).toEqual([1, 3]);
});
