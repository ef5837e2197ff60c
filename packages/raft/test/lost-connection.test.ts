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
	const cluster = three({ hintRankTicksMin: 3 });
	cluster.elect(1n);
	cluster.crash(1n, () => 0);
	lose(cluster, 1n, 3n);
	for (let i = 0; i < 2; i++) cluster.tick(3n);
	expect(cluster.status(3n).role).toBe("follower");
	cluster.tick(3n);
	expect(cluster.status(3n).role).toBe("preCandidate");
});

test("on a slow disk the next by rank waits for four writes to the log (rule H4)", () => {
	for (const [syncTicks, waits] of [
		[0.2, 2],
		[0.6, 3],
		[6, 24],
		[1_000, 67],
	] as const) {
		const cluster = three();
		cluster.elect(1n);
		cluster.crash(1n, () => 0);
		cluster.input(3n, ({ core }) => core.setSyncTicks(syncTicks));
		lose(cluster, 1n, 3n);
		for (let i = 1; i < waits; i++) cluster.tick(3n);
		expect(cluster.status(3n).role, `${syncTicks}`).toBe("follower");
		cluster.tick(3n);
		expect(cluster.status(3n).role, `${syncTicks}`).toBe("preCandidate");
	}
});

test("a round of votes has the time that it takes on slow disks: one term, and hardly more than its two writes (rule H4)", () => {
	for (const syncTicks of [2, 4, 6, 10, 16]) {
		for (let seed = 1; seed <= 20; seed++) {
			const { ticks, terms } = electionOnSlowDisks(syncTicks, seed);
			expect(terms, `${syncTicks} ${seed}`).toBe(1);
			expect(ticks, `${syncTicks} ${seed}`).toBeLessThanOrEqual(2 * syncTicks + 1);
		}
	}
});

/** Writes to the log take so long on both that are left; until one leads. */
function electionOnSlowDisks(syncTicks: number, seed: number): { readonly ticks: number; readonly terms: number } {
	const cluster = three({}, seed);
	cluster.elect(1n);
	cluster.settle();
	const { term } = cluster.status(2n);
	cluster.crash(1n, () => 0);
	const left = [2n, 3n];
	for (const id of left) cluster.input(id, ({ core }) => core.setSyncTicks(syncTicks));
	lose(cluster, 1n, ...left);
	const due = new Map<NodeId, number[]>(left.map((id) => [id, []]));
	let ticks = 0;
	for (; ticks < 300 && cluster.leaders.length === 0; ticks++) {
		// A message takes no time, and what it leads to neither, but for the disk.
		for (let hops = 0; hops < 3; hops++) {
			for (const id of left) {
				cluster.drain(id);
				const writes = due.get(id) as number[];
				while (writes.length < cluster.member(id).outstanding.length) writes.push(ticks + syncTicks);
				const done = writes.filter((at) => at <= ticks).length;
				writes.splice(0, done);
				if (done > 0) cluster.persist(id, done);
			}
			for (const message of cluster.take(({ to }) => to !== 1n)) cluster.hand(message);
		}
		for (const id of left) cluster.tick(id);
	}
	return { ticks, terms: Math.max(...left.map((id) => cluster.status(id).term)) - term };
}

test("a round that has not left the disk yet is not given up for another one", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.settle();
	cluster.crash(1n, () => 0);
	const { term } = cluster.status(2n);
	lose(cluster, 1n, 2n, 3n);
	for (const id of [2n, 3n, 2n]) {
		cluster.drain(id);
		for (const message of cluster.take((each) => each.to !== 1n)) cluster.hand(message);
	}
	expect(cluster.status(2n)).toMatchObject({ role: "candidate", term: term + 1 });
	for (let i = 0; i < 80; i++) {
		cluster.tick(2n);
		cluster.drain(2n);
	}
	expect(cluster.status(2n)).toMatchObject({ role: "candidate", term: term + 1 });
	cluster.persist(2n);
	for (let i = 0; i < 12; i++) cluster.tick(2n);
	expect(cluster.status(2n).role).toBe("preCandidate");
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
