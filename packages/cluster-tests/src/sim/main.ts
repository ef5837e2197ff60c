/**
 * `npm run sim -- [--seed S | --plan JSON | --runs N] [--from S] [--members N] [--seconds N] [--workers N] | --mutants`: explores
 * seeds (with `--members` only those of clusters that stay at so many members), replays one or a plan that a failure has printed,
 * with `--mutant` under a planted bug, or plants all bugs.
 */
import { availableParallelism } from "node:os";
import { commandFlags, refuseCall } from "@flotilla/base/command";
import { runCampaign, type SeedReport } from "./campaign.ts";
import { givenPlan } from "./given-plan.ts";
import { printMutants } from "./mutant-table.ts";
import { ALL_MUTANTS } from "./mutants.ts";
import { CLUSTER_SIZES, drawPlan, type PlanLimits, type RunPlan, staysAt } from "./plan.ts";
import { planted } from "./planted.ts";
import { type RunResult, simulate } from "./run.ts";
import { shrink } from "./shrink.ts";
import { times } from "./speed.ts";
import { Tally } from "./tally.ts";

const values = commandFlags(
	{
		call: "npm run sim --",
		about: "Whole members in virtual time under faults: explores seeds, replays one or a plan, or plants bugs.",
		flags: {
			runs: { kind: "number", least: 0, fallback: 100, about: "seeds that are explored" },
			from: { kind: "number", least: 0, fallback: Date.now() % 1_000_000_000, otherwise: "from the clock", about: "the first of them" },
			members: { kind: "number", least: 0, fallback: 0, about: "only clusters that stay at so many; 0: all" },
			seconds: { kind: "number", least: 0, fallback: 20, about: "of faults in each run, simulated" },
			operations: { kind: "number", least: 0, fallback: 300, about: "of clients in each run, at least" },
			workers: { kind: "number", least: 0, fallback: availableParallelism(), about: "processes" },
			twice: { kind: "switch", about: "each seed is run once more, and must go the same way" },
			seed: { kind: "text", fallback: "", about: "replays this one alone" },
			plan: { kind: "text", fallback: "", about: "replays a plan that a failure has printed, as JSON" },
			mutant: { kind: "text", fallback: "", about: "with --seed: under this planted bug" },
			faults: { kind: "switch", about: "with --seed or --plan: the faults are printed" },
			shrink: { kind: "number", least: 0, fallback: 1_000, about: "tries to make a failure smaller" },
			mutants: { kind: "switch", about: "plants all bugs, and tells after how many seeds each is found" },
		},
	},
	process,
);
const limits: PlanLimits = { faultyMs: values.seconds * 1_000, operationsMin: values.operations };

if (values.mutants) printMutants();
else if (values.plan !== "") replay(planOf(values.plan));
else if (values.seed !== "") replay(planOfSeed(values.seed));
else await explore();

function planOfSeed(seed: string): RunPlan {
	const plan = drawPlan(seed, limits);
	if (values.mutant === "") return plan;
	const mutant = ALL_MUTANTS.find((name) => name === values.mutant);
	if (mutant === undefined) refuse(`--mutant takes one of ${ALL_MUTANTS.join(", ")}, not ${JSON.stringify(values.mutant)}`);
	return planted(plan, mutant);
}

function planOf(json: string): RunPlan {
	const plan = givenPlan(json);
	if (typeof plan === "string") refuse(`--plan takes a plan that a failure has printed: ${plan}`);
	return plan;
}

function refuse(text: string): never {
	return refuseCall(text, process);
}

