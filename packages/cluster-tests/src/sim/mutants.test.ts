/** The checker has teeth: every planted bug is found, by the check of the promise that it breaks, within a bounded number of runs. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { HUNTS, runsUntilFound } from "./mutant-hunts.ts";

test.each(HUNTS)("a planted bug is found: $name", (hunt) => {
	const found = runsUntilFound(hunt, "mutant", hunt.runsMax);
	expect(found, `${hunt.name} passed ${hunt.runsMax} runs`).not.toBeNull();
});

test("the page of the simulator tells how many runs each one took, and within how many it must be found", () => {
	const page = readFileSync(new URL("../../../../docs/simulator.md", import.meta.url), "utf8");
	for (const { name, runsMax } of HUNTS) {
		const row = new RegExp(`^\\| whole members: ${name}[ (].*\\| (\\d+) \\| (\\d+) \\|$`, "m").exec(page);
		expect(Number(row?.[2]), name).toBe(runsMax);
		expect(Number(row?.[1]), name).toBeLessThanOrEqual(runsMax);
	}
});
