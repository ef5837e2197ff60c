import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import type { Message, NodeId, RaftConfig } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

/**
 * The stories that make reads by a lease of time dangerous. Here a read needs a quorum that answers after it came (rules R),
 * so no clock, pause, restart or late message can make one stale: shown by telling each story to its end.
 */

const three = (config: Partial<RaftConfig> = {}) => new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config });

/** 2 leads a later term and has committed a write of which 1 knows nothing. 1 still believes that it leads. */
function expectNoStaleRead(cluster: Cluster): void {
	expect(cluster.status(1n).role).toBe("leader");
	const [leader] = cluster.leaders.filter(({ id }) => id !== 1n);
	expect(leader?.core.status().commit).toBeGreaterThan(cluster.status(1n).commit);
	const before = cluster.reads.length;
	expect(cluster.read(1n)).toBeGreaterThan(0);
	cluster.heal();
	cluster.settle();
	expect(cluster.reads.length).toBe(before);
	expect(cluster.status(1n).role).toBe("follower");
	// Asked again it gets the index of the new leader.
	cluster.pass(3);
	expect(cluster.read(1n)).toBeGreaterThan(0);
	cluster.settle();
	expect(cluster.reads.at(-1)).toMatchObject({ id: 1n, index: leader?.core.status().commit });
}

/** Everything happens that needs no time, except at 1. */
function without1(cluster: Cluster, act: () => void): void {
	cluster.isolate(1n);
	act();
	cluster.settle();
}

function write(cluster: Cluster, id: NodeId): void {
	expect(cluster.propose(id)).toBe(true);
	cluster.settle();
}

test("SC-037 retries of one read and late echoes of an earlier leadership of the same member grant nothing (etcd #20418)", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.read(1n);
	cluster.drain(1n);
	const rounds = cluster.take((message) => message.kind === "heartbeat");
	for (const message of rounds) cluster.hand(message);
	for (const id of [2n, 3n]) cluster.drain(id);
	const echoes = cluster.take((message) => message.kind === "heartbeatResp");
	expect(echoes).toMatchObject([{ readPosition: 1 }, { readPosition: 1 }]);
	// 2 leads for a while and writes; then 1 leads again.
	cluster.member(1n).core.transferLeadership(2n);
	cluster.settle();
	write(cluster, 2n);
	cluster.member(2n).core.transferLeadership(1n);
	cluster.settle();
	expect(cluster.status(1n)).toMatchObject({ role: "leader", term: 4 });
	const before = cluster.reads.length;
	const retries = [cluster.read(1n), cluster.read(1n)];
	for (const echo of [...echoes, ...echoes]) cluster.hand(echo);
	cluster.drain(1n);
	expect(cluster.reads.length).toBe(before);
	cluster.settle();
	expect(cluster.reads.slice(before).map(({ counter }) => counter)).toEqual(retries);
	for (const { index } of cluster.reads.slice(before)) expect(index).toBe(cluster.status(2n).lastIndex);
});

test("SC-038 a transfer was given up, and its timeoutNow arrives when the old leader serves reads again", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.member(1n).core.transferLeadership(2n);
	cluster.drain(1n);
	const [late] = cluster.take((message) => message.kind === "timeoutNow");
	cluster.pass(10);
	expect(cluster.status(1n)).toMatchObject({ role: "leader", transferee: 0n });
	without1(cluster, () => cluster.hand(late as Message));
	// Past those who hear the leader: a transfer overrides stickiness.
	expect(cluster.leaders.map(({ id }) => id)).toEqual([1n, 2n]);
	write(cluster, 2n);
	expectNoStaleRead(cluster);
});

test("SC-039 a voter has confirmed the leader, restarts, remembers nothing of it and votes at once", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	cluster.read(1n);
	cluster.settle();
	expect(cluster.reads.length).toBe(1);
	cluster.crash(2n, () => 0);
	cluster.restart(2n);
	without1(cluster, () => {
		cluster.input(3n, ({ core }) => core.leaderConnectionLost(1n));
		cluster.input(3n, ({ core }) => core.campaign());
	});
	expect(cluster.status(3n).role).toBe("leader");
	write(cluster, 3n);
	expectNoStaleRead(cluster);
});

