import { describe, expect, it } from "vitest";
import { drawPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const seeds = Array.from({ length: Number(process.env.FLOTILLA_SIM_RUNS ?? 25) }, (_, at) => String(from + at));
const limits = { faultyMs: 20_000, operationsMin: 300 };

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

	it("SC-080 SC-111 met enough to say so: elections, restarts, floors, unknown outcomes, and forwarded requests that came twice", () => {
		const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
		const perRun = (of: (result: RunResult) => number): number => sum(of) / results.length;
		expect(perRun(({ counts }) => counts.acknowledged)).toBeGreaterThan(50);
		expect(perRun(({ counts }) => counts.elections)).toBeGreaterThan(1);
		expect(perRun(({ counts }) => counts.snapshots)).toBeGreaterThan(0.05);
		expect(perRun(({ counts }) => counts.crashes)).toBeGreaterThan(1);
		expect(perRun(({ counts }) => counts.floors)).toBeGreaterThan(1);
		// What the history above is judged by: whatever was refused took no effect, what is unknown may have, and nothing took effect twice.
		expect(sum(({ counts }) => counts.unknown)).toBeGreaterThan(10);
		expect(sum(({ marks }) => marks.forwardRepeated)).toBeGreaterThan(0);
		expect(new Set(results.flatMap(({ faults }) => faults.map(({ fault }) => fault))).size).toBeGreaterThan(8);
	});

	it("do the same again from the same seed", () => {
		for (const result of results.slice(0, 2)) expect(simulate(result.plan).traceHash, replay(result)).toBe(result.traceHash);
	});
});
