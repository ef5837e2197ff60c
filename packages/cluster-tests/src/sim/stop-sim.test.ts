/** Members that are stopped in order, by the product's own code: leadership is handed over, calls are answered, the log ends with its fence. */
import { describe, expect, test } from "vitest";
import { drawPlan, type FaultRates, type RunPlan } from "./plan.ts";
import { simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const RUNS = 3;
/** Where some of them reached too little. */
const RUNS_MAX = 30;

function planOf(seed: string, faults: Partial<FaultRates>): RunPlan {
	const plan = drawPlan(seed, { faultyMs: 5_000, operationsMin: 0 });
	const none = Object.fromEntries(Object.keys(plan.faults).map((kind) => [kind, 0])) as unknown as FaultRates;
	return { ...plan, members: 3, churn: { ...plan.churn, everyMs: 0 }, faults: { ...none, ...faults } };
}

describe(`stops (FLOTILLA_SEED=${from})`, () => {
	test("are handed over, lose nothing, and are known for what they were by the start that follows, also when the power goes", () => {
		const reached = { stopHandedOver: 0, stopWithoutSuccessor: 0 };
		for (let seed = from; seed < from + RUNS || (seed < from + RUNS_MAX && Object.values(reached).includes(0)); seed++) {
			const result = simulate(planOf(`stops ${seed}`, { stopMs: 400, isolateMs: 1_500, killMs: 3_000 }));
			expect(result.verdict, `seed "stops ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
			for (const name of Object.keys(reached) as Array<keyof typeof reached>) reached[name] += result.marks[name];
		}
		for (const [name, times] of Object.entries(reached)) expect(times, name).toBeGreaterThan(0);
	});
});
