/** Prints, one JSON line a bug, after how many random schedules each planted bug was found, in three series of seeds. */
import { CORE_MUTANTS } from "../test/sim/mutants.ts";
import { runsUntilFound } from "../test/sim/schedule.ts";

const RUNS_MAX = 400;

for (const mutant of CORE_MUTANTS) {
	const found = ["a", "b", "c"].map((series) => runsUntilFound(mutant, series, RUNS_MAX));
	const by = found.find((each) => each !== null)?.by ?? "";
	console.log(JSON.stringify({ name: mutant.name, runs: found.map((each) => each?.runs ?? null), by }));
}
