import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import type { Message } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

const three = (config = {}, seed = 1) => new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(seed), config });

test("SC-001 a member that hears nobody is elected in one round, and its term's first entry is committed everywhere without a tick", () => {
	const cluster = three();
	cluster.elect(1n);
	for (const id of cluster.ids) {
		const { term, leader, commit, lastTerm } = cluster.status(id);
		expect({ term, leader, commit, lastTerm }).toEqual({ term: 2, leader: 1n, commit: 2, lastTerm: 2 });
	}
});

test("SC-005 SC-006 two candidates of one term: a voter gives one vote, repeats it for the same candidate, and keeps it through a crash", () => {
	const cluster = three({ preVote: false });
	cluster.input(1n, ({ core }) => core.campaign());
	cluster.input(3n, ({ core }) => core.campaign());
	for (const id of [1n, 3n]) {
		cluster.drain(id);
		cluster.persist(id);
	}
	const [first] = cluster.take((message) => message.kind === "vote" && message.from === 1n && message.to === 2n);
	const [second] = cluster.take((message) => message.kind === "vote" && message.from === 3n && message.to === 2n);
	cluster.hand(first as never);
	cluster.drain(2n);
	expect(cluster.messages.some((message) => message.kind === "voteResp")).toBe(false);
	cluster.persist(2n);
	const answers = cluster.take((message) => message.kind === "voteResp" && message.from === 2n);
	expect(answers).toMatchObject([{ to: 1n, term: 2, reject: false }]);
	cluster.crash(2n, () => 0);
	cluster.restart(2n);
	cluster.hand(second as never);
	cluster.hand(first as never);
	cluster.drain(2n);
	cluster.persist(2n);
	expect(cluster.take((message) => message.kind === "voteResp" && message.from === 2n)).toMatchObject([
		{ to: 3n, reject: true },
		{ to: 1n, reject: false },
	]);
});

for (const [name, candidate, voter, granted] of [
	["a later term and a shorter log", [3], [2, 2, 2], true],
	["a later term and as long a log", [2, 3], [2, 2], true],
	["a later term and a longer log", [2, 3, 3], [2, 2], true],
	["an equal term and a shorter log", [2], [2, 2], false],
	["an equal term and as long a log", [2, 2], [2, 2], true],
	["an equal term and a longer log", [2, 2], [2], true],
	["an earlier term and a shorter log", [2, 2], [2, 3, 3], false],
	["an earlier term and as long a log", [2, 2], [2, 3], false],
	["an earlier term and a longer log", [2, 2, 2], [3], false],
] as [string, number[], number[], boolean][]) {
	test(`SC-004 a vote is for logs at least as new: ${name}`, () => {
		const cluster = new Cluster({
			voters: [1n, 2n],
			dice: new Dice(1),
			logs: new Map([
				[1n, candidate],
				[2n, voter],
			]),
		});
		cluster.input(1n, ({ core }) => core.campaign());
		cluster.settle();
		expect(cluster.status(1n).role === "leader").toBe(granted);
	});
}

test("SC-007 a member that was cut off for long comes back without having raised its term or unseated anybody", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.isolate(3n);
	cluster.pass(1_000);
	expect(cluster.status(3n)).toMatchObject({ term: 2, role: "preCandidate" });
	cluster.heal();
	cluster.pass(30);
	expect(cluster.status(3n)).toMatchObject({ term: 2, role: "follower", leader: 1n });
	expect(cluster.status(1n).role).toBe("leader");
});

test("SC-008 without pre-votes it comes back with a high term, and is freed at the price of one election (etcd #8243)", () => {
	const cluster = three({ preVote: false });
	cluster.elect(1n);
	cluster.isolate(3n);
	cluster.pass(200);
	expect(cluster.status(3n).term).toBeGreaterThan(5);
	cluster.heal();
	cluster.pass(60);
	const [leader] = cluster.leaders;
	expect(cluster.leaders.length).toBe(1);
	for (const id of cluster.ids) expect(cluster.status(id)).toMatchObject({ term: leader?.core.status().term, leader: leader?.id });
});

test("SC-010 a leader that hears no quorum steps down within two election timeouts; one that cannot hear does so too", () => {
	for (const links of [
		["1>2", "2>1", "1>3", "3>1"],
		["2>1", "3>1"],
	]) {
		const cluster = three();
		cluster.elect(1n);
		for (const link of links) cluster.cut.add(link);
		cluster.pass(20);
		expect(cluster.status(1n).role).not.toBe("leader");
		cluster.pass(60);
		expect(cluster.leaders.map(({ id }) => id)).not.toEqual([]);
		expect(cluster.leaders.every(({ id }) => id !== 1n)).toBe(true);
	}
});

