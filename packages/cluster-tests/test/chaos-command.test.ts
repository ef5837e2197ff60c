/** `flotilla chaos` as its user calls it: what it leaves behind, how it ends, and that it can be ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readHistory, writeHistory } from "../src/chaos/history-file.ts";
import type { ReportData } from "../src/chaos/report-data.ts";
import { ReportFolder, unusedFolder } from "../src/chaos/report-folder.ts";
import type { RunRecord } from "../src/chaos/run.ts";
import { FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { runTool, type ToolResult, WORKER } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";
import { SEED } from "./chaos-run.ts";

const MINUTES = 60_000;
let folder = "";
/** Of a short run that kept every promise. */
let good = "";
let run: ToolResult;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-chaos-command-"));
	good = join(folder, "good");
	run = await chaos("--scenario", "leader-kill", "--seconds", "4", "--seed", SEED, "--report", good);
}, 10 * MINUTES);
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

function chaos(...args: readonly string[]): Promise<ToolResult> {
	return runTool(FLOTILLA_PROGRAM, ["chaos", ...args], { timeoutMs: 8 * MINUTES, folder });
}

function reportIn(path: string): ReportData {
	return JSON.parse(readFileSync(join(path, "report.json"), "utf8")) as ReportData;
}

test("a run that keeps every promise ends with status 0, a report and its whole history, and no data of the members", async () => {
	expect(run, run.stdout + run.stderr).toMatchObject({ status: 0, stderr: "" });
	expect(run.stdout).toMatch(new RegExp(`report: ${good}/report.html\n`));
	expect(run.stdout).toMatch(/verdict: ok\n$/);
	expect((await readdir(good)).sort()).toEqual(["history.jsonl.gz", "report.html", "report.json"]);
	const { counts, setting } = reportIn(good);
	const { attempts, followers } = await readHistory(join(good, "history.jsonl.gz"));
	expect(attempts.length).toBe(counts.calls);
	expect(followers.reduce((sum, { events }) => sum + events, 0)).toBe(counts.events);
	expect(setting).toMatchObject({ program: "flotilla", place: "processes", flags: [] });
	expect(setting.version).toContain("flotilla-");
});

test("it can be judged again from its history, with the same report", async () => {
	const again = join(folder, "again");
	const { status, stdout } = await chaos("--judge", join(good, "history.jsonl.gz"), "--report", again);
	expect(status).toBe(0);
	expect(stdout).toMatch(/verdict: ok\n$/);
	expect(reportIn(again)).toEqual(reportIn(good));
});

test("a history with a stale read ends with status 1, and the two calls that contradict each other", async () => {
	const path = join(folder, "stale");
	const record = await readHistory(join(good, "history.jsonl.gz"));
	await writeHistory(`${path}.gz`, withStaleRead(record));
	const { status, stdout } = await chaos("--judge", `${path}.gz`, "--report", path);
	expect(status).toBe(1);
	expect(stdout).toMatch(
		/violated linearizable: .*\n +realTime: revision 2 was answered after \d+ had been\n +client .*\n +client 999 .*get nowhere/,
	);
	expect(stdout).toMatch(/verdict: violated\n$/);
	const check = reportIn(path).checks.find(({ name }) => name === "linearizable");
	expect(check?.attempts).toHaveLength(2);
});

/** At the end somebody finds the store as it was when the bank had just been opened. */
function withStaleRead(record: RunRecord): RunRecord {
	const invoked = record.endedMs + 1;
	const operation = { kind: "range", key: "nowhere", end: "", limit: 0, revision: 0, serializable: false, countOnly: false } as const;
	const answer = { kind: "range", revision: 2, count: 0, more: false, pairs: [] } as const;
	const outcome = { kind: "ok", returned: invoked + 1, answer } as const;
	const stale = { id: record.attempts.length, client: 999, member: "m1#1", operation, invoked, outcome };
	return { ...record, attempts: [...record.attempts, stale] };
}

