/** The program as its users call it, against real clusters: short runs, every load, every output. */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LoadReport } from "../src/cli/load-command.ts";
import { haveEtcd, Trio } from "../src/compare/trio.ts";
import type { LoadName } from "../src/load/settings.ts";
import type { CompareReport } from "../src/report/compare-report.ts";

const FLOTILLA = fileURLToPath(new URL("../../../bin/flotilla", import.meta.url));

interface Ending {
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

function bench(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Ending> {
	return new Promise((resolve, reject) => {
		const child = spawn(FLOTILLA, ["bench", ...args], { env: { PATH: process.env.PATH, ...environment }, timeout: 200_000 });
		const output = { stdout: "", stderr: "" };
		for (const name of ["stdout", "stderr"] as const) child[name].setEncoding("utf8").on("data", (text: string) => (output[name] += text));
		child.once("error", reject);
		child.once("close", (status) => resolve({ status, ...output }));
	});
}

let folder: string;
beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-bench-test-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("loads on a flotilla of three", () => {
	let trio: Trio;
	beforeAll(async () => {
		trio = await Trio.start("flotilla");
	});
	afterAll(() => trio?.dispose());

	const short = (load: LoadName, ...more: string[]): string[] => [
		...[load, "--endpoints", trio.endpoints.join(","), "--seconds", "1", "--warm-up", "1", "--json", "-"],
		...more,
	];

	test.each([
		["put", []],
		["range", ["--keys", "10"]],
		["range", ["--serializable", "--to", "all", "--connections", "3"]],
		["mixed", ["--keys", "10", "--reads", "0.5"]],
		["txn", []],
		["put", ["--to", "follower"]],
		["put", ["--rate", "50"]],
		["watch-fanout", ["--streams", "2"]],
		["watch-latency", ["--rate", "20"]],
		["lease-keepalive", []],
	] as const)("%s %j", async (load, flags) => {
		const { status, stdout, stderr } = await bench(short(load, "--clients", "6", ...flags));
		expect([status, stderr.match(/FAILED|DOUBT/)], stderr).toEqual([0, null]);
		const { runs } = JSON.parse(stdout) as LoadReport;
		expect(runs).toHaveLength(1);
		const [run] = runs;
		expect(run).toMatchObject({ failed: 0, doubt: null, settings: { load, clients: 6 } });
		expect(run?.operations).toBeGreaterThan(0);
		expect(run?.latency.p50Us).toBeGreaterThan(0);
		expect(run?.latency.p50Us).toBeLessThanOrEqual(run?.latency.maxUs ?? 0);
		expect(run?.points).toHaveLength(2);
		expect((run?.revisionMoved ?? 0) > 0).toBe(load !== "range" && load !== "lease-keepalive");
	});

	test("with the members' taps: stages of a write, and a page that needs nothing else", async () => {
		const page = join(folder, "page.html");
		const { status, stdout, stderr } = await bench(short("put", "--clients", "8", "--taps", trio.dataDirs.join(","), "--html", page));
		expect(status, stderr).toBe(0);
		const { stages } = JSON.parse(stdout) as LoadReport;
		expect(stages?.batches).toBeGreaterThan(0);
		expect(stages?.stages.map(({ name }) => name)).toEqual(["queue", "append", "fsync", "replicate", "apply", "respond", "whole"]);
		const whole = stages?.stages.at(-1)?.p50Us ?? 0;
		expect(whole).toBeGreaterThan(0);
		expect(stderr).toContain("stages of a write");
		const html = await readFile(page, "utf8");
		expect(html.match(/<svg/g)).toHaveLength(2);
		expect(html).toContain("Stages of a write");
		expect(html).not.toMatch(/(src|href)=|NaN|undefined/);
		const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(html)?.[1] ?? "";
		expect(JSON.parse(data)).toEqual(JSON.parse(stdout));
	});

	test("a sweep has a step for each doubling, and a knee", async () => {
		const page = join(folder, "sweep.html");
		const { status, stdout, stderr } = await bench(short("put", "--clients", "4", "--sweep", "--html", page));
		expect(status, stderr).toBe(0);
		const { runs, knee } = JSON.parse(stdout) as LoadReport;
		expect(runs.map(({ settings }) => settings.clients)).toEqual([1, 2, 4]);
		expect(stderr.match(/<- knee/g)).toHaveLength(1);
		expect(await readFile(page, "utf8")).toContain(`knee: ${runs[knee ?? -1]?.settings.clients} clients`);
	});

	test("endpoints come from etcdctl's variable, and progress comes while it runs", async () => {
		const args = ["put", "--seconds", "2", "--warm-up", "1"];
		const { status, stdout, stderr } = await bench(args, { ETCDCTL_ENDPOINTS: trio.endpoints.join(",") });
		expect(status, stderr).toBe(0);
		expect(stdout).toMatch(/^put: 1 clients on 1 connections to the leader, closed loop/);
		expect(stdout).toMatch(/latency p50 .*, p90 .*, p99 .*, p99\.9 .*, max /);
		expect(stdout).toMatch(/client: \d+ % of a processor, its loop \d+ % busy/);
		expect(stderr.match(/^(warm-up|measure) /gm)).toHaveLength(3);
	});
});

test("compare that is told to end takes its clusters and their folders along", async () => {
	const child = spawn(FLOTILLA, ["bench", "compare", "--rows", "put-1", "--seconds", "100"], {
		env: { PATH: process.env.PATH, TMPDIR: folder },
	});
	let said = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
	const ended = new Promise((resolve) => child.once("exit", (_code, signal) => resolve(signal)));
	for (let tries = 0; !said.includes("round 1/3: put-1") && tries < 600; tries++) await new Promise((resolve) => setTimeout(resolve, 100));
	expect(said).toContain("round 1/3: put-1");
	const folders = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name.startsWith("flotilla-bench-"));
	expect(await folders()).not.toEqual([]);
	child.kill("SIGTERM");
	expect(await ended).toBe("SIGTERM");
	expect(await folders()).toEqual([]);
});

test("a call that is wrong ends with status 2 and the usage, one that meets nobody with 1", async () => {
	const wrong = await bench(["fly"]);
	expect([wrong.status, wrong.stdout]).toEqual([2, ""]);
	expect(wrong.stderr).toMatch(/^fly is no load\n\nUsage: flotilla bench/);
	const help = await bench(["--help"]);
	expect([help.status, help.stderr]).toEqual([0, ""]);
	const nobody = await bench(["put", "--endpoints", "127.0.0.1:1"]);
	expect([nobody.status, nobody.stderr]).toEqual([1, expect.stringContaining("cannot connect to 127.0.0.1:1")]);
	const row = await bench(["compare", "--rows", "none"]);
	expect([row.status, row.stderr]).toEqual([2, expect.stringContaining("there is no row none")]);
});

test.skipIf(!haveEtcd())("the same loads on an etcd of three, leases included (needs Debian's etcd-server)", async () => {
	const trio = await Trio.start("etcd");
	try {
		for (const load of ["put", "lease-keepalive", "watch-fanout"]) {
			const args = [load, "--endpoints", trio.endpoints.join(","), "--clients", "6", "--seconds", "1", "--warm-up", "1", "--json", "-"];
			const { status, stdout, stderr } = await bench(args);
			expect([status, stderr.match(/FAILED|DOUBT/)], stderr).toEqual([0, null]);
			const [run] = (JSON.parse(stdout) as LoadReport).runs;
			expect(run).toMatchObject({ failed: 0, doubt: null, settings: { load } });
			expect(run?.operations).toBeGreaterThan(0);
		}
	} finally {
		await trio.dispose();
	}
});

test.skipIf(!haveEtcd())("compare: both clusters, the same rows, ratios and goals (needs Debian's etcd-server)", async () => {
	const page = join(folder, "compare.html");
	const args = [
		"compare",
		"--rounds",
		"1",
		"--seconds",
		"1",
		"--warm-up",
		"1",
		"--rows",
		"put-1,txn-256,open-80,watch-fanout",
		"--json",
		"-",
		"--html",
		page,
	];
	const { status, stdout, stderr } = await bench(args);
	expect(status, stderr).toBe(0);
	const { values, notes } = JSON.parse(stdout) as CompareReport;
	expect(notes.filter((note) => note.includes("etcd"))).toEqual([]);
	// The open loop takes its pace from the row of 256 streams.
	expect([...new Set(values.map(({ row }) => row))]).toEqual(["put-1", "put-256", "open-80", "txn-256", "watch-fanout"]);
	for (const { flotilla, etcd, ratios, value } of values) {
		expect([flotilla.length, etcd.length, ratios.length]).toEqual([1, 1, 1]);
		expect(Math.min(...(flotilla as number[]), ...(etcd as number[])), value.name).toBeGreaterThan(0);
		expect(ratios[0]).toBeCloseTo((flotilla[0] as number) / (etcd[0] as number));
	}
	const html = await readFile(page, "utf8");
	expect(html).toContain("txn (compare and put), 256 clients");
	expect(html).not.toMatch(/NaN|undefined/);
});
