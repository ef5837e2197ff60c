import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import type { Message } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

const three = (config = {}) => new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config });

function transfer(cluster: Cluster, to: bigint): boolean {
	const [leader] = cluster.leaders;
	return leader?.core.transferLeadership(to) ?? false;
}

test("SC-046 SC-051 leadership goes to a member that is up to date without a tick, past those who still hear the old leader", () => {
	const cluster = three();
	cluster.elect(1n);
	expect(transfer(cluster, 3n)).toBe(true);
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toEqual([3n]);
	expect(cluster.status(1n)).toMatchObject({ role: "follower", leader: 3n, transferee: 0n });
});

test("SC-047 a member that lags behind catches up first; nothing new is taken meanwhile", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.part(1n, 3n);
	cluster.propose(1n, 5);
	cluster.settle();
	expect(transfer(cluster, 3n)).toBe(true);
	expect(cluster.member(1n).core.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "transferring" });
	cluster.settle();
	expect(cluster.status(1n).role).toBe("leader");
	cluster.heal();
	cluster.pass(3);
	expect(cluster.leaders.map(({ id }) => id)).toEqual([3n]);
});

test("SC-050 a target that does not come about is given up after an election timeout, and work goes on", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.isolate(3n);
	cluster.propose(1n);
	transfer(cluster, 3n);
	cluster.pass(9);
	expect(cluster.propose(1n)).toBe(false);
	cluster.pass(1);
	expect(cluster.status(1n)).toMatchObject({ role: "leader", transferee: 0n });
	expect(cluster.propose(1n)).toBe(true);
});

test("SC-058 a joint configuration is not left while leadership is handed over, and is left when that came to nothing", () => {
	const cluster = three();
	cluster.addEmpty(4n);
	cluster.elect(1n);
	cluster.change(1n, { op: "addLearner", node: 4n });
	cluster.pass(3);
	cluster.isolate(3n);
	const changes = [{ op: "addVoter", node: 4n }] as const;
	const { core } = cluster.member(1n);
	expect(core.proposeMembership({ changes, transition: "jointImplicit", context: new Uint8Array(0) }).ok).toBe(true);
	const { lastIndex } = cluster.status(1n);
	expect(transfer(cluster, 3n)).toBe(true);
	cluster.settle();
	expect(cluster.status(1n)).toMatchObject({ transferee: 3n, lastIndex, confState: { votersOutgoing: [1n, 2n, 3n] } });
	cluster.pass(12);
	expect(cluster.status(1n)).toMatchObject({ transferee: 0n, confState: { voters: [1n, 2n, 3n, 4n], votersOutgoing: [] } });
});

test("SC-049 who may be the target", () => {
	const cluster = three();
	cluster.addEmpty(4n);
	cluster.elect(1n);
	cluster.change(1n, { op: "addLearner", node: 4n });
	cluster.pass(3);
	cluster.isolate(3n);
	cluster.propose(1n);
	expect(transfer(cluster, 4n)).toBe(false);
	expect(transfer(cluster, 9n)).toBe(false);
	expect(cluster.member(2n).core.transferLeadership(3n)).toBe(false);
	expect(transfer(cluster, 1n)).toBe(true);
	expect(cluster.status(1n).transferee).toBe(0n);
	expect(transfer(cluster, 3n)).toBe(true);
	expect(transfer(cluster, 3n)).toBe(true);
	cluster.settle();
	expect(cluster.status(1n).transferee).toBe(3n);
	// Another target replaces the first.
	expect(transfer(cluster, 2n)).toBe(true);
	cluster.settle();
	expect(cluster.leaders.map(({ id }) => id)).toEqual([2n]);
});

