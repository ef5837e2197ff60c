/** A failure is made small, the same way each time, and what is printed for it shows it again: same finding, same trace. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { givenPlan } from "./given-plan.ts";
import { drawPlan, type RunPlan } from "./plan.ts";
import { planted } from "./planted.ts";
import { type RunResult, simulate } from "./run.ts";
import { kindOf, shrink } from "./shrink.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const LIMITS = { faultyMs: 3_000, operationsMin: 20 };
const BUG = "readsWithoutBarrier";
const PATIENCE = { secondsMax: 3_600, runsMax: 24 };

/** The first seed that finds the bug; the seeds are fixed. */
function failing(): RunResult {
	for (let seed = 0; seed < 40; seed++) {
		const result = simulate(planted(drawPlan(`small ${seed}`, LIMITS), BUG));
		if (result.verdict === "violated") return result;
	}
	throw new Error(`${BUG} passed 40 runs`);
}

function sizeOf({ plan, faults }: RunResult): number[] {
	return [Object.values(plan.faults).filter((meanMs) => meanMs > 0).length, faults.length, plan.faultyMs];
}

function run(args: readonly string[]): { status: number | null; stdout: string } {
	return spawnSync(process.execPath, ["--conditions=@flotilla/source", MAIN, ...args], { encoding: "utf8" });
}

function hashOf(stdout: string): string {
	return stdout.trimEnd().split("\n").at(-1) ?? "";
}

describe("a failure", () => {
	const failed = failing();
	const small = shrink(failed, PATIENCE);

	test("is shrunk to a plan that asks for less and fails in the same way", () => {
		expect(kindOf(small)).toBe(kindOf(failed));
		expect(kindOf(simulate(small.plan))).toBe(kindOf(failed));
		const [before, after] = [sizeOf(failed), sizeOf(small)];
		expect(after[0]).toBeLessThan(before[0] as number);
		expect(after[1]).toBeLessThan(before[1] as number);
		for (const [at, size] of after.entries()) expect(size).toBeLessThanOrEqual(before[at] as number);
	});

	test("is shrunk the same way again", () => {
		const again = shrink(failed, PATIENCE);
		expect(again.plan).toEqual(small.plan);
		expect(again.traceHash).toBe(small.traceHash);
	});

	test("is shown again by the commands that are printed for it, in a process of their own", () => {
		const { seed } = failed.plan;
		const limits = ["--seconds", "3", "--operations", "20", "--mutant", BUG];
		const first = run(["--seed", seed, ...limits, "--shrink", "8"]);
		expect(first.status, first.stdout).toBe(1);
		expect(hashOf(first.stdout)).toBe(`trace hash: ${failed.traceHash}`);
		expect(first.stdout).toContain(failed.findings[0]?.split("\n")[0]);
		const [bySeed, byPlan] = first.stdout.split("\n").flatMap((line) => /^ {2}replay: npm run sim -- (.*)$/.exec(line)?.[1] ?? []);
		expect(bySeed).toBe(`--seed '${seed}' ${limits.join(" ")}`);

		const plan = /^--plan '(.*)'$/.exec(byPlan ?? "")?.[1] ?? "";
		const smallest = shrink(failed, { ...PATIENCE, runsMax: 8 });
		expect(JSON.parse(plan)).toEqual(smallest.plan);
		const second = run(["--plan", plan]);
		expect(second.status, second.stdout).toBe(1);
		expect(second.stdout).toContain(smallest.findings[0]?.split("\n")[0]);
		expect(hashOf(second.stdout)).toBe(`trace hash: ${smallest.traceHash}`);
	});
});

test("a plan of which something is missing is refused, and so is a bug that nobody knows", () => {
	const plan = drawPlan("given", LIMITS);
	expect(givenPlan(JSON.stringify(plan))).toEqual(plan);
	const { network, ...rest }: RunPlan = plan;
	expect(givenPlan(JSON.stringify(rest))).toBe("it lacks network");
	const { mode, ...partOf } = network;
	expect(givenPlan(JSON.stringify({ ...plan, network: { ...partOf, mode: 3 } }))).toBe("it lacks network.mode");
	expect(mode).toBe(plan.network.mode);
	expect(givenPlan("{}")).toBe("it names no seed");
	expect(givenPlan("no")).toBe("it is no JSON");
	expect(run(["--plan", "{}"]).status).toBe(2);
	expect(run(["--seed", "1", "--mutant", "nobody"]).status).toBe(2);
});
