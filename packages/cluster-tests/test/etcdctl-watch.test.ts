/** `etcdctl watch` with all its flags, against flotilla and beside it a real etcd with the same history: the same to the letter. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agreement } from "../src/compat/agreement.ts";
import { ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { normaliseOutput } from "../src/process/normalise.ts";
import { type RunningTool, runningEtcdctl } from "../src/process/running-tool.ts";
import { etcdctl, haveProgram } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const agreement = new Agreement();
const haveTools = haveProgram("etcdctl") && haveProgram("etcd");

interface Case {
	readonly args: readonly string[];
	readonly input?: string;
	readonly environment?: Readonly<Record<string, string>>;
	/** How much a real etcd prints. */
	readonly lines: number;
	/** Ends by itself. */
	readonly ends?: boolean;
}

const HISTORY: ReadonlyArray<readonly [readonly string[], string?]> = [
	[["put", "foo", "bar"]],
	[["put", "a1", "1"]],
	[["put", "a2", "2"]],
	[["put", "a3", "3"]],
	[["put", "foo", "baz"]],
	[["del", "a", "--prefix"]],
	[["put", "a2", "again"]],
	[["txn"], "\nput t1 x\nput t2 y\ndel foo\n\n\n"],
	[["put", "foo", "last"]],
];

const CASES: readonly Case[] = [
	{ args: ["foo", "--rev=1"], lines: 12 },
	{ args: ["foo", "--rev=1", "--prev-kv"], lines: 16 },
	{ args: ["foo", "--rev=1", "-w", "json"], lines: 1 },
	{ args: ["foo", "--rev=1", "--prev-kv", "-w", "json"], lines: 1 },
	{ args: ["foo", "--rev=6", "-w", "fields"], lines: 10 },
	{ args: ["foo", "--rev=1", "--hex"], lines: 12 },
	{ args: ["a", "--prefix", "--rev=1"], lines: 21 },
	{ args: ["a", "--prefix", "--rev=1", "--prev-kv", "-w", "json"], lines: 1 },
	{ args: ["a1", "a3", "--rev=3", "-w", "json"], lines: 1 },
	{ args: ["", "--prefix", "--rev=1", "--prev-kv", "-w", "json"], lines: 1 },
	{ args: ["t", "--prefix", "--rev=9"], lines: 6 },
	{ args: ["b", "a", "--rev=1"], lines: 0, ends: true },
	{ args: ["-i"], input: "watch foo --rev=9\nwatch a --prefix --rev=8 --prev-kv\n", lines: 9 },
	{ args: ["-i"], input: "watch foo --rev=10\n\nnonsense\n", lines: 3 },
	{ args: ["foo", "--rev=10", "--", "sh", "-c", "env | grep ^ETCD_WATCH | sort"], lines: 7 },
	{ args: ["-i"], input: "watch foo --rev=10 -- sh -c 'echo ran'\n", lines: 1 },
	{ args: ["--rev=9"], environment: { ETCDCTL_WATCH_KEY: "foo" }, lines: 3 },
	{ args: ["--rev=3", "-w", "json"], environment: { ETCDCTL_WATCH_KEY: "a1", ETCDCTL_WATCH_RANGE_END: "a3" }, lines: 1 },
	{ args: ["foo", "--rev=x"], lines: 0, ends: true },
	{ args: [], lines: 0, ends: true },
	{ args: ["foo", "--rev=1", "-w", "table"], lines: 0, ends: true },
];

/** Reached only by a watch that would never begin, on a machine as busy as may be. */
const WATCHING_MS = 120_000;

const lineCount = (text: string): number => text.split("\n").length - 1;

