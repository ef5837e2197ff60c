/** A member that was away for longer than the log reaches back is sent the state itself, under load and whatever dies meanwhile. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { readTap, TAP_SOCKET, type TapLine } from "@flotilla/server/internal";
import { describe, expect, test } from "vitest";
import { KvClient, RpcError } from "../src/client/kv-client.ts";
import { nowMs, TapRecorder } from "../src/failover/tap-recorder.ts";
import { type ClusterMember, CUT_ALL_THE_TIME, ProcessCluster } from "../src/process/cluster.ts";
import type { PeerProxy } from "../src/process/peer-proxy.ts";
import { named, scrape, type Values } from "../src/process/scrape.ts";
import type { Tuning } from "../src/process/tuned-member.ts";
import { eventually, pause } from "../src/process/wait.ts";

/** `FLOTILLA_SNAPSHOT_ROUNDS=20` kills more. */
const rounds = Number(process.env.FLOTILLA_SNAPSHOT_ROUNDS ?? 3);
const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));

/** Reached only by a transfer that would never end, on a machine as busy as may be. */
const TAKEN_MS = 180_000;

const TUNING: Tuning = { ...CUT_ALL_THE_TIME, snapshotPartBytes: 16 << 10 };

/** Writes until told otherwise; what was acknowledged must be there in the end. */
class Load {
	readonly acknowledged = new Map<string, string>();
	private running = true;
	private readonly writers: Promise<void>[];

	constructor(endpoints: readonly string[], writers: number) {
		this.writers = Array.from({ length: writers }, (_, id) => this.write(endpoints, id));
	}

	async stop(): Promise<void> {
		this.running = false;
		await Promise.all(this.writers);
	}

	private async write(endpoints: readonly string[], id: number): Promise<void> {
		const clients = endpoints.map((endpoint) => new KvClient(endpoint));
		for (let n = 0; this.running; n++) {
			const key = `k${id}/${n % 50}`;
			const value = `${id}/${n}/${"x".repeat(300)}`;
			// One writer a key: a refused or unknown write leaves the key out of what is checked.
			this.acknowledged.delete(key);
			try {
				await (clients[n % clients.length] as KvClient).put(key, value, { timeoutMs: 3_000 });
				this.acknowledged.set(key, value);
			} catch (error) {
				if (!(error instanceof RpcError)) throw error;
				await pause(20);
			}
		}
		for (const client of clients) client.close();
	}
}

/** Each key until it is acknowledged: members elect, catch up and lag meanwhile. */
async function writeMuch(endpoint: string, count: number): Promise<void> {
	const client = new KvClient(endpoint);
	const write = (key: string) => eventually(`a write of ${key}`, () => client.put(key, "y".repeat(400), { timeoutMs: 10_000 }));
	for (let n = 0; n < count; n += 100) await Promise.all(Array.from({ length: 100 }, (_, i) => write(`big/${n + i}`)));
	client.close();
}

/** Every member shows the same state, and all that was acknowledged is in it. */
async function compare(cluster: ProcessCluster, acknowledged: ReadonlyMap<string, string>): Promise<void> {
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	const last = await eventually("a last write", () => (clients[0] as KvClient).put("last", "write", { timeoutMs: 3_000 }));
	const revision = Number(last.header.revision);
	const hashes = await Promise.all(clients.map((client) => eventually("a hash", () => client.hashKv(revision, { timeoutMs: 10_000 }))));
	expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1);
	for (const client of clients) {
		const { kvs } = await client.everything({ revision }, { timeoutMs: 30_000 });
		const held = new Map(kvs.map((kv) => [kv.key.toString(), kv.value.toString()]));
		const lost = [...acknowledged].filter(([key, value]) => held.get(key) !== value).map(([key]) => key);
		expect(lost).toEqual([]);
		client.close();
	}
}

