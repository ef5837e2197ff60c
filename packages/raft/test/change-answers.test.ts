import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import type { Message, NodeId } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

/** When a change of the members is judged, and when it is answered (rules C2 and C3). */

test("C2: a leader that committed in its term judges no change before it has applied all that it found in its log", () => {
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1) });
	cluster.elect(1n);
	cluster.propose(1n, 4);
	// 2 holds all of it, and its state machine stands still.
	cluster.passUnapplied(2n, 6);
	const found = cluster.status(2n).lastIndex;
	cluster.crash(1n, () => 0);
	for (const id of [2n, 3n]) cluster.input(id, ({ core }) => core.leaderConnectionLost(1n));
	for (let i = 0; i < 60 && cluster.status(2n).commit <= found; i++) {
		for (const id of [2n, 3n]) {
			cluster.drain(id);
			cluster.persist(id);
		}
		for (const message of cluster.take(() => true)) cluster.hand(message);
	}
	expect(cluster.status(2n)).toMatchObject({ role: "leader", commit: found + 1 });
	expect(cluster.status(2n).applied).toBeLessThan(found);
	// An address that some member changed may still be among what is not applied.
	expect(cluster.member(2n).core.membershipReady).toBe(false);
	const left = found - cluster.status(2n).applied;
	cluster.apply(2n, left - 1);
	expect(cluster.member(2n).core.membershipReady).toBe(false);
	cluster.apply(2n, 1);
	expect(cluster.status(2n).applied).toBe(found);
	expect(cluster.member(2n).core.membershipReady).toBe(true);
});

for (const others of [1, 2, 3, 4]) {
	const before = Array.from({ length: others + 1 }, (_, at) => BigInt(at + 1));
	const added = BigInt(others + 2);

	/** Every subset of the other members that makes a quorum with the leader's own word: those hear of the commit, and no one else. */
	function* smallestQuorums(): Iterable<NodeId[]> {
		const size = Math.floor(before.length / 2);
		for (let bits = 0; bits < 1 << others; bits++) {
			const chosen = before.slice(1).filter((_, at) => (bits & (1 << at)) !== 0);
			if (chosen.length === size) yield chosen;
		}
	}

	test(`C3 a voter more than ${before.length}, answered, and its leader dies at once: whoever leads later knows of it`, () => {
		for (const told of smallestQuorums()) {
			const cluster = new Cluster({ voters: before, dice: new Dice(1) });
			cluster.addEmpty(added);
			cluster.elect(1n);
			cluster.pass(2);
			expect(cluster.change(1n, { op: "addVoter", node: added })).toBe(true);
			const index = cluster.status(1n).lastIndex;
			const knows = (id: NodeId) => cluster.status(id).confState.voters.includes(added);
			for (let i = 0; i < 12; i++) {
				for (const id of before) {
					cluster.drain(id);
					cluster.persist(id);
					cluster.apply(id);
				}
				const hides = (m: Message) => m.to === added || (!told.includes(m.to) && m.kind === "append" && m.commit >= index);
				cluster.take(hides);
				for (const message of cluster.take(() => true)) cluster.hand(message);
			}
			// Answered, by the voters before it; only the smallest quorum of them knows.
			expect(cluster.member(1n).core.settledCommit).toBeGreaterThanOrEqual(index);
			expect(before.filter(knows)).toEqual([1n, ...told]);
			cluster.messages = [];
			for (const id of [1n, ...told]) cluster.crash(id, () => 0);
			for (const id of told) cluster.restart(id);
			for (const id of told) expect(knows(id)).toBe(true);
			// Those who do not know are a majority of nothing without one who does.
			for (const id of before.slice(1)) {
				for (let i = 0; i < 12; i++) {
					cluster.input(id, ({ core }) => core.campaign());
					cluster.settle();
				}
				for (const leader of cluster.leaders) expect(knows(leader.id)).toBe(true);
			}
			// With the newcomer, or with the old leader back, it goes on under the new members.
			cluster.restart(1n);
			cluster.pass(80);
			expect(cluster.leaders.length).toBe(1);
			for (const id of [...before, added]) expect(knows(id)).toBe(true);
		}
	});
}
