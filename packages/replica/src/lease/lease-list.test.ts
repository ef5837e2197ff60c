import { Dice } from "@flotilla/base";
import { type Lease, LeaseTable, STRIDE, sliced } from "@flotilla/mvcc";
import { expect, test } from "vitest";
import { listLeases } from "./lease-list.ts";

const MANY = 10_000;

function tableOf(count: number): LeaseTable {
	const table = new LeaseTable();
	for (let id = 1; id <= count; id++) table.grant(BigInt(id) * 0x9e3779b97f4a7n, 60, id);
	return table;
}

/** The list, and how many slices of STRIDE it took. */
function list(table: LeaseTable, deadlineOf: ((lease: Lease) => number) | null, between: () => void = () => {}) {
	const work = sliced(listLeases(table, deadlineOf));
	let slices = 1;
	for (; !work.step(STRIDE); slices++) between();
	return { ids: work.result(), slices };
}

test("those that end first come first, however many, and no slice is long", () => {
	const table = tableOf(MANY);
	const dice = new Dice("deadlines");
	const deadlines = new Map(table.ids().map((id) => [id, dice.range(1, 1_000)]));
	const { ids, slices } = list(table, ({ id }) => deadlines.get(id) as number);
	expect(new Set(ids)).toEqual(new Set(table.ids()));
	const listed = ids.map((id) => deadlines.get(id) as number);
	expect(listed).toEqual([...listed].sort((a, b) => a - b));
	// Gathered, sorted in several rounds, and put in order.
	expect(slices).toBeGreaterThan((3 * MANY) / STRIDE);
});

test("where nobody keeps deadlines they come in any order", () => {
	const table = tableOf(MANY);
	expect(new Set(list(table, null).ids)).toEqual(new Set(table.ids()));
	expect(list(new LeaseTable(), () => 0).ids).toEqual([]);
});

test("leases that come and go between two slices do no harm", () => {
	const table = tableOf(MANY);
	const kept = new Set(table.ids().filter((_, at) => at % 10 !== 0));
	const leaving = table.ids().filter((id) => !kept.has(id));
	let next = MANY;
	const { ids } = list(
		table,
		({ birth }) => birth,
		() => {
			const gone = table.get(leaving.pop() ?? 0n);
			if (gone !== undefined) table.remove(gone);
			table.grant(BigInt(++next), 60, next);
		},
	);
	expect(ids.length).toBe(new Set(ids).size);
	const listed = new Set(ids);
	expect([...kept].filter((id) => !listed.has(id))).toEqual([]);
});
