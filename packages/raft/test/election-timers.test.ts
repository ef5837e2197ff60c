import { Dice, silentTap } from "@flotilla/base";
import { expect, test } from "vitest";
import { bootstrapPoint, DEFAULT_RAFT_CONFIG, type Message, type NodeId } from "../src/index.ts";
import { Raft } from "../src/raft.ts";
import { Cluster } from "./sim/cluster.ts";

const ELECTION_TICKS = 10;

function timerOf(seed: number): Raft {
	const base = bootstrapPoint([1n, 2n, 3n]);
	const restored = { hardState: { term: 1, vote: 0n, commit: 1 }, base, entries: [], firstIndex: 2, applied: 1 };
	return new Raft({ ...DEFAULT_RAFT_CONFIG, electionTicks: ELECTION_TICKS, id: 1n, incarnation: 1 }, restored, new Dice(seed), silentTap);
}

test("SC-002 timers are drawn evenly from one to two election timeouts, and two of them do not stay in step", () => {
	const [one, other] = [timerOf(1), timerOf(2)];
	const counts = new Map<number, number>();
	let inStep = 0;
	let inStepMost = 0;
	for (let i = 0; i < 10_000; i++) {
		for (const timer of [one, other]) timer.drawElectionTimeout();
		counts.set(one.electionDrawTicks, (counts.get(one.electionDrawTicks) ?? 0) + 1);
		inStep = one.electionDrawTicks === other.electionDrawTicks ? inStep + 1 : 0;
		inStepMost = Math.max(inStepMost, inStep);
	}
	expect([...counts.keys()].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
	// 1,000 each, give or take five standard deviations.
	for (const [ticks, count] of counts) expect(Math.abs(count - 1_000), `${ticks} ticks`).toBeLessThan(150);
	expect(inStepMost).toBeLessThan(8);
});

test("SC-019 only the leader's word and a granted vote put an election off", () => {
	const base = { from: 1n, to: 2n } as const;
	const last = { lastIndex: 3, lastTerm: 2, commit: 2, commitTerm: 2 };
	const rows: [string, boolean, Message][] = [
		["an append of the leader", true, { ...base, kind: "append", term: 2, prevIndex: 2, prevTerm: 2, commit: 2, entries: [] }],
		["its heartbeat", true, { ...base, kind: "heartbeat", term: 2, commit: 2, commitTerm: 2, readPosition: 0, sequence: 1 }],
		["a vote that is granted", true, { ...base, ...last, from: 3n, kind: "vote", term: 3, transfer: true }],
		["a vote that is refused", false, { ...base, ...last, from: 3n, kind: "vote", term: 3, transfer: true, lastIndex: 1, lastTerm: 1 }],
		["a vote that stickiness refuses", false, { ...base, ...last, from: 3n, kind: "vote", term: 3, transfer: false }],
		["a pre-vote", false, { ...base, ...last, from: 3n, kind: "preVote", term: 3, leaderLost: false }],
		[
			"an append of an earlier term",
			false,
			{ ...base, from: 3n, kind: "append", term: 1, prevIndex: 1, prevTerm: 1, commit: 1, entries: [] },
		],
		[
			"a heartbeat of an earlier term",
			false,
			{ ...base, from: 3n, kind: "heartbeat", term: 1, commit: 1, commitTerm: 1, readPosition: 0, sequence: 1 },
		],
		["an answer", false, { ...base, from: 3n, kind: "heartbeatResp", term: 2, readPosition: 0, sequence: 1 }],
	];
	for (const [name, putsOff, message] of rows) {
		const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config: { electionTicks: ELECTION_TICKS } });
		cluster.elect(1n);
		const { r } = cluster.member(2n).core as unknown as { r: Raft };
		for (let i = 0; i < 5; i++) cluster.tick(2n);
		cluster.hand(message);
		expect(r.electionElapsed, name).toBe(putsOff ? 0 : 5);
	}
});

test("SC-021 when the leader dies, and all timers begin in the same moment, another one is there within three election timeouts", () => {
	let longest = 0;
	for (let seed = 1; seed <= 200; seed++) {
		// The shortest election timeout that the rules allow for this heartbeat.
		const cluster = new Cluster({ voters: [1n, 2n, 3n, 4n, 5n], dice: new Dice(seed), config: { electionTicks: 10, heartbeatTicks: 2 } });
		cluster.elect(1n);
		cluster.pass(2);
		cluster.crash(1n, () => 0);
		let ticks = 0;
		for (; cluster.leaders.length === 0; ticks++) cluster.pass();
		longest = Math.max(longest, ticks);
	}
	expect(longest).toBeGreaterThanOrEqual(10);
	expect(longest).toBeLessThanOrEqual(30);
});

test("SC-020 the first election needs no full time-out when the clock is counted forward", () => {
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1) });
	cluster.input(2n, ({ core }) => core.advanceElection(2 * ELECTION_TICKS - 1));
	cluster.pass(1);
	expect(cluster.leaders.map(({ id }): NodeId => id)).toEqual([2n]);
});
