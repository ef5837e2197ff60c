/**
 * A store of some size is sent whole to a member that is added, while clients go on writing: what that does to heartbeats,
 * elections, writes and memory.
 */
import { randomBytes } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { TAP_SOCKET } from "@flotilla/server/internal";
import { KvClient } from "../client/kv-client.ts";
import { addMember } from "../client/member-changes.ts";
import { longestHeartbeatGap } from "../failover/heartbeat-gap.ts";
import { nowMs, type Seen, TapRecorder } from "../failover/tap-recorder.ts";
import { type ClusterMember, ProcessCluster } from "../process/cluster.ts";
import { MemoryWatch, ownBytes } from "../process/memory-watch.ts";
import { eventually, pause } from "../process/wait.ts";

const VALUE_BYTES = 64 << 10;
const FILLERS = 32;
const WRITERS = 4;
/** For the largest store on the thinnest link that anybody has patience for. */
const READY_MS = 3_600_000;
/** Room for what is filled in, whatever its size. */
const FLAGS = ["--quota-backend-bytes", String(16 * 2 ** 30)];
const EVENTS = [
	"heartbeatHeard",
	"becamePreCandidate",
	"becameCandidate",
	"becameLeader",
	"snapshotBegun",
	"snapshotSent",
	"snapshotFailed",
] as const;

/** The default: followers that hear nothing for so long begin to ask for votes. */
export const ELECTION_MS = 1_000;

export interface TransferReport {
	readonly storeBytes: number;
	readonly sentBytes: number;
	/** From the capture of the state to the receiver's last acknowledgement. */
	readonly tookMs: number;
	/** From the start of the new member's process until it serves. */
	readonly readyMs: number;
	/** Longest time without a heartbeat at any follower of the first members, both ends included. They come every 100 ms. */
	readonly heartbeatGapMs: number;
	/** The same at the new member, from the first one that it heard: beside the state, on the same link. */
	readonly newcomerGapMs: number;
	readonly elections: number;
	readonly failures: number;
	readonly writes: number;
	readonly slowestWriteMs: number;
	/** Memory of each member's own (no pages of files): before, and at most while the state was sent. */
	readonly memory: ReadonlyArray<{ readonly member: string; readonly beforeBytes: number; readonly peakBytes: number }>;
	/** Whether all members, the new one included, showed the same hash in the end. */
	readonly equal: boolean;
}

/** What the transfer has cost that it must not cost; empty when all is well. */
export function findings(report: Pick<TransferReport, "elections" | "heartbeatGapMs" | "newcomerGapMs" | "equal">): readonly string[] {
	const { elections, heartbeatGapMs, newcomerGapMs, equal } = report;
	return [
		...(elections === 0 ? [] : [`${elections} elections or attempts at one`]),
		...(heartbeatGapMs < ELECTION_MS ? [] : [`a follower heard no heartbeat for ${heartbeatGapMs.toFixed(0)} ms`]),
		...(newcomerGapMs < ELECTION_MS ? [] : [`the new member heard no heartbeat for ${newcomerGapMs.toFixed(0)} ms`]),
		...(equal ? [] : ["the members' states differ"]),
	];
}

export interface TransferOptions {
	/** More of them, for the first members. */
	readonly flags?: readonly string[];
	/** Of all that goes to the new member together, and of all that comes from it. Without it nothing is held back. */
	readonly bytesPerSecond?: number;
}

