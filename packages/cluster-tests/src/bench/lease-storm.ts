/** What very many leases cost at once: to hold, to list, to renew on one stream, and when they all end in the same moment. */
import { etcdserverpb as pb } from "@flotilla/api";
import { KvClient } from "../client/kv-client.ts";
import type { RawStream } from "../client/raw-stream.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { pause } from "../process/wait.ts";
import { cpuSeconds, ownMb } from "./process-usage.ts";
import { PutLoad, percentile } from "./put-load.ts";
import { UnaryCalls } from "./unary-calls.ts";

export interface StormOptions {
	readonly leases: number;
	readonly ttlSeconds: number;
	/** Of the leases so many have a key. */
	readonly keys: number;
	readonly members: number;
	/** Puts under way at once, and how long each phase is measured at least. */
	readonly streams: number;
	readonly phaseMs: number;
}

/** Latencies of puts in one phase, in milliseconds. */
export interface PhaseFigures {
	readonly puts: number;
	readonly p50: number;
	readonly p99: number;
	readonly max: number;
	/** Of the leader: processor time, and how long its event loop was held at most (on a busy machine by others, too). */
	readonly leaderCpuSeconds: number;
	readonly leaderLoopMs: number;
}

export interface StormFigures {
	readonly granted: number;
	readonly grantSeconds: number;
	/** Of the leader, beyond what it took before. */
	readonly bytesPerLease: number;
	readonly listed: number;
	readonly listMs: number;
	readonly renewed: number;
	readonly renewSeconds: number;
	/** From the first end to the last. */
	readonly endSeconds: number;
	readonly leftAfterwards: number;
	/** Leases that were renewed all the while, and the longest that a round of their renewals took. */
	readonly kept: number;
	readonly keptRoundMs: number;
	readonly keysLeft: number;
	readonly mbBefore: number;
	readonly mbWithLeases: number;
	readonly mbAfterwards: number;
	readonly phases: Readonly<Record<"without" | "holding" | "listing" | "renewing" | "ending", PhaseFigures>>;
}

const GRANTS_AT_ONCE = 64;
/** Renewals that are handed over without looking at anything else. */
const SENT_AT_ONCE = 32;
/** Leases that go on being renewed while all others end. */
const KEPT = 50;
const POLL_MS = 50;
/** How long after their time the last of them may end. */
const PATIENCE_MS = 240_000;
const LEASE = "/etcdserverpb.Lease";

export async function leaseStorm(options: StormOptions): Promise<StormFigures> {
	const cluster = await ProcessCluster.start({ size: options.members });
	const storm = new Storm(cluster, options);
	try {
		return await storm.run();
	} finally {
		storm.close();
		await cluster.dispose();
	}
}

class Storm {
	private readonly options: StormOptions;
	private readonly cluster: ProcessCluster;
	private readonly clients: KvClient[];
	private leader = 0;
	private calls: UnaryCalls | null = null;
	private load: PutLoad | null = null;
	private written = 0;
	/** The longest that the leader's loop was held since the phase began. */
	private loopMs = 0;

	constructor(cluster: ProcessCluster, options: StormOptions) {
		this.cluster = cluster;
		this.options = options;
		this.clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	}

	close(): void {
		for (const client of this.clients) client.close();
		this.calls?.close();
		this.load?.close();
	}

	async run(): Promise<StormFigures> {
		const { keys, leases, phaseMs, streams } = this.options;
		const states = await Promise.all(this.clients.map((client) => client.status()));
		this.leader = states.findIndex(({ header, leader }) => header.member_id === leader);
		const url = this.cluster.member(this.leader).clientUrl;
		this.calls = new UnaryCalls(url);
		this.load = new PutLoad({ url, streams, makeKey: (n) => Buffer.from(`k${n % 1_000}`), makeValue: () => Buffer.alloc(100, "v") });
		const without = await this.puttingDuring(pause(phaseMs));
		const mbBefore = this.mb();
		const grantedMs = performance.now();
		const granted = await this.grantAll();
		const grantSeconds = (performance.now() - grantedMs) / 1_000;
		const holding = await this.puttingDuring(pause(phaseMs));
		const mbWithLeases = this.mb();
		const listedMs = performance.now();
		const list = this.list().then((count) => count - KEPT);
		const listMs = list.then(() => performance.now() - listedMs);
		const listing = await this.puttingDuring(list);
		const renewedMs = performance.now();
		const renewal = this.renewAll();
		const renewSeconds = renewal.then(() => (performance.now() - renewedMs) / 1_000);
		const renewing = await this.puttingDuring(renewal);
		if ((await renewal) < leases) throw new Error("leases ended before all were renewed: on this machine they must live longer (--ttl)");
		while ((await this.ended()) === 0) await pause(POLL_MS);
		const endingMs = performance.now();
		const keeping = new Kept(this.clients[this.leader] as KvClient, leases);
		const ending = await this.puttingDuring(this.allEnded(leases, keeping));
		const endSeconds = (performance.now() - endingMs) / 1_000;
		const left = await this.clients[this.leader]?.range("leased/", { range_end: Buffer.from("leased0"), count_only: true });
		await pause(phaseMs);
		return {
			...{ granted, grantSeconds, mbBefore, mbWithLeases, endSeconds },
			bytesPerLease: Math.round(((mbWithLeases - mbBefore) * 1_048_576) / (granted + keys)),
			listed: await list,
			listMs: await listMs,
			renewed: await renewal,
			renewSeconds: await renewSeconds,
			leftAfterwards: (await this.list()) - KEPT,
			kept: await keeping.round(),
			keptRoundMs: Math.round(keeping.longestMs),
			keysLeft: Number(left?.count ?? -1),
			mbAfterwards: this.mb(),
			phases: { without, holding, listing, renewing, ending },
		};
	}

