/** The leader of real processes goes under load: the others go on without a failed write, and the event taps tell how. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longestGap, type Outage, outage } from "../src/failover/outage.ts";
import { timeline } from "../src/failover/timeline.ts";
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
		const newTerm = Math.max(...cost.seen.filter(({ event }) => event.name === "becameLeader").map(({ event }) => event.term));
		const when = (name: string): number => cost.seen.find(({ event }) => event.name === name && event.term === newTerm)?.atMs ?? Number.NaN;
		const closed = cost.seen.find(({ event, atMs }) => event.name === "peerDisconnected" && atMs > cost.signalMs)?.atMs ?? Number.NaN;
		const committed = when("commitAdvanced");
		expect(committed).toBeGreaterThanOrEqual(when("becameLeader") - ALIGNED_MS);
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
