import type { Seen } from "./tap-recorder.ts";

/** Longest time between two heartbeats that one follower heard. */
export function longestHeartbeatGap(seen: readonly Seen[]): number {
	const last = new Map<string, number>();
	let longestMs = 0;
	for (const { member, atMs, event } of seen) {
		if (event.name !== "heartbeatHeard") continue;
		longestMs = Math.max(longestMs, atMs - (last.get(member) ?? atMs));
		last.set(member, atMs);
	}
	return longestMs;
}
