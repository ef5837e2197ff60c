/** etcdctl changes the members of clusters of real processes: who is removed ends for good, the others go on. */

import { freePorts } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClusterMember, ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { etcdctl, haveProgram, runTool, type ToolResult } from "../src/process/tools.ts";
import { eventually, pause } from "../src/process/wait.ts";

const REMOVED = "the member has been permanently removed from the cluster";
/** Reached only by a process that would never end, on a machine as busy as may be. */
const END_MS = 120_000;

interface Listed {
	readonly ID: string;
	readonly name: string;
	readonly peerURLs: readonly string[];
}

const at = (member: ClusterMember): string => member.clientUrl.slice("http://".length);

const words = ({ stderr }: ToolResult): string => stderr.trim();
const addAtOnce = (member: ClusterMember, url: string, ...more: string[]): Promise<ToolResult> =>
	etcdctl(at(member), ["member", "add", "newcomer", `--peer-urls=${url}`, ...more]);
const add = (...args: Parameters<typeof addAtOnce>): Promise<ToolResult> => onceSteady(() => addAtOnce(...args));
const idIn = ({ stdout }: ToolResult): string => /^Member +([0-9a-f]+) added/.exec(stdout)?.[1] as string;

/** A change is refused while connections are younger than five seconds: it is asked for until they are steady. */
function onceSteady(ask: () => Promise<ToolResult>): Promise<ToolResult> {
	return eventually("steady connections", async () => {
		const result = await ask();
		if (!words(result).includes("etcdserver: unhealthy cluster")) return result;
		// Those that wait are many, and each question is a process.
		await pause(400);
		throw new Error(words(result));
	});
}

async function list(member: ClusterMember): Promise<readonly Listed[]> {
	const { stdout, stderr, status } = await etcdctl(at(member), ["member", "list"]);
	if (status !== 0) throw new Error(stderr);
	return stdout
		.trim()
		.split("\n")
		.map((line) => line.split(", "))
		.map(([ID = "", , name = "", peerURLs = ""]) => ({ ID, name, peerURLs: peerURLs.split(",") }));
}

/** Names become known a moment after the start. */
function idOf(member: ClusterMember, asked: ClusterMember = member): Promise<string> {
	return eventually(`the id of ${member.name}`, async () => {
		const found = (await list(asked)).find(({ name }) => name === member.name);
		if (found === undefined) throw new Error(`${member.name} is not listed`);
		return found.ID;
	});
}

const remove = (through: ClusterMember, id: string): Promise<ToolResult> =>
	onceSteady(() => etcdctl(at(through), ["member", "remove", id]));

async function leader(among: readonly ClusterMember[]): Promise<ClusterMember> {
	return eventually("a leader", async () => {
		for (const member of among) {
			const { stdout } = await etcdctl(at(member), ["endpoint", "status", "-w", "json"]);
			const [shown] = JSON.parse(stdout) as Array<{ Status: { header: { member_id: number }; leader: number } }>;
			if (shown !== undefined && shown.Status.leader === shown.Status.header.member_id) return member;
		}
		throw new Error("nobody leads");
	});
}

async function works(member: ClusterMember, value: string): Promise<void> {
	await eventually("a write and a read", async () => {
		const put = await etcdctl(at(member), ["put", "k", value]);
		if (put.status !== 0) throw new Error(put.stderr);
	});
	const got = await etcdctl(at(member), ["get", "k", "--print-value-only"]);
	expect(got.stdout).toBe(`${value}\n`);
}

/** Ends by itself with status 0, says why, and is gone for good. */
async function endsForGood(member: ClusterMember): Promise<void> {
	const { process } = member;
	const how = await Promise.race([process.exited(), pause(END_MS).then(() => "still running")]);
	expect([member.name, how]).toEqual([member.name, 0]);
	expect(process.tail).toContain(`"msg":"server error"`);
	expect(process.tail).toContain(REMOVED);
	expect(process.tail).toContain("data-dir used by this member must be removed");
	process.spawn();
	expect(await Promise.race([process.exited(), pause(END_MS).then(() => "still running")])).toBe(0);
	expect(process.tail).toContain(REMOVED);
}

