import type { Seen } from "./tap-recorder.ts";

export interface Watched {
	/** How many members should have heard heartbeats. */
	readonly followers: number;
	readonly fromMs: number;
	readonly uptoMs: number;
}

/** Longest time without a heartbeat at any follower: whoever heard none, or none any more, counts with the rest of the time. */
export function longestHeartbeatGap(seen: readonly Seen[], { followers, fromMs, uptoMs }: Watched): number {
	const last = new Map<string, number>();
	let longestMs = 0;
	for (const { member, atMs, event } of seen) {
		if (event.name !== "heartbeatHeard") continue;
		longestMs = Math.max(longestMs, atMs - (last.get(member) ?? fromMs));
		last.set(member, atMs);
	}
	if (last.size < followers) return uptoMs - fromMs;
	return Math.max(longestMs, ...[...last.values()].map((atMs) => uptoMs - atMs));
}
