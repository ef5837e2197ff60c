import { expect, test } from "vitest";
import { DIRECTED_MUTANTS, tell } from "./sim/directed-mutants.ts";
import { RANDOM_DRAW } from "./sim/mutants.ts";
import { runSchedule, runsUntilDifferent } from "./sim/schedule.ts";

for (const mutant of DIRECTED_MUTANTS) {
	test(`a directed schedule finds a core with this bug: ${mutant.name}`, () => {
		expect(tell(mutant, false)).toBeNull();
		expect(tell(mutant, true)).toMatch(mutant.breaks);
	});
}

test("a random draw outside the stream makes two runs of a seed differ (INV-39)", () => {
	const digests = (options: Parameters<typeof runSchedule>[1]) =>
		[1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((seed) => runSchedule(seed, options).digest);
	expect(digests({ steps: 600 })).toEqual(digests({ steps: 600 }));
	expect(digests({ steps: 600, mutant: RANDOM_DRAW })).not.toEqual(digests({ steps: 600, mutant: RANDOM_DRAW }));
	expect(runsUntilDifferent(RANDOM_DRAW, "mutant", 10)).not.toBeNull();
});