test("SC-040 a leader is paused, another one writes, and the old one goes on and is read from at once", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	// Paused: its messages wait, its clock stands still.
	without1(cluster, () => {
		for (let i = 0; i < 40; i++) {
			for (const id of [2n, 3n]) cluster.tick(id);
			cluster.settle();
		}
	});
	const [leader] = cluster.leaders.filter(({ id }) => id !== 1n);
	write(cluster, (leader as { id: NodeId }).id);
	expectNoStaleRead(cluster);
});

test("SC-041 a follower forgets its leader by a late answer of a higher term, and votes within what would be its promise", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	const answer = { kind: "appendResp", from: 3n, to: 2n, term: 5, index: 0, reject: false, hintIndex: 0, hintTerm: 0, commit: 1 } as const;
	cluster.hand(answer);
	expect(cluster.status(2n)).toMatchObject({ term: 5, leader: 0n });
	without1(cluster, () => {
		cluster.part(2n, 3n);
		cluster.heal();
		cluster.isolate(1n);
		cluster.input(2n, ({ core }) => core.campaign());
		cluster.input(3n, ({ core }) => core.leaderConnectionLost(1n));
		cluster.input(2n, ({ core }) => core.campaign());
	});
	expect(cluster.status(2n).role).toBe("leader");
	write(cluster, 2n);
	expectNoStaleRead(cluster);
});

test("SC-042 clocks of any rate: the followers' run a hundred times as fast as the leader's", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	cluster.tick(1n);
	without1(cluster, () => {
		for (let i = 0; i < 100; i++) {
			for (const id of [2n, 3n]) cluster.tick(id);
			cluster.settle();
		}
	});
	const [leader] = cluster.leaders.filter(({ id }) => id !== 1n);
	write(cluster, (leader as { id: NodeId }).id);
	expectNoStaleRead(cluster);
});

describe("R4 what a follower has asked for fails with", () => {
	/** 3 has asked, and its question is lost. Tokens that are given back are counted from here on. */
	function asked(): { readonly cluster: Cluster; readonly counter: number; readonly failed: number[] } {
		const cluster = three();
		cluster.elect(1n);
		cluster.pass(2);
		const failed: number[] = [];
		cluster.onOutput = (id, output) => {
			if (id === 3n) failed.push(...output.readFailures.map(({ token }) => token.counter));
		};
		const counter = cluster.read(3n);
		cluster.drain(3n);
		expect(cluster.take((message) => message.kind === "readIndex").length).toBe(1);
		expect(failed).toEqual([]);
		return { cluster, counter, failed };
	}

	test("the connection to the leader, though its term goes on", () => {
		const { cluster, counter, failed } = asked();
		cluster.input(3n, ({ core }) => core.leaderConnectionLost(1n));
		cluster.drain(3n);
		expect(failed).toEqual([counter]);
	});

	test("a later term, though the same member leads it", () => {
		const { cluster, counter, failed } = asked();
		const { term, lastIndex, lastTerm } = cluster.status(3n);
		// 1 stepped down and was elected again by 2: all that 3 hears is an append of the later term.
		cluster.hand({ kind: "append", from: 1n, to: 3n, term: term + 2, prevIndex: lastIndex, prevTerm: lastTerm, commit: 1, entries: [] });
		cluster.drain(3n);
		expect(cluster.status(3n)).toMatchObject({ term: term + 2, leader: 1n });
		expect(failed).toEqual([counter]);
	});
});

test("R3 echoes that are too few under one configuration grant a read as soon as a smaller one is in force", () => {
	const cluster = new Cluster({ voters: [1n, 2n, 3n, 4n], dice: new Dice(1) });
	cluster.elect(1n);
	cluster.pass(2);
	cluster.change(1n, { op: "remove", node: 4n });
	cluster.read(1n);
	// Of the read's round only 2 answers: two of four.
	cluster.loses = (message) => message.kind === "heartbeatResp" && message.from !== 2n;
	const before = cluster.reads.length;
	cluster.drain(1n);
	for (const message of cluster.take((each) => each.kind === "heartbeat")) cluster.hand(message);
	cluster.drain(2n);
	for (const message of cluster.take((each) => each.kind === "heartbeatResp")) cluster.hand(message);
	expect(cluster.status(1n).confState.voters.length).toBe(4);
	expect(cluster.reads.length).toBe(before);
	// And two of three, once 4 is out.
	cluster.settle();
	expect(cluster.status(1n).confState.voters).toEqual([1n, 2n, 3n]);
	expect(cluster.reads.length).toBe(before + 1);
});
