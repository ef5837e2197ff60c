import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import type { Message, NodeId } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

const three = (config = {}) => new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config });

function isKind(kind: Message["kind"], to?: NodeId) {
	return (message: Message) => message.kind === kind && (to === undefined || message.to === to);
}

test("SC-044 all reads of a turn share one round, at every member", () => {
	const cluster = three();
	cluster.elect(1n);
	const sent: Message[] = [];
	cluster.onMessage = (message) => sent.push(message);
	const tokens = Array.from({ length: 1_000 }, () => cluster.read(1n));
	cluster.settle();
	expect(cluster.reads.map(({ counter }) => counter)).toEqual(tokens);
	expect(sent.filter(isKind("heartbeat")).length).toBe(2);
	const counter = cluster.read(2n);
	cluster.settle();
	expect(cluster.reads.at(-1)).toEqual({ id: 2n, counter, index: cluster.status(1n).commit });
});

test("SC-043 a read at a leader that is alone is not granted; the next leader's term fails it (rules R3, R4)", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.isolate(1n);
	const counter = cluster.read(1n);
	expect(counter).toBeGreaterThan(0);
	cluster.settle();
	expect(cluster.reads).toEqual([]);
	cluster.input(2n, ({ core }) => core.leaderConnectionLost(1n));
	cluster.input(3n, ({ core }) => core.leaderConnectionLost(1n));
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toContain(2n);
	cluster.propose(2n);
	cluster.settle();
	cluster.member(1n).core.drain();
	cluster.heal();
	cluster.hand({
		kind: "heartbeat",
		from: 2n,
		to: 1n,
		term: cluster.status(2n).term,
		commit: 1,
		commitTerm: 1,
		readPosition: 0,
		sequence: 1,
	});
	const output = cluster.member(1n).core.drain();
	expect(output.readFailures.map(({ token }) => token.counter)).toEqual([counter]);
});

test("an answer to an earlier heartbeat does not vouch for a later read (rule R1)", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.read(1n);
	cluster.drain(1n);
	const [round] = cluster.take(isKind("heartbeat", 2n));
	cluster.take(isKind("heartbeat", 3n));
	cluster.hand(round as Message);
	cluster.drain(2n);
	const [echo] = cluster.take(isKind("heartbeatResp"));
	const later = cluster.read(1n);
	cluster.hand(echo as Message);
	cluster.hand(echo as Message);
	cluster.drain(1n);
	expect(cluster.reads.map(({ counter }) => counter)).toEqual([later - 1]);
	// The next round, which begins when the first one ended, is what grants it.
	cluster.settle();
	expect(cluster.reads.map(({ counter }) => counter)).toEqual([later - 1, later]);
});

test("a round that was lost is made good by the next regular heartbeat", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.read(1n);
	cluster.drain(1n);
	expect(cluster.take(isKind("heartbeat")).length).toBe(2);
	cluster.read(1n);
	cluster.settle();
	expect(cluster.reads).toEqual([]);
	cluster.pass(2);
	expect(cluster.reads.length).toBe(2);
});

test("SC-035 a read of a new leader waits for its term's first commit, and takes its index then (rule R2)", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n, 3);
	cluster.settle();
	const before = cluster.status(2n).lastIndex;
	// The others' acknowledgements of the new leader's opening are held back.
	cluster.isolate(1n);
	cluster.input(2n, ({ core }) => core.leaderConnectionLost(1n));
	cluster.input(3n, ({ core }) => core.leaderConnectionLost(1n));
	for (let i = 0; i < 20 && cluster.status(2n).role !== "leader"; i++) {
		for (const id of [2n, 3n]) {
			cluster.drain(id);
			cluster.persist(id);
		}
		for (const message of cluster.take((each) => each.kind !== "append")) cluster.hand(message);
	}
	expect(cluster.status(2n).role).toBe("leader");
	const own = cluster.read(2n);
	const asked = cluster.read(3n);
	expect(asked).toBe(0);
	for (let i = 0; i < 5; i++) {
		cluster.drain(2n);
		cluster.persist(2n);
		for (const message of cluster.take((each) => each.kind.startsWith("heartbeat"))) cluster.hand(message);
	}
	expect(cluster.reads).toEqual([]);
	cluster.pass(2);
	expect(cluster.reads).toMatchObject([{ id: 2n, counter: own }]);
	expect(cluster.reads[0]?.index).toBeGreaterThan(before);
});

