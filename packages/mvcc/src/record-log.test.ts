import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { RecordLog } from "./record-log.ts";
import { NO_ORDINAL } from "./slot-table.ts";

interface Entry {
	readonly ordinal: number;
	readonly slot: number;
	readonly main: number;
	readonly sub: number;
	readonly tombstone: boolean;
}

test("any record of a key is found at any revision, in few steps even among many, and after cuts", () => {
	const dice = new Dice("record-log");
	const log = new RecordLog();
	const all: Entry[] = [];
	const heads = new Map<number, number>();
	let main = 5;
	for (let i = 0; i < 30_000; i++) {
		// Some revisions change one key twice.
		const sub = dice.chance(1, 4) && i > 0 ? (all.at(-1)?.sub ?? 0) + 1 : 0;
		if (sub === 0) main++;
		const slot = dice.chance(1, 2) ? 0 : dice.range(1, 200);
		const tombstone = dice.chance(1, 9);
		const ordinal = log.append(slot, main, sub, tombstone, dice.uint32(), 20 + sub, heads.get(slot) ?? NO_ORDINAL);
		heads.set(slot, ordinal);
		all.push({ ordinal, slot, main, sub, tombstone });
		if (i % 7_001 === 7_000) {
			const cut = dice.range(log.start, log.end);
			log.dropBefore(cut);
		}
		if (i % 97 !== 0) continue;
		const asked = dice.pick([slot, 0, dice.range(0, 220)]);
		const head = heads.get(asked) ?? NO_ORDINAL;
		const revision = dice.range(5, main);
		const held = all.slice(log.start);
		const want = held.findLast((entry) => entry.slot === asked && entry.main <= revision);
		const found = log.find(head, revision);
		if (want === undefined) expect(found).toBeLessThan(log.start);
		else expect(found).toBe(want.ordinal);
		const first = held.find((entry) => entry.main >= revision);
		expect(log.firstAt(revision)).toBe(first?.ordinal ?? log.end);
	}
	for (const { ordinal, slot, main: at, sub, tombstone } of all.slice(log.start)) {
		expect([log.slot(ordinal), log.main(ordinal), log.sub(ordinal), log.isTombstone(ordinal)]).toEqual([slot, at, sub, tombstone]);
	}
});

test("below the cut the search names the ordinal that the base record had", () => {
	const log = new RecordLog();
	let head = NO_ORDINAL;
	for (let main = 2; main < 12; main++) head = log.append(0, main, 0, false, 0, 20, head);
	log.dropBefore(6);
	expect(log.find(head, 11)).toBe(9);
	expect(log.find(head, 8)).toBe(6);
	expect(log.find(head, 7), "the record just before the cut").toBe(5);
	head = log.append(0, 12, 0, false, 0, 20, head);
	log.dropBefore(10);
	expect(log.find(head, 11)).toBe(9);
});
