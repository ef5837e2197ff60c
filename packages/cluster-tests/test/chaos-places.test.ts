/** Chaos in the other places where members can live, on disks that fill up, and what is left when the tester itself is killed. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { missingFor } from "../src/chaos/faults/index.ts";
import { missingAt } from "../src/chaos/places/index.ts";
import { haveProgram, runTool } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";
import { runKept, shipped, written } from "./chaos-run.ts";

const MAIN = fileURLToPath(new URL("../src/chaos/main.ts", import.meta.url));
const MINUTES = 60_000;
/** Each of the lines below is due in this time, and a run goes on until each has struck. */
const SECONDS = 8;

const noNamespaces = await missingAt("namespaces", "flotilla");
const noContainers = await missingAt("containers", "flotilla");
const noDisk = missingFor(shipped("full-disk", 1), "flotilla");
const because = (missing: string | null): string => (missing === null ? "" : ` (${missing})`);

async function namespaces(): Promise<string[]> {
	const { stdout } = await runTool("ip", ["netns", "list"]);
	return stdout.split("\n").flatMap((line) => line.split(" ")[0] ?? []);
}

const APART = `
title: hosts of their own, whose packets are dropped
faults:
  - { fault: partition, shape: halves, every: 2s..3s, for: 0.5s..2s }
  - { fault: partition, shape: deaf, who: leader, every: 3s..4s, for: 0.5s..1s }
  - { fault: partition, shape: alone, who: leader, refused: true, every: 3s..5s, for: 0.5s..1s }
  - { fault: slow-links, who: one, loss: 100, every: 2s..4s, for: 1s }
  - { fault: reset, every: 1s..2s }
  - { fault: kill, who: one, every: 2s..3s, for: 0.2s..1s }
`;

test.skipIf(noNamespaces !== null)(
	`members in network namespaces, cut off by iptables${because(noNamespaces)}; none of them is left`,
	{ timeout: 10 * MINUTES },
	async () => {
		const before = new Set(await namespaces());
		const { record } = await runKept(written("apart", APART, SECONDS), { place: "namespaces", leastFaults: 4 });
		expect(new Set(record.faults.filter(({ members }) => members.length > 0).map(({ fault }) => fault))).toContain("partition");
		expect((await namespaces()).filter((name) => name.startsWith("fl") && name.endsWith("-net") && !before.has(name))).toEqual([]);
	},
);

test.skipIf(noDisk !== null)(
	`SC-093 a disk that fills up: members end or refuse, and come back without help${because(noDisk)}`,
	{ timeout: 10 * MINUTES },
	async () => {
		const { record } = await runKept(shipped("full-disk", SECONDS), { leastFaults: 1 });
		const notes = record.faults.flatMap((fault) => fault.notes);
		expect(notes.length).toBeGreaterThan(0);
		for (const note of notes) expect(note).toMatch(/^m\d had 0 blocks left, and (went on|ended)$/);
	},
);

const IN_CONTAINERS = `
title: containers, killed, stood still, off the network, and with their disks gone
faults:
  - { fault: kill, who: leader, every: 2s..4s, for: 0.2s..1s }
  - { fault: pause, who: one, every: 2s..4s, for: 0.5s..1s }
  - { fault: partition, shape: alone, who: one, every: 3s..5s, for: 1s..2s }
  - { fault: lost-folder, who: one, every: 3s..5s, for: 0.2s..1s }
`;

test.skipIf(noContainers !== null)(`members in containers${because(noContainers)}`, { timeout: 10 * MINUTES }, async () => {
	// A disk is only lost while nobody else is away: whatever has struck leaves it alone.
	const once = { leastFaults: 4, enoughOf: () => true };
	const { record } = await runKept(written("containers", IN_CONTAINERS, SECONDS), { place: "containers", ...once });
	const struck = record.faults.filter(({ members }) => members.length > 0).map(({ fault }) => fault);
	expect([...new Set(struck)].sort()).toEqual(["kill", "lost-folder", "partition", "pause"]);
	const { stdout } = await runTool("docker", ["ps", "--all", "--quiet", "--filter", "name=flotilla-chaos-"]);
	expect(stdout).toBe("");
});

