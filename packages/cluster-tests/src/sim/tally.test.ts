/** What a campaign says of its runs: an undecided one is no good one. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { drawPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";
import { NOT_DEMANDED, REACHED_ELSEWHERE, Tally } from "./tally.ts";

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

	test("names what happened too seldom: learners that were promoted, say", () => {
		const counts: { -readonly [Name in keyof RunResult["counts"]]: RunResult["counts"][Name] } = { ...real.counts };
		for (const name of ["unknown", "elections", "crashes", "snapshots", "added", "learnersAdded"] as const) counts[name] = 100;
		for (const name of ["promoted", "removed", "updated", "refusedStarts", "refusedFrames"] as const) counts[name] = 100;
		const runs = (change: Partial<RunResult["counts"]>) =>
			tallyOf(...Array.from({ length: 1_000 }, () => ({ counts: { ...counts, ...change } })));
		expect(runs({}).tooSeldom).toEqual([]);
		const [seldom] = runs({ promoted: 0 }).tooSeldom;
		expect(seldom).toMatch(/^promoted \(0 of \d+\)$/);
		expect(runs({ promoted: 0 }).lines()).toContain(`happened too seldom: ${seldom}`);
	});
});

/** Reads the tests that are named: a title that is gone, or a test that asserts nothing of its mark, is told. */
test.each(Object.entries({ ...REACHED_ELSEWHERE, ...NOT_DEMANDED }))(
	"a test goes to the branch %s, and asserts its mark",
	(mark, { file, title }) => {
		const text = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
		const from = text.indexOf(`"${title}"`);
		expect(from, `${file} has "${title}"`).toBeGreaterThanOrEqual(0);
		const rest = text.slice(from + title.length);
		// Up to the next test; a row of the table of transcripts is one line.
		const own = title.endsWith(".txt") ? rest.split("\n")[0] : rest.split(/\n\t*(?:test|it)(?:\.each\(.*\))?\(/)[0];
		expect(own).toContain(title.endsWith(".txt") ? `"${mark}"` : `.${mark})`);
	},
);
