/** Commands that are applied in slices, a key or two a turn: what is read, written and lost in their middle. */
import { describe, expect, test } from "vitest";
import { drawPlan, type RunPlan } from "./plan.ts";
import { simulate } from "./run.ts";
import { SLICE_MUTANTS, type SliceMutant } from "./slice-mutants.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const RUNS = 6;
/** Where some of them reached too little. */
const RUNS_MAX = 30;
const MUTANT_RUNS = 60;
const POINTS = 20;

/** How a finding begins that is of the bug; what else it breaks does not count. */
const OWN_CHECKS: Readonly<Record<SliceMutant, RegExp>> = {
	showsHalfRevision: /^history, /,
	// Two members hold other records, or another state.
	readsEndRevision: /^(revision [\d.]+|equalStates): /,
	floorsHalfRevision: /^start: /,
};

/** Many keys, deleted together and read meanwhile; members die often, and floors are due all the time. */
function planOf(seed: string): RunPlan {
	const plan = drawPlan(seed, { faultyMs: 6_000, operationsMin: 0 });
	const weights = { put: 24, get: 4, range: 12, delete: 4, txn: 12, compact: 1 };
	const kv = { ...plan.parts.kv, clients: 10, keys: 24, weights };
	const lease = { ...plan.parts.lease, holders: 2, keysMax: 3, revokePercent: 20 };
	const faults = { ...plan.faults, killMs: 1_000, crashPointMs: 1_000 };
	const floors = { floorEntries: 10, floorBytes: 1_024 };
	return { ...plan, ...floors, faults, applySliceKeys: 1, unstoredBytesMax: 0, storeUs: 10_000, parts: { ...plan.parts, kv, lease } };
}

describe(`slices of one key (FLOTILLA_SEED=${from})`, () => {
	test("nobody sees half a revision, and no floor says so of one", () => {
		const reached = { changeSliced: 0, midwayRead: 0, midwayNoFloor: 0, answeredLater: 0 };
		const all = (): boolean => Object.values(reached).every((times) => times > 0);
		for (let seed = from; seed < from + RUNS || (seed < from + RUNS_MAX && !all()); seed++) {
			const result = simulate(planOf(`slices ${seed}`));
			expect(result.verdict, `seed "slices ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
			for (const name of Object.keys(reached) as Array<keyof typeof reached>) reached[name] += result.marks[name];
		}
		for (const [name, times] of Object.entries(reached)) expect(times, name).toBeGreaterThan(0);
	});

	test("a member that loses power between two slices comes back with all of the revision", () => {
		const { faults, parts, ...plan } = planOf("slices and power");
		const none = Object.fromEntries(Object.keys(faults).map((kind) => [kind, 0])) as unknown as RunPlan["faults"];
		const kv = { ...parts.kv, weights: { ...parts.kv.weights, delete: 12, compact: 0 } };
		const quiet = { ...plan, faultyMs: 700, members: 1, faults: none, parts: { ...parts, kv }, churn: { ...plan.churn, everyMs: 0 } };
		let died = 0;
		for (let point = 0; point < POINTS; point++) {
			const result = simulate({ ...quiet, crashAt: 100 + 13 * point });
			expect(result.verdict, `died at operation ${100 + 13 * point}: ${result.findings.join("; ")}`).toBe("ok");
			died += result.marks.midwayDied;
		}
		expect(died).toBeGreaterThan(0);
	});

	test.each(SLICE_MUTANTS)("a planted bug is found: %s", (mutant) => {
		for (let seed = 0; seed < MUTANT_RUNS; seed++) {
			const { findings } = simulate({ ...planOf(`slice mutant ${seed}`), mutant });
			if (findings.some((finding) => OWN_CHECKS[mutant].test(finding))) return;
		}
		expect.unreachable(`${mutant} passed ${MUTANT_RUNS} runs`);
	});
});
