import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import type { Message, NodeId } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

/** Rules H. The spans in milliseconds scale with the election timeout: here 100 ticks, as in production. */
const three = (config = {}, seed = 1) => {
	const options = { electionTicks: 100, heartbeatTicks: 10, ...config };
	return new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(seed), config: options });
};

function lose(cluster: Cluster, leader: NodeId, ...ids: NodeId[]): void {
	for (const id of ids) cluster.input(id, ({ core }) => core.leaderConnectionLost(leader));
}

test("after a kill the first by rank is elected without waiting for the election timeout", () => {
	const cluster = three();
	cluster.elect(2n);
	cluster.crash(2n, () => 0);
	lose(cluster, 2n, 1n, 3n);
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toEqual([1n]);
	expect(cluster.status(3n)).toMatchObject({ leader: 1n, term: 3 });
});

test("ranks differ, so that two who notice at once do not split the votes", () => {
	const cluster = three({ hintRankTicks: 3 });
	cluster.elect(1n);
	cluster.crash(1n, () => 0);
	lose(cluster, 1n, 3n);
	for (let i = 0; i < 2; i++) cluster.tick(3n);
	expect(cluster.status(3n).role).toBe("follower");
	cluster.tick(3n);
	expect(cluster.status(3n).role).toBe("preCandidate");
});

test("a voter that still hears the leader refuses at once, remembers, and answers anew when it loses it too", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.crash(1n, () => 0);
	lose(cluster, 1n, 2n);
	cluster.drain(2n);
	const [ask] = cluster.take((message) => message.kind === "preVote" && message.to === 3n);
	cluster.hand(ask as Message);
	cluster.drain(3n);
	const [refusal] = cluster.take((message) => message.kind === "preVoteResp");
	expect(refusal).toMatchObject({ reject: true, sticky: true });
	cluster.hand(refusal as Message);
	expect(cluster.status(2n).role).toBe("preCandidate");
	cluster.tick(3n);
	lose(cluster, 1n, 3n);
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toEqual([2n]);
});

test("a request that was refused too long ago is not answered anew", () => {
	const cluster = three();
	cluster.elect(1n);
	lose(cluster, 1n, 2n);
	cluster.drain(2n);
	for (const message of cluster.take((each) => each.to === 3n)) cluster.hand(message);
	cluster.drain(3n);
	cluster.messages = [];
	for (let i = 0; i < 6; i++) cluster.tick(3n);
	lose(cluster, 1n, 3n);
	cluster.drain(3n);
	expect(cluster.messages.filter((message) => message.kind === "preVoteResp")).toEqual([]);
});

test("a lost voter with the newer log refuses and campaigns at once", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.part(1n, 2n);
	cluster.propose(1n, 2);
	cluster.settle();
	cluster.crash(1n, () => 0);
	lose(cluster, 1n, 3n, 2n);
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toEqual([3n]);
});

test("a round that nobody answered is tried again soon, and again, but not for longer than an election timeout", () => {
	const cluster = three({}, 5);
	cluster.elect(1n);
	cluster.crash(1n, () => 0);
	let asked = 0;
	cluster.onMessage = (message) => {
		if (message.kind === "preVote" && message.from === 2n) asked++;
	};
	cluster.isolate(2n);
	lose(cluster, 1n, 2n);
	cluster.drain(2n);
	expect(asked).toBe(2);
	for (let i = 0; i < 12; i++) {
		cluster.tick(2n);
		cluster.drain(2n);
	}
	expect(asked).toBe(4);
	for (let i = 0; i < 88; i++) {
		cluster.tick(2n);
		cluster.drain(2n);
	}
	const early = asked;
	expect(early).toBeGreaterThan(12);
	for (let i = 0; i < 90; i++) {
		cluster.tick(2n);
		cluster.drain(2n);
	}
	expect(asked - early).toBeLessThanOrEqual(4);
});

test("a leader whose follower lost only its connection keeps role and term, and shows itself at once (rules H3, H6)", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n);
	cluster.settle();
	const { term } = cluster.status(1n);
	lose(cluster, 1n, 3n);
	for (let i = 0; i < 2; i++) cluster.tick(3n);
	expect(cluster.status(3n)).toMatchObject({ role: "preCandidate", leader: 0n, term });
	cluster.settle();
	expect(cluster.status(3n)).toMatchObject({ role: "follower", leader: 1n, term });
	expect(cluster.status(1n)).toMatchObject({ role: "leader", term });
});

test("a leader that a quorum takes for dead must hear a quorum within a heartbeat interval (rule H6)", () => {
	for (const deaf of [false, true]) {
		const cluster = three();
		cluster.elect(1n);
		cluster.part(2n, 3n);
		if (deaf) for (const link of ["1>2", "1>3"]) cluster.cut.add(link);
		lose(cluster, 1n, 2n, 3n);
		for (let i = 0; i < 3; i++) cluster.tick(3n);
		cluster.settle();
		for (let i = 0; i < 12; i++) {
			cluster.tick(1n);
			cluster.settle();
		}
		expect(cluster.status(1n).role === "leader").toBe(!deaf);
	}
});

test("a false alarm unseats nobody, however often it comes", () => {
	const cluster = three();
	cluster.elect(1n);
	const { term } = cluster.status(1n);
	for (let i = 0; i < 50; i++) {
		lose(cluster, 1n, i % 2 === 0 ? 2n : 3n);
		cluster.pass(3);
	}
	for (const id of cluster.ids) expect(cluster.status(id)).toMatchObject({ term, leader: 1n });
});

test("without hints, or about somebody who does not lead, nothing happens", () => {
	const deaf = three({ connectionHints: false });
	deaf.elect(1n);
	lose(deaf, 1n, 2n);
	expect(deaf.status(2n).leader).toBe(1n);
	const cluster = three();
	cluster.elect(1n);
	lose(cluster, 3n, 2n);
	expect(cluster.status(2n).leader).toBe(1n);
	lose(cluster, 1n, 1n);
	expect(cluster.status(1n).role).toBe("leader");
});
