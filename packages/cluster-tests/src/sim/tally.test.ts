/** What a campaign says of its runs: an undecided one is no good one. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { drawPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";
import { MARKS_RUNS_MIN, NOT_DEMANDED, REACHED_ELSEWHERE, Tally } from "./tally.ts";

const real = simulate(drawPlan("tally", { faultyMs: 2_000, operationsMin: 1 }));

/** More of everything than any campaign is asked for. */
const PLENTY = {
	...{ unknown: 100, elections: 100, crashes: 100, snapshots: 100, added: 100, learnersAdded: 100 },
	...{ promoted: 100, removed: 100, updated: 100, refusedStarts: 100, refusedFrames: 100 },
};

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

	const marked = (unreached: (name: string) => boolean): RunResult["marks"] => {
		const marks = { ...real.marks };
		for (const name of Object.keys(marks) as Array<keyof typeof marks>) marks[name] = unreached(name) ? 0 : 1;
		return marks;
	};

	test.each([1, MARKS_RUNS_MIN])(
		"of %i runs names the branch that it never reached, and fails for it only when so many should have",
		(runs) => {
			const counts = { ...real.counts, ...PLENTY };
			const campaign = (marks: RunResult["marks"]): Tally => tallyOf(...Array.from({ length: runs }, () => ({ marks, counts })));
			const whole = campaign(marked(() => false));
			expect(whole.lines()).toContain("marks never reached: none");
			expect(whole.blind).toBe(false);
			const missing = campaign(marked((name) => name === "transferTimedOut"));
			expect(missing.lines()).toContain("marks never reached: transferTimedOut");
			expect(missing.blind).toBe(runs >= MARKS_RUNS_MIN);
			const excused = campaign(marked((name) => name === "fetchedTooLate"));
			expect(excused.lines()).toContain("marks never reached: fetchedTooLate");
			expect(excused.blind).toBe(false);
		},
	);

	test("names what happened too seldom: learners that were promoted, say", () => {
		const counts = { ...real.counts, ...PLENTY };
		const runs = (change: Partial<RunResult["counts"]>) =>
			tallyOf(...Array.from({ length: 1_000 }, () => ({ counts: { ...counts, ...change } })));
		expect(runs({}).tooSeldom).toEqual([]);
		const [seldom] = runs({ promoted: 0 }).tooSeldom;
		expect(seldom).toMatch(/^promoted \(0 of \d+\)$/);
		expect(runs({ promoted: 0 }).lines()).toContain(`happened too seldom: ${seldom}`);
		expect(runs({ promoted: 0 }).blind).toBe(true);
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
