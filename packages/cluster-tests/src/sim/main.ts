/** `npm run sim -- [--seed S | --runs N] [--from S] [--seconds N] [--workers N] | --mutants`: explores seeds, replays one, or plants bugs. */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { runCampaign, type SeedReport } from "./campaign.ts";
import { printMutants } from "./mutant-table.ts";
import { drawPlan, type PlanLimits } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";
import { shrink } from "./shrink.ts";
import { Tally } from "./tally.ts";

const { values } = parseArgs({
	options: {
		seed: { type: "string" },
		runs: { type: "string", default: "100" },
		from: { type: "string", default: String(Date.now() % 1_000_000_000) },
		seconds: { type: "string", default: "20" },
		operations: { type: "string", default: "300" },
		workers: { type: "string", default: String(availableParallelism()) },
		twice: { type: "boolean", default: false },
		faults: { type: "boolean", default: false },
		mutants: { type: "boolean", default: false },
	},
});
const limits: PlanLimits = { faultyMs: numberOf("seconds") * 1_000, operationsMin: numberOf("operations") };

const MARKS_RUNS_MIN = 500;

if (values.mutants) printMutants();
else if (values.seed === undefined) await explore();
else replay(values.seed);

function numberOf(name: "runs" | "from" | "seconds" | "operations" | "workers"): number {
	const number = Number(values[name]);
	if (Number.isSafeInteger(number) && number >= 0) return number;
	console.error(`--${name} takes a number, not ${JSON.stringify(values[name])}`);
	process.exit(2);
}

async function explore(): Promise<void> {
	const [runs, from] = [numberOf("runs"), numberOf("from")];
	console.log(`seeds ${from} to ${from + runs - 1}`);
	const tally = new Tally();
	const startedMs = performance.now();
	const failures: RunResult[] = [];
	await runCampaign({
		seeds: Array.from({ length: runs }, (_, at) => String(from + at)),
		limits,
		workers: numberOf("workers"),
		twice: values.twice,
		onReport: (report) => {
			tally.add(report);
			describeFailure(report);
			if (report.result.verdict === "violated") failures.push(report.result);
		},
	});
	if (failures[0] !== undefined) describeSmallest(failures[0]);
	for (const line of tally.lines()) console.log(line);
	console.log(`took ${Math.round((performance.now() - startedMs) / 1_000)} s`);
	// Fewer runs may miss a branch by chance; so many that miss one show that the simulation no longer goes there.
	const blind = runs >= MARKS_RUNS_MIN && tally.missedThoughDemanded.length > 0;
	process.exitCode = tally.clean && !blind ? 0 : 1;
}

function describeFailure({ result, differs }: SeedReport): void {
	if (differs) console.log(`seed ${result.plan.seed}: two runs of one seed differ`);
	if (result.verdict === "ok") return;
	console.log(`seed ${result.plan.seed}: ${result.verdict}`);
	for (const finding of result.findings) console.log(`  ${finding}`);
	console.log(`  replay: ${commandOf(result)}`);
}

function commandOf({ plan }: RunResult): string {
	return `npm run sim -- --seed ${plan.seed} --seconds ${limits.faultyMs / 1_000} --operations ${limits.operationsMin}`;
}

function describeSmallest(failed: RunResult): void {
	const smallest = shrink(failed);
	console.log(`the smallest plan of seed ${failed.plan.seed} that still fails: ${JSON.stringify(smallest.plan)}`);
	for (const finding of smallest.findings) console.log(`  ${finding}`);
	describeFaults(smallest);
}

function describeFaults({ faults }: RunResult): void {
	for (const { atMs, fault, members } of faults) console.log(`${atMs.toFixed(1).padStart(10)} ms  ${fault}  ${members.join(" ")}`);
}

/** Says nothing that another machine, or another day, would say differently: two replays are equal byte for byte. */
function replay(seed: string): void {
	const result = simulate(drawPlan(seed, limits));
	const { plan, counts, steps, virtualMs, verdict } = result;
	console.log(JSON.stringify({ plan, counts: { ...counts, deathsAt: Object.fromEntries(counts.deathsAt) }, steps, virtualMs, verdict }));
	if (values.faults) describeFaults(result);
	if (verdict !== "ok") {
		describeFailure({ result, differs: false, cpuMs: 0 });
		describeSmallest(result);
	}
	if (values.twice && simulate(drawPlan(seed, limits)).traceHash !== result.traceHash) {
		console.log(`seed ${seed}: two runs of one seed differ`);
		process.exitCode = 1;
	}
	console.log(`trace hash: ${result.traceHash}`);
	if (verdict !== "ok") process.exitCode = 1;
}
