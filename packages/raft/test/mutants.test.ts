import { expect, test } from "vitest";
import { CORE_MUTANTS } from "./sim/mutants.ts";
import { runsUntilFound } from "./sim/schedule.ts";

const RUNS_MAX = 400;

test.each(CORE_MUTANTS)("random schedules find a core with this bug: $name", (mutant) => {
	expect(runsUntilFound(mutant, "mutant", RUNS_MAX), `${mutant.name} passed ${RUNS_MAX} runs`).not.toBeNull();
});
