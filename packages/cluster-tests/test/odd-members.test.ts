/**
 * Odd arguments of member add, update, promote and remove, asked of flotilla and, in the same order, of a real etcd: status and words
 * must be equal to the letter but for ids and addresses. `curl` asks past the checks that etcdctl makes by itself.
 */
import { freePorts } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leaderOf } from "../src/bench/leader-of.ts";
import { ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { normaliseText, quoteLargeNumbers } from "../src/process/normalise.ts";
import { etcdctl, haveProgram, runTool } from "../src/process/tools.ts";
import { eventually, pause } from "../src/process/wait.ts";

const haveTools = ["etcd", "etcdctl", "curl"].every(haveProgram);
/** Connections count as steady after this long. */
const STEADY_MS = 5_500;
const YOUNG_ROUNDS = 8;
const A_SECOND_MS = 1_050;

/** `{m2.id}`, `{m2.peer}`: of that member; `{learner}`: the id of the one that is there; `{free}` and `{other}`: ports nobody uses. */
type Step = readonly [command: string, ...args: string[]];

const NOBODY = "c0ffee";
const REFUSED: readonly Step[] = [
	["add"],
	["add", "newcomer"],
	["add", "newcomer", "another", "--peer-urls=http://127.0.0.1:{free}"],
	["add", "", "--peer-urls=http://127.0.0.1"],
	["add", "newcomer", "--peer-urls="],
	["add", "newcomer", "--peer-urls=,"],
	...[
		"nonsense",
		"127.0.0.1:{free}",
		"http://127.0.0.1",
		"http://127.0.0.1:-1",
		"http://127.0.0.1:{free}x",
		"http://127.0.0.1:{free}/path",
		"ftp://127.0.0.1:{free}",
		"http://127.0.0.1:{free},nonsense",
		"http://[::1",
		"http://127.0.0.1:{free} http://127.0.0.1:{other}",
		"{m2.peer}",
		"http://127.0.0.1:{free},{m2.peer}",
		"{m1.peer},{m2.peer}",
	].flatMap((urls): Step[] => [
		["add", "newcomer", `--peer-urls=${urls}`],
		["add", "newcomer", "--learner", `--peer-urls=${urls}`],
	]),
	["update"],
	["update", "{m2.id}"],
	["update", NOBODY],
	["update", NOBODY, "--peer-urls=http://127.0.0.1:{free}"],
	["update", NOBODY, "--peer-urls={m1.peer}"],
	["update", "no-number", "--peer-urls=http://127.0.0.1:{free}"],
	["update", "-1", "--peer-urls=http://127.0.0.1:{free}"],
	["update", "0", "--peer-urls=http://127.0.0.1:{free}"],
	["update", "11112222333344445", "--peer-urls=http://127.0.0.1:{free}"],
	["update", "{m2.id}", "{m3.id}", "--peer-urls=http://127.0.0.1:{free}"],
	["update", "{m2.id}", "--peer-urls={m1.peer}"],
	["update", "{m2.id}", "--peer-urls={m2.peer},{m3.peer}"],
	["promote"],
	["promote", NOBODY],
	["promote", "no-number"],
	["promote", "0"],
	["promote", "{m1.id}", "{m2.id}"],
	["promote", "{m1.id}"],
	["promote", "{m3.id}"],
	["remove"],
	["remove", NOBODY],
	["remove", "no-number"],
	["remove", "0"],
	["remove", "0x1"],
	["remove", "{m1.id}", "{m2.id}"],
];

/** Each goes on from what those before it have left. */
const STORY: readonly Step[] = [
	// What nobody can reach is taken all the same.
	...["http://127.0.0.1:", "http://127.0.0.1:99999", "HTTP://127.0.0.1:{free}", "http://who@127.0.0.1:{free}?what#where"].flatMap(
		(url): Step[] => [
			["add", "odd", "--learner", `--peer-urls=${url}`],
			["remove", "{learner}"],
		],
	),
	["add", "a name with spaces", "--learner", "--peer-urls=http://127.0.0.1:{free}"],
	["add", "another", "--learner", "--peer-urls=http://127.0.0.1:{other}"],
	["add", "another", "--learner", "--peer-urls=http://127.0.0.1:{free}"],
	["add", "another", "--peer-urls=http://127.0.0.1:{free}"],
	["promote", "{learner}"],
	["update", "{learner}", "--peer-urls={m1.peer}"],
	["update", "{m3.id}", "--peer-urls=http://127.0.0.1:{free}"],
	["remove", "{learner}"],
	["remove", "{learner}"],
	["promote", "{learner}"],
	["update", "{learner}", "--peer-urls=http://127.0.0.1:{free}"],
	["add", "newcomer", "--learner", "--peer-urls=http://127.0.0.1:{free},http://127.0.0.1:{other}"],
	["remove", "{learner}"],
	// From here on etcd counts its connections to that member as young.
	["update", "{m2.id}", "--peer-urls={m2.peer},{m2.peer}"],
	["update", "{m2.id}", "--peer-urls=http://127.0.0.1:{other},{m2.peer},http://127.0.0.1:{free}"],
	["update", "{m2.id}", "--peer-urls={m2.peer}"],
];

const POSTED: ReadonlyArray<readonly [path: string, body: object]> = [
	["add", {}],
	["add", { peerURLs: [] }],
	["add", { peerURLs: [""] }],
	["add", { peerURLs: ["http://127.0.0.1"], isLearner: true }],
	["add", { peerURLs: ["{m1.peer}"] }],
	["update", {}],
	["update", { ID: "1" }],
	["update", { ID: "0", peerURLs: ["http://127.0.0.1:{free}"] }],
	["update", { ID: "18446744073709551615", peerURLs: [] }],
	["remove", {}],
	["remove", { ID: "18446744073709551615" }],
	["promote", {}],
	["promote", { ID: "12345" }],
];

const LONE: readonly Step[] = [
	["remove", "{m1.id}"],
	["promote", "{m1.id}"],
	["update", "{m1.id}", "--peer-urls={m1.peer}"],
	["add", "newcomer", "--peer-urls={m1.peer}"],
];

describe.skipIf(!haveTools)("odd changes of the members, beside a real etcd (needs Debian's etcd-client, etcd-server and curl)", () => {
	let pairs: { readonly three: readonly Side[]; readonly lone: readonly Side[] };
	let clusters: ProcessCluster[] = [];

	beforeAll(async () => {
		const start = (size: number): Promise<ProcessCluster[]> =>
			Promise.all([ProcessCluster.start({ size, flags: STAYS }), ProcessCluster.start({ size, program: "etcd", flags: STAYS })]);
		const [three, lone, ports] = await Promise.all([start(3), start(1), freePorts(2)]);
		clusters = [...three, ...lone];
		const sides = (of: readonly ProcessCluster[]): Promise<Side[]> => Promise.all(of.map((cluster) => Side.of(cluster, ports)));
		pairs = { three: await sides(three), lone: await sides(lone) };
		// Somebody else is given an address below, and who leads would be lost by it.
		await Promise.all(pairs.three.map((side) => side.firstLeads()));
		await pause(STEADY_MS);
	});
	afterAll(() => Promise.all(clusters.map((cluster) => cluster.dispose())));

	/** Ours, then theirs, one after the other on each side. */
	async function same<T>(sides: readonly Side[], ask: (side: Side) => Promise<T>): Promise<T> {
		let answers = await Promise.all(sides.map(ask));
		// On a busy machine connections break, and are young again: whoever has refused for that has changed nothing, and is asked again.
		const differ = (): boolean => new Set(answers.map(saysUnhealthy)).size > 1;
		for (let round = 0; round < YOUNG_ROUNDS && differ(); round++) {
			await pause(STEADY_MS);
			answers = await Promise.all(answers.map(async (answer, at) => (saysUnhealthy(answer) ? ask(sides[at] as Side) : answer)));
		}
		const [mine, theirs] = answers;
		expect(mine).toEqual(theirs);
		return mine as T;
	}

	for (const [at, step] of REFUSED.entries()) {
		test(`refused, ${at}: member ${step.join(" ")}`, async () => {
			const told = await same(pairs.three, (side) => side.member(step));
			expect(told.status).not.toBe(0);
		});
	}

	test.each(POSTED)("asked with curl: member/%s %o", async (path, body) => {
		await same(pairs.three, (side) => side.post(path, body));
	});

	test("nothing was changed by any of that", async () => {
		const { stdout } = await same(pairs.three, (side) => side.member(["list"]));
		expect(stdout.split("\n")).toHaveLength(3);
	});

	for (const [at, step] of STORY.entries()) {
		test(`one after the other, ${at}: member ${step.join(" ")}`, async () => {
			// An id is made of addresses and second: those of one that was removed, added again in its second, are refused as its own.
			if (step[0] === "add") await pause(A_SECOND_MS);
			await same(pairs.three, (side) => side.member(step));
			await same(pairs.three, (side) => side.member(["list"]));
		});
	}

	/** etcd's table then holds it as a voter, while its raft goes on without it: no change that asks the table is judged right any more. */
	test("a learner that is given other addresses stays one; etcd forgets that it is", async () => {
		const url = "--peer-urls=http://127.0.0.1:{free}";
		const shown = await Promise.all(
			pairs.lone.map(async (side) => {
				await side.member(["add", "newcomer", "--learner", url]);
				await side.member(["update", "{learner}", url]);
				const { stdout } = await side.member(["list"]);
				await side.member(["remove", "{learner}"]);
				return /\{learner\}, .*, (true|false)$/m.exec(stdout)?.[1];
			}),
		);
		expect(shown).toEqual(["true", "false"]);
	});

	for (const step of LONE) {
		test(`of a member that is alone: member ${step.join(" ")}`, async () => {
			await same(pairs.lone, (side) => side.member(step));
			const { stdout } = await same(pairs.lone, (side) => side.member(["list"]));
			expect(stdout.split("\n")).toHaveLength(1);
		});
	}
});

/** One cluster, asked through its first member. */
class Side {
	private readonly cluster: ProcessCluster;
	private readonly words: Map<string, string>;

	private constructor(cluster: ProcessCluster, words: Map<string, string>) {
		this.cluster = cluster;
		this.words = words;
	}

	static async of(cluster: ProcessCluster, [free = 0, other = 0]: readonly number[]): Promise<Side> {
		const words = new Map([
			["{free}", String(free)],
			["{other}", String(other)],
		]);
		for (const { name, peerUrl } of cluster.members) words.set(`{${name}.peer}`, peerUrl);
		const side = new Side(cluster, words);
		for (const [id = "", , name = ""] of await side.list()) words.set(`{${name}.id}`, id);
		return side;
	}

	async member(step: Step): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }> {
		const learner = (await this.list()).find((row) => row.at(-1) === "true")?.[0];
		// One that was removed keeps its name here.
		if (learner !== undefined) this.words.set("{learner}", learner);
		const { status, stdout, stderr } = await etcdctl(this.endpoint, ["member", ...step.map((word) => this.filled(word))]);
		return { status, stdout: this.masked(stdout), stderr: this.masked(withoutLog(stderr)) };
	}

	async firstLeads(): Promise<void> {
		const { clientUrl } = await eventually("a leader", () => leaderOf(this.cluster));
		if (clientUrl === this.cluster.member(0).clientUrl) return;
		const { status, stderr } = await etcdctl(clientUrl, ["move-leader", this.words.get("{m1.id}") as string]);
		expect(status, stderr).toBe(0);
	}

	async post(path: string, body: object): Promise<string> {
		const url = `http://${this.endpoint}/v3/cluster/member/${path}`;
		const { stdout } = await runTool("curl", ["-sS", "-d", this.filled(JSON.stringify(body)), url]);
		const { error, message, code } = JSON.parse(quoteLargeNumbers(stdout)) as Record<string, unknown>;
		return this.masked(JSON.stringify({ error, message, code }));
	}

	private get endpoint(): string {
		return this.cluster.endpoints[0] as string;
	}

	private async list(): Promise<string[][]> {
		const { stdout } = await etcdctl(this.endpoint, ["member", "list"]);
		return stdout
			.trim()
			.split("\n")
			.map((line) => line.split(", "));
	}

	private filled(text: string): string {
		return text.replace(/\{[^{}"]+\}/g, (word) => this.words.get(word) ?? word);
	}

	/** Ids and addresses by what they are of; lists, whose order is that of ids, in the order of their words. */
	private masked(text: string): string {
		let masked = text;
		for (const [word, value] of this.words) if (value !== "") masked = masked.replaceAll(value, word);
		// An id of 15 digits is set off by a blank.
		return normaliseText(masked)
			.replace(/ +(<id>|\{)/g, " $1")
			.replace(/ETCD_INITIAL_CLUSTER="(.*)"/, (_, list: string) => `ETCD_INITIAL_CLUSTER="${list.split(",").sort().join(",")}"`)
			.trimEnd()
			.split("\n")
			.sort()
			.join("\n");
	}
}

function saysUnhealthy(answer: unknown): boolean {
	return JSON.stringify(answer).includes("unhealthy cluster");
}

/** The client's own log lines carry times and request ids. */
function withoutLog(stderr: string): string {
	return stderr
		.split("\n")
		.filter((line) => !line.startsWith("{"))
		.join("\n");
}
