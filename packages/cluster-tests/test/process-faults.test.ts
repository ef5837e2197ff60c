/** What the operating system can do to real processes: stop them and let them go on, and put an old data folder back. */
import { cp, readFile, rm } from "node:fs/promises";
import { afterEach, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { eventually, pause } from "../src/process/wait.ts";

/** For a machine that does much else. */
const PATIENCE_MS = 120_000;

describe("real processes", () => {
	let cluster: ProcessCluster;
	let clients: Map<ClusterMember, KvClient>;

	afterEach(async () => {
		for (const client of clients?.values() ?? []) client.close();
		await cluster?.dispose();
	});

	async function started(flags: readonly string[] = []): Promise<void> {
		cluster = await ProcessCluster.start({ flags });
		clients = new Map(cluster.members.map((member) => [member, new KvClient(member.clientUrl.slice("http://".length))]));
	}

	const at = (member: ClusterMember): KvClient => clients.get(member) as KvClient;

	/** Who leads, as one of these members sees it. */
	async function leader(among: readonly ClusterMember[]): Promise<{ member: ClusterMember; term: string }> {
		return eventually(
			"a leader",
			async () => {
				for (const member of among) {
					const { header, leader: id } = await at(member).status({ timeoutMs: 2_000 });
					if (id === header.member_id) return { member, term: header.raft_term };
				}
				throw new Error("nobody leads");
			},
			PATIENCE_MS,
		);
	}

	async function put(member: ClusterMember, value: string): Promise<void> {
		await eventually(`writing ${value}`, () => at(member).put("k", value, { timeoutMs: 3_000 }), PATIENCE_MS);
	}

	test("SC-020 three processes that start elect without waiting for an election timeout", async () => {
		// Which would be 50 s at least; a start that takes 30 s fails.
		await started(["--heartbeat-interval=5000", "--election-timeout=50000"]);
		await leader(cluster.members);
	});

	test("SC-040 a leader that is stopped while another one writes shows no old value when it goes on", async () => {
		await started();
		const { member: old } = await leader(cluster.members);
		const others = cluster.members.filter((member) => member !== old);
		await put(old, "before");
		expect((await at(old).range("k")).kvs[0]?.value.toString()).toBe("before");
		await old.process.kill("SIGSTOP");
		await put(others[0] as ClusterMember, "after");
		// The question waits in the socket of the stopped process; it answers as soon as it runs.
		const asked = at(old).range("k", {}, { timeoutMs: 30_000 });
		await old.process.kill("SIGCONT");
		// It may be a time-out; what is answered is never the old value.
		const answer = await asked.catch(() => eventually("an answer", () => at(old).range("k", {}, { timeoutMs: 10_000 }), PATIENCE_MS));
		expect(answer.kvs[0]?.value.toString()).toBe("after");
	});

	/** Stops a member for `ms` as a stalled event loop would; then whether the leader and its term are what they were. */
	async function stall(who: "leader" | "follower", ms: number): Promise<boolean> {
		const before = await leader(cluster.members);
		const victim = cluster.members.find((member) => (member === before.member) === (who === "leader")) as ClusterMember;
		const other = cluster.members.find((member) => member !== victim && member !== before.member) as ClusterMember;
		await victim.process.kill("SIGSTOP");
		await pause(ms);
		await victim.process.kill("SIGCONT");
		// Whoever leads now: a write through another member is there for a read at the one that stood still.
		await put(other, `behind the ${who}`);
		const answer = await eventually("an answer", () => at(victim).range("k", {}, { timeoutMs: 10_000 }), PATIENCE_MS);
		expect(answer.kvs[0]?.value.toString()).toBe(`behind the ${who}`);
		const after = await leader(cluster.members);
		return after.term === before.term && after.member === before.member;
	}

	test("SC-108 an event loop stands still: a follower's calls no election afterwards, a short one of the leader costs it nothing", async () => {
		await started();
		// A machine that does much else may cost an election of its own; one that comes each time is the stall's.
		const calm = async (who: "leader" | "follower", ms: number): Promise<boolean> => {
			const deadline = performance.now() + PATIENCE_MS;
			while (performance.now() < deadline) if (await stall(who, ms)) return true;
			return false;
		};
		expect(await calm("follower", 1_500)).toBe(true);
		expect(await calm("leader", 500)).toBe(true);
		// Beyond the election time-out either may lead; what matters is the read behind it.
		await stall("leader", 1_500);
	});

	test("SC-124 a clean stop of the leader: its office is handed over, no write fails, and its log begins again without repairs", async () => {
		await started();
		const { member: stopping, term } = await leader(cluster.members);
		const others = cluster.members.filter((member) => member !== stopping);
		let running = true;
		const acknowledged: string[] = [];
		const writers = others.map(async (member, id) => {
			for (let n = 0; running; n++) {
				// One that fails ends the test: at those that stay nobody may notice.
				await at(member).put(`w${id}/${n}`, "x", { timeoutMs: 30_000 });
				acknowledged.push(`w${id}/${n}`);
			}
		});
		await eventually("some writes", async () => expect(acknowledged.length).toBeGreaterThan(20), PATIENCE_MS);
		expect(await stopping.process.kill("SIGTERM")).toBe("SIGTERM");
		const count = acknowledged.length;
		await eventually("writes go on", async () => expect(acknowledged.length).toBeGreaterThan(count + 20), PATIENCE_MS);
		running = false;
		await Promise.all(writers);
		// Handed over in one election, not left to time-outs: the next term is that of one who was asked to take over.
		await leader(others);
		await eventually("the successor was asked", async () => {
			const logs = await Promise.all(others.map(({ process }) => readFile(process.spec.logFile, "utf8")));
			const campaigns = logs
				.flatMap((log) => log.split("\n").slice(0, -1))
				.filter((line) => line.startsWith("{"))
				.map((line) => JSON.parse(line) as { readonly event?: string; readonly term?: number; readonly reason?: string })
				.filter((line) => line.event === "becameCandidate" && line.term === Number(term) + 1);
			expect(campaigns.map(({ reason }) => reason)).toEqual(["transfer"]);
		});
		const recovered = stopping.process.waitForLine((line) => line.includes('"event":"recovered"'), PATIENCE_MS);
		await stopping.process.start(PATIENCE_MS);
		expect(JSON.parse(await recovered)).toMatchObject({ made: false, "clean-stop": true });
		expect(stopping.process.tail).not.toContain("walTornTail");
		const held = await at(stopping).everything({ keys_only: true }, { timeoutMs: 30_000 });
		const keys = new Set(held.kvs.map(({ key }) => key.toString()));
		expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
	});

	async function shows(member: ClusterMember, value: string): Promise<void> {
		const look = async (): Promise<void> => {
			const found = await at(member).range("k", { serializable: true }, { timeoutMs: 2_000 });
			expect(found.kvs[0]?.value.toString()).toBe(value);
		};
		await eventually(`${value} at ${member.dataDir}`, look, PATIENCE_MS);
	}

	/** A copy of its folder, made between two of its process lives. */
	async function copied(member: ClusterMember): Promise<string> {
		const copy = `${member.dataDir}.copy`;
		await member.process.kill("SIGTERM");
		await cp(member.dataDir, copy, { recursive: true });
		await member.process.start(PATIENCE_MS);
		return copy;
	}

	async function putBack(member: ClusterMember, copy: string): Promise<void> {
		await member.process.kill("SIGTERM");
		await rm(member.dataDir, { recursive: true });
		await cp(copy, member.dataDir, { recursive: true });
		member.process.spawn();
	}

	async function ends({ process }: ClusterMember): Promise<void> {
		const over = async (): Promise<number | string> => {
			if (process.running) throw new Error("it runs");
			return process.exited();
		};
		expect(await eventually("an end", over, PATIENCE_MS)).not.toBe(0);
	}

	test("SC-094 an old copy of a data folder is put back: the member finds that it has lost what it acknowledged, says so, and ends", async () => {
		await started();
		const { member: leads } = await leader(cluster.members);
		const follower = cluster.members.find((member) => member !== leads) as ClusterMember;
		await put(leads, "early");
		const copy = await copied(follower);
		await put(leads, "late");
		// It has acknowledged this one when it can show it.
		await shows(follower, "late");
		await putBack(follower, copy);
		await ends(follower);
		// By the leader that has the acknowledgement; after an election by its own announcement.
		expect(follower.process.tail).toMatch(/this member has lost entries that it acknowledged|this member has run with a newer data folder/);
		await put(leads, "goes on");
	});

	test("SC-094 an old copy that nobody remembers better: the member knows by its own announcement, and ends at each start", async () => {
		await started();
		const { member: leads } = await leader(cluster.members);
		const [old, other] = cluster.members.filter((member) => member !== leads) as [ClusterMember, ClusterMember];
		await put(leads, "early");
		const copy = await copied(old);
		await put(leads, "late");
		await shows(other, "late");
		await shows(old, "late");
		await leads.process.kill("SIGKILL");
		await other.process.kill("SIGKILL");
		await putBack(old, copy);
		other.process.spawn();
		for (const _ of [1, 2]) {
			await ends(old);
			expect(old.process.tail).toContain("this member has run with a newer data folder");
			old.process.spawn();
		}
		await ends(old);
	});
});
