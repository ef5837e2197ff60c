import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import type { Message, RaftConfig } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

/** Stories that a rule prevents: told once without the rule, where they end badly, and once with it. */

const three = (config: Partial<RaftConfig> = {}) => new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config });

describe("SC-009 two members whose terms and logs differ crosswise (etcd #8501)", () => {
	/** 1 has the longer log and the lower term: it alone can win, and only once it has learned of the term of 2. */
	function crosswise(silent: boolean): bigint[] {
		const cluster = new Cluster({
			voters: [1n, 2n],
			dice: new Dice(3),
			logs: new Map([
				[1n, [2, 2, 2]],
				[2n, [2]],
			]),
		});
		cluster.hand({ kind: "vote", from: 1n, to: 2n, term: 9, commit: 1, commitTerm: 1, lastIndex: 1, lastTerm: 1, transfer: false });
		cluster.drain(2n);
		cluster.persist(2n);
		cluster.messages = [];
		expect(cluster.status(2n).term).toBe(9);
		cluster.loses = (m) => silent && m.kind === "preVoteResp" && m.reject && m.term > cluster.status(m.to).term;
		cluster.pass(100);
		return cluster.leaders.map(({ id }) => id);
	}

	test("would wait for each other for ever if pre-votes below the own term were met with silence", () => {
		expect(crosswise(true)).toEqual([]);
	});

	test("agree, because the refusal tells the term", () => {
		expect(crosswise(false)).toEqual([1n]);
	});
});

describe("SC-015 a stale grant after a crash at the same term", () => {
	/** 3 holds the committed entry in memory only, asks for votes, and crashes. The grant of 2 is slow. */
	function story(early: boolean): Cluster {
		const cluster = three({ preVote: false, checkQuorum: false });
		cluster.elect(1n);
		cluster.propose(1n);
		cluster.drain(1n);
		for (const message of cluster.take((each) => each.kind === "append")) cluster.hand(message);
		cluster.drain(3n);
		for (const id of [2n, 1n]) {
			cluster.drain(id);
			cluster.persist(id);
		}
		for (const message of cluster.take((each) => each.kind === "appendResp")) cluster.hand(message);
		expect(cluster.status(1n).commit).toBe(3);
		cluster.messages = [];
		cluster.input(3n, ({ core }) => core.campaign());
		cluster.drain(3n);
		if (early) for (const { release } of cluster.member(3n).outstanding) cluster.messages.push(...release);
		const [ask] = cluster.take((each) => each.kind === "vote" && each.to === 2n);
		cluster.messages = [];
		if (ask !== undefined) cluster.hand(ask);
		cluster.drain(2n);
		cluster.persist(2n);
		const grants = cluster.take((each) => each.kind === "voteResp");
		expect(grants.length).toBe(early ? 1 : 0);
		cluster.crash(3n, () => 0);
		cluster.restart(3n);
		expect(cluster.status(3n)).toMatchObject({ term: 2, lastIndex: 2 });
		cluster.input(3n, ({ core }) => core.campaign());
		cluster.drain(3n);
		cluster.persist(3n);
		expect(cluster.status(3n).term).toBe(3);
		for (const grant of grants) cluster.hand(grant);
		return cluster;
	}

	test("would elect a member without a committed entry if vote requests left early", () => {
		const cluster = story(true);
		expect(cluster.status(3n).role).toBe("leader");
		expect(() => cluster.drain(3n)).toThrow(/lacks committed entry 3/);
	});

	test("elects nobody: no request left before the log it boasts of was durable", () => {
		const cluster = story(false);
		expect(cluster.status(3n).role).toBe("candidate");
		cluster.isolate(1n);
		cluster.pass(60);
		expect(cluster.leaders.filter(({ id }) => id !== 1n).map(({ id }) => id)).toEqual([2n]);
	});
});