/** etcdctl looks at addresses itself; the server is reached without it. */
async function post(member: ClusterMember, path: string, body: unknown): Promise<Record<string, unknown>> {
	const { stdout } = await runTool("curl", ["-sS", "-d", JSON.stringify(body), `${member.clientUrl}${path}`]);
	return JSON.parse(stdout) as Record<string, unknown>;
}

/** What move-leader says to a follower, to a stranger, to the leader itself and through a follower alone, with ids by role. */
async function moves({ members, endpoints }: ProcessCluster): Promise<unknown[]> {
	const from = await leader(members);
	const [to, third] = members.filter((member) => member !== from) as [ClusterMember, ClusterMember];
	const ids = new Map([
		[await idOf(from), "<from>"],
		[await idOf(to), "<to>"],
	]);
	const [fromId, toId] = [...ids.keys()] as [string, string];
	const masked = (text: string): string => text.replace(/:\d{5}/g, ":<port>").replace(/[0-9a-f]{12,16}/g, (id) => ids.get(id) ?? id);
	const said: unknown[] = [];
	for (const [where, target] of [
		[endpoints, "1234"],
		[endpoints, fromId],
		[endpoints, toId],
		[endpoints, toId],
		[at(third), fromId],
	] as const) {
		const { status, stdout, stderr } = await etcdctl(where, ["move-leader", target]);
		said.push([
			status,
			masked(stdout),
			masked(
				stderr
					.split("\n")
					.filter((line) => !line.startsWith("{"))
					.join("\n"),
			),
		]);
	}
	return said;
}