test("SC-010 a learner's answers do not keep a leader in office", () => {
	const cluster = three();
	cluster.addEmpty(4n);
	cluster.elect(1n);
	cluster.change(1n, { op: "addLearner", node: 4n });
	cluster.pass(5);
	expect(cluster.status(4n).confState.learners).toEqual([4n]);
	let answers = 0;
	cluster.onHeard = (message, status) => {
		if (message.kind === "heartbeatResp" && message.from === 4n && message.to === 1n && status === "ok") answers++;
	};
	cluster.cut.add("2>1");
	cluster.pass(40);
	expect(cluster.status(1n).role).toBe("leader");
	answers = 0;
	cluster.cut.add("3>1");
	cluster.pass(20);
	expect(answers).toBeGreaterThan(3);
	expect(cluster.status(1n).role).not.toBe("leader");
});

test.each([
	{ half: "the incoming half", silent: [2n, 3n] },
	{ half: "the outgoing half", silent: [4n, 5n] },
])("SC-010 $half of a joint configuration alone does not keep a leader in office", ({ silent }) => {
	const cluster = three();
	for (const id of [4n, 5n]) cluster.addEmpty(id);
	cluster.elect(1n);
	const changes = [
		{ op: "addVoter", node: 4n },
		{ op: "addVoter", node: 5n },
		{ op: "remove", node: 2n },
		{ op: "remove", node: 3n },
	] as const;
	cluster.request(1n, { changes, transition: "jointExplicit", context: new Uint8Array() });
	cluster.pass(6);
	expect(cluster.status(1n).confState).toMatchObject({ voters: [1n, 4n, 5n], votersOutgoing: [1n, 2n, 3n] });
	for (const id of [2n, 4n]) cluster.cut.add(`${id}>1`);
	cluster.pass(40);
	expect(cluster.status(1n).role).toBe("leader");
	cluster.cut.clear();
	for (const id of silent) cluster.cut.add(`${id}>1`);
	cluster.pass(20);
	expect(cluster.status(1n).role).not.toBe("leader");
});

test("SC-011 a follower in touch with its leader refuses a vote, and does not take over its term", () => {
	const cluster = three({ preVote: false });
	cluster.elect(1n);
	cluster.part(1n, 3n);
	for (let i = 0; i < 30; i++) {
		cluster.pass();
		expect(cluster.status(2n).term).toBe(2);
	}
	expect(cluster.status(3n).term).toBeGreaterThan(2);
	expect(cluster.status(1n).role).toBe("leader");
});

test("SC-014 answers of the wrong kind or of a former round elect nobody", () => {
	const cluster = three();
	cluster.input(1n, ({ core }) => core.campaign());
	cluster.drain(1n);
	cluster.messages = [];
	const mark = { commit: 1, commitTerm: 1, from: 2n, to: 1n };
	cluster.hand({ kind: "voteResp", term: 1, reject: false, ...mark });
	cluster.hand({ kind: "preVoteResp", term: 1, reject: false, sticky: false, ...mark });
	expect(cluster.status(1n)).toMatchObject({ role: "preCandidate", term: 1 });
	cluster.hand({ kind: "preVoteResp", term: 2, reject: false, sticky: false, ...mark });
	expect(cluster.status(1n)).toMatchObject({ role: "candidate", term: 2 });
	cluster.drain(1n);
	cluster.persist(1n);
	cluster.hand({ kind: "preVoteResp", term: 2, reject: false, sticky: false, ...mark });
	cluster.hand({ kind: "preVoteResp", term: 3, reject: false, sticky: false, ...mark });
	expect(cluster.status(1n)).toMatchObject({ role: "candidate", term: 2 });
	cluster.hand({ kind: "voteResp", term: 2, reject: false, ...mark });
	expect(cluster.status(1n).role).toBe("leader");
});

test("SC-012 the own vote counts when it is durable, and not for a candidacy that was lost meanwhile", () => {
	const cluster = three({ preVote: false });
	cluster.input(1n, ({ core }) => core.campaign());
	cluster.drain(1n);
	const mark = { commit: 1, commitTerm: 1, from: 2n, to: 1n };
	cluster.hand({ kind: "voteResp", term: 2, reject: false, ...mark });
	expect(cluster.status(1n).role).toBe("candidate");
	cluster.hand({ kind: "heartbeat", from: 3n, to: 1n, term: 2, commit: 1, commitTerm: 1, readPosition: 0, sequence: 1 });
	cluster.persist(1n);
	expect(cluster.status(1n)).toMatchObject({ role: "follower", leader: 3n });
});

