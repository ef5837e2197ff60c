/**
 * The tester on itself: clusters of flotilla, and of etcd where it is installed, broken by shipped scenarios and found whole. More
 * calls: FLOTILLA_CHAOS_CALLS.
 */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FAULT_NAMES, missingFor } from "../src/chaos/faults/index.ts";
import { judge } from "../src/chaos/judge.ts";
import { type RunRecord, runScenario } from "../src/chaos/run.ts";
import { parseScenario, type Scenario } from "../src/chaos/scenario.ts";
import { haveProgram } from "../src/process/tools.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));
const calls = Number(process.env.FLOTILLA_CHAOS_CALLS ?? 3_000);

function shipped(name: string, seconds: number): Scenario {
	const text = readFileSync(new URL(`../scenarios/${name}.yaml`, import.meta.url), "utf8");
	return { ...parseScenario(name, text, FAULT_NAMES), seconds };
}

async function run(
	name: string,
	seconds: number,
	options: { program?: "flotilla" | "etcd"; leastCalls?: number } = {},
): Promise<RunRecord> {
	const { program = "flotilla", leastCalls = 0 } = options;
	const record = await runScenario(shipped(name, seconds), { program, seed, folder: null, leastCalls, flags: [], progress: () => {} });
	const { verdict, checks, checked } = judge(record);
	console.log(`${name} on ${program} (FLOTILLA_SEED=${seed}): ${checked} answers judged, ${record.faults.length} faults: ${verdict}`);
	expect(checks.filter((check) => check.verdict !== "ok")).toEqual([]);
	return record;
}

test(`a bit of everything: ${calls} calls and more, every promise kept`, { timeout: 1_800_000 }, async () => {
	const { attempts } = await run("mixed", 20, { leastCalls: calls });
	expect(attempts.length).toBeGreaterThanOrEqual(calls);
});

test("members are killed and replaced while history is compacted", { timeout: 600_000 }, async () => {
	const { followers } = await run("compaction", 15);
	expect(Math.max(...followers.map(({ events }) => events))).toBeGreaterThan(100);
});

// A log that tears, a disk that fails: each needs what may not be there, and says so.
for (const name of ["torn-tail", "failing-disk", "clock-jumps"]) {
	const missing = missingFor(shipped(name, 1), "flotilla");
	test.skipIf(missing !== null)(`${name}${missing === null ? "" : ` (${missing})`}`, { timeout: 600_000 }, async () => {
		await run(name, 10);
	});
}

test.skipIf(!haveProgram("etcd"))("the same on a real etcd (needs etcd)", { timeout: 600_000 }, async () => {
	await run("leader-kill", 8, { program: "etcd" });
});
