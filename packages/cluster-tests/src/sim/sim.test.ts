import { describe, expect, it } from "vitest";
import { MUTANTS } from "./mutants.ts";
import { drawPlan, planted } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const seeds = Array.from({ length: Number(process.env.FLOTILLA_SIM_RUNS ?? 60) }, (_, at) => String(from + at));
const limits = { faultyMs: 8_000, operationsMin: 100 };

function replay(result: RunResult): string {
	return `npm run sim -- --seed ${result.plan.seed} --seconds ${limits.faultyMs / 1_000} --operations ${limits.operationsMin}\n${result.findings.join("\n")}`;
}

describe(`whole members in virtual time (FLOTILLA_SEED=${from})`, () => {
	const results: RunResult[] = [];

	it("survive every fault of these seeds, heal in bounded time and answer linearizably", () => {
		for (const seed of seeds) {
			const result = simulate(drawPlan(seed, limits));
			results.push(result);
			expect(result.verdict, replay(result)).toBe("ok");
		}
	});

	it("met enough to say so: elections, restarts, floors, refusals and unknown outcomes", () => {
		const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
		const perRun = (of: (result: RunResult) => number): number => sum(of) / results.length;
		expect(perRun(({ counts }) => counts.acknowledged)).toBeGreaterThan(50);
		expect(perRun(({ counts }) => counts.elections)).toBeGreaterThan(1);
		expect(perRun(({ counts }) => counts.snapshots)).toBeGreaterThan(0.05);
		expect(perRun(({ counts }) => counts.crashes)).toBeGreaterThan(1);
		expect(perRun(({ counts }) => counts.floors)).toBeGreaterThan(1);
		expect(sum(({ counts }) => counts.unknown)).toBeGreaterThan(10);
		expect(new Set(results.flatMap(({ faults }) => faults.map(({ fault }) => fault))).size).toBeGreaterThan(8);
	});

	it("do the same again from the same seed", () => {
		for (const result of results.slice(0, 5)) expect(simulate(result.plan).traceHash, replay(result)).toBe(result.traceHash);
	});
});

describe("a planted bug is found", () => {
	// Each needs its circumstances: a crash, a cut, a lost answer. The seeds are fixed, so that a miss is a change of the simulator.
	it.each(MUTANTS)("%s", (mutant) => {
		for (let seed = 0; seed < 40; seed++) {
			const result = simulate(planted(drawPlan(`mutant ${seed}`, limits), mutant));
			if (result.verdict === "violated") return;
		}
		expect.unreachable(`${mutant} passed 40 runs`);
	});
});
