/** What a campaign says of its runs: an undecided one is no good one. */
import { describe, expect, test } from "vitest";
import { drawPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";
import { Tally } from "./tally.ts";

const real = simulate(drawPlan("tally", { faultyMs: 2_000, operationsMin: 1 }));

function tallyOf(...changes: ReadonlyArray<Partial<RunResult> & { readonly differs?: boolean }>): Tally {
	const tally = new Tally();
	for (const { differs = false, ...change } of changes)
		tally.add({ result: { ...real, verdict: "ok", findings: [], ...change }, differs, cpuMs: 1, realMs: 2 });
	return tally;
}

describe("a campaign", () => {
	test("of good runs is clean", () => expect(tallyOf({}, {}).clean).toBe(true));
	test("without a run is not", () => expect(tallyOf().clean).toBe(false));
	test("with a violated run is not", () => expect(tallyOf({}, { verdict: "violated", findings: ["x"] }).clean).toBe(false));
	test("with an undecided run is not", () => expect(tallyOf({}, { verdict: "unknown", findings: ["x"] }).clean).toBe(false));
	test("with a seed that ran two ways is not", () => expect(tallyOf({ differs: true }).clean).toBe(false));

	test("names the branches that it never reached, those that are demanded apart", () => {
		const marks = { ...real.marks };
		for (const name of Object.keys(marks) as Array<keyof typeof marks>) marks[name] = 0;
		const tally = tallyOf({ marks });
		expect(tally.missedThoughDemanded.length).toBeGreaterThan(10);
		expect(tally.lines().join("\n")).toContain(tally.missedThoughDemanded[0] as string);
	});
});
