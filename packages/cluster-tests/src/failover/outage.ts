/** One loss of a leader under load: writers at the surviving members write without pause; what they miss is what it costs. */
import { KvClient, RpcError } from "../client/kv-client.ts";
import type { ClusterMember, ProcessCluster } from "../process/cluster.ts";
import { eventually, pause } from "../process/wait.ts";
import { nowMs, type Seen, TapRecorder } from "./tap-recorder.ts";
import { TIMELINE_EVENTS } from "./timeline.ts";

const WRITERS_A_MEMBER = 4;
const BEFORE_MS = 1_000;
const AFTER_MS = 1_000;
/** A pause that begins later than this after the signal has another cause. */
const CAUSE_MS = 250;

export interface Outage {
	readonly signal: NodeJS.Signals;
	readonly signalMs: number;
	/** The longest time without an acknowledged write around the signal, and its two ends. */
	readonly gapMs: number;
	readonly lastBeforeMs: number;
	readonly firstAfterMs: number;
	/** The same in the second before the signal: what this machine does by itself. */
	readonly calmGapMs: number;
	/** Writes under way in the middle of the gap. */
	readonly waited: number;
	/** Writes at surviving members that failed. */
	readonly failed: number;
	readonly seen: readonly Seen[];
}

interface Write {
	readonly sentMs: number;
	readonly endedMs: number;
	readonly ok: boolean;
}

export async function outage(cluster: ProcessCluster, signal: NodeJS.Signals, withTaps: boolean): Promise<Outage> {
	const leader = await eventually("a leader", () => leaderOf(cluster));
	const survivors = cluster.members.filter((member) => member !== leader);
	const clients = survivors.flatMap((member) =>
		Array.from({ length: WRITERS_A_MEMBER }, () => new KvClient(member.clientUrl.slice("http://".length))),
	);
	const writes: Write[] = [];
	let running = true;
	const writers = clients.map((client, n) => writeOn(client, `failover${n}`, () => running, writes));
	const taps = withTaps ? new TapRecorder(cluster.members, TIMELINE_EVENTS) : null;
	await pause(BEFORE_MS + 200);
	const signalMs = nowMs();
	await leader.process.kill(signal);
	await eventually(
		"writes go on",
		async () => {
			if (!writes.some(({ ok, endedMs }) => ok && endedMs > signalMs + 50)) throw new Error("no write was acknowledged yet");
		},
		120_000,
	);
	await pause(AFTER_MS);
	running = false;
	await Promise.all(writers);
	const seen = taps?.take(signalMs - BEFORE_MS) ?? [];
	for (const client of clients) client.close();
	await leader.process.start();
	return judge(signal, signalMs, writes, seen);
}

function judge(signal: NodeJS.Signals, signalMs: number, writes: readonly Write[], seen: readonly Seen[]): Outage {
	const acknowledgedMs = writes.filter(({ ok }) => ok).map(({ endedMs }) => endedMs);
	const calm = longestGap(acknowledgedMs, signalMs - BEFORE_MS, signalMs - 100);
	const { fromMs, uptoMs } = longestGap(acknowledgedMs, signalMs - 100, signalMs + CAUSE_MS);
	const middleMs = (fromMs + uptoMs) / 2;
	return {
		signal,
		signalMs,
		gapMs: uptoMs - fromMs,
		lastBeforeMs: fromMs,
		firstAfterMs: uptoMs,
		calmGapMs: calm.uptoMs - calm.fromMs,
		waited: writes.filter(({ sentMs, endedMs }) => sentMs <= middleMs && endedMs > middleMs).length,
		failed: writes.filter(({ ok }) => !ok).length,
		seen,
	};
}

/** Between two neighbours, of those gaps that begin before `uptoMs` and end after `fromMs`. */
export function longestGap(
	timesMs: readonly number[],
	fromMs: number,
	uptoMs: number,
): { readonly fromMs: number; readonly uptoMs: number } {
	let longest = { fromMs: 0, uptoMs: 0 };
	for (let at = 1; at < timesMs.length; at++) {
		const [before, after] = [timesMs[at - 1] as number, timesMs[at] as number];
		if (after > fromMs && before < uptoMs && after - before > longest.uptoMs - longest.fromMs) longest = { fromMs: before, uptoMs: after };
	}
	return longest;
}

async function leaderOf(cluster: ProcessCluster): Promise<ClusterMember> {
	for (const member of cluster.members) {
		const client = new KvClient(member.clientUrl.slice("http://".length));
		const status = await client.status({ timeoutMs: 2_000 }).finally(() => client.close());
		if (status.leader === status.header.member_id) return member;
	}
	throw new Error("no member leads");
}

async function writeOn(client: KvClient, key: string, running: () => boolean, writes: Write[]): Promise<void> {
	for (let n = 0; running(); n++) {
		const sentMs = nowMs();
		try {
			await client.put(key, String(n), { timeoutMs: 30_000 });
			writes.push({ sentMs, endedMs: nowMs(), ok: true });
		} catch (error) {
			if (!(error instanceof RpcError)) throw error;
			writes.push({ sentMs, endedMs: nowMs(), ok: false });
			await pause(1);
		}
	}
}