test("a file that is no history, of another format, or cut off, is refused with status 2", async () => {
	const cut = join(folder, "cut.gz");
	const whole = readFileSync(join(good, "history.jsonl.gz"));
	await writeFile(cut, whole.subarray(0, whole.length / 2));
	const old = join(folder, "old.gz");
	await writeFile(old, gzipSync('{"history":1,"run":{"scenario":{}}}\n'));
	for (const [file, words] of [
		[old, `${old} is a history of format 1, and this version judges format 2: judge it with the version that recorded it\n`],
		[cut, `${cut} is no history of a run: line `],
		[join(good, "report.html"), "/report.html is no history of a run: incorrect header check"],
		[join(folder, "nowhere"), `There is no file ${join(folder, "nowhere")}`],
	] as const) {
		const { status, stdout, stderr } = await chaos("--judge", file);
		expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
		expect(stderr).toContain(words);
	}
});

test("where no report can be written, or another run writes one, nothing is started: status 2", async () => {
	const [file, used, full] = [join(folder, "file"), join(folder, "used"), join(folder, "full")];
	await writeFile(file, "");
	await mkdir(full);
	await writeFile(join(full, "m1.log"), "");
	const before = await contentsIn(good);
	await runTool("mkdir", [used]);
	const owner = await ReportFolder.claim(used);
	for (const [args, words] of [
		[["--report", file], `${file} cannot be written to: `],
		[["--report", join(file, "deep")], `${file}/deep cannot be made for the report: `],
		[["--report", used], `${used} is in use by another run: choose another folder with --report`],
		[["--report", good], `${good} holds what an earlier run found: remove it, or choose another folder with --report\n`],
		[["--data-dir", full], `${full} is not empty: choose another folder with --data-dir\n`],
		[["--data-dir", file], `${file} cannot be read: `],
	] as const) {
		const { status, stdout, stderr } = await chaos(...args);
		expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
		expect(stderr).toContain(words);
	}
	await owner.release();
	await ReportFolder.claim(used).then((again) => again.release());
	expect(await contentsIn(good)).toEqual(before);
});

async function contentsIn(path: string): Promise<Array<readonly [name: string, content: string]>> {
	const names = (await readdir(path)).sort();
	return names.map((name) => [name, readFileSync(join(path, name), "latin1")]);
}

test("without a folder of its own a run that is made again has the next number", () => {
	const [path, second] = [join(folder, "numbered"), join(folder, "numbered-2")];
	expect(unusedFolder(path)).toBe(path);
	mkdirSync(path);
	// Made by a run that never came to an end.
	expect(unusedFolder(path)).toBe(path);
	writeFileSync(join(path, "report.json"), "{}");
	expect(unusedFolder(path)).toBe(second);
	mkdirSync(join(second, "members"), { recursive: true });
	expect(unusedFolder(path)).toBe(`${path}-3`);
});

test("a history is not judged into the folder of another run", async () => {
	const other = join(folder, "other");
	await mkdir(other);
	await writeFile(join(other, "history.jsonl.gz"), "another one");
	const { status, stderr } = await chaos("--judge", join(good, "history.jsonl.gz"), "--report", other);
	expect([status, stderr]).toEqual([2, `${other} holds what another run found: choose another folder with --report\n`]);
	expect(await readdir(other)).toEqual(["history.jsonl.gz"]);
});

test("a history in which one bit was flipped is refused or judged as it was, never called broken", async () => {
	const whole = readFileSync(join(good, "history.jsonl.gz"));
	for (const place of [20, Math.floor(whole.length / 2), whole.length - 6]) {
		const flipped = Buffer.from(whole);
		flipped[place] = (flipped[place] as number) ^ 1;
		await writeFile(join(folder, "flipped.gz"), flipped);
		const { status, stderr } = await chaos("--judge", join(folder, "flipped.gz"), "--report", join(folder, "flipped"));
		expect([status, stderr]).toEqual([2, expect.stringContaining("flipped.gz is no history of a run: ")]);
	}
});

test("members that do not start: status 4, with what they said, and nothing is left", async () => {
	const { status, stderr } = await chaos("--seconds", "2", "--flag=--no-such-flag=1", "--report", join(folder, "none"));
	expect(status).toBe(4);
	expect(stderr).toMatch(/m\d ended \(2\) instead; last output:/);
	expect(readdirSync(join(folder, "none"))).toEqual([]);
});