test("a candidate boasts of its log only when the log is durable: a crash cannot make it win with less", () => {
	const cluster = three({ preVote: false });
	cluster.elect(1n);
	cluster.propose(1n);
	cluster.drain(1n);
	for (const message of cluster.take((each) => each.kind === "append")) cluster.hand(message);
	// 3 holds the entry in memory only; 2 durably: it is committed.
	cluster.drain(2n);
	cluster.persist(2n);
	cluster.persist(1n);
	for (const message of cluster.take((each) => each.kind === "appendResp")) cluster.hand(message);
	expect(cluster.status(1n).commit).toBe(3);
	cluster.drain(3n);
	cluster.input(3n, ({ core }) => core.campaign());
	cluster.drain(3n);
	expect(cluster.take((message) => message.kind === "vote")).toEqual([]);
	cluster.crash(3n, () => 0);
	cluster.restart(3n);
	expect(cluster.status(3n).lastIndex).toBe(2);
	cluster.isolate(1n);
	cluster.pass(60);
	expect(cluster.leaders.map(({ id }) => id)).toEqual([2n]);
});

test("who has granted a vote gives the candidate time, whatever its timer was drawn to", () => {
	for (let seed = 1; seed <= 30; seed++) {
		const cluster = three({ preVote: false }, seed);
		for (let i = 0; i < 9; i++) cluster.tick(2n);
		cluster.input(1n, ({ core }) => core.campaign());
		cluster.drain(1n);
		cluster.persist(1n);
		const [vote] = cluster.take((message) => message.kind === "vote" && message.to === 2n);
		cluster.hand(vote as Message);
		for (let i = 0; i < 9; i++) cluster.tick(2n);
		expect(cluster.status(2n), `seed ${seed}`).toMatchObject({ role: "follower", vote: 1n });
	}
});

test("a lone voter elects itself when its vote is durable", () => {
	const cluster = new Cluster({ voters: [1n], dice: new Dice(1) });
	cluster.input(1n, ({ core }) => core.campaign());
	cluster.drain(1n);
	expect(cluster.status(1n).role).toBe("candidate");
	cluster.settle();
	expect(cluster.status(1n)).toMatchObject({ role: "leader", commit: 2 });
});

test("SC-091 a disk that is stuck: the leader hands over, and nobody with such a disk campaigns", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	cluster.input(1n, ({ core }) => core.setDiskStalled(true));
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toEqual([2n]);
	cluster.isolate(2n);
	cluster.input(3n, ({ core }) => core.setDiskStalled(true));
	cluster.pass(100);
	expect(cluster.leaders).toEqual([]);
	cluster.input(3n, ({ core }) => core.setDiskStalled(false));
	cluster.pass(40);
	expect(cluster.leaders.map(({ id }) => id)).toEqual([3n]);
});

test("W6 a stuck disk: neither the leader's word nor a lost connection nor an operator makes a member campaign", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	cluster.input(3n, ({ core }) => core.setDiskStalled(true));
	const { term } = cluster.status(3n);
	for (const ask of [
		() => cluster.hand({ kind: "timeoutNow", from: 1n, to: 3n, term }),
		() => cluster.input(3n, ({ core }) => core.campaign()),
		() => cluster.input(3n, ({ core }) => core.leaderConnectionLost(1n)),
	]) {
		ask();
		for (let tick = 0; tick < 4; tick++) cluster.tick(3n);
		cluster.drain(3n);
		expect(cluster.status(3n)).toMatchObject({ role: "follower", term });
		expect(cluster.messages.filter(({ from, kind }) => from === 3n && (kind === "vote" || kind === "preVote"))).toEqual([]);
	}
	cluster.input(3n, ({ core }) => core.setDiskStalled(false));
	cluster.hand({ kind: "timeoutNow", from: 1n, to: 3n, term });
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toEqual([3n]);
});

test("SC-108 a leader that was paused keeps its office if a quorum answers within a heartbeat interval, and not otherwise", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.input(1n, ({ core }) => core.onStall(500));
	cluster.pass(3);
	expect(cluster.status(1n).role).toBe("leader");
	cluster.isolate(1n);
	cluster.input(1n, ({ core }) => core.onStall(500));
	cluster.pass(3);
	expect(cluster.status(1n).role).toBe("follower");
});