test("SC-034 a lone voter that forgot its commit in a crash reads nothing before it committed anew", () => {
	const cluster = new Cluster({ voters: [1n], dice: new Dice(2) });
	cluster.elect(1n);
	cluster.propose(1n);
	cluster.drain(1n);
	cluster.persist(1n);
	const { commit } = cluster.status(1n);
	cluster.crash(1n, () => 0);
	cluster.restart(1n);
	expect(cluster.status(1n).commit).toBeLessThan(commit);
	cluster.input(1n, ({ core }) => core.campaign());
	cluster.drain(1n);
	cluster.persist(1n);
	expect(cluster.status(1n).role).toBe("leader");
	expect(cluster.read(1n)).toBeGreaterThan(0);
	cluster.drain(1n);
	expect(cluster.reads).toEqual([]);
	cluster.settle();
	expect(cluster.reads[0]?.index).toBeGreaterThanOrEqual(commit);
});

test("SC-036 an answer for a former process life completes nothing, and a token completes once (rule R5)", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.read(2n);
	cluster.drain(2n);
	const [request] = cluster.take(isKind("readIndex"));
	cluster.hand(request as Message);
	cluster.drain(1n);
	for (const message of cluster.take(isKind("heartbeat"))) cluster.hand(message);
	for (const id of [2n, 3n]) cluster.drain(id);
	for (const message of cluster.take(isKind("heartbeatResp"))) cluster.hand(message);
	cluster.drain(1n);
	const [old] = cluster.take(isKind("readIndexResp"));
	expect(old).toMatchObject({ index: 2 });
	cluster.crash(2n, () => 0);
	cluster.restart(2n);
	cluster.pass(3);
	cluster.propose(1n);
	cluster.settle();
	const counter = cluster.read(2n);
	expect(old).toMatchObject({ token: { counter } });
	cluster.hand(old as Message);
	cluster.drain(2n);
	expect(cluster.reads).toEqual([]);
	const repeated: Message[] = [];
	cluster.onMessage = (message) => {
		if (message.kind === "readIndexResp") repeated.push(message);
	};
	cluster.settle();
	expect(cluster.reads).toEqual([{ id: 2n, counter, index: 3 }]);
	cluster.hand(repeated[0] as Message);
	cluster.settle();
	expect(cluster.reads.length).toBe(1);
});

test("SC-045 the echo of a learner or of a removed peer does not count; a joint configuration needs both halves (rule R3)", () => {
	const cluster = three();
	cluster.elect(1n);
	for (const node of [4n, 5n]) cluster.addEmpty(node);
	cluster.change(1n, { op: "addLearner", node: 4n });
	cluster.pass(5);
	cluster.cut.add("2>1");
	cluster.cut.add("3>1");
	cluster.read(1n);
	cluster.pass(2);
	expect(cluster.reads).toEqual([]);
	cluster.cut.clear();
	cluster.settle();
	cluster.pass(2);
	expect(cluster.reads.length).toBe(1);
	const replace = [
		{ op: "addVoter", node: 4n },
		{ op: "remove", node: 2n },
		{ op: "remove", node: 3n },
	] as const;
	cluster.request(1n, { changes: replace, transition: "jointExplicit", context: new Uint8Array(0) });
	cluster.pass(3);
	expect(cluster.status(1n).confState).toMatchObject({ voters: [1n, 4n], votersOutgoing: [1n, 2n, 3n] });
	for (const cut of [["4>1"], ["2>1", "3>1"]]) {
		const before = cluster.reads.length;
		for (const link of cut) cluster.cut.add(link);
		cluster.read(1n);
		cluster.pass(2);
		expect(cluster.reads.length).toBe(before);
		cluster.heal();
		cluster.pass(2);
		expect(cluster.reads.length).toBe(before + 1);
	}
	cluster.cut.add("2>1");
	cluster.cut.add("3>1");
	cluster.read(1n);
	cluster.pass(2);
	const before = cluster.reads.length;
	cluster.heal();
	cluster.change(1n);
	cluster.pass(3);
	expect(cluster.reads.length).toBe(before + 1);
});

test("reads are refused above their limit, and without a leader", () => {
	const cluster = three({ queuedReadsMax: 3 });
	expect(cluster.member(1n).core.readIndex()).toEqual({ ok: false, reason: "noLeader" });
	cluster.elect(1n);
	for (let i = 0; i < 3; i++) expect(cluster.member(1n).core.readIndex().ok).toBe(true);
	expect(cluster.member(1n).core.readIndex()).toEqual({ ok: false, reason: "overloaded" });
});

test("a follower whose questions get lost does not pile them up: the oldest is given back", () => {
	const cluster = three({ queuedReadsMax: 3 });
	cluster.elect(1n);
	cluster.cut.add("2>1");
	const tokens = Array.from({ length: 5 }, () => cluster.member(2n).core.readIndex());
	const failed = cluster.member(2n).core.drain().readFailures;
	expect(failed.map(({ token }) => token.counter)).toEqual(tokens.slice(0, 2).map((result) => (result.ok ? result.token.counter : 0)));
});
