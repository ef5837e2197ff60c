/**
 * The dead man's switch, where members are processes of this machine and where they are containers: the tester is killed in the middle of
 * everything that it can leave behind, and soon nothing is left. (In namespaces: chaos-places.test.ts.)
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { FAULTS, missingFor } from "../src/chaos/faults/index.ts";
import { missingAt } from "../src/chaos/places/index.ts";
import { parseScenario } from "../src/chaos/scenario.ts";
import { descendants, type ProcessRow, stillRuns, tracerOf } from "../src/process/process-table.ts";
import { runTool } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const MAIN = fileURLToPath(new URL("../src/chaos/main.ts", import.meta.url));
const MINUTES = 60_000;

/** The last two never strike: what they need is made when the members start. */
const ON_LOOPBACK = `
title: links cut, members that stand still, slow disks, small disks, clocks that can be moved
members: 5
seconds: 3600
faults:
  - { fault: partition, shape: alone, who: one, every: 300ms, for: 9m }
  - { fault: slow-links, who: all, delay: 20, every: 300ms, for: 9m }
  - { fault: pause, who: one, every: 500ms, for: 9m }
  - { fault: slow-disk, who: one, delay: 300, every: 500ms, for: 9m }
  - { fault: strangers, who: one, every: 300ms, for: 9m }
  - { fault: full-disk, at: 59m }
  - { fault: clock, at: 59m }
`;

const IN_CONTAINERS = `
title: a container off the network, and one that stands still
seconds: 3600
faults:
  - { fault: partition, shape: alone, who: one, every: 300ms, for: 9m }
  - { fault: pause, who: one, every: 500ms, for: 9m }
`;

interface Tester {
	readonly process: ChildProcess;
	readonly folder: string;
	/** All that it has printed. */
	said(): string;
}

/** Runs until it is killed, with its temporary files in a folder of their own. */
async function withTester(scenario: string, args: readonly string[], work: (tester: Tester) => Promise<void>): Promise<void> {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-dead-man-"));
	const file = join(folder, "half-done.yaml");
	await writeFile(file, scenario);
	const call = ["--conditions=@flotilla/source", MAIN, "--scenario", file, "--report", join(folder, "report"), ...args];
	const child = spawn(process.execPath, call, { env: { ...process.env, TMPDIR: folder }, stdio: ["ignore", "pipe", "inherit"] });
	let said = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => {
		said += text;
	});
	try {
		await work({ process: child, folder, said: () => said });
	} finally {
		child.kill("SIGKILL");
		await rm(folder, { recursive: true, force: true, maxRetries: 5 });
	}
}

/** Kills the tester and waits until what it started and made has gone. */
async function killed({ process: tester, folder }: Tester, started: readonly ProcessRow[]): Promise<void> {
	tester.kill("SIGKILL");
	await eventually("nothing is left", async () => {
		expect(started.filter(stillRuns).map(({ pid, command }) => `${pid} ${command}`)).toEqual([]);
		expect(await readFile("/proc/mounts", "utf8")).not.toContain(folder);
		expect((await readdir(folder)).filter((name) => name.startsWith("flotilla-chaos-"))).toEqual([]);
	});
}

const missing = missingFor(parseScenario("loopback.yaml", ON_LOOPBACK, FAULTS), "flotilla");

test.skipIf(missing !== null)(
	`the tester of processes is killed: members, links, tracers, disks and folders go${missing === null ? "" : ` (${missing})`}`,
	{ timeout: 10 * MINUTES },
	async () => {
		await withTester(ON_LOOPBACK, [], async (tester) => {
			const wanted = ["partition", "slow-links", "pause", "slow-disk", "strangers"].map((name) => `(?=.*\\b${name}\\b)`).join("");
			await eventually("everything is under way", async () => expect(tester.said()).toMatch(new RegExp(`under ${wanted}`)), 4 * MINUTES);
			// A fault is said to be under way from when it is looked for whom to strike. That it bites: one member stands still by SIGSTOP, one is
			// in a tracer's hand, and all have a disk of their own.
			const started = await eventually("everything bites", async () => {
				const now = descendants(tester.process.pid as number);
				const of = (part: string): ProcessRow[] => now.filter(({ command }) => command.includes(part));
				expect(of("--data-dir").filter(({ state }) => state === "T").length).toBe(1);
				expect(now.filter(({ pid }) => tracerOf(pid) !== 0).length).toBeGreaterThan(0);
				expect([of("links-process").length, of("dead-man.ts").length]).toEqual([1, 1]);
				expect(of("--data-dir").filter(({ command }) => !command.startsWith("strace")).length).toBeGreaterThanOrEqual(5);
				return now;
			});
			expect((await readFile("/proc/mounts", "utf8")).split("\n").filter((line) => line.includes(tester.folder)).length).toBe(5);
			await killed(tester, started);
		});
	},
);

const noContainers = await missingAt("containers", "flotilla");

test.skipIf(noContainers !== null)(
	`the tester of containers is killed: containers, network and folder go${noContainers === null ? "" : ` (${noContainers})`}`,
	{ timeout: 10 * MINUTES },
	async () => {
		await withTester(IN_CONTAINERS, ["--place", "containers"], async (tester) => {
			await eventually(
				"both are under way",
				async () => expect(tester.said()).toMatch(/under (?=.*\bpartition\b).*\bpause\b/),
				8 * MINUTES,
			);
			const started = descendants(tester.process.pid as number);
			// Other testers have networks and containers of their own on this machine.
			const [network] = started.flatMap(({ command }) => /flotilla-chaos-[0-9a-f]+/.exec(command) ?? []);
			const listed = async (...what: string[]): Promise<string[]> => {
				const { stdout } = await runTool("docker", [...what, "--quiet", "--filter", `name=${network}`]);
				return stdout.split("\n").filter((line) => line !== "");
			};
			expect([(await listed("ps", "--all")).length, (await listed("network", "ls")).length]).toEqual([3, 1]);
			await killed(tester, started);
			await eventually("containers and network are gone", async () => {
				expect([await listed("ps", "--all"), await listed("network", "ls")]).toEqual([[], []]);
			});
		});
	},
);
