/** etcdctl's commands for upkeep, against real processes and beside a real etcd: hashes at a revision, all members at once, mirrors under another name. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ProcessCluster } from "../src/process/cluster.ts";
import { normaliseOutput, sortLines } from "../src/process/normalise.ts";
import { runningEtcdctl } from "../src/process/running-tool.ts";
import { etcdctl, haveProgram, type ToolResult } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const haveTools = haveProgram("etcdctl") && haveProgram("etcd");
const MEMBERS = 3;
const COMPACTED = 8;

const HISTORY: ReadonlyArray<readonly [readonly string[], string?]> = [
	...Array.from({ length: 10 }, (_, n) => [["put", `k${n % 4}`, `v${n}`]] as const),
	[["del", "k2"]],
	[["txn"], "\nput t1 x\nput t2 y\ndel k3\n\n\n"],
	[["compaction", String(COMPACTED)]],
	[["put", "k2", "again"]],
];

describe.skipIf(!haveTools)("etcdctl against flotilla and against etcd (needs Debian's etcd-client and etcd-server)", () => {
	let ours: ProcessCluster;
	let theirs: ProcessCluster;

	beforeAll(async () => {
		[ours, theirs] = await Promise.all([ProcessCluster.start({ size: MEMBERS }), ProcessCluster.start({ size: MEMBERS, program: "etcd" })]);
		for (const [args, input] of HISTORY) {
			for (const cluster of [ours, theirs]) {
				const { status, stderr } = await etcdctl(cluster.endpoints, args, input === undefined ? {} : { input });
				expect(status, stderr).toBe(0);
			}
		}
	});
	afterAll(async () => {
		await Promise.all([ours?.dispose(), theirs?.dispose()]);
	});

	const both = async (args: readonly string[]): Promise<[ToolResult, ToolResult]> => [
		await etcdctl(ours.endpoints, args),
		await etcdctl(theirs.endpoints, args),
	];

	const hashes = async (cluster: ProcessCluster, ...args: string[]): Promise<number[]> => {
		const { stdout, stderr } = await etcdctl([cluster.members[0]?.clientUrl as string], ["endpoint", "hashkv", ...args, "-w", "json"]);
		expect(stderr).toBe("");
		return (JSON.parse(stdout) as Array<{ HashKV: { hash: number } }>).map(({ HashKV }) => HashKV.hash);
	};

	test.each(Array.from({ length: 6 }, (_, n) => COMPACTED + 1 + n))(
		"endpoint hashkv --cluster --rev=%d is one number: on every member, and etcd's",
		async (revision) => {
			await eventually("all have applied as much", async () => {
				const all = await Promise.all([ours, theirs].map((cluster) => hashes(cluster, "--cluster", `--rev=${revision}`)));
				expect(all.flat()).toHaveLength(2 * MEMBERS);
				expect(new Set(all.flat()).size, String(all)).toBe(1);
			});
		},
	);

	test.each([2, COMPACTED - 1, 9_999])("endpoint hashkv --rev=%d is refused in etcd's words", async (revision) => {
		const [mine, reference] = await Promise.all(
			[ours, theirs].map((cluster) => etcdctl([cluster.endpoints[1] as string], ["endpoint", "hashkv", `--rev=${revision}`])),
		);
		const words = (text: string): string[] => [...text.matchAll(/etcdserver: [^"\\)]*/g)].map(([found]) => found);
		expect(words(reference?.stderr ?? ""), reference?.stderr).not.toEqual([]);
		expect([mine?.status, mine?.stdout, words(mine?.stderr ?? "")]).toEqual([
			reference?.status,
			reference?.stdout,
			words(reference?.stderr ?? ""),
		]);
	});

	test("defrag --cluster goes to every member", async () => {
		const [mine, reference] = await Promise.all(
			[ours, theirs].map((cluster) => etcdctl([cluster.members[1]?.clientUrl as string], ["defrag", "--cluster"])),
		);
		const shown = (text = ""): string => sortLines(normaliseOutput(text).replaceAll(/http:\/\/\S*\d/g, "URL"));
		expect(mine?.stdout.match(/^Finished defragmenting etcd member\[http:.*\]$/gm)).toHaveLength(MEMBERS);
		expect([mine?.status, shown(mine?.stdout)]).toEqual([reference?.status, shown(reference?.stdout)]);
	});

	describe.each([
		["from flotilla to etcd", () => [ours, theirs] as const],
		["from etcd to flotilla", () => [theirs, ours] as const],
	])("make-mirror %s", (name, clusters) => {
		const folder = name.replaceAll(" ", "-");
		test.each([
			["--dest-prefix: under another name", ["--dest-prefix", `${folder}/there/`], `${folder}/there/`],
			["--no-dest-prefix: under none", ["--no-dest-prefix"], ""],
		])("%s", async (_name, flags, prefix) => {
			const [source, target] = clusters();
			const put = (...args: string[]) => etcdctl(source.endpoints, args);
			const from = `${folder}/${prefix === "" ? "bare" : "moved"}/`;
			// Without a prefix the names must be nobody else's.
			const names = [1, 2, 3].map((n) => `${folder}-${n}`);
			await put("put", `${from}${names[0]}`, "one");
			await put("put", `${folder}/other`, "not copied");
			const mirror = runningEtcdctl(source.endpoints, ["make-mirror", "--prefix", from, ...flags, target.endpoints[0] as string]);
			try {
				const copied = async (): Promise<string> => (await etcdctl(target.endpoints, ["get", `${prefix}${folder}-`, "--prefix"])).stdout;
				await eventually("what there is arrives", async () => expect(await copied(), mirror.stderr).toBe(`${prefix}${names[0]}\none\n`));
				await etcdctl(source.endpoints, ["txn"], {
					input: `\nput ${from}${names[1]} two\nput ${from}${names[2]} three\ndel ${from}${names[0]}\n\n\n`,
				});
				await eventually("what changes arrives", async () =>
					expect(await copied(), mirror.stderr).toBe(`${prefix}${names[1]}\ntwo\n${prefix}${names[2]}\nthree\n`),
				);
				expect((await etcdctl(target.endpoints, ["get", `${prefix}other`])).stdout).toBe("");
			} finally {
				await mirror.end();
			}
		});
	});

	// 3.4 answers Alarm without a header, 3.6 with one. Of what etcdctl disarms one by one it prints the alarms alone.
	test.each([["list"], ["disarm"]])("alarm %s -w json", async (command) => {
		const [mine, reference] = await both(["alarm", command, "-w", "json"]);
		const { header, ...rest } = JSON.parse(mine.stdout) as { header?: { revision: number } };
		if (command === "list") expect(header?.revision).toBeGreaterThan(1);
		expect([mine.status, rest]).toEqual([reference.status, JSON.parse(reference.stdout)]);
	});

	test("a learner is added, not promoted, renamed and removed, each answer as JSON", async () => {
		const ids = new Map<ProcessCluster, string>();
		const urls = (port: number): string => `--peer-urls=http://127.0.0.1:${port}`;
		for (const [command, ...flags] of [
			["add", "more", "--learner", urls(1)],
			["promote", "{member}"],
			["update", "{member}", urls(2)],
			["list"],
			["remove", "{member}"],
			["list"],
		]) {
			const [mine, reference] = await Promise.all(
				[ours, theirs].map(async (cluster) => {
					const args = flags.map((flag) => flag.replace("{member}", ids.get(cluster) ?? ""));
					const ask = (): Promise<ToolResult> => etcdctl(cluster.endpoints, ["member", command as string, ...args, "-w", "json"]);
					// Members that have met one another only just now add nobody.
					const result = await eventually("an answer of a healthy cluster", async () => {
						const answer = await ask();
						expect(answer.stderr).not.toContain("unhealthy cluster");
						return answer;
					});
					const added = /"member":\{"ID":(\d+)/.exec(result.stdout)?.[1];
					if (command === "add" && added !== undefined) ids.set(cluster, BigInt(added).toString(16));
					return result;
				}),
			);
			expect(ids.size).toBe(2);
			// etcd 3.4 forgets here that it is a learner; ours does not.
			if (command === "update") expect(mine?.stdout).toContain('"isLearner":true');
			const alike = (text: string): string => (command === "add" ? text : text.replace(',"isLearner":true', ""));
			const shown = ({ stdout, stderr }: ToolResult): string[] => [
				normaliseOutput(alike(stdout).replaceAll(/127\.0\.0\.1:\d\d+/g, "ADDRESS")),
				...[...stderr.matchAll(/etcdserver: [^"\\)\n]*/g)].map(([found]) => found),
			];
			expect([command, mine?.status, shown(mine as ToolResult)]).toEqual([command, reference?.status, shown(reference as ToolResult)]);
			expect([command, mine?.status]).toEqual([command, command === "promote" ? 1 : 0]);
		}
	});

	test("move-leader -w json", async () => {
		const moved = async (cluster: ProcessCluster): Promise<ToolResult> => {
			const { stdout } = await etcdctl(cluster.endpoints, ["endpoint", "status", "-w", "fields"]);
			const ids = [...stdout.matchAll(/^"MemberID" : (\d+)$/gm)].map(([, id]) => id as string);
			const leader = /^"Leader" : (\d+)$/m.exec(stdout)?.[1];
			const other = ids.find((id) => id !== leader);
			if (leader === undefined || other === undefined) throw new Error(`nobody leads: ${stdout}`);
			return etcdctl(cluster.endpoints, ["move-leader", BigInt(other).toString(16), "-w", "json"]);
		};
		const [mine, reference] = [await moved(ours), await moved(theirs)];
		expect([mine.status, mine.stdout, mine.stderr]).toEqual([0, reference.stdout, ""]);
		expect([reference.status, reference.stdout]).toEqual([0, "{}\n"]);
	});
});