describe(`catching up by snapshot (FLOTILLA_SEED=${seed})`, () => {
	test("a member comes back under load, is sent the state, serves it and goes on with the log", async () => {
		const cluster = await ProcessCluster.start({ tuning: TUNING });
		try {
			const away = cluster.member(2);
			await away.process.kill("SIGKILL");
			await writeMuch(cluster.endpoints[0] as string, 1_000);
			const load = new Load(cluster.endpoints.slice(0, 2), 8);
			const received = away.process.waitForLine((line) => line.includes("received a snapshot"), TAKEN_MS);
			await away.process.start();
			await received;
			await pause(300);
			await load.stop();
			await compare(cluster, load.acknowledged);
			await away.process.kill("SIGKILL");
			await away.process.start();
			await compare(cluster, load.acknowledged);
		} finally {
			await cluster.dispose();
		}
	});

	test("SC-074 the receiver, the sender and others die at random moments of transfers: nothing acknowledged is lost", async () => {
		const cluster = await ProcessCluster.start({ tuning: TUNING });
		const dice = new Dice(seed);
		try {
			const load = new Load(cluster.endpoints, 6);
			for (let round = 0; round < rounds; round++) {
				const away = cluster.member(dice.range(0, 2));
				await away.process.kill("SIGKILL");
				const present = cluster.members.filter((member) => member !== away);
				await writeMuch(dice.pick(present).clientUrl.slice("http://".length), 600);
				away.process.spawn();
				const victim = dice.pick([away, away, ...present]);
				await pause(dice.range(400, 1_500));
				await victim.process.kill("SIGKILL");
				await victim.process.start();
				if (victim !== away) await pause(dice.range(0, 500));
			}
			await load.stop();
			await compare(cluster, load.acknowledged);
			// Kills may come too early or too late; that they never met a transfer at all would be no test.
			await eventually("a state was received", async () => {
				const logs = await Promise.all(cluster.members.map(({ process }) => readFile(process.spec.logFile, "utf8")));
				expect(logs.join("").includes("received a snapshot")).toBe(true);
			});
		} finally {
			await cluster.dispose();
		}
	});

	/** For transfers that one leader is to see through: longer than a busy machine holds it up. */
	const STEADY_MS = 5_000;
	const KEYS = 1_200;
	/** Bytes a second of the link to whoever is sent a state: it is in its middle whenever a test looks, until the link is widened. */
	const THIN = 64 << 10;

	interface Behind {
		readonly cluster: ProcessCluster;
		readonly away: ClusterMember;
		/** In front of it. */
		readonly link: PeerProxy;
		readonly leader: ClusterMember;
		readonly load: Load;
	}

	/** A cluster of which one member lacks what the others have cut from their logs, behind a thin link, and a load on the two others. */
	async function behind(electionMs: number, bytesPerSecond: number): Promise<Behind> {
		const cluster = await ProcessCluster.start({ tuning: { ...TUNING, electionMs, snapshotPartBytes: 32 << 10 }, proxied: true });
		const leader = await leaderOf(cluster);
		const away = cluster.members.find((member) => member !== leader) as ClusterMember;
		await away.process.kill("SIGKILL");
		await writeMuch(leader.clientUrl.slice("http://".length), KEYS);
		const present = cluster.members.filter((member) => member !== away);
		const link = cluster.proxies[cluster.members.indexOf(away)] as PeerProxy;
		// Of each connection: that of the state, and the others.
		link.throttle(bytesPerSecond);
		return {
			cluster,
			away,
			link,
			leader,
			load: new Load(
				present.map(({ clientUrl }) => clientUrl.slice("http://".length)),
				4,
			),
		};
	}

	async function leaderOf(cluster: ProcessCluster): Promise<ClusterMember> {
		return eventually("a leader", async () => {
			for (const member of cluster.members) {
				const client = new KvClient(member.clientUrl.slice("http://".length));
				const status = await client.status({ timeoutMs: 2_000 }).finally(() => client.close());
				if (status.leader === status.header.member_id) return member;
			}
			throw new Error("nobody leads");
		});
	}

	/** Resolves when some member sends this part of a transfer. */
	function partSent(tap: SnapshotTap, sequence: number): Promise<void> {
		return eventually(`part ${sequence}`, async () => expect(tap.parts.at(-1)).toBeGreaterThanOrEqual(sequence));
	}

	/** The generations of the store that lie on the disk. */
	const generations = async ({ dataDir }: ClusterMember): Promise<string[]> =>
		(await readdir(join(dataDir, "member"))).filter((name) => name.startsWith("store."));

	test("the receiver dies in the middle of a transfer: the next one begins cleanly and is taken whole", async () => {
		const { cluster, away, link, leader, load } = await behind(STEADY_MS, THIN);
		const tap = new SnapshotTap(leader);
		try {
			away.process.spawn();
			await partSent(tap, 4);
			await eventually("a second generation", async () => expect((await generations(away)).length).toBeGreaterThan(1));
			await away.process.kill("SIGKILL");
			// Nothing is written that a slow machine could fetch too late, and be sent one more state for.
			await load.stop();
			link.throttle(Number.POSITIVE_INFINITY);
			const received = away.process.waitForLine((line) => line.includes("received a snapshot"), TAKEN_MS);
			await away.process.start();
			await received;
			await compare(cluster, load.acknowledged);
			await tap.tells("snapshotBegun", "snapshotFailed", "snapshotBegun", "snapshotSent");
			expect(tap.failures).toEqual(["the receiver was started anew"]);
			await eventually("one generation", async () => expect(await generations(away)).toHaveLength(1));
		} finally {
			tap.close();
			await cluster.dispose();
		}
	});

	test("the sender dies in the middle of a transfer: its successor sends the state from the beginning", async () => {
		const { cluster, away, link, leader, load } = await behind(STEADY_MS, THIN);
		const taps = cluster.members.filter((member) => member !== away).map((member) => new SnapshotTap(member));
		const [first, second] = (taps[0]?.member === leader ? taps : taps.toReversed()) as [SnapshotTap, SnapshotTap];
		try {
			const received = away.process.waitForLine((line) => line.includes("received a snapshot"), TAKEN_MS);
			away.process.spawn();
			await partSent(first, 4);
			await leader.process.kill("SIGKILL");
			link.throttle(Number.POSITIVE_INFINITY);
			await received;
			await eventually("the successor tells of it", async () => expect(second.names().slice(0, 1)).toEqual(["snapshotBegun"]));
			expect(second.parts[0]).toBe(0);
			await leader.process.start();
			await load.stop();
			await compare(cluster, load.acknowledged);
			await eventually("one generation", async () => expect(await generations(away)).toHaveLength(1));
		} finally {
			for (const tap of taps) tap.close();
			await cluster.dispose();
		}
	});

	test("SC-107 a state goes over a thin link: heartbeats pass beside it, and nobody calls an election", async () => {
		const electionMs = 3_000;
		const { cluster, away, link, leader, load } = await behind(electionMs, 2 * THIN);
		const tap = new SnapshotTap(leader);
		try {
			const term = await termOf(leader);
			const received = away.process.waitForLine((line) => line.includes("received a snapshot"), TAKEN_MS);
			away.process.spawn();
			await partSent(tap, 2);
			const heard = new TapRecorder([away], ["heartbeatHeard", "becamePreCandidate", "becameCandidate"]);
			const began = nowMs();
			await received;
			const tookMs = nowMs() - began;
			// Longer than an election time-out: heartbeats behind the state would have cost one.
			expect(tookMs).toBeGreaterThan(electionMs);
			// What was written meanwhile has to be fetched before it is cut from the log.
			link.throttle(Number.POSITIVE_INFINITY);
			await load.stop();
			const seen = heard.take(began).filter(({ atMs }) => atMs < began + tookMs);
			const names = seen.map(({ event }) => event.name);
			// Ten a second come; a third of them is far more than an election time-out forgives.
			expect(names.filter((name) => name === "heartbeatHeard").length).toBeGreaterThan(tookMs / 300);
			expect(names.filter((name) => name !== "heartbeatHeard")).toEqual([]);
			expect(await termOf(leader)).toBe(term);
			await tap.tells("snapshotBegun", "snapshotSent");
			await compare(cluster, load.acknowledged);
		} finally {
			tap.close();
			await cluster.dispose();
		}
	});

	async function termOf(member: ClusterMember): Promise<string> {
		const client = new KvClient(member.clientUrl.slice("http://".length));
		const { header } = await client.status({ timeoutMs: 10_000 }).finally(() => client.close());
		return header.raft_term;
	}

	test("connections are cut in the middle of a transfer: it resumes where it was", async () => {
		const { cluster, away, link, leader, load } = await behind(STEADY_MS, THIN);
		const tap = new SnapshotTap(leader);
		try {
			const received = away.process.waitForLine((line) => line.includes("received a snapshot"), TAKEN_MS);
			away.process.spawn();
			for (const part of [3, 6]) {
				await partSent(tap, part);
				// Those to the receiver: the leader and the other member keep hearing each other.
				link.cut();
			}
			await load.stop();
			link.throttle(Number.POSITIVE_INFINITY);
			await received;
			await compare(cluster, load.acknowledged);
			await tap.tells("snapshotBegun", "snapshotSent");
			expect(tap.parts).toEqual(tap.parts.map((_, at) => at));
			const [toAway, fromLeader] = [await scrape(leader.clientUrl), await scrape(away.clientUrl)];
			const figures = (values: Values, names: readonly string[]): number[][] =>
				names.map((name) => named(values, `etcd_network_snapshot_${name}`));
			expect(figures(toAway, ["send_success", "send_failures", "send_inflights_total", "send_total_duration_seconds_count"])).toEqual([
				[1],
				[0],
				[0],
				[1],
			]);
			const names = ["receive_success", "receive_failures", "receive_total_duration_seconds_count"];
			expect(figures(fromLeader, names)).toEqual([[1], [0], [1]]);
		} finally {
			tap.close();
			await cluster.dispose();
		}
	});
});

