/** Short forms of the measurements with many keys: that they run to their figures, not which. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { haveProgram, runTool } from "../src/process/tools.ts";

const bench = (name: string, ...args: string[]) =>
	runTool(
		process.execPath,
		["--conditions=@flotilla/source", fileURLToPath(new URL(`../src/bench/${name}.ts`, import.meta.url)), ...args],
		{
			timeoutMs: 200_000,
		},
	);

test("npm run scale: memory and restart, beside etcd where it is installed", async () => {
	const { status, stdout, stderr } = await bench("scale", "--keys", "3000");
	expect(stderr).toBe("");
	expect(status).toBe(0);
	const programs = haveProgram("etcd") ? ["flotilla", "etcd"] : ["flotilla"];
	for (const program of programs) {
		const line = new RegExp(
			`^${program} +fill \\d+/s; resident after it (\\d+) MB .*after a restart (\\d+) MB .*; restart [\\d.]+ s$`,
			"m",
		);
		const [, afterFill, afterRestart] = line.exec(stdout) ?? [];
		expect(Number(afterFill), stdout).toBeGreaterThan(0);
		expect(Number(afterRestart)).toBeGreaterThan(0);
	}
});

test("npm run compaction: latency beside a compaction, and the space after it", async () => {
	const { status, stdout, stderr } = await bench("compaction", "--revisions", "2000", "--rounds", "1", "--seconds", "1");
	expect(stderr).toBe("");
	expect(status).toBe(0);
	expect(stdout).toMatch(/^round 1: p99 [\d.]+ ms without, [\d.]+ ms with \([\d.]+\); removal took [\d.]+ s;/m);
	const [, before, after] = /, (\d+) MB in use, then \d+ MB on disk, (\d+) MB in use$/m.exec(stdout) ?? [];
	expect(Number(after)).toBeLessThanOrEqual(Number(before) + 3);
});