/** Most of their time is waiting for connections to be steady and for processes to start: each has a cluster of its own, and they wait together. */
describe.skipIf(!haveProgram("etcdctl"))("members that leave, by etcdctl (needs Debian's etcd-client)", { concurrent: true }, () => {
	test("SC-067 SC-072 a follower is removed through another member: it exits with 0, never comes back, its id is never found again", async () => {
		await using cluster = await ProcessCluster.start();
		const first = await leader(cluster.members);
		const [victim, other] = cluster.members.filter((member) => member !== first) as [ClusterMember, ClusterMember];
		const id = await idOf(victim);
		const removed = await remove(other, id);
		expect([removed.status, removed.stdout]).toEqual([0, expect.stringMatching(`^Member +${id} removed from cluster +[0-9a-f]+\n$`)]);
		await endsForGood(victim);
		for (const member of [first, other]) {
			await cluster.caughtUp(cluster.members.indexOf(member));
			expect((await list(member)).map(({ ID }) => ID)).not.toContain(id);
			await works(member, `after ${member.name}`);
		}
		const again = await remove(other, id);
		expect([again.status, words(again)]).toEqual([1, expect.stringContaining("etcdserver: member not found")]);
	});

	test("the leader is removed through itself: it answers and exits, another one leads, down to one member that stays", async () => {
		await using cluster = await ProcessCluster.start();
		const first = await leader(cluster.members);
		const id = await idOf(first);
		const removed = await remove(first, id);
		expect([removed.status, removed.stderr]).toEqual([0, ""]);
		await endsForGood(first);
		const left = cluster.members.filter((member) => member !== first);
		const second = await leader(left);
		await works(second, "two are left");
		const last = left.find((member) => member !== second) as ClusterMember;
		expect((await remove(last, await idOf(second))).status).toBe(0);
		await endsForGood(second);
		await works(last, "one is left");
		const never = await remove(last, await idOf(last));
		expect([never.status, words(never)]).toEqual([1, expect.stringContaining("re-configuration failed due to not enough started members")]);
		// The last one starts alone, with what it has.
		expect(await last.process.kill("SIGKILL")).toBe("SIGKILL");
		await last.process.start();
		expect((await list(last)).map(({ name }) => name)).toEqual([last.name]);
		await works(last, "and starts again");
	});

	test("SC-105 a member that did not run when it was removed is told at its next start, also by members started anew", async () => {
		await using cluster = await ProcessCluster.start();
		const first = await leader(cluster.members);
		const victim = cluster.members.find((member) => member !== first) as ClusterMember;
		const id = await idOf(victim);
		await victim.process.kill("SIGKILL");
		await eventually("removal", async () => {
			const removed = await etcdctl(at(first), ["member", "remove", id]);
			if (removed.status !== 0) throw new Error(removed.stderr);
		});
		const left = cluster.members.filter((member) => member !== victim);
		for (const member of left) await member.process.kill("SIGKILL");
		await Promise.all(left.map((member) => member.process.start()));
		await works(first, "without it");
		victim.process.spawn();
		await endsForGood(victim);
		await works(first, "still");
	});

	test("a single member hands everything to one that is added, and leaves", async () => {
		await using cluster = await ProcessCluster.start({ size: 1 });
		const [old] = cluster.members as [ClusterMember];
		await works(old, "from before");
		const there = await cluster.newcomer("newcomer");
		const added = await add(old, there.peerUrl);
		expect([added.status, added.stderr]).toEqual([0, ""]);
		for (const { name, peerUrl } of [old, there]) expect(added.stdout).toContain(`${name}=${peerUrl}`);
		try {
			await there.process.start();
			expect((await remove(there, await idOf(old))).status).toBe(0);
			await endsForGood(old);
			expect((await etcdctl(at(there), ["get", "k", "--print-value-only"])).stdout).toBe("from before\n");
			await works(there, "and after");
			expect((await list(there)).map(({ name }) => name)).toEqual(["newcomer"]);
		} finally {
			await there.process.dispose();
		}
	});

	test("without a quorum a change waits until its client gives up; the check can be switched off", async () => {
		await using cluster = await ProcessCluster.start({ flags: ["--strict-reconfig-check=false"] });
		const [a, b, c] = cluster.members as [ClusterMember, ClusterMember, ClusterMember];
		const id = await idOf(c);
		await b.process.kill("SIGKILL");
		await c.process.kill("SIGKILL");
		const started = performance.now();
		const waited = await etcdctl(at(a), ["--command-timeout=2s", "member", "remove", id]);
		expect([waited.status, words(waited)]).toEqual([1, expect.stringMatching("context deadline exceeded|request timed out")]);
		expect(performance.now() - started).toBeGreaterThan(1_900);
		await b.process.start();
		await eventually("removal", async () => {
			const removed = await etcdctl(at(a), ["member", "remove", id]);
			if (removed.status !== 0 && !removed.stderr.includes("member not found")) throw new Error(removed.stderr);
		});
		c.process.spawn();
		await endsForGood(c);
	});
});