async function explore(): Promise<void> {
	const runs = values.runs;
	const seeds = [...chosenSeeds(values.from, runs, values.members)];
	console.log(`seeds ${seeds[0] ?? "none"} to ${seeds.at(-1) ?? "none"}`);
	const tally = new Tally();
	const startedMs = performance.now();
	const failures: RunResult[] = [];
	await runCampaign({
		seeds,
		limits,
		workers: values.workers,
		twice: values.twice,
		onReport: (report) => {
			tally.add(report);
			describeFailure(report);
			if (report.result.verdict === "violated") failures.push(report.result);
		},
	});
	if (failures[0] !== undefined) describeSmallest(failures[0]);
	for (const line of tally.lines()) console.log(line);
	const realMs = performance.now() - startedMs;
	const { user, system } = process.cpuUsage();
	const whole = `${times(tally.virtualMs, (user + system) / 1_000)} simulated seconds a CPU second, ${times(tally.virtualMs, realMs)} a real second`;
	console.log(`speed, the whole process: ${whole}; took ${Math.round(realMs / 1_000)} s`);
	process.exitCode = tally.clean && !tally.blind ? 0 : 1;
}

/** `members`: 0 takes every seed. */
function* chosenSeeds(from: number, count: number, members: number): Generator<string> {
	if (members > 0 && !CLUSTER_SIZES.includes(members)) {
		refuse(`--members takes one of ${[...new Set(CLUSTER_SIZES)].join(", ")}, not ${members}`);
	}
	let taken = 0;
	for (let at = from; taken < count; at++) {
		const seed = String(at);
		if (members > 0 && !staysAt(drawPlan(seed, limits), members)) continue;
		taken++;
		yield seed;
	}
}

function describeFailure({ result, differs }: Pick<SeedReport, "result" | "differs">): void {
	if (differs) console.log(`seed ${result.plan.seed}: two runs of one seed differ`);
	if (result.verdict === "ok") return;
	console.log(`seed ${result.plan.seed}: ${result.verdict}`);
	describeFindings(result);
	console.log(`  replay: ${commandOf(result)}`);
}

function commandOf({ plan }: RunResult): string {
	const mutant = plan.mutant === null ? "" : ` --mutant ${plan.mutant}`;
	return `npm run sim -- --seed ${quoted(plan.seed)} --seconds ${limits.faultyMs / 1_000} --operations ${limits.operationsMin}${mutant}`;
}

/** For a shell. */
function quoted(text: string): string {
	return /^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function describeSmallest(failed: RunResult): void {
	const smallest = shrink(failed, { secondsMax: 120, runsMax: values.shrink });
	console.log(`the smallest plan of seed ${failed.plan.seed} that still fails, with trace hash ${smallest.traceHash}:`);
	console.log(`  replay: npm run sim -- --plan ${quoted(JSON.stringify(smallest.plan))}`);
	describeFindings(smallest);
	describeFaults(smallest);
}

/** A history that contradicts itself is several lines, a timeline. */
function describeFindings({ findings }: RunResult): void {
	for (const finding of findings) console.log(`  ${finding.replaceAll("\n", "\n      ")}`);
}

function describeFaults({ faults }: RunResult): void {
	for (const { atMs, fault, members } of faults) console.log(`${atMs.toFixed(1).padStart(10)} ms  ${fault}  ${members.join(" ")}`);
}

/**
 * Says nothing that another machine, or another day, would say differently: two replays are equal byte for byte. What fails is
 * shrunk, but for a plan that was given: it is small already.
 */
function replay(plan: RunPlan): void {
	const result = simulate(plan);
	const { counts, steps, virtualMs, verdict } = result;
	console.log(JSON.stringify({ plan, counts: { ...counts, deathsAt: Object.fromEntries(counts.deathsAt) }, steps, virtualMs, verdict }));
	if (values.faults) describeFaults(result);
	if (verdict !== "ok" && values.plan !== "") describeFindings(result);
	else if (verdict !== "ok") {
		describeFailure({ result, differs: false });
		describeSmallest(result);
	}
	if (values.twice && simulate(plan).traceHash !== result.traceHash) {
		console.log(`seed ${plan.seed}: two runs of one seed differ`);
		process.exitCode = 1;
	}
	console.log(`trace hash: ${result.traceHash}`);
	if (verdict !== "ok") process.exitCode = 1;
}