test.each([
	["--place moon", "--place is one of processes, namespaces, containers, not moon"],
	["--place containers", "Cannot run mixed: partition cannot be done in containers"],
	[
		"--scenario slow-network --place namespaces",
		"Cannot run slow-network: slow-links cannot be done in namespaces: packets can be dropped",
	],
	["--wrong 1", "Unknown option '--wrong'"],
	["--seconds 3601", '--seconds takes a whole number from 1 to 3600, not "3601"'],
	["--lockers 1e2", '--lockers takes a whole number from 0 to 100, not "1e2"'],
	["--calls 2000001", '--calls takes a whole number from 0 to 2000000, not "2000001"'],
	["--program etcd --grpc-server native", "--grpc-server is a choice of flotilla's"],
])("what cannot be done is refused by name before anything is started: %s", async (line, words) => {
	const args = ["--conditions=@flotilla/source", MAIN, ...line.split(" ")];
	const { status, stdout, stderr } = await runTool(process.execPath, args, { timeoutMs: MINUTES });
	expect(status).toBe(2);
	expect(stdout).toBe("");
	expect(stderr).toContain(words);
});

test("a mistake in a scenario's file is told with file and line, before anything is started", async () => {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-scenario-"));
	try {
		const file = join(folder, "my.yaml");
		await writeFile(file, "title: a slip\nfaults:\n  - { fault: partition, at: 1s }\n  - { fault: partition, shape: halfs, at: 2s }\n");
		const args = ["--conditions=@flotilla/source", MAIN, "--scenario", file];
		const { status, stdout, stderr } = await runTool(process.execPath, args, { timeoutMs: MINUTES });
		expect(stderr).toBe(`${file}, line 4: shape of partition is "halfs"; it must be alone, deaf, mute, halves, bridge or chain\n`);
		expect([status, stdout]).toEqual([2, ""]);
	} finally {
		await rm(folder, { recursive: true });
	}
});

const HALF_DONE = `
title: everything that can be left behind
seconds: 3600
faults:
  - { fault: partition, shape: halves, every: 500ms, for: 5s }
  - { fault: pause, who: one, every: 1s, for: 30s }
  - { fault: full-disk, who: one, at: 59m, for: 1s }
`;

test.skipIf(noNamespaces !== null || noDisk !== null || !haveProgram("pgrep"))(
	`the tester is killed: members, namespaces, disks and folders go all the same${because(noNamespaces ?? noDisk)}`,
	{ timeout: 10 * MINUTES },
	async () => {
		const folder = await mkdtemp(join(tmpdir(), "flotilla-dead-man-"));
		const before = new Set(await namespaces());
		const scenario = join(folder, "half-done.yaml");
		await writeFile(scenario, HALF_DONE);
		const args = [
			"--conditions=@flotilla/source",
			MAIN,
			"--scenario",
			scenario,
			"--place",
			"namespaces",
			"--report",
			join(folder, "report"),
		];
		// Folders of its own making lie in the temporary folder that it is told.
		const tester = spawn(process.execPath, args, { env: { ...process.env, TMPDIR: folder }, stdio: ["ignore", "pipe", "inherit"] });
		try {
			let said = "";
			tester.stdout.setEncoding("utf8").on("data", (text: string) => {
				said += text;
			});
			await eventually("a member stands still", async () => expect(said).toMatch(/under (?=.*\bpartition\b).*\bpause\b/), 240_000);
			const mine = (await namespaces()).filter((name) => name.startsWith("fl") && !before.has(name));
			expect(mine.length).toBe(4);
			tester.kill("SIGKILL");
			await eventually(
				"nothing is left",
				async () => {
					expect((await namespaces()).filter((name) => mine.includes(name))).toEqual([]);
					expect(await readFile("/proc/mounts", "utf8")).not.toContain(folder);
					expect((await runTool("pgrep", ["--full", `data-dir ${folder}`])).stdout).toBe("");
					const { stdout } = await runTool("ls", [folder]);
					expect(stdout).not.toContain("flotilla-chaos-");
				},
				180_000,
			);
		} finally {
			tester.kill("SIGKILL");
			await rm(folder, { recursive: true, force: true, maxRetries: 5 });
			expect(existsSync(folder)).toBe(false);
		}
	},
);
