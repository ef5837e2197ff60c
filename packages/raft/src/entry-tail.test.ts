import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { EntryTail, entryBytes } from "./entry-tail.ts";
import { Entry, EntryKind } from "./message.ts";

const FIRST = 2 ** 40;

function entryAt(index: number, bytes: number): Entry {
	return new Entry(index, 1, EntryKind.normal, new Uint8Array(bytes));
}

test("a tail that grows, is cut at either end and goes round its ring holds what a plain list holds, at indexes of any size", () => {
	for (let seed = 1; seed <= 20; seed++) {
		const dice = new Dice(seed);
		const tail = new EntryTail(FIRST - 1);
		let list: Entry[] = [];
		let dropped = 0;
		for (let step = 0; step < 300; step++) {
			const roll = dice.range(0, 9);
			if (roll < 6) {
				for (let i = dice.range(1, 60); i > 0; i--) {
					const entry = entryAt(tail.last + 1, dice.range(0, 9));
					tail.push(entry);
					list.push(entry);
				}
			} else if (roll < 7 && list.length > 0) {
				const keep = dice.range(0, list.length);
				if (keep < list.length) tail.truncateFrom(tail.first + keep);
				list = list.slice(0, keep);
			} else if (list.length > 0) {
				const gone = dice.range(0, list.length);
				dropped += list.slice(0, gone).reduce((sum, entry) => sum + entryBytes(entry), 0);
				tail.dropBelow(tail.first + gone);
				list = list.slice(gone);
			}
			expect(tail.last - tail.first + 1, `seed ${seed} step ${step}`).toBe(list.length);
			if (list.length === 0) continue;
			const from = dice.range(0, list.length - 1);
			const upto = dice.range(from, list.length - 1);
			expect(tail.copy(tail.first + from, tail.first + upto)).toEqual(list.slice(from, upto + 1));
			const end = list.slice(0, upto + 1).reduce((sum, entry) => sum + entryBytes(entry), dropped);
			expect(tail.endAt(tail.first + upto)).toBe(end);
			expect(tail.endAt(tail.first - 1)).toBe(dropped);
		}
	}
});

test("the room that a burst has needed is given back, and a steady length changes nothing", () => {
	const tail = new EntryTail(0);
	for (let index = 1; index <= 100_000; index++) tail.push(entryAt(index, 1));
	expect(tail.capacity).toBe(131_072);
	for (let index = 1; index <= 99_900; index += 50) tail.dropBelow(index);
	expect(tail.capacity).toBeLessThanOrEqual(1_024);
	const steady = (from: number, upto: number) => {
		for (let index = from; index <= upto; index++) {
			tail.push(entryAt(index, 1));
			tail.dropBelow(index - 100);
		}
	};
	steady(100_001, 101_000);
	const { capacity } = tail;
	steady(101_001, 110_000);
	expect(tail.capacity).toBe(capacity);
});
