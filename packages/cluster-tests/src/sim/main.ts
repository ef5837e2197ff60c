/** `npm run sim -- [--seed S | --runs N] [--from S] [--seconds N]`: explores seeds, or replays one. */
import { parseArgs } from "node:util";
import { drawPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";
import { shrink } from "./shrink.ts";

const { values } = parseArgs({
	options: {
		seed: { type: "string" },
		runs: { type: "string", default: "100" },
		from: { type: "string", default: String(Date.now() % 1_000_000) },
		seconds: { type: "string", default: "20" },
		twice: { type: "boolean", default: false },
		faults: { type: "boolean", default: false },
	},
});
const limits = { faultyMs: Number(values.seconds) * 1_000 };
const seeds =
	values.seed === undefined ? Array.from({ length: Number(values.runs) }, (_, at) => String(Number(values.from) + at)) : [values.seed];

const startedMs = performance.now();
let virtualMs = 0;
const sums = {
	operations: 0,
	acknowledged: 0,
	unknown: 0,
	elections: 0,
	crashes: 0,
	floors: 0,
	snapshots: 0,
	added: 0,
	promoted: 0,
	removed: 0,
	updated: 0,
	refusedStarts: 0,
};
const faults = new Map<string, number>();
let failed = 0;
let lastHash = "";
for (const seed of seeds) {
	const result = simulate(drawPlan(seed, limits));
	virtualMs += result.virtualMs;
	for (const name of Object.keys(sums) as Array<keyof typeof sums>) sums[name] += result.counts[name];
	for (const { fault } of result.faults) faults.set(fault, (faults.get(fault) ?? 0) + 1);
	lastHash = result.traceHash;
	if (values.seed !== undefined) describe(result);
	if (values.twice && simulate(drawPlan(seed, limits)).traceHash !== result.traceHash) {
		failed++;
		console.log(`seed ${seed}: two runs of one seed differ`);
	}
	if (result.verdict === "ok") continue;
	failed++;
	report(result);
}
const tookMs = performance.now() - startedMs;
console.log(
	`${seeds.length - failed} of ${seeds.length} runs ok; ${Math.round(virtualMs / 1_000)} simulated seconds in ${Math.round(tookMs / 1_000)} s`,
);
const listed = (entries: Iterable<[string, number]>): string => [...entries].map(([name, count]) => `${count} ${name}`).join(", ");
console.log(listed(Object.entries(sums)));
console.log(`faults: ${listed([...faults].sort(([a], [b]) => (a < b ? -1 : 1)))}`);
if (values.seed !== undefined) console.log(`trace hash: ${lastHash}`);
process.exitCode = failed === 0 ? 0 : 1;

function describe(result: RunResult): void {
	console.log(
		JSON.stringify({
			plan: result.plan,
			counts: result.counts,
			traceHash: result.traceHash,
			steps: result.steps,
			virtualMs: result.virtualMs,
		}),
	);
	if (values.faults)
		for (const note of result.faults) console.log(`${note.atMs.toFixed(1).padStart(10)} ms  ${note.fault}  ${note.members.join(" ")}`);
}

function report(result: RunResult): void {
	console.log(`seed ${result.plan.seed}: ${result.verdict}`);
	for (const finding of result.findings) console.log(`  ${finding}`);
	console.log(`  replay: npm run sim -- --seed ${result.plan.seed} --seconds ${values.seconds}`);
	if (values.seed === undefined) return;
	const smallest = shrink(result);
	console.log(`  smallest plan that still fails: ${JSON.stringify(smallest.plan)}`);
	for (const finding of smallest.findings) console.log(`    ${finding}`);
	for (const note of smallest.faults) console.log(`    ${note.atMs.toFixed(1)} ms ${note.fault} ${note.members.join(" ")}`);
}
