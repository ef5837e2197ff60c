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
	const { status, stdout, stderr } = await bench("scale", "--keys", "3000", "--settle-ms", "100");
	expect(stderr).toBe("");
	expect(status).toBe(0);
	const programs = haveProgram("etcd") ? ["flotilla", "etcd"] : ["flotilla"];
	for (const program of programs) {
		const line = new RegExp(
			`^${program} +fill \\d+/s \\(.*\\); resident after it (\\d+) MB .*after a restart (\\d+) MB .*; restart [\\d.]+ s \\(.*`,
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
	expect(stdout).toMatch(
		/^round 1: p99 [\d.]+ ms without \(.*\), [\d.]+ ms with \([\d.]+\); removal took [\d.]+ s, -?[\d.]+ s of processor time/m,
	);
	const [, before, after] = /, (\d+) MB in use, then \d+ MB on disk, (\d+) MB in use$/m.exec(stdout) ?? [];
	expect(Number(after)).toBeLessThanOrEqual(Number(before) + 8);
});

test("npm run listing: all keys by Range and RangeStream, with heartbeats and memory", async () => {
	const { status, stdout, stderr } = await bench("listing", "--keys", "3000", "--rest-ms", "200");
	expect(stderr).toBe("");
	expect(status, stdout).toBe(0);
	const line =
		/^(Range|RangeStream) at (the leader|a follower) \(m\d\): 3000 keys in \d+ message\(s\), [\d.]+ s; longest .* \d+ ms, elections 0; own memory grew by [-\d, ]+ MB$/gm;
	expect(stdout.match(line)?.length, stdout).toBe(4);
});

test("npm run big-revision: one deletion of all keys, heard whole and in fragments", async () => {
	const { status, stdout, stderr } = await bench("big-revision", "--keys", "6000");
	expect(stderr).toBe("");
	expect(status, stdout).toBe(0);
	expect(stdout).toMatch(/^6000 keys deleted in one revision: answered after [\d.]+ s, heard by both watchers after [\d.]+ s$/m);
	expect(stdout).toMatch(/^meanwhile: [\d.]+ s; longest time between two heartbeats \d+ ms, elections 0; .* of all members, 3 of 3 run$/m);
	expect(stdout).toMatch(/^\d+ writes, the longest [\d.]+ s, refused: none$/m);
	expect(stdout).toMatch(/^\d+ serializable reads, the longest [\d.]+ s, refused: none\nthe watcher of another key heard \d+ puts$/m);
});
