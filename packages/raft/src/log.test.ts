import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { entryBytes } from "./entry-tail.ts";
import { RaftLog } from "./log.ts";
import { Entry, EntryKind } from "./message.ts";

const conf = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

test("a log that grows, is cut, shrinks in memory and is compacted answers as a plain list does", () => {
	for (let seed = 1; seed <= 25; seed++) {
		const dice = new Dice(seed);
		const log = new RaftLog({ index: 1, term: 1, confState: conf, generation: "" }, 2, 1);
		let list: Entry[] = [];
		let term = 1;
		const entryOf = (index: number) => list[index - 2] as Entry;
		for (let step = 0; step < 120; step++) {
			const roll = dice.range(0, 9);
			if (roll < 5) {
				term += dice.pick([0, 0, 1]);
				const added: Entry[] = [];
				for (let i = dice.range(1, 80); i > 0; i--) {
					added.push(new Entry(log.lastIndex + added.length + 1, term, EntryKind.normal, new Uint8Array(dice.range(0, 30))));
				}
				log.append(added);
				list = [...list, ...added];
			} else if (roll === 5 && log.lastIndex > log.commit) {
				const from = dice.range(log.commit + 1, log.lastIndex);
				log.truncateFrom(from);
				list = list.slice(0, from - 2);
				term = list[list.length - 1]?.term ?? 1;
			} else if (roll < 8) {
				log.commitTo(dice.range(log.commit, log.lastIndex));
				log.stableTo(dice.range(log.stable, log.lastIndex));
				log.applying = Math.max(log.applying, Math.min(log.commit, log.stable));
				log.appliedTo(log.applying);
			} else if (roll === 8) log.shrinkMemory(dice.range(0, 50), dice.range(0, 2_000));
			else if (log.applied > log.walFirst) log.compactedTo(dice.range(log.walFirst, log.applied));
			const where = `seed ${seed} step ${step}`;
			expect(log.lastIndex, where).toBe(list.length + 1);
			expect(log.memoryFrom <= Math.min(log.stable, log.applied) + 1, where).toBe(true);
			const from = dice.range(log.memoryFrom, log.lastIndex + 1);
			const upto = dice.range(from - 1, log.lastIndex);
			expect(log.slice(from, upto), where).toEqual(list.slice(from - 2, upto - 1));
			const bytes = list.slice(from - 2, upto - 1).reduce((sum, entry) => sum + entryBytes(entry), 0);
			expect(log.bytesBetween(from, upto), where).toBe(bytes);
			for (const index of [log.firstIndex, from, upto]) {
				if (index >= Math.max(2, log.firstIndex) && index <= log.lastIndex) expect(log.termAt(index), where).toBe(entryOf(index).term);
			}
			if (from > log.lastIndex) continue;
			const limit = dice.range(0, 500);
			const packed = log.packUpto(from, log.lastIndex, limit);
			const size = (last: number) => list.slice(from - 2, last - 1).reduce((sum, entry) => sum + entryBytes(entry), 0);
			expect(packed >= from && (packed === from || size(packed) <= limit), where).toBe(true);
			if (packed < log.lastIndex) expect(size(packed + 1) > limit, where).toBe(true);
		}
	}
});
