/** Prints, one JSON line a bug, after how many random schedules each planted bug was found, in three series of seeds. */
import { CORE_MUTANTS, RANDOM_DRAW } from "../test/sim/mutants.ts";
import { runsUntilDifferent, runsUntilFound } from "../test/sim/schedule.ts";

const RUNS_MAX = 400;
const SERIES = ["a", "b", "c"];

for (const mutant of CORE_MUTANTS) tell(mutant.name, RUNS_MAX, (series) => runsUntilFound(mutant, series, RUNS_MAX));
tell(RANDOM_DRAW.name, 10, (series) => runsUntilDifferent(RANDOM_DRAW, series, RUNS_MAX));

/** `demanded`: a test demands it within so many runs. */
function tell(name: string, demanded: number, hunt: (series: string) => { readonly runs: number; readonly by: string } | null): void {
	const found = SERIES.map(hunt);
	const by = found.find((each) => each !== null)?.by ?? "";
	console.log(JSON.stringify({ name, runs: found.map((each) => each?.runs ?? null), by, runsMax: demanded }));
}
