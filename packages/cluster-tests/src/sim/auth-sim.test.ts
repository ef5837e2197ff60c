/** Users and roles under faults: planted bugs are found by what these requests themselves were told. */
import { describe, expect, test } from "vitest";
import type { Mutant } from "./mutants.ts";
import { drawPlan, type RunPlan } from "./plan.ts";
import { simulate } from "./run.ts";

const RUNS = 15;

function planFor(mutant: Mutant | null, seed: number): RunPlan {
	const plan = drawPlan(`auth ${seed}`, { faultyMs: 6_000, operationsMin: 0 });
	const auth = { clients: 2, pauseMs: 30, timeoutMs: 1_000 };
	return { ...plan, mutant, parts: { ...plan.parts, auth, kv: { ...plan.parts.kv, clients: 1 } } };
}

describe("users and roles under faults", () => {
	test("runs without a planted bug are clean, and do something", () => {
		let acknowledged = 0;
		for (let seed = 0; seed < 3; seed++) {
			const result = simulate(planFor(null, seed));
			expect(result.findings).toEqual([]);
			acknowledged += result.counts.acknowledged;
		}
		expect(acknowledged).toBeGreaterThan(200);
	});

	test.each(["proposesTwice", "readsWithoutBarrier"] as const)("%s is found", (mutant) => {
		const others = new Set<string>();
		for (let seed = 0; seed < RUNS; seed++) {
			for (const finding of simulate(planFor(mutant, seed)).findings) {
				if (finding.startsWith("auth, revision:")) return;
				others.add(finding.slice(0, 200));
			}
		}
		expect.unreachable(`${mutant} passed ${RUNS} runs; found instead: ${[...others].join("; ")}`);
	});
});
