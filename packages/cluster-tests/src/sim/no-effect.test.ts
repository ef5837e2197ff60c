/** What must make no difference to whole members, or none but waiting. */
import { describe, expect, test } from "vitest";
import { drawPlan, type FaultRates, type RunPlan } from "./plan.ts";
import { simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const LIMITS = { faultyMs: 6_000, operationsMin: 50 };

describe(`no effect (FLOTILLA_SEED=${from})`, () => {
	test("SC-122 wall clocks that jump by up to a day: the run without the jumps is the same, byte for byte", () => {
		for (let seed = from; seed < from + 3; seed++) {
			const plan = drawPlan(`clocks ${seed}`, LIMITS);
			const jumping: RunPlan = { ...plan, faults: { ...plan.faults, clockJumpMs: 200 } };
			const jumped = simulate(jumping);
			expect(jumped.verdict, `seed "clocks ${seed}"\n${jumped.findings.join("\n")}`).toBe("ok");
			const strikes = jumped.faults.filter(({ fault }) => fault === "clock jump").map(({ strike }) => strike);
			expect(strikes.length).toBeGreaterThan(10);
			const still = simulate({ ...jumping, spared: strikes });
			expect(still.faults.filter(({ fault }) => fault === "clock jump")).toEqual([]);
			expect([seed, still.traceHash, still.steps]).toEqual([seed, jumped.traceHash, jumped.steps]);
		}
	});

	test("SC-086 state machines that take a tenth of a second an entry: clients wait or are refused, one leader leads, nothing is left behind", () => {
		for (let seed = from; seed < from + 3; seed++) {
			const { faults, parts, ...plan } = drawPlan(`slow ${seed}`, { faultyMs: 20_000, operationsMin: 50 });
			const none = Object.fromEntries(Object.keys(faults).map((kind) => [kind, 0])) as unknown as FaultRates;
			// Nothing more is applied while a record waits for the store, and there is next to no room for what waits.
			const slow = { members: 3, storeUs: 200_000, unstoredBytesMax: 0, coreLimits: { unappliedBytesMax: 2_000 } } as const;
			const quiet = { faults: none, churn: { ...plan.churn, everyMs: 0 }, leavesMinority: false, driftPerMille: 0 };
			const network = {
				...plan.network,
				mode: "stream",
				delayMinUs: 100,
				delayMeanUs: 500,
				lossPerMille: 0,
				corruptPerMille: 0,
				queueMax: 0,
			} as const;
			const kv = { ...parts.kv, clients: 24 };
			const result = simulate({ ...plan, ...slow, ...quiet, network, electionTicks: 100, heartbeatTicks: 10, parts: { ...parts, kv } });
			expect(result.verdict, `seed "slow ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
			expect(result.counts.elections).toBe(1);
			expect(result.counts.refused + result.counts.unknown).toBeGreaterThan(0);
		}
	});
});