test("SC-054 timeoutNow reaches a candidate or a learner: nothing happens; a late one costs an election and no more", () => {
	const cluster = three();
	cluster.addEmpty(4n);
	cluster.elect(1n);
	cluster.change(1n, { op: "addLearner", node: 4n });
	cluster.pass(3);
	const { term } = cluster.status(1n);
	const now = (to: bigint): Message => ({ kind: "timeoutNow", from: 1n, to, term });
	cluster.hand(now(4n));
	expect(cluster.status(4n)).toMatchObject({ role: "follower", term });
	cluster.hand(now(2n));
	cluster.hand(now(2n));
	expect(cluster.status(2n)).toMatchObject({ role: "candidate", term: term + 1 });
	cluster.pass(3);
	expect(cluster.leaders.map(({ id }) => id)).toEqual([2n]);
});

test("SC-053 pending reads fail when leadership moves; they do not hang", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.cut.add("2>1");
	cluster.cut.add("3>1");
	const counter = cluster.read(1n);
	cluster.settle();
	cluster.heal();
	let failed = 0;
	const { core } = cluster.member(1n);
	core.transferLeadership(2n);
	cluster.drain(1n);
	const [now] = cluster.take((message) => message.kind === "timeoutNow");
	cluster.hand(now as Message);
	cluster.drain(2n);
	cluster.persist(2n);
	const [vote] = cluster.take((message) => message.kind === "vote" && message.to === 1n);
	cluster.hand(vote as Message);
	const output = core.drain();
	failed = output.readFailures.length;
	expect({ counter: output.readFailures[0]?.token.counter, failed }).toEqual({ counter, failed: 1 });
});

test("the others hear a goodbye that names the successor, and do not take the closed connection for a failure", () => {
	const cluster = three();
	cluster.elect(1n);
	transfer(cluster, 3n);
	cluster.drain(1n);
	expect(cluster.messages.find((message) => message.kind === "goodbye")).toMatchObject({ to: 2n, successor: 3n });
	const [now] = cluster.take((message) => message.kind === "timeoutNow");
	for (const message of cluster.take(() => true)) cluster.hand(message);
	cluster.input(2n, ({ core }) => core.leaderConnectionLost(1n));
	expect(cluster.status(2n)).toMatchObject({ role: "follower", leader: 1n });
	cluster.hand(now as Message);
	cluster.pass(2);
	expect(cluster.leaders.map(({ id }) => id)).toEqual([3n]);
});

test("when the successor does not show up, the hint that was held back takes effect", () => {
	const cluster = three();
	cluster.elect(1n);
	transfer(cluster, 3n);
	cluster.drain(1n);
	cluster.take((message) => message.kind === "timeoutNow");
	for (const message of cluster.take(() => true)) cluster.hand(message);
	cluster.crash(1n, () => 0);
	cluster.crash(3n, () => 0);
	cluster.input(2n, ({ core }) => core.leaderConnectionLost(1n));
	cluster.tick(2n);
	expect(cluster.status(2n)).toMatchObject({ role: "preCandidate", leader: 0n });
});

test("a target that a change removes meanwhile is given up at once: work goes on without it", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	expect(cluster.change(1n, { op: "remove", node: 3n })).toBe(true);
	// It cannot catch up before it is out.
	cluster.part(1n, 3n);
	expect(transfer(cluster, 3n)).toBe(true);
	cluster.settle();
	expect(cluster.status(1n)).toMatchObject({ role: "leader", transferee: 0n, confState: { voters: [1n, 2n] } });
	expect(cluster.propose(1n)).toBe(true);
	cluster.settle();
	expect(cluster.status(2n).commit).toBeGreaterThan(3);
});

test("a goodbye of somebody who does not lead holds nothing back (rule H8)", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.pass(2);
	const { term } = cluster.status(2n);
	cluster.hand({ kind: "goodbye", from: 3n, to: 2n, term, successor: 1n });
	cluster.input(2n, ({ core }) => core.leaderConnectionLost(1n));
	expect(cluster.status(2n)).toMatchObject({ role: "preCandidate", leader: 0n });
});
