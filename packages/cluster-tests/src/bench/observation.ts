/** What members go through while something large is asked of them: heartbeats, elections, memory. */
import { longestHeartbeatGap } from "../failover/heartbeat-gap.ts";
import { nowMs, TapRecorder } from "../failover/tap-recorder.ts";
import type { ClusterMember } from "../process/cluster.ts";
import { MemoryWatch, ownBytes } from "../process/memory-watch.ts";
import { pause } from "../process/wait.ts";
import { PutLoad } from "./put-load.ts";

const PUTS_A_CALL = 100;

export interface Observed<T> {
	readonly result: T;
	readonly tookMs: number;
	/** Longest time between two heartbeats that a follower heard. They come every 100 ms. */
	readonly heartbeatGapMs: number;
	readonly elections: number;
	/** What the memory of each member's own grew by at most, in the order of the members. */
	readonly grownMb: readonly number[];
}

export async function observe<T>(members: readonly ClusterMember[], work: () => Promise<T>): Promise<Observed<T>> {
	const taps = new TapRecorder(members, ["heartbeatHeard", "becamePreCandidate", "becameCandidate", "becameLeader"]);
	// A heartbeat before it, so that the first gap counts.
	await pause(500);
	const before = await Promise.all(members.map((member) => ownBytes(member)));
	const memory = new MemoryWatch(members);
	const startedMs = nowMs();
	const result = await work();
	const tookMs = nowMs() - startedMs;
	const peaks = await memory.stop();
	await pause(500);
	const [fromMs, uptoMs] = [startedMs - 200, nowMs()];
	const seen = taps.take(fromMs);
	return {
		...{ result, tookMs },
		heartbeatGapMs: longestHeartbeatGap(seen, { followers: members.length - 1, fromMs, uptoMs }),
		elections: seen.filter(({ event }) => event.name.startsWith("became")).length,
		grownMb: peaks.map((peak, at) => Math.round((peak - (before[at] as number)) / 2 ** 20)),
	};
}

export function describe({ tookMs, heartbeatGapMs, elections, grownMb }: Observed<unknown>): string {
	return (
		`${(tookMs / 1_000).toFixed(1)} s; longest time between two heartbeats ${heartbeatGapMs.toFixed(0)} ms, ` +
		`elections ${elections}; own memory grew by ${grownMb.join(", ")} MB`
	);
}

/** `count` keys below `prefix`, of 16 bytes each. */
export async function fill(url: string, prefix: string, count: number, valueBytes: number): Promise<void> {
	const value = Buffer.alloc(valueBytes, "v");
	const makeKey = (n: number): Buffer => Buffer.from(`${prefix}${String(n).padStart(16 - prefix.length, "0")}`);
	const load = new PutLoad({ url, streams: 32, putsACall: PUTS_A_CALL, makeKey, makeValue: () => value });
	await load.run(0, count);
	load.close();
}
