/** What a group costs in which nothing happens. */
import { Dice, silentTap } from "@flotilla/base";
import { expect, test } from "vitest";
import { IdleGroups } from "../scripts/idle-groups.ts";
import { DEFAULT_RAFT_CONFIG } from "../src/config.ts";

test("SC-123 a thousand idle groups beside each other: a heartbeat and its answer for each follower and interval, nothing written, nothing applied", () => {
	const groups = new IdleGroups(1_000, (seed) => new Dice(seed), silentTap);
	groups.elect();
	const intervals = 5;
	const cost = groups.run(intervals * DEFAULT_RAFT_CONFIG.heartbeatTicks);
	const heartbeats = 1_000 * 2 * intervals;
	expect(cost).toEqual({ heartbeat: heartbeats, heartbeatResp: heartbeats, other: 0, appends: 0, applied: 0 });
	// One that has something to do costs more, and its neighbours do not.
	groups.propose(7);
	const busy = groups.run(intervals * DEFAULT_RAFT_CONFIG.heartbeatTicks);
	expect(busy).toMatchObject({ heartbeat: heartbeats, applied: 3 });
	expect(busy.appends).toBeGreaterThanOrEqual(3);
	expect(busy.appends).toBeLessThan(10);
});
