/** The leader of real processes goes under load: the others go on without a failed write, and the event taps tell how. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { longestGap, type Outage, outage } from "../src/failover/outage.ts";
import { timeline } from "../src/failover/timeline.ts";
import { ProcessCluster } from "../src/process/cluster.ts";

describe("the loss of a leader", () => {
	let cluster: ProcessCluster;
	beforeAll(async () => {
		cluster = await ProcessCluster.start();
	});
	afterAll(() => cluster.dispose());

	/** Places of these steps in the timeline; -1 for one that is not there. */
	function places(cost: Outage, steps: readonly RegExp[]): number[] {
		const lines = timeline(cost, (id) => id);
		return steps.map((step) => lines.findIndex((line) => step.test(line)));
	}

	const inOrder = (found: readonly number[]): void => {
		expect(found).not.toContain(-1);
		expect(found).toEqual(found.toSorted((a, b) => a - b));
	};

	test("kill -9: its connections break, the others hold it for lost, elect, and write on; nobody's write fails", async () => {
		const cost = await outage(cluster, "SIGKILL", true);
		expect(cost.failed).toBe(0);
		expect(cost.waited).toBe(8);
		inOrder(
			places(cost, [
				/last heartbeat of/,
				/SIGKILL to the leader/,
				/holds .* for lost/,
				/asks for a pre-vote \(connectionLost\)/,
				/leads term/,
			]),
		);
		inOrder(places(cost, [/asks for votes/, /gives .* its vote/, /leads term/, /first commit of term/]));
	});

	test("SIGTERM: it hands over before it stops, and is there until its successor has committed", async () => {
		const cost = await outage(cluster, "SIGTERM", true);
		expect(cost.failed).toBe(0);
		inOrder(
			places(cost, [
				/SIGTERM/,
				/begins to stop/,
				/hands leadership to/,
				/to take over/,
				/asks for votes in term \d+ \(transfer\)/,
				/leads term/,
			]),
		);
		const at = (name: string): number => cost.seen.findIndex(({ event }) => event.name === name && event.term >= newTerm);
		const newTerm = cost.seen.find(({ event }) => event.name === "becameLeader")?.event.term as number;
		const closed = cost.seen.findIndex(({ event, atMs }) => event.name === "peerDisconnected" && atMs > cost.signalMs);
		expect(at("commitAdvanced")).toBeGreaterThan(at("becameLeader"));
		expect(closed).toBeGreaterThan(at("commitAdvanced"));
	});
});

test("the longest gap is looked for among those that touch the time in question", () => {
	const times = [0, 50, 60, 70, 100, 105, 300];
	expect(longestGap(times, 55, 99)).toEqual({ fromMs: 70, uptoMs: 100 });
	expect(longestGap(times, 45, 65)).toEqual({ fromMs: 0, uptoMs: 50 });
	expect(longestGap(times, 101, 110)).toEqual({ fromMs: 105, uptoMs: 300 });
	expect(longestGap([], 0, 10)).toEqual({ fromMs: 0, uptoMs: 0 });
});
