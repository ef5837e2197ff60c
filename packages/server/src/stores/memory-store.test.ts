import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { MemoryStore } from "./memory-store.ts";
import { batch, record, recordKey, StoreRunner, storeSuite } from "./store.suite.ts";

const open = () => new MemoryStore((work) => setImmediate(work));

storeSuite(
	"memory store",
	async () => open(),
	async (disk) => (disk as MemoryStore).reopen(),
);

/** Which of 40 single-record batches, a barrier after the first ten, are there after a crash. */
async function survivors(kind: "power" | "process", seed: number): Promise<number[]> {
	const disk = open();
	const store = new StoreRunner(disk);
	for (let seq = 1; seq <= 40; seq++) {
		await store.run({ kind: "batch", batch: batch(seq, [record(2 * seq, "x"), record(2 * seq + 1, "y")]) });
		if (seq === 10) await store.run({ kind: "barrier" });
	}
	await store.run({ kind: "floor", rows: [{ key: "FLOOR", value: new Uint8Array([1]) }] });
	const after = disk.crash(kind, new Dice(seed));
	const there: number[] = [];
	for (let seq = 1; seq <= 40; seq++) {
		const first = after.get(recordKey(2 * seq)) !== undefined;
		expect(after.get(recordKey(2 * seq + 1)) !== undefined, `both records of batch ${seq} or none`).toBe(first);
		if (first) there.push(seq);
	}
	return there;
}

test("a power loss keeps what a barrier covered and loses any subset of the rest, synced floor or not", async () => {
	const seen = new Set<string>();
	for (let seed = 1; seed <= 20; seed++) {
		const there = await survivors("power", seed);
		expect(there.slice(0, 10)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
		expect(there.length, `seed ${seed}`).toBeLessThan(40);
		seen.add(there.join());
	}
	expect(seen.size, "different seeds lose different batches").toBeGreaterThan(15);
	expect(await survivors("power", 7)).toEqual(await survivors("power", 7));
});

test("the end of the process alone loses no batch that had returned", async () => {
	expect(await survivors("process", 1)).toHaveLength(40);
});

test("the operation in work at a crash has happened or not, those behind it have not", async () => {
	const outcomes = new Set<boolean>();
	for (let seed = 1; seed <= 20; seed++) {
		const disk = open();
		disk.submit({ id: 1, kind: "floor", rows: [{ key: "FLOOR", value: new Uint8Array([1]) }] });
		disk.submit({ id: 2, kind: "floor", rows: [{ key: "FLOOR", value: new Uint8Array([2]) }] });
		const rows = (await new StoreRunner(disk.crash("process", new Dice(seed))).run({ kind: "readTables" })).rows ?? [];
		expect(rows.every(({ value }) => value[0] === 1)).toBe(true);
		outcomes.add(rows.length === 1);
	}
	expect(outcomes.size).toBe(2);
});
