/** Which planted bug is found by what, after how many runs: the measure of the simulators, core alone and whole members. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { HUNTS, runsUntilFound } from "./mutant-hunts.ts";

interface Row {
	readonly name: string;
	/** Runs until it was found, one a series of seeds; null: not found. */
	readonly runs: ReadonlyArray<number | null>;
	readonly by: string;
	/** A test demands it within so many runs of fixed seeds. */
	readonly runsMax: number;
}

const SERIES = ["a", "b", "c"];
const RUNS_MAX = 40;

/** The exit status is 1 when one was not found. */
export function printMutants(): void {
	console.log("| bug | found by | runs until then, median of three series | a test demands it within |\n|---|---|---|---|");
	let missed = 0;
	for (const { name, runs, by, runsMax } of rows()) {
		const median = [...runs].map((count) => count ?? Number.POSITIVE_INFINITY).sort((a, b) => a - b)[1] as number;
		if (median === Number.POSITIVE_INFINITY) missed++;
		console.log(`| ${name} | ${by.replaceAll("\n", " ").slice(0, 90)} | ${median} | ${runsMax} |`);
	}
	process.exitCode = missed === 0 ? 0 : 1;
}

function* rows(): Generator<Row> {
	yield* coreRows();
	for (const hunt of HUNTS) {
		const found = SERIES.map((series) => runsUntilFound(hunt, `mutant ${series}`, RUNS_MAX));
		const by = found.findLast((each) => each !== null)?.by ?? "";
		yield { name: `whole members: ${hunt.name}`, runs: found.map((each) => each?.runs ?? null), by, runsMax: hunt.runsMax };
	}
}

/** The core's own simulator is no part of the product and has no door: it is asked as a process. */
function coreRows(): Row[] {
	const script = fileURLToPath(new URL("../../../raft/scripts/mutants.ts", import.meta.url));
	const { status, stdout } = spawnSync(process.execPath, [...process.execArgv, script], { encoding: "utf8" });
	if (status !== 0) throw new Error("the core's simulator ended with an error");
	const lines = stdout.split("\n").filter((line) => line !== "");
	return lines.map((line) => ({ ...(JSON.parse(line) as Row), name: `core: ${(JSON.parse(line) as Row).name}` }));
}
