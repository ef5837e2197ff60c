/** The leader of real processes goes under load: the others go on without a failed write, and the event taps tell how. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { distribution, missed } from "../src/failover/goals.ts";
import { longestGap, type Outage, outage } from "../src/failover/outage.ts";
import type { Seen } from "../src/failover/tap-recorder.ts";
import { firstCommitOf, newLeadership, timeline } from "../src/failover/timeline.ts";
import { ProcessCluster } from "../src/process/cluster.ts";

/** How long a stopping leader waits for its successor, less what a busy machine may be late. */
const HAND_OVER_MS = 800;

describe("the loss of a leader", () => {
	let cluster: ProcessCluster;
	beforeAll(async () => {
		cluster = await ProcessCluster.start();
	});
	afterAll(() => cluster.dispose());

	/**
	 * Clocks of members are put on one axis by what they said of the wall clock when they began: a millisecond or so apart, and some
	 * more where that clock was corrected since.
	 */
	const ALIGNED_MS = 20;

	/** That the timeline has these steps, and has them in this order. */
	function tells(cost: Outage, steps: readonly RegExp[]): void {
		const lines = timeline(cost, (id) => id);
		const found = steps.map((step) => lines.find((line) => step.test(line)) ?? `nothing about ${step} in\n${lines.join("\n")}`);
		for (const line of found) expect(line).toMatch(/^ *-?[\d.]+ ms/);
		const times = found.map((line) => Number.parseFloat(line));
		for (let at = 1; at < times.length; at++) {
			expect(times[at], lines.join("\n")).toBeGreaterThanOrEqual((times[at - 1] as number) - ALIGNED_MS);
		}
	}

	test("kill -9: its connections break, the others hold it for lost, elect, and write on; nobody's write fails", async () => {
		const cost = await outage(cluster, "SIGKILL", true);
		expect(cost.failed).toBe(0);
		expect(cost.waited).toBe(8);
		tells(cost, [
			/last heartbeat of/,
			/SIGKILL to the leader/,
			/holds .* for lost/,
			/asks for a pre-vote \(connectionLost\)/,
			/leads term/,
		]);
		tells(cost, [/asks for votes/, /gives .* its vote/, /leads term/, /first commit of term/]);
	});

	test("SIGTERM: it hands over before it stops, and is there until its successor has committed", async () => {
		const cost = await outage(cluster, "SIGTERM", true);
		expect(cost.failed).toBe(0);
		tells(cost, [
			/SIGTERM/,
			/begins to stop/,
			/hands leadership to/,
			/to take over/,
			/asks for votes in term \d+ \(transfer\)/,
			/leads term/,
		]);
		const closed = cost.seen.find(({ event, atMs }) => event.name === "peerDisconnected" && atMs > cost.signalMs)?.atMs ?? Number.NaN;
		const committed = firstCommitOf(cost.seen)?.atMs ?? Number.NaN;
		expect(committed).toBeGreaterThanOrEqual(newLeadership(cost.seen)?.atMs ?? Number.NaN);
		// Either: a successor that takes a second is not waited for.
		if (committed - cost.signalMs < HAND_OVER_MS) expect(closed).toBeGreaterThan(committed - ALIGNED_MS);
	});
});

test("the longest gap is looked for among those that touch the time in question", () => {
	const times = [0, 50, 60, 70, 100, 105, 300];
	expect(longestGap(times, 55, 99)).toEqual({ fromMs: 70, uptoMs: 100 });
	expect(longestGap(times, 45, 65)).toEqual({ fromMs: 0, uptoMs: 50 });
	expect(longestGap(times, 101, 110)).toEqual({ fromMs: 105, uptoMs: 300 });
	expect(longestGap([], 0, 10)).toEqual({ fromMs: 0, uptoMs: 0 });
});

test("percentiles are told by nearest rank, in whatever order the times come", () => {
	const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
	expect(distribution(hundred)).toEqual({ p50: 50, p90: 90, p99: 99, max: 100 });
	expect(distribution([9, 100, 10])).toEqual({ p50: 10, p90: 100, p99: 100, max: 100 });
	expect(distribution([7])).toEqual({ p50: 7, p90: 7, p99: 7, max: 7 });
});

test("a goal is missed by the middle, by the tail, or by a write that failed", () => {
	const at = (p50: number, p99: number) => ({ p50, p90: p50, p99, max: p99 });
	expect(missed("SIGKILL", at(150, 400), 0)).toEqual([]);
	expect(missed("SIGTERM", at(30, 150), 0)).toEqual([]);
	expect(missed("SIGKILL", at(151, 400), 0)).toEqual(["SIGKILL: p50 is 151 ms, wanted 150 ms or less"]);
	expect(missed("SIGTERM", at(30, 151), 2)).toEqual([
		"SIGTERM: p99 is 151 ms, wanted 150 ms or less",
		"SIGTERM: 2 writes failed at survivors",
	]);
});

test("a commit that a candidate learns of is not its first as leader, and the timeline goes on until that", () => {
	const at = (atMs: number, name: string, term: number, index = 0): Seen => ({
		member: "b",
		atMs,
		event: { name, term, index, fields: {} } as unknown as Seen["event"],
	});
	const seen = [at(5, "becameCandidate", 4), at(6, "commitAdvanced", 4, 128), at(30, "becameLeader", 4), at(31, "commitAdvanced", 4, 129)];
	expect(firstCommitOf(seen)).toBe(seen[3]);
	expect(firstCommitOf(seen.slice(0, 2))).toBe(undefined);
	const cost = {
		signal: "SIGTERM",
		signalMs: 0,
		gapMs: 8,
		lastBeforeMs: -1,
		firstAfterMs: 7,
		calmGapMs: 1,
		waited: 1,
		failed: 0,
		seen,
	} as const;
	const lines = timeline(cost, (id) => id);
	expect(lines.filter((line) => /leads term 4|first commit of term 4, index 129/.test(line))).toHaveLength(2);
	expect(lines.some((line) => line.includes("index 128"))).toBe(false);
});