/** What one member tells of the states it sends. */
class SnapshotTap {
	readonly member: ClusterMember;
	private readonly events: TapLine[] = [];
	private readonly stop: () => void;

	constructor(member: ClusterMember) {
		this.member = member;
		const names = ["snapshotBegun", "snapshotPartSent", "snapshotSent", "snapshotFailed"] as const;
		const event = (line: TapLine): void => void this.events.push(line);
		this.stop = readTap(join(member.dataDir, TAP_SOCKET), { names, recent: 0 }, { event, closed: () => {} });
	}

	/** Numbers of the parts sent, of all transfers. */
	get parts(): number[] {
		return this.events.filter(({ name }) => name === "snapshotPartSent").map(({ fields }) => Number(fields.sequence));
	}

	get failures(): string[] {
		return this.events.filter(({ name }) => name === "snapshotFailed").map(({ fields }) => String(fields.reason));
	}

	/** What it tells arrives behind what it did. */
	tells(...names: readonly string[]): Promise<void> {
		return eventually(`it tells ${names.join(" ")}`, async () => expect(this.names()).toEqual(names));
	}

	names(): string[] {
		return this.events.map(({ name }) => name as string).filter((name) => name !== "snapshotPartSent");
	}

	close(): void {
		this.stop();
	}
}
