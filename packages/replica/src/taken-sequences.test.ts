import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { TakenSequences } from "./taken-sequences.ts";

test("what lies below the mark is told apart: taken, surely not taken, and what nobody knows any more", () => {
	for (let seed = 0; seed < 5; seed++) {
		const dice = new Dice(seed);
		const sequences = new TakenSequences();
		const taken = new Set<number>();
		let next = 1;
		for (let step = 0; step < 5_000; step++) {
			next += dice.chance(1, 2) ? 0 : dice.range(1, 3);
			const batch: number[] = [];
			for (let count = dice.range(1, 4); count > 0; count--) {
				batch.push(next);
				next += dice.chance(4, 5) ? 1 : 2;
			}
			if (dice.chance(1, 4)) sequences.pass(batch);
			else {
				sequences.take(batch);
				for (const sequence of batch) taken.add(sequence);
			}
		}
		const { mark } = sequences;
		let known = 0;
		for (let sequence = 1; sequence <= mark + 5; sequence++) {
			if (sequences.isLost(sequence)) {
				known++;
				expect([sequence > mark, taken.has(sequence)]).toEqual([false, false]);
			} else if (sequence <= mark && sequence > mark - 1_000) expect(taken.has(sequence), `${sequence} of ${mark}`).toBe(true);
		}
		expect(known).toBeGreaterThan(500);
		expect((sequences as unknown as { runs: unknown[] }).runs.length).toBeLessThanOrEqual(2_048);
	}
});
