import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { TermRuns, UNKNOWN_TERM } from "./term-runs.ts";

test("runs of terms answer as a plain list of terms does", () => {
	for (let seed = 1; seed <= 60; seed++) {
		const dice = new Dice(seed);
		let low = dice.range(0, 5);
		const runs = new TermRuns(low, 1);
		let terms = [1];
		for (let step = 0; step < 60; step++) {
			const last = low + terms.length - 1;
			const roll = dice.range(0, 9);
			if (roll < 7) {
				const term = (terms[terms.length - 1] as number) + dice.pick([0, 0, 0, 1, 3]);
				runs.push(last + 1, term);
				terms.push(term);
			} else if (roll === 7 && terms.length > 1) {
				const from = dice.range(low + 1, last);
				runs.truncateFrom(from);
				terms = terms.slice(0, from - low);
			} else if (roll === 8) {
				const to = dice.range(low, last);
				runs.dropBelow(to);
				terms = terms.slice(to - low);
				low = to;
			}
			const end = low + terms.length - 1;
			for (let index = low - 2; index <= end + 2; index++) expect(runs.termAt(index)).toBe(terms[index - low] ?? UNKNOWN_TERM);
			const upto = dice.range(low, end + 2);
			const term = dice.range(0, 8);
			const want = terms.findLastIndex((each, at) => each <= term && low + at <= upto);
			expect(runs.lastIndexWithTermAtMost(upto, term), `seed ${seed}`).toBe(want < 0 ? -1 : low + want);
		}
	}
});
