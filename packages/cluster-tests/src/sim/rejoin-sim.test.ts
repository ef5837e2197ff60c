/** Stores that are lost behind logs that were cut: their members come back by the state of another one, and nothing is lost by that. */
import { describe, expect, test } from "vitest";
import { drawPlan, type RunPlan } from "./plan.ts";
import { planted, withGrownClusters, withLostStores } from "./planted.ts";
import { REJOIN_MUTANTS, type RejoinMutant } from "./rejoin-mutants.ts";
import { simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const RUNS = 3;
/** Where some of them reached too little. */
const RUNS_MAX = 30;
const MUTANT_RUNS = 30;

/** How a finding begins that is of the bug; what else it breaks does not count. */
const OWN_CHECKS: Readonly<Record<RejoinMutant, RegExp>> = {
	// Who was there before it knows nobody, and takes itself for a member alone.
	notesNoAddresses: /^(start: .* lost no more than its store|liveness: )/,
	// The log itself refuses such a frame.
	forgetsVoteAtSwitch: /^(voteKept|exception: .*a vote must not change within a term)/,
};

const LIMITS = { faultyMs: 4_000, operationsMin: 0 };

function planOf(seed: string): RunPlan {
	return withLostStores(drawPlan(seed, LIMITS));
}

describe(`lost stores (FLOTILLA_SEED=${from})`, () => {
	test("their members come back, with their logs and without, and all hold the same", () => {
		const reached = { storeRebuilt: 0, stateAwaited: 0, rejoinedLogKept: 0, rejoinedLogReplaced: 0 };
		const all = (): boolean => Object.values(reached).every((times) => times > 0);
		for (let seed = from; seed < from + RUNS || (seed < from + RUNS_MAX && !all()); seed++) {
			const result = simulate(planOf(`lost stores ${seed}`));
			expect(result.verdict, `seed "lost stores ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
			for (const name of Object.keys(reached) as Array<keyof typeof reached>) reached[name] += result.marks[name];
		}
		for (const [name, times] of Object.entries(reached)) expect(times, name).toBeGreaterThan(0);
	});

	test("they find the others, also where those came later than any first configuration tells, and have moved", () => {
		const reached = { updated: 0, added: 0, rejoined: 0 };
		const all = (): boolean => Object.values(reached).every((times) => times > 0);
		for (let seed = from; seed < from + RUNS || (seed < from + RUNS_MAX && !all()); seed++) {
			const { verdict, findings, counts, marks } = simulate(withGrownClusters(drawPlan(`grown ${seed}`, LIMITS)));
			expect(verdict, `seed "grown ${seed}"\n${findings.join("\n")}`).toBe("ok");
			reached.updated += counts.updated;
			reached.added += counts.added;
			reached.rejoined += marks.rejoinedLogKept + marks.rejoinedLogReplaced;
		}
		for (const [name, times] of Object.entries(reached)) expect(times, name).toBeGreaterThan(0);
	});

	test.each(REJOIN_MUTANTS)("a planted bug is found: %s", (mutant) => {
		for (let seed = 0; seed < MUTANT_RUNS; seed++) {
			const { findings } = simulate(planted(drawPlan(`rejoin mutant ${seed}`, LIMITS), mutant));
			if (findings.some((finding) => OWN_CHECKS[mutant].test(finding))) return;
		}
		expect.unreachable(`${mutant} passed ${MUTANT_RUNS} runs`);
	});
});