/** Its only fault is due when everybody has lost patience. */
const LATE = "title: nothing happens for long\nseconds: 600\nfaults:\n  - { fault: kill, who: leader, at: 590s }\n";

/** A run of its own that would go on for ten minutes, with its temporary folders in one that can be looked at. */
function longRun(
	name: string,
	scenario = "leader-kill",
	...more: readonly string[]
): {
	readonly tester: ChildProcess;
	readonly temporary: string;
	readonly said: () => string;
	readonly ended: Promise<number | null>;
} {
	const temporary = join(folder, `${name}-tmp`);
	const args = ["chaos", "--scenario", scenario, "--seconds", "600", "--report", join(folder, name), ...more];
	const tester = spawn("sh", ["-c", `mkdir -p ${temporary} && exec ${FLOTILLA_PROGRAM} ${args.join(" ")}`], {
		env: { PATH: process.env.PATH, TMPDIR: temporary, ...WORKER },
		stdio: ["ignore", "pipe", "inherit"],
	});
	let said = "";
	tester.stdout?.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	const end = new Promise<number | null>((resolve) => tester.once("close", resolve));
	return { tester, temporary, said: () => said, ended: end };
}

test("Ctrl-C ends a run early, with a verdict and a report; nobody can tell from so little, and the members' data is kept", {
	timeout: 5 * MINUTES,
}, async () => {
	const scenario = join(folder, "late.yaml");
	await writeFile(scenario, LATE);
	const { tester, temporary, said, ended } = longRun("early", scenario);
	try {
		await eventually("it runs", async () => expect(said()).toContain("600 s of faults"), MINUTES);
		tester.kill("SIGINT");
		expect(await ended).toBe(3);
		expect(said()).toContain("SIGINT: the faults end now");
		expect(said()).toMatch(/unknown +enough: .*\n( +.*\n)* +no fault was struck\n/);
		expect(reportIn(join(folder, "early"))).toMatchObject({ verdict: "unknown" });
		expect(reportIn(join(folder, "early")).summary).toContain("Somebody ended the run before its time");
		expect(readdirSync(join(folder, "early", "members"))).toEqual(expect.arrayContaining(["m1", "m1.log", "m2", "m3"]));
		expect(readdirSync(temporary)).toEqual([]);
	} finally {
		tester.kill("SIGKILL");
	}
});

test("of several runs Ctrl-C ends the one that is under way, and those behind it are named as not made", {
	timeout: 5 * MINUTES,
}, async () => {
	const scenario = join(folder, "several.yaml");
	await writeFile(scenario, LATE);
	const { tester, said, ended } = longRun("several", scenario, "--grpc-server", "both");
	try {
		await eventually("the first runs", async () => expect(said()).toContain("600 s of faults"), MINUTES);
		tester.kill("SIGINT");
		expect(await ended).toBe(3);
		expect(said()).toMatch(/\nunknown +several-native\nleft out +several-grpc-js: somebody ended the call before it\nverdict: unknown\n$/);
	} finally {
		tester.kill("SIGKILL");
	}
});

test("a second Ctrl-C ends all at once, and nothing is left of it", { timeout: 5 * MINUTES }, async () => {
	const { tester, temporary, said, ended } = longRun("twice");
	try {
		await eventually("it strikes", async () => expect(said()).toMatch(/ leader m\d of term/), 2 * MINUTES);
		tester.kill("SIGINT");
		await eventually("it heard", async () => expect(said()).toContain("SIGINT: the faults end now"), MINUTES);
		await eventually("it is gone", async () => {
			tester.kill("SIGINT");
			expect(tester.exitCode).not.toBeNull();
		});
		// Whoever is quicker: it may have come to its end before.
		expect([130, 0, 3]).toContain(await ended);
		await eventually("nothing is left", async () => {
			expect((await runTool("pgrep", ["--full", temporary])).stdout).toBe("");
			expect(existsSync(temporary) ? readdirSync(temporary) : []).toEqual([]);
		});
	} finally {
		tester.kill("SIGKILL");
	}
});
