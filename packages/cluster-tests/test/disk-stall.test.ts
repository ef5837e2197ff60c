/**
 * Disks that stand still for a second at each write, in real processes: no election as long as a quorum is healthy. Where a follower's
 * does, nobody waits. Where the leader's does, the others are the quorum: writes through them go on, and only what the leader itself
 * answers from its log waits for its disk.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { SlowLog } from "../src/process/slow-log.ts";
import { haveProgram } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const STALL_MS = 1_000;
const STALLS_MIN = 4;
/** A write that waited for a disk would have one of its writes to itself: so many more writes than those have not. */
const WRITES_AHEAD = 10;
/** Where they do wait, that is never reached. */
const STALLS_MAX = 60;
/** A machine that does much else may cost an election of its own; so many more times with one than without are the stall's. */
const ELECTIONS_AHEAD_MAX = 3;
const canTrace = haveProgram("strace") && process.getuid?.() === 0;

describe.skipIf(!canTrace)("a disk that stalls for a second at each write (needs strace, and root)", () => {
	let cluster: ProcessCluster;
	let clients: Map<ClusterMember, KvClient>;

	beforeAll(async () => {
		cluster = await ProcessCluster.start();
		clients = new Map(cluster.members.map((member) => [member, new KvClient(member.clientUrl.slice("http://".length))]));
	});
	afterAll(async () => {
		for (const client of clients.values()) client.close();
		await cluster.dispose();
	});

	const at = (member: ClusterMember): KvClient => clients.get(member) as KvClient;

	async function leadership(): Promise<{ readonly leader: ClusterMember; readonly term: string }> {
		return eventually("a leader", async () => {
			for (const member of cluster.members) {
				const { header, leader } = await at(member).status({ timeoutMs: 5_000 });
				if (leader === header.member_id) return { leader: member, term: header.raft_term };
			}
			throw new Error("nobody leads");
		});
	}

	/** `place`th of those that do not lead. */
	const follower = (leader: ClusterMember, place = 0): ClusterMember =>
		cluster.members.filter((member) => member !== leader)[place] as ClusterMember;

	/** Whatever it does, most times it costs no election: as soon as those times are more than the others, it is shown. */
	async function inOneTerm(during: (leader: ClusterMember) => Promise<void>): Promise<void> {
		for (let ahead = 0; ahead < ELECTIONS_AHEAD_MAX; ) {
			const before = await leadership();
			await during(before.leader);
			const after = await leadership();
			ahead += after.leader === before.leader && after.term === before.term ? -1 : 1;
			if (ahead < 0) return;
		}
		throw new Error("with a disk that stalls there were more elections than times without one");
	}

	/** One call after the other, while the disk stalls: far more of them than of its writes. Says how many. */
	async function goOnBeside(victim: ClusterMember, call: (count: number) => Promise<unknown>): Promise<number> {
		await using slow = await SlowLog.begin(victim, STALL_MS);
		await eventually("its first stall", async () => {
			await at(victim).put("stalls", "now", { timeoutMs: 60_000 });
			expect(await slow.heldUp()).toBeGreaterThan(0);
		});
		let [calls, stalls] = [0, 0];
		while (stalls < STALLS_MIN || calls < stalls + WRITES_AHEAD) {
			await call(calls++);
			stalls = await slow.heldUp();
			expect(stalls, `after ${calls} calls`).toBeLessThan(STALLS_MAX);
		}
		return calls;
	}

	const isWritten = async (member: ClusterMember, value: string): Promise<void> =>
		expect((await at(member).range("k")).kvs[0]?.value.toString()).toBe(value);

	test("SC-087 a follower's disk stalls: writes at the leader do not wait for it", async () => {
		await inOneTerm(async (leader) => {
			const victim = follower(leader);
			const writes = await goOnBeside(victim, (count) => at(leader).put("k", `follower ${count}`));
			await isWritten(victim, `follower ${writes - 1}`);
		});
	});

	test("SC-091 the leader's disk stalls: writes through the others do not wait for it", async () => {
		await inOneTerm(async (leader) => {
			const writes = await goOnBeside(leader, (count) => at(follower(leader, count % 2)).put("k", `leader ${count}`));
			await isWritten(leader, `leader ${writes - 1}`);
		});
	});

	test("the leader's: what it is asked for without the log does not wait, and its own writes are answered when its disk has them", async () => {
		await inOneTerm(async (leader) => {
			await using slow = await SlowLog.begin(leader, STALL_MS);
			let done = false;
			const reading = (async () => {
				let reads = 0;
				for (; !done; reads++) await at(leader).range("k", { serializable: true });
				return reads;
			})();
			let writes = 0;
			for (; (await slow.heldUp()) < STALLS_MIN; writes++) await at(leader).put("k", `own${writes}`);
			done = true;
			expect(await reading).toBeGreaterThan(writes + WRITES_AHEAD);
			await isWritten(follower(leader), `own${writes - 1}`);
		});
	});
});
