/** A member that stops reading what the others send it, while it lives and speaks: nobody else may notice. */
import { expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { longestHeartbeatGap } from "../src/failover/heartbeat-gap.ts";
import { nowMs, TapRecorder } from "../src/failover/tap-recorder.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { MemoryWatch } from "../src/process/memory-watch.ts";
import { eventually, pause } from "../src/process/wait.ts";

/** Longer than a busy machine holds a member up. */
const ELECTION_MS = 5_000;
const VALUE = Buffer.alloc(64 << 10, "v");
const WRITERS = 16;
/** Enough for caches and heap to have their usual size. */
const CALM_BYTES = 96 << 20;
const DEAF_BYTES = 192 << 20;
/** What may wait for one peer: the queue of the log's lane, and next to nothing on the others. */
const QUEUED_MAX = 33 << 20;
/** That, and what the collector leaves lying about: less than what is written meanwhile. */
const GROWTH_MAX = 160 << 20;

const clientOf = ({ clientUrl }: ClusterMember): KvClient => new KvClient(clientUrl.slice("http://".length));

/** So many bytes through the leader, and its highest memory meanwhile. */
async function write(leader: ClusterMember, prefix: string, bytes: number): Promise<number> {
	const memory = new MemoryWatch([leader]);
	const client = clientOf(leader);
	let left = Math.ceil(bytes / VALUE.length);
	const writer = async (_: unknown, id: number): Promise<void> => {
		// One that fails ends the test.
		while (left-- > 0) await client.put(`${prefix}/${id}`, VALUE, { timeoutMs: 60_000 });
	};
	await Promise.all(Array.from({ length: WRITERS }, writer));
	client.close();
	return (await memory.stop())[0] as number;
}

async function leaderOf(cluster: ProcessCluster): Promise<{ readonly leader: ClusterMember; readonly term: string }> {
	return eventually("a leader", async () => {
		for (const member of cluster.members) {
			const client = clientOf(member);
			const { header, leader } = await client.status({ timeoutMs: 5_000 }).finally(() => client.close());
			if (leader === header.member_id) return { leader: member, term: header.raft_term };
		}
		throw new Error("nobody leads");
	});
}

/** All values of one name that /metrics shows, added up. */
async function metric({ clientUrl }: ClusterMember, name: string): Promise<number> {
	const text = await (await fetch(`${clientUrl}/metrics`, { signal: AbortSignal.timeout(30_000) })).text();
	const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`));
	expect(lines.length, `there is ${name}`).toBeGreaterThan(0);
	return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** The most that waited for peers, looked at now and then. */
class QueueWatch {
	private running = true;
	private peak = 0;
	private readonly ended: Promise<void>;

	constructor(member: ClusterMember) {
		this.ended = this.look(member);
	}

	async stop(): Promise<number> {
		this.running = false;
		await this.ended;
		return this.peak;
	}

	private async look(member: ClusterMember): Promise<void> {
		while (this.running) {
			this.peak = Math.max(this.peak, await metric(member, "flotilla_peer_queued_bytes"));
			await pause(50);
		}
	}
}

test("SC-106 a member stops reading: its leader holds it for unreachable, stays small, leads on, and feeds it afterwards", {
	timeout: 600_000,
}, async () => {
	const cluster = await ProcessCluster.start({ tuning: { electionMs: ELECTION_MS }, proxied: true });
	try {
		const { leader, term } = await leaderOf(cluster);
		const deafAt = cluster.members.findIndex((member) => member !== leader);
		const deaf = cluster.member(deafAt);
		const other = cluster.members.find((member) => member !== leader && member !== deaf) as ClusterMember;
		const calmPeak = await write(leader, "calm", CALM_BYTES);
		await cluster.caughtUp();

		cluster.proxies[deafAt]?.freeze();
		const taps = new TapRecorder([other], ["heartbeatHeard", "becamePreCandidate", "becameCandidate"]);
		const fromMs = nowMs();
		const queue = new QueueWatch(leader);
		const deafPeak = await write(leader, "deaf", DEAF_BYTES);
		const queuedPeak = await queue.stop();
		// It reads nothing, so it answers nothing; what is meant for it then is dropped, and that is told.
		await eventually("the peer is unreachable", async () => {
			expect(await metric(leader, "etcd_network_active_peers")).toBe(1);
			expect(await metric(leader, "etcd_network_peer_sent_failures_total")).toBeGreaterThan(0);
		});
		// A write more, which it must not have.
		const client = clientOf(leader);
		const { header } = await client.put("last", "write", { timeoutMs: 60_000 });
		client.close();
		const uptoMs = nowMs();
		const seen = taps.take(fromMs);
		const deafClient = clientOf(deaf);
		expect((await deafClient.range("last", { serializable: true }, { timeoutMs: 30_000 })).kvs).toEqual([]);
		deafClient.close();

		// The sockets take some of it, and a slow machine fills no more than these.
		expect(queuedPeak).toBeLessThan(QUEUED_MAX);
		expect(deafPeak).toBeLessThan(calmPeak + GROWTH_MAX);
		// The leader's turns went on: its other follower was not left alone for as long as it takes to believe a leader lost.
		expect(longestHeartbeatGap(seen, { followers: 1, fromMs, uptoMs })).toBeLessThan(ELECTION_MS);
		expect(seen.filter(({ event }) => event.name !== "heartbeatHeard")).toEqual([]);

		cluster.proxies[deafAt]?.thaw();
		await cluster.caughtUp();
		const hashes = await Promise.all(
			cluster.members.map(async (member) => {
				const each = clientOf(member);
				return eventually("a hash", () => each.hashKv(Number(header.revision), { timeoutMs: 60_000 })).finally(() => each.close());
			}),
		);
		expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1);
		// It asked for votes in vain, and cost nobody an election.
		expect(await leaderOf(cluster)).toEqual({ leader, term });
	} finally {
		await cluster.dispose();
	}
});
