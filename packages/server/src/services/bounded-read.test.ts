import { createHotCodec } from "@flotilla/api/hot";
import { MemoryStorage, MvccStore, SortOrder, SortTarget } from "@flotilla/mvcc";
import { expect, test } from "vitest";
import { nodeBytes } from "../node-bytes.ts";
import { BoundedRead } from "./bounded-read.ts";
import { RangeAnswers } from "./range-answer.ts";

const codec = createHotCodec(nodeBytes);
const ALL = {
	...codec.decodeRangeRequest(new Uint8Array([0x0a, 1, 0, 0x12, 1, 0])),
	sortOrder: SortOrder.descend,
	sortTarget: SortTarget.value,
};
const PAIRS = 40;
const VALUE_BYTES = 300_000;

/** 40 keys with values of 300,000 bytes: 12 MB. */
function filled(): MvccStore {
	const store = new MvccStore({ keepEvents: false, valueCacheBytes: 1 << 20 }, new MemoryStorage(), nodeBytes);
	for (let i = 0; i < PAIRS; i++) {
		const value = new Uint8Array(VALUE_BYTES).fill(i);
		store.put({ key: Buffer.from(`k${i}`), value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
	}
	return store;
}

function sorted(store: MvccStore) {
	const work = store.rangeSliced(ALL);
	if ("ok" in work) throw new Error(work.code);
	return work;
}

/** Those that were written late, which all were. */
function filtered(store: MvccStore) {
	const work = store.rangeSliced({ ...ALL, sortOrder: 0, sortTarget: SortTarget.key, minCreateRevision: 2 });
	if ("ok" in work) throw new Error(work.code);
	return work;
}

for (const [name, read] of [
	["a sorted range", sorted],
	["a filtered range", filtered],
] as const) {
	test(`${name}: a step adds little more than a MiB, and all of it is counted`, () => {
		const store = filled();
		const work = read(store);
		let steps = 0;
		for (let before = 0; ; before = work.heldBytes) {
			const done = work.step(256);
			expect(work.heldBytes - before).toBeLessThan((1 << 20) + 2 * VALUE_BYTES);
			steps++;
			if (done) break;
		}
		expect(steps).toBeGreaterThan(PAIRS / 8);
		expect(work.heldBytes).toBeGreaterThan(PAIRS * VALUE_BYTES);
		expect(work.heldBytes).toBeLessThan(PAIRS * (VALUE_BYTES + 600));
		expect(store.openReads).toBe(0);
	});
}

test("at the bound of all answers only the oldest goes on, whatever kind of read the others are; who is given up leaves room", () => {
	const store = filled();
	const answers = new RangeAnswers(4_000_000);
	const works = [sorted(store), filtered(store), sorted(store)] as const;
	const [first, second, third] = works.map((work) => new BoundedRead<object>(work, answers)) as [
		BoundedRead<object>,
		BoundedRead<object>,
		BoundedRead<object>,
	];
	for (let i = 0; i < 100; i++) for (const read of [third, second]) expect(read.step(256)).toBe(false);
	expect(works[1].heldBytes + works[2].heldBytes).toBeGreaterThanOrEqual(4_000_000);
	expect(works[1].heldBytes + works[2].heldBytes).toBeLessThan(4_000_000 + 2 * VALUE_BYTES + (1 << 20));
	while (!first.step(256));
	expect(first.result()).toMatchObject({ ok: true, count: PAIRS });
	third.abandon();
	while (!second.step(256));
	expect(second.result()).toMatchObject({ ok: true, count: PAIRS });
	expect(store.openReads).toBe(0);
});

test("what is longer than a message may be is refused in the words of etcd's library", () => {
	let given = 0;
	const work = { heldBytes: 0, answerBytes: 0, step: () => false, result: () => "never", abandon: () => void given++ };
	const answers = new RangeAnswers(1_000);
	const read = new BoundedRead(work, answers);
	expect(read.step(1)).toBe(false);
	work.heldBytes = 2 ** 29 + 1;
	expect(read.step(1)).toBe(false);
	work.answerBytes = 2 ** 29 + 1;
	expect(read.step(1)).toBe(true);
	expect(read.result()).toEqual({ code: 8, message: "grpc: trying to send message larger than max (536870913 vs. 536870912)" });
	expect(given).toBe(1);
	// Nothing of it is counted any more.
	expect(answers.mayGrow({})).toBe(true);
});

test("what takes too much to sort is refused, however short its answer would be", () => {
	let given = 0;
	const work = { heldBytes: 2 ** 30 + 1, answerBytes: 0, step: () => false, result: () => "never", abandon: () => void given++ };
	const read = new BoundedRead(work, new RangeAnswers(1_000));
	expect(read.step(1)).toBe(true);
	expect(read.result()).toEqual({ code: 8, message: "etcdserver: too much to sort or filter at once" });
	expect(given).toBe(1);
});