export async function transferReport(
	storeBytes: number,
	say: (text: string) => void,
	{ flags = [], bytesPerSecond = Number.POSITIVE_INFINITY }: TransferOptions = {},
): Promise<TransferReport> {
	const cluster = await ProcessCluster.start({ flags: [...FLAGS, ...flags] });
	const newcomer = await cluster.newcomer("m4", cluster.members, { proxied: true });
	newcomer.proxy?.throttle(bytesPerSecond, true);
	const everybody = [...cluster.members, newcomer];
	try {
		await fill(cluster, storeBytes, say);
		const before = await Promise.all(cluster.members.map((member) => ownBytes(member)));
		const memory = new MemoryWatch(everybody);
		const taps = new TapRecorder(cluster.members, EVENTS);
		const load = new Writers(cluster.endpoints);
		await eventually("the addition", () => added(cluster, newcomer));
		say("a new member was added and starts");
		const startedMs = nowMs();
		const ready = newcomer.process.start(READY_MS);
		const own = eventually("the new member's tap", async () => {
			await stat(join(newcomer.dataDir, TAP_SOCKET));
			return new TapRecorder([newcomer], ["heartbeatHeard"]);
		});
		await ready;
		const readyMs = nowMs() - startedMs;
		await pause(500);
		const { writes, slowestMs } = await load.stop();
		const endedMs = nowMs();
		const seen = taps.take(startedMs);
		const seenByIt = (await own).take(startedMs);
		const peaks = await memory.stop();
		const { tookMs, sentBytes } = sent(seen);
		return {
			...{ storeBytes, sentBytes, tookMs, readyMs, writes },
			heartbeatGapMs: longestHeartbeatGap(seen, { followers: cluster.members.length - 1, fromMs: startedMs, uptoMs: endedMs }),
			newcomerGapMs: longestHeartbeatGap(seenByIt, { followers: 1, fromMs: seenByIt[0]?.atMs ?? startedMs, uptoMs: endedMs }),
			elections: seen.filter(({ event }) => event.name.startsWith("became")).length,
			failures: seen.filter(({ event }) => event.name === "snapshotFailed").length,
			slowestWriteMs: slowestMs,
			memory: everybody.map(({ name }, at) => ({ member: name, beforeBytes: before[at] ?? 0, peakBytes: peaks[at] as number })),
			equal: await sameHashes(everybody),
		};
	} finally {
		await newcomer.process.dispose();
		await newcomer.proxy?.close();
		await cluster.dispose();
	}
}

async function fill(cluster: ProcessCluster, storeBytes: number, say: (text: string) => void): Promise<void> {
	const total = Math.ceil(storeBytes / VALUE_BYTES);
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	let next = 0;
	await Promise.all(
		Array.from({ length: FILLERS }, async (_, filler) => {
			for (let n = next++; n < total; n = next++) {
				// Not to be compressed, and no two alike.
				await (clients[filler % clients.length] as KvClient).put(`big/${n}`, randomBytes(VALUE_BYTES), { timeoutMs: 60_000 });
				if (n % Math.ceil(total / 8) === 0)
					say(`filled ${Math.round((n * VALUE_BYTES) / 2 ** 20)} of ${Math.round(storeBytes / 2 ** 20)} MiB`);
			}
		}),
	);
	for (const client of clients) client.close();
}

async function added(cluster: ProcessCluster, { peerUrl }: ClusterMember): Promise<void> {
	const client = new KvClient(cluster.endpoints[0] as string);
	await addMember(client, { peerUrl }).finally(() => client.close());
}

/** Keeps some writes going, and their times. */
class Writers {
	private running = true;
	private readonly timesMs: number[] = [];
	private readonly clients: readonly KvClient[];
	private readonly ended: Promise<unknown>;

	constructor(endpoints: readonly string[]) {
		this.clients = Array.from({ length: WRITERS }, (_, n) => new KvClient(endpoints[n % endpoints.length] as string));
		this.ended = Promise.all(this.clients.map((client, n) => this.write(client, `small/${n}`)));
	}

	async stop(): Promise<{ writes: number; slowestMs: number }> {
		this.running = false;
		await this.ended;
		for (const client of this.clients) client.close();
		return { writes: this.timesMs.length, slowestMs: Math.max(...this.timesMs) };
	}

	private async write(client: KvClient, key: string): Promise<void> {
		while (this.running) {
			const startedMs = performance.now();
			await client.put(key, "x".repeat(100), { timeoutMs: 60_000 });
			this.timesMs.push(performance.now() - startedMs);
			await pause(5);
		}
	}
}

function sent(seen: readonly Seen[]): { tookMs: number; sentBytes: number } {
	const event = seen.find(({ event: { name } }) => name === "snapshotSent")?.event;
	if (event === undefined) throw new Error("no state was sent");
	return { tookMs: Number(event.fields.tookMs), sentBytes: Number(event.fields.bytes) };
}

async function sameHashes(members: readonly ClusterMember[]): Promise<boolean> {
	const clients = members.map(({ clientUrl }) => new KvClient(clientUrl.slice("http://".length)));
	try {
		const { header } = await (clients[0] as KvClient).put("last", "write");
		const hashOf = (client: KvClient): Promise<{ hash: number }> =>
			eventually("a hash", () => client.hashKv(Number(header.revision), { timeoutMs: 120_000 }), 120_000);
		const hashes = await Promise.all(clients.map(hashOf));
		return new Set(hashes.map(({ hash }) => hash)).size === 1;
	} finally {
		for (const client of clients) client.close();
	}
}
