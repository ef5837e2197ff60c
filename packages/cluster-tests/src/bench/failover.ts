/**
 * What the loss of a leader costs: `npm run failover -- [kills] [signal] [program]`. Writers at the two surviving
 * members put without pause; the leader gets the signal; the cost is the longest time without an acknowledged write around
 * that moment. Default timeouts (100 ms heartbeat, 1,000 ms election), fsync on.
 */
import { KvClient, RpcError } from "../client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../process/cluster.ts";
import { eventually, pause } from "../process/wait.ts";

const kills = Number(process.argv[2] ?? 20);
const signal = (process.argv[3] ?? "SIGKILL") as NodeJS.Signals;
const program = (process.argv[4] ?? "flotilla") as "flotilla" | "etcd";
const WRITERS_A_MEMBER = 4;

interface Cost {
	readonly gapMs: number;
	/** Writes at surviving members that failed. */
	readonly failed: number;
}

async function leaderOf(cluster: ProcessCluster): Promise<ClusterMember> {
	for (const member of cluster.members) {
		const client = new KvClient(member.clientUrl.slice("http://".length));
		const status = await client.status({ timeoutMs: 2_000 });
		client.close();
		if (status.leader === status.header.member_id) return member;
	}
	throw new Error("no member leads");
}

async function write(client: KvClient, key: string, running: () => boolean, acknowledgedMs: number[], failures: string[]): Promise<void> {
	for (let n = 0; running(); n++) {
		try {
			await client.put(key, String(n), { timeoutMs: 10_000 });
			acknowledgedMs.push(performance.now());
		} catch (error) {
			if (!(error instanceof RpcError)) throw error;
			failures.push(error.message);
			await pause(1);
		}
	}
}

async function killOnce(cluster: ProcessCluster): Promise<Cost> {
	const leader = await eventually("a leader", () => leaderOf(cluster));
	const survivors = cluster.members.filter((member) => member !== leader);
	const clients = survivors.flatMap((member) =>
		Array.from({ length: WRITERS_A_MEMBER }, () => new KvClient(member.clientUrl.slice("http://".length))),
	);
	const acknowledgedMs: number[] = [];
	const failures: string[] = [];
	let running = true;
	const writers = clients.map((client, n) => write(client, `failover${n}`, () => running, acknowledgedMs, failures));
	await pause(1_000);
	const killedMs = performance.now();
	await leader.process.kill(signal);
	await eventually(
		"writes go on",
		async () => {
			if ((acknowledgedMs.at(-1) ?? 0) < killedMs + 50) throw new Error("no write was acknowledged yet");
		},
		30_000,
	);
	await pause(1_500);
	running = false;
	await Promise.all(writers);
	for (const client of clients) client.close();
	await leader.process.start();
	return { gapMs: longestGap(acknowledgedMs, killedMs - 100), failed: failures.length };
}

function longestGap(timesMs: readonly number[], fromMs: number): number {
	let gap = 0;
	for (let at = 1; at < timesMs.length; at++) {
		if ((timesMs[at] as number) > fromMs) gap = Math.max(gap, (timesMs[at] as number) - (timesMs[at - 1] as number));
	}
	return gap;
}

const cluster = await ProcessCluster.start({ program });
const costs: Cost[] = [];
try {
	for (let kill = 1; kill <= kills; kill++) {
		const cost = await killOnce(cluster);
		costs.push(cost);
		console.log(`${signal} ${kill}: no write for ${cost.gapMs.toFixed(0)} ms, ${cost.failed} failed at survivors`);
		await pause(500);
	}
} finally {
	await cluster.dispose();
}
const gaps = costs.map((cost) => cost.gapMs).sort((a, b) => a - b);
const part = (share: number): string => (gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))] as number).toFixed(0);
console.log(
	`${program}, ${kills} times ${signal} to the leader: median ${part(0.5)} ms, p90 ${part(0.9)} ms, longest ${part(1)} ms; failed writes at survivors ${costs.reduce((sum, cost) => sum + cost.failed, 0)}`,
);
