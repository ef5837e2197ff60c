/** A revision that members hold and nobody wrote is broken in itself, not merely impossible to judge. */
import { expect, test } from "vitest";
import { Oracle } from "./oracle.ts";
import { drawPlan } from "./plan.ts";
import { planted } from "./planted.ts";
import { simulate } from "./run.ts";

test("an oracle that saw nothing lacks every revision up to the final one", () => {
	expect(new Oracle().unwritten(1)).toEqual([]);
	expect(new Oracle().unwritten(3)).toEqual([2, 3]);
});

test("a run whose members lose the end of a batch is violated, never undecided", () => {
	const findings: string[] = [];
	for (let seed = 0; seed < 5; seed++) {
		const result = simulate(planted(drawPlan(`unwritten ${seed}`, { faultyMs: 2_000, operationsMin: 0 }), "losesAppliedTail"));
		expect(result.verdict).not.toBe("unknown");
		findings.push(...result.findings);
	}
	expect(findings.some((finding) => finding.startsWith("unwritten: "))).toBe(true);
});