describe.skipIf(!haveProgram("etcdctl"))("changes of the members by etcdctl, on one cluster (needs Debian's etcd-client)", () => {
	let cluster: ProcessCluster;

	beforeAll(async () => {
		cluster = await ProcessCluster.start({ flags: STAYS });
	});
	afterAll(() => cluster?.dispose());

	test("additions: what they print, and every reason to refuse one", async () => {
		const [a, b] = cluster.members as [ClusterMember, ClusterMember];
		const [port = 0, other = 0] = await freePorts(2);
		// Where this machine took longer than their youth, connections are made anew.
		await eventually("a refusal while connections are young", async () => {
			const early = await addAtOnce(a, `http://127.0.0.1:${port}`);
			if (early.status === 0) {
				expect((await remove(a, idIn(early))).status).toBe(0);
				const last = cluster.member(2).process;
				await last.kill("SIGKILL");
				await last.start();
			}
			expect(words(early)).toContain("etcdserver: unhealthy cluster");
		});
		expect(await post(a, "/v3/cluster/member/add", { peerURLs: ["http://127.0.0.1"] })).toMatchObject({
			code: 3,
			message: "etcdserver: given member URLs are invalid",
		});
		expect(words(await add(a, b.peerUrl))).toContain("etcdserver: Peer URLs already exists");
		const added = await add(b, `http://127.0.0.1:${port}`, "--learner");
		expect([added.status, added.stderr]).toEqual([0, ""]);
		expect(added.stdout).toMatch(/^Member +[0-9a-f]+ added to cluster +[0-9a-f]+\n\nETCD_NAME="newcomer"\n/);
		for (const { name, peerUrl } of cluster.members) expect(added.stdout).toContain(`${name}=${peerUrl}`);
		expect(added.stdout).toContain(`newcomer=http://127.0.0.1:${port}`);
		expect(added.stdout).toContain('ETCD_INITIAL_CLUSTER_STATE="existing"');
		expect(words(await add(a, `http://127.0.0.1:${other}`, "--learner"))).toContain("etcdserver: too many learner members in cluster");
		const id = idIn(added);
		const promote = (which: string): Promise<ToolResult> => etcdctl(at(a), ["member", "promote", which]);
		expect(words(await promote(id))).toContain("etcdserver: can only promote a learner member which is in sync with leader");
		expect(words(await promote(await idOf(b)))).toContain("etcdserver: can only promote a learner member");
		expect(words(await promote("1234"))).toContain("etcdserver: member not found");
		expect((await remove(a, id)).status).toBe(0);
		await works(b, "nobody came");
	});

	test("leadership moves to the named member, and is refused to strangers and through followers", async () => {
		const first = await leader(cluster.members);
		const next = cluster.members.find((member) => member !== first) as ClusterMember;
		const id = await idOf(next);
		const moved = await etcdctl(cluster.endpoints, ["move-leader", id]);
		expect([moved.status, moved.stdout]).toEqual([0, `Leadership transferred from ${await idOf(first)} to ${id}\n`]);
		expect(await leader(cluster.members)).toBe(next);
		const same = await etcdctl(cluster.endpoints, ["move-leader", id]);
		expect([same.status, same.stderr]).toEqual([0, ""]);
		const stranger = await etcdctl(cluster.endpoints, ["move-leader", "1234"]);
		expect([stranger.status, words(stranger)]).toEqual([expect.any(Number), expect.stringContaining("etcdserver: bad leader transferee")]);
		const body = { targetID: BigInt(`0x${id}`).toString() };
		expect(await post(first, "/v3/maintenance/transfer-leadership", body)).toMatchObject({ code: 9, message: "etcdserver: not leader" });
		const back = { targetID: BigInt(`0x${await idOf(first)}`).toString() };
		expect(await post(next, "/v3/maintenance/transfer-leadership", back)).toEqual({});
		expect(await leader(cluster.members)).toBe(first);
	});

	test.skipIf(!haveProgram("etcd"))("leadership moves as a real etcd's does: the same words and statuses for each target", async () => {
		await using reference = await ProcessCluster.start({ program: "etcd", flags: STAYS });
		const said = await Promise.all([cluster, reference].map((each) => moves(each)));
		expect(said[0]).toEqual(said[1]);
		expect(said[0]).toHaveLength(5);
	});

	test("the JSON gateway lists, adds and removes members", async () => {
		const [a] = cluster.members as [ClusterMember];
		const [port = 0] = await freePorts(1);
		const added = await eventually("steady connections", async () => {
			const answer = await post(a, "/v3/cluster/member/add", { peerURLs: [`http://127.0.0.1:${port}`], isLearner: true });
			if (answer.member === undefined) throw new Error(JSON.stringify(answer));
			return answer;
		});
		const { ID } = added.member as { ID: string };
		expect(added).toMatchObject({ member: { peerURLs: [`http://127.0.0.1:${port}`], isLearner: true } });
		expect(added.header as object satisfies object).not.toHaveProperty("revision");
		const removed = await post(a, "/v3/cluster/member/remove", { ID });
		expect((removed.members as unknown[]).length).toBe(3);
		expect(await post(a, "/v3/cluster/member/remove", { ID })).toMatchObject({ code: 5, message: "etcdserver: member not found" });
	});

	test("a learner's life: added, told apart, refused as leader and before it caught up, promoted, and a voter like the others", async () => {
		const first = await leader(cluster.members);
		const there = await cluster.newcomer("newcomer");
		const added = await add(first, there.peerUrl, "--learner");
		const id = idIn(added);
		const promote = (): Promise<ToolResult> => etcdctl(at(first), ["member", "promote", id]);
		expect(words(await promote())).toContain("etcdserver: can only promote a learner member which is in sync with leader");
		try {
			await there.process.start();
			const { stdout } = await etcdctl([at(first), at(there)], ["endpoint", "status", "-w", "json"]);
			const shown = JSON.parse(stdout) as Array<{ Status: { isLearner?: boolean } }>;
			expect(shown.map(({ Status }) => Status.isLearner ?? false)).toEqual([false, true]);
			const moved = await etcdctl(cluster.endpoints, ["move-leader", id]);
			expect([moved.status, words(moved)]).toEqual([expect.any(Number), expect.stringContaining("etcdserver: bad leader transferee")]);
			const refused = await etcdctl(at(there), ["put", "k", "v"]);
			expect(words(refused)).toContain("etcdserver: rpc not supported for learner");
			const serializable = await etcdctl(at(there), ["get", "k", "--consistency=s"]);
			expect(serializable.status).toBe(0);
			await eventually("promotion", async () => {
				const promoted = await promote();
				if (promoted.status !== 0) throw new Error(promoted.stderr);
				expect(promoted.stdout).toMatch(new RegExp(`^Member +${id} promoted in cluster +[0-9a-f]+\n$`));
			});
			expect(words(await promote())).toContain("etcdserver: can only promote a learner member");
			await works(there, "through the new voter");
			const now = await etcdctl([...cluster.endpoints, at(there)], ["move-leader", id]);
			expect([now.status, now.stderr]).toEqual([0, ""]);
			const health = await etcdctl([...cluster.endpoints, at(there)], ["endpoint", "health", "--cluster"]);
			expect(`${health.stdout}${health.stderr}`.match(/is healthy/g)).toHaveLength(4);
			expect((await remove(first, id)).status).toBe(0);
			await endsForGood(there);
		} finally {
			await there.process.dispose();
		}
	});

	test("addresses are updated as they are given, unless another member has them", async () => {
		const [a, b] = cluster.members as [ClusterMember, ClusterMember];
		const id = await idOf(b, a);
		const odd = await post(a, "/v3/cluster/member/update", { ID: BigInt(`0x${id}`).toString(), peerURLs: ["nonsense"] });
		expect((odd.members as unknown[]).length).toBe(3);
		for (const member of cluster.members) {
			await eventually("all know", async () => expect((await list(member)).find(({ ID }) => ID === id)?.peerURLs).toEqual(["nonsense"]));
		}
		const taken = await etcdctl(at(a), ["member", "update", id, `--peer-urls=${a.peerUrl}`]);
		expect([taken.status, words(taken)]).toEqual([1, expect.stringContaining("etcdserver: Peer URLs already exists")]);
		const moved = await etcdctl(at(a), ["member", "update", id, `--peer-urls=${b.peerUrl}`]);
		expect([moved.status, moved.stdout]).toEqual([0, expect.stringMatching(`^Member +${id} updated in cluster +[0-9a-f]+\n$`)]);
		expect(words(await etcdctl(at(a), ["member", "update", "1234", "--peer-urls=http://x:1"]))).toContain("etcdserver: member not found");
		await works(b, "reached again");
	});
});