	private mb(): number {
		return Math.round(ownMb(this.cluster.member(this.leader).process.pid));
	}

	private ask(path: string, message: Uint8Array): Promise<Buffer> {
		return (this.calls as UnaryCalls).ask(path, message);
	}

	/** Puts go on for as long as `work` takes. */
	private async puttingDuring(work: Promise<unknown>): Promise<PhaseFigures> {
		const { pid } = this.cluster.member(this.leader).process;
		const spent = cpuSeconds(pid);
		await this.scrape();
		this.loopMs = 0;
		let over = false;
		const end = work.finally(() => {
			over = true;
		});
		const load = this.load as PutLoad;
		const latencies = await load.run(this.written, Number.MAX_SAFE_INTEGER, () => over);
		await end;
		this.written += latencies.length;
		latencies.sort((a, b) => a - b);
		const at = (share: number): number => Math.round(percentile(latencies, share) * 10) / 10;
		await this.scrape();
		const leaderCpuSeconds = Math.round((cpuSeconds(pid) - spent) * 100) / 100;
		return { puts: latencies.length, p50: at(0.5), p99: at(0.99), max: at(1), leaderCpuSeconds, leaderLoopMs: Math.round(this.loopMs) };
	}

	private async grantAll(): Promise<number> {
		const { keys, leases, ttlSeconds } = this.options;
		let next = 1;
		let granted = 0;
		const worker = async (): Promise<void> => {
			while (next <= leases + KEPT) {
				const id = next++;
				await this.ask(`${LEASE}/LeaseGrant`, pb.LeaseGrantRequest.encode({ ID: BigInt(id), TTL: ttlSeconds }));
				if (id <= leases) granted++;
				if (id > keys) continue;
				const put = pb.PutRequest.encode({ key: Buffer.from(`leased/${id}`), value: Buffer.from("v"), lease: BigInt(id) });
				await this.ask("/etcdserverpb.KV/Put", put);
			}
		};
		await Promise.all(Array.from({ length: GRANTS_AT_ONCE }, worker));
		return granted;
	}

	private async list(): Promise<number> {
		return pb.LeaseLeasesResponse.decode(await this.ask(`${LEASE}/LeaseLeases`, new Uint8Array(0))).leases.length;
	}

	/** All on one stream, asked for without waiting: from here on they all end at about the same time. */
	private async renewAll(): Promise<number> {
		const { leases, ttlSeconds } = this.options;
		const stream = (this.clients[this.leader] as KvClient).stream(`${LEASE}/LeaseKeepAlive`);
		for (let id = 1; id <= leases + KEPT; id++) {
			stream.send(Buffer.from(pb.LeaseKeepAliveRequest.encode({ ID: BigInt(id) })));
			// The puts that are timed beside it belong to this process, too.
			if (id % SENT_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
		}
		stream.halfClose();
		const { code, text } = await stream.end();
		if (code !== 0) throw new Error(`the stream of renewals ended: ${code} ${text}`);
		return stream.messages.filter((bytes) => pb.LeaseKeepAliveResponse.decode(bytes).TTL === ttlSeconds).length - KEPT;
	}

	private async ended(): Promise<number> {
		return Number(/^etcd_debugging_lease_revoked_total (\d+)$/m.exec(await this.scrape())?.[1] ?? 0);
	}

	/** Each look shows the loop's delays since the one before. */
	private async scrape(): Promise<string> {
		const text = await (await fetch(`${this.cluster.member(this.leader).clientUrl}/metrics`)).text();
		const held = Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1] ?? 0);
		this.loopMs = Math.max(this.loopMs, held * 1_000);
		return text;
	}

	private async allEnded(leases: number, keeping: Kept): Promise<void> {
		const until = performance.now() + PATIENCE_MS;
		while ((await this.ended()) < leases) {
			if (performance.now() > until) throw new Error("leases do not end");
			await keeping.round();
			await pause(4 * POLL_MS);
		}
	}
}

/** Some leases of the same age that somebody goes on renewing. */
class Kept {
	longestMs = 0;
	private readonly stream: RawStream;
	private readonly leases: number;

	constructor(client: KvClient, leases: number) {
		this.stream = client.stream(`${LEASE}/LeaseKeepAlive`);
		this.leases = leases;
	}

	/** Renews each once; how many are alive. */
	async round(): Promise<number> {
		const startedMs = performance.now();
		const before = this.stream.messages.length;
		for (let id = this.leases + 1; id <= this.leases + KEPT; id++) {
			this.stream.send(Buffer.from(pb.LeaseKeepAliveRequest.encode({ ID: BigInt(id) })));
		}
		const answers = await this.stream.upTo(before + KEPT);
		this.longestMs = Math.max(this.longestMs, performance.now() - startedMs);
		return answers.slice(before).filter((bytes) => pb.LeaseKeepAliveResponse.decode(bytes).TTL > 0).length;
	}
}
