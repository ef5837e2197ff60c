import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { drawPlan } from "./plan.ts";
import { simulate } from "./run.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const LIMITS = { faultyMs: 3_000, operationsMin: 50 };

function replay(seed: string): string {
	const args = ["--seed", seed, "--seconds", "3", "--operations", "50", "--faults"];
	const { status, stdout } = spawnSync(process.execPath, ["--conditions=@flotilla/source", MAIN, ...args], { encoding: "utf8" });
	expect(status, stdout).toBe(0);
	return stdout;
}

test("a seed is replayed byte for byte, in another process as well, and ends with its trace hash", () => {
	for (const seed of ["7", "8"]) {
		const first = replay(seed);
		expect(replay(seed)).toBe(first);
		expect(first.trimEnd().split("\n").at(-1)).toBe(`trace hash: ${simulate(drawPlan(seed, LIMITS)).traceHash}`);
	}
});