describe("SC-099 a lone voter (etcd #14370)", () => {
	test("commits what its own disk has returned, and not before", () => {
		const cluster = new Cluster({ voters: [1n], dice: new Dice(1) });
		cluster.elect(1n);
		cluster.propose(1n);
		cluster.drain(1n);
		expect(cluster.status(1n)).toMatchObject({ lastIndex: 3, commit: 2 });
		cluster.persist(1n);
		expect(cluster.status(1n).commit).toBe(3);
	});

	test("that is told too early is caught", () => {
		const cluster = new Cluster({ voters: [1n], dice: new Dice(1) });
		cluster.elect(1n);
		cluster.propose(1n);
		cluster.drain(1n);
		const { seq = 0 } = cluster.member(1n).outstanding.at(-1) ?? {};
		expect(() => cluster.input(1n, ({ core }) => core.onPersisted(seq))).toThrow(/without a quorum of disks/);
	});
});

test("SC-121 a follower that was wiped would, under its old id, help to elect a leader that lacks what it had acknowledged", () => {
	const cluster = three({ checkQuorum: false });
	cluster.elect(1n);
	cluster.part(1n, 3n);
	cluster.propose(1n);
	cluster.settle();
	expect(cluster.status(1n).commit).toBe(3);
	// A process refuses to start from an empty folder under an id that the cluster knows (see server/src/member.test.ts).
	const wiped = cluster.member(2n).disk.synced.copy();
	wiped.entries = [];
	wiped.hardState = { term: 1, vote: 0n, commit: 1 };
	cluster.putBack(2n, wiped);
	cluster.crash(1n, () => 0);
	cluster.input(3n, ({ core }) => core.campaign());
	expect(() => cluster.settle()).toThrow(/leader 3 of term 3 lacks committed entry 3/);
});

test("SC-098 a leader whose disk fails after its appends left comes back as a follower and takes its entry from the others", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n);
	cluster.drain(1n);
	for (const id of [2n, 3n]) for (const message of cluster.take((each) => each.kind === "append" && each.to === id)) cluster.hand(message);
	cluster.crash(1n, () => 0);
	expect(cluster.member(1n).disk.synced.lastIndex).toBe(2);
	cluster.restart(1n);
	cluster.pass(60);
	const [leader] = cluster.leaders;
	// What 1 had sent is what everybody holds at that index; the checker lets no entry exist with two contents.
	const entries = cluster.ids.map((id) => cluster.member(id).disk.synced.entries.find(({ index }) => index === 3));
	expect(entries.map((entry) => entry?.term)).toEqual([2, 2, 2]);
	expect(leader?.core.status().term).toBeGreaterThan(2);
	expect(cluster.status(1n).commit).toBe(leader?.core.status().lastIndex);
});

describe("SC-117 a member is removed, and a late acknowledgement of it arrives when another one has come in its place", () => {
	function lateAcknowledgement(cluster: Cluster): Message {
		cluster.elect(1n);
		cluster.propose(1n, 2);
		cluster.drain(1n);
		for (const message of cluster.take((each) => each.kind === "append" && each.to === 3n)) cluster.hand(message);
		cluster.drain(3n);
		cluster.persist(3n);
		const [late] = cluster.take((each) => each.kind === "appendResp" && each.from === 3n);
		cluster.settle();
		cluster.change(1n, { op: "remove", node: 3n });
		cluster.settle();
		cluster.pass(2);
		return late as Message;
	}

	function add(cluster: Cluster, node: bigint): void {
		cluster.addEmpty(node);
		cluster.isolate(node);
		cluster.change(1n, { op: "addLearner", node });
		cluster.settle();
	}

	test("a new id has nothing to do with it", () => {
		const cluster = three();
		const late = lateAcknowledgement(cluster);
		add(cluster, 4n);
		expect(cluster.member(1n).core.step(late)).toBe("ignored:unknown-peer");
		expect(cluster.status(1n).peers.find(({ id }) => id === 4n)).toMatchObject({ match: 0 });
	});

	test("the same id would be believed to hold what it never had: ids are never used again", () => {
		const cluster = three();
		const late = lateAcknowledgement(cluster);
		add(cluster, 3n);
		expect(cluster.member(1n).core.step(late)).toBe("ok");
		expect(cluster.status(1n).peers.find(({ id }) => id === 3n)?.match).toBeGreaterThan(0);
		expect(cluster.member(3n).disk.synced.entries).toEqual([]);
	});
});