describe.skipIf(!haveTools)("etcdctl watch against flotilla and against etcd (needs Debian's etcd-client and etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;
	const open: RunningTool[] = [];

	const run = (cluster: ProcessCluster, at: number, { args, environment, input }: Omit<Case, "lines">): RunningTool => {
		const tool = runningEtcdctl([cluster.endpoints[at % 3] as string], ["watch", ...args], environment);
		open.push(tool);
		if (input !== undefined) tool.write(input);
		return tool;
	};

	beforeAll(async () => {
		[ours, theirs] = await Promise.all([ProcessCluster.start({ flags: STAYS }), ProcessCluster.start({ program: "etcd", flags: STAYS })]);
		for (const [args, input] of HISTORY) {
			for (const cluster of [ours, theirs]) {
				const { status, stderr } = await etcdctl(cluster.endpoints, args, input === undefined ? {} : { input });
				expect(status, stderr).toBe(0);
			}
		}
		// What is watched from the past on comes in one piece only where all of it is there.
		await Promise.all([ours.caughtUp(), theirs.caughtUp()]);
	});
	afterAll(async () => {
		await Promise.all(open.map((tool) => tool.end()));
		console.log(agreement.lines("etcdctl watch, flotilla beside etcd:").join("\n"));
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	for (const [at, each] of CASES.entries()) {
		test(`${at}: etcdctl watch ${each.args.join(" ")}${each.input === undefined ? "" : `, then ${JSON.stringify(each.input)}`}`, async () => {
			const [mine, reference] = [run(ours, at, each), run(theirs, at, each)];
			await eventually("both print as much", async () => {
				if (each.ends === true) expect([mine.status !== null, reference.status !== null]).toEqual([true, true]);
				expect(lineCount(reference.stdout)).toBeGreaterThanOrEqual(each.lines);
				expect(lineCount(mine.stdout)).toBeGreaterThanOrEqual(each.lines);
			});
			agreement.judge(["watch", ...each.args], () => expect(sorted(mine, each)).toEqual(sorted(reference, each)));
		});
	}

	/** Watchers of one stream have no order among them. */
	function sorted({ stdout, stderr, status }: RunningTool, { args, ends }: Case): unknown {
		const shown = normaliseOutput(stdout);
		const output = args.includes("-i") ? shown.split("\n").sort() : shown;
		return ends === true ? { output, stderr: normaliseOutput(stderr), status } : { output };
	}

	test("live: one answer for each revision, a transaction in one, progress by hand", async () => {
		const tools = [ours, theirs].map((cluster, at) =>
			run(cluster, at, { args: ["-i", "-w", "json"], input: "watch live --prefix --prev-kv\n" }),
		);
		const clusters = [ours, theirs];
		// The first answer shows that the watcher is there: until then the same revisions are made on both sides.
		const deadline = performance.now() + WATCHING_MS;
		for (let tries = 0; tools.some(({ stdout }) => stdout === ""); tries++) {
			if (performance.now() > deadline)
				throw new Error(`nobody watches after ${WATCHING_MS} ms: ${tools.map(({ stderr }) => stderr).join()}`);
			for (const cluster of clusters) await etcdctl(cluster.endpoints, ["put", "live/start", String(tries)]);
		}
		for (const [args, input] of [
			[["put", "live/a", "1"]],
			[["put", "live/a", "2"]],
			[["txn"], "\nput live/b x\nput live/c y\ndel live/a\n\n\n"],
			[["del", "live", "--prefix"]],
			[["put", "elsewhere", "x"]],
		] as Array<[string[], string?]>) {
			for (const cluster of clusters) await etcdctl(cluster.endpoints, args, input === undefined ? {} : { input });
		}
		const answers = ({ stdout }: RunningTool): unknown[] =>
			normaliseOutput(stdout)
				.split("\n")
				.map((line): { Events: Array<{ kv: { key: string } }> } => JSON.parse(line))
				.filter(({ Events }) => Events.every(({ kv }) => kv.key !== Buffer.from("live/start").toString("base64")));
		await eventually("both have told all", async () => {
			for (const tool of tools) expect(answers(tool).length).toBeGreaterThanOrEqual(3);
			expect(answers(tools[0] as RunningTool)).toEqual(answers(tools[1] as RunningTool));
		});
		const revision = Number(/"revision":(\d+)/.exec((await etcdctl(ours.endpoints, ["get", "x", "-w", "json"])).stdout)?.[1]);
		for (const tool of tools) {
			tool.stdout = "";
			tool.write("progress\n");
		}
		await eventually("both tell the progress", async () => {
			for (const { stdout } of tools) expect(stdout).toContain(String(revision));
		});
	});

	test("from a compacted revision on: the cancel names where history begins", async () => {
		for (const cluster of [ours, theirs]) {
			expect((await etcdctl(cluster.endpoints, ["compaction", "7"])).status).toBe(0);
			// Whoever is watched at must have compacted, too: before that it tells the past.
			await cluster.caughtUp();
		}
		const each: Case = { args: ["foo", "--rev=3"], lines: 0, ends: true };
		const [mine, reference] = [run(ours, 1, each), run(theirs, 1, each)];
		await eventually("both end", async () => expect([mine.status, reference.status]).not.toContain(null));
		expect(sorted(mine, each)).toEqual(sorted(reference, each));
		expect(mine.stderr + mine.stdout).toContain("required revision has been compacted");
	});

	test("make-mirror copies to a real etcd, first what there is and then what comes", async () => {
		const mirror = runningEtcdctl(ours.endpoints, ["make-mirror", "--prefix", "m/", theirs.endpoints[0] as string]);
		open.push(mirror);
		await etcdctl(ours.endpoints, ["put", "m/1", "one"]);
		await etcdctl(ours.endpoints, ["put", "m/2", "two"]);
		await eventually("what is put arrives", async () => {
			expect((await etcdctl(theirs.endpoints, ["get", "m/", "--prefix"])).stdout, mirror.stderr).toBe("m/1\none\nm/2\ntwo\n");
		});
		await etcdctl(ours.endpoints, ["txn"], { input: "\ndel m/1\nput m/3 three\n\n\n" });
		await eventually("what changes arrives", async () => {
			expect((await etcdctl(theirs.endpoints, ["get", "m/", "--prefix"])).stdout).toBe("m/2\ntwo\nm/3\nthree\n");
		});
	});
});
