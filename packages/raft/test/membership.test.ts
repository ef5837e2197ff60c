import { Dice, marksDuring } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import type { Append, LogIndex, MembershipOp, Message, NodeId } from "../src/index.ts";
import { EntryKind } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

function clusterOf(...voters: NodeId[]): Cluster {
	return new Cluster({ voters, dice: new Dice(1) });
}

function removal(node: NodeId): { op: MembershipOp; node: NodeId } {
	return { op: "remove", node };
}

function addition(node: NodeId): { op: MembershipOp; node: NodeId } {
	return { op: "addVoter", node };
}

/** Proposes and lets everything happen, without time. */
function change(cluster: Cluster, id: NodeId, ...changes: { op: MembershipOp; node: NodeId }[]): LogIndex {
	if (!cluster.change(id, ...changes)) throw new Error("the change was refused");
	cluster.settle();
	return cluster.status(id).lastIndex;
}

/** Campaigns again and again, as time-outs would make it. */
function campaignOften(cluster: Cluster, id: NodeId): void {
	for (let i = 0; i < 12; i++) {
		cluster.input(id, ({ core }) => core.campaign());
		cluster.settle();
	}
}

describe("a rule less, and there would be two leaders or none (rules C)", () => {
	test("SC-062 (a) entries survive a crash and the commit does not: the second change proves the first", () => {
		const cluster = clusterOf(1n, 2n, 3n);
		cluster.elect(1n);
		cluster.isolate(2n);
		change(cluster, 1n, removal(2n));
		change(cluster, 1n, removal(1n));
		cluster.settle();
		expect(cluster.status(3n)).toMatchObject({ role: "leader", confState: { voters: [3n] } });
		// 1 comes back with both entries, and with the commit that it had before them.
		cluster.crash(1n, () => 0);
		const { synced } = cluster.member(1n).disk;
		const [first, second] = synced.entries.filter((entry) => entry.kind === EntryKind.config).map((entry) => entry.index) as [
			number,
			number,
		];
		synced.compact(2);
		synced.entries.length = second - 1;
		synced.hardState = { ...synced.hardState, commit: 1 };
		cluster.member(1n).disk.revert(synced);
		cluster.member(1n).start({ ...configOf(cluster), id: 1n }, 1, new Dice(7), { emit() {} });
		expect(cluster.status(1n)).toMatchObject({ commit: first, confState: { voters: [1n, 3n] } });
		cluster.heal();
		cluster.part(1n, 3n);
		cluster.part(2n, 3n);
		campaignOften(cluster, 1n);
		expect(cluster.leaders.map(({ id }) => id)).toEqual([3n]);
	});

	test("(b) an append that brings a second change also brings the commit of the first", () => {
		const cluster = clusterOf(1n, 2n, 3n);
		cluster.elect(1n);
		// The first change is committed by 1 and 2: 3 has acknowledged nothing of it.
		cluster.isolate(3n);
		const first = change(cluster, 1n, removal(2n));
		cluster.input(1n, ({ core }) => core.reportUnreachable(3n));
		cluster.heal();
		const news: Append[] = [];
		cluster.onMessage = (message) => {
			const brings =
				message.kind === "append" &&
				message.to === 3n &&
				message.entries.some(({ index, kind }) => index > first && kind === EntryKind.config);
			if (!brings) return;
			news.push(message);
			// 3 holds it, and nothing that 1 says later reaches anybody.
			cluster.isolate(1n);
			cluster.hand(message);
		};
		expect(cluster.change(1n, removal(3n))).toBe(true);
		cluster.pass(6);
		expect(news.map(({ commit, prevIndex }) => ({ commit, unknown: prevIndex < first }))).toEqual([{ commit: first, unknown: true }]);
		// So it does not lead without 1, which may have gone on alone.
		expect(cluster.status(3n)).toMatchObject({ lastIndex: first + 1, confState: { voters: [1n, 3n] } });
		cluster.pass(60);
		expect(cluster.leaders.map(({ id }) => id)).not.toContain(3n);
	});

	test("SC-056 (c) a candidate campaigns under what it knows to be committed, applied or not", () => {
		const cluster = clusterOf(1n, 2n, 3n);
		cluster.elect(1n);
		cluster.change(1n, removal(3n));
		cluster.passUnapplied(2n, 6);
		expect(cluster.member(2n).machine.state.conf.voters).toEqual([1n, 2n, 3n]);
		expect(cluster.status(2n).confState.voters).toEqual([1n, 2n]);
		cluster.part(1n, 2n);
		campaignOften(cluster, 2n);
		expect(cluster.status(2n).role).not.toBe("leader");
		// Nor at the word of the leader, which skips the pre-vote.
		cluster.heal();
		cluster.pass(3);
		cluster.part(1n, 2n);
		cluster.hand({ kind: "timeoutNow", from: 1n, to: 2n, term: cluster.status(2n).term });
		cluster.settle();
		expect(cluster.status(2n)).toMatchObject({ role: "candidate", confState: { voters: [1n, 2n] } });
	});

	test("SC-055 SC-063 (d) a new leader proposes no change while an older one in its log is not committed", () => {
		const cluster = clusterOf(1n, 2n, 3n, 4n);
		cluster.elect(1n);
		cluster.part(1n, 3n);
		cluster.part(1n, 4n);
		cluster.change(1n, removal(4n));
		cluster.settle();
		cluster.crash(1n, () => 0);
		cluster.input(2n, ({ core }) => core.campaign());
		for (let i = 0; i < 40 && cluster.status(2n).role !== "leader"; i++) {
			for (const id of [2n, 3n, 4n]) {
				cluster.tick(id);
				cluster.drain(id);
				cluster.persist(id);
			}
			for (const message of cluster.take((each) => each.kind !== "append")) cluster.hand(message);
		}
		expect(cluster.status(2n)).toMatchObject({ role: "leader", confState: { voters: [1n, 2n, 3n, 4n] } });
		const refused = cluster.member(2n).core.proposeMembership({ changes: [removal(3n)], transition: "auto", context: new Uint8Array(0) });
		expect(refused).toEqual({ ok: false, reason: "notReady" });
		cluster.pass(4);
		expect(cluster.status(2n).confState.voters).toEqual([1n, 2n, 3n]);
		expect(cluster.change(2n, removal(3n))).toBe(true);
		expect(cluster.change(2n, addition(4n))).toBe(false);
	});

	test("SC-061 SC-068 (f) a leader that removes itself stays until the other one knows durably that it is alone", () => {
		const cluster = clusterOf(1n, 2n);
		cluster.elect(1n);
		cluster.change(1n, removal(1n));
		let lost = 0;
		// Everything that tells 2 of the commit is lost for a while.
		for (let i = 0; i < 6; i++) {
			for (const id of cluster.ids) {
				cluster.drain(id);
				cluster.persist(id);
				cluster.apply(id);
			}
			const { commit } = cluster.status(2n);
			lost += cluster.take((message) => message.kind === "append" && message.commit > commit).length;
			for (const message of cluster.take(() => true)) cluster.hand(message);
		}
		expect(lost).toBeGreaterThan(0);
		const { commit } = cluster.status(1n);
		expect(cluster.status(1n)).toMatchObject({ role: "leader", confState: { voters: [2n] } });
		expect(cluster.status(2n)).toMatchObject({ confState: { voters: [1n, 2n] } });
		expect(cluster.answered).toEqual([]);
		expect(cluster.member(1n).core.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "notMember" });
		expect(cluster.read(1n)).toBe(0);
		cluster.pass(2);
		expect(cluster.answered).toEqual([{ id: 1n, index: commit }]);
		expect(cluster.status(1n).role).toBe("follower");
		// It was told to take over, and needs nobody for that.
		expect(cluster.status(2n)).toMatchObject({ role: "leader", confState: { voters: [2n] } });
		cluster.pass(200);
		expect(cluster.status(1n).role).toBe("follower");
	});

	test("(g) a change that only the leader knows to be committed is not answered", () => {
		const cluster = clusterOf(1n, 2n);
		for (const id of [3n, 4n]) cluster.addEmpty(id);
		cluster.elect(1n);
		for (const id of [3n, 4n]) change(cluster, 1n, { op: "addLearner", node: id });
		cluster.pass(5);
		const before = cluster.answered.length;
		cluster.change(1n, removal(2n), addition(3n), addition(4n));
		let answeredEarly = false;
		for (let i = 0; i < 30; i++) {
			cluster.drain(1n);
			const known = cluster.status(1n).commit;
			// 1 is the only one that learns of the last commit.
			for (const id of [2n, 3n, 4n]) {
				cluster.drain(id);
				cluster.persist(id);
				cluster.apply(id);
			}
			cluster.persist(1n);
			cluster.apply(1n);
			const joint = cluster.status(1n).confState.votersOutgoing.length > 0;
			if (!joint && known > 6 && cluster.status(1n).confState.voters.length === 3) {
				cluster.take((message) => message.kind === "append" && message.commit >= known);
				cluster.take((message) => message.kind === "heartbeat");
			}
			for (const message of cluster.take(() => true)) cluster.hand(message);
			const final = cluster.status(1n).confState;
			const informed = [3n, 4n].some(
				(id) => cluster.status(id).confState.votersOutgoing.length === 0 && cluster.status(id).confState.voters.length === 3,
			);
			if (final.votersOutgoing.length === 0 && final.voters.length === 3 && !informed) {
				answeredEarly ||= cluster.answered.some(({ index }) => index === cluster.status(1n).lastIndex);
			}
		}
		expect(cluster.status(1n).confState).toMatchObject({ voters: [1n, 3n, 4n], votersOutgoing: [] });
		expect(answeredEarly).toBe(false);
		cluster.pass(4);
		expect(cluster.answered.length).toBeGreaterThan(before);
		expect(cluster.answered.at(-1)?.index).toBe(cluster.status(1n).lastIndex);
	});

	test("(h) who asks for votes, or answers, passes on the commit that it knows", () => {
		for (const asker of [3n, 4n]) {
			const cluster = clusterOf(1n, 2n);
			for (const id of [3n, 4n]) cluster.addEmpty(id);
			cluster.elect(1n);
			for (const id of [3n, 4n]) change(cluster, 1n, { op: "addLearner", node: id });
			cluster.pass(5);
			cluster.change(1n, removal(2n), addition(3n), addition(4n));
			// 4 gets every entry, and never the news that the last one is committed.
			const done = () => cluster.status(1n).confState.voters.length === 3 && cluster.status(1n).confState.votersOutgoing.length === 0;
			for (let i = 0; i < 60 && !(done() && cluster.answered.at(-1)?.index === cluster.status(1n).lastIndex); i++) {
				for (const id of cluster.ids) {
					cluster.drain(id);
					cluster.persist(id);
					cluster.apply(id);
				}
				const last = cluster.status(1n).lastIndex;
				const { votersOutgoing } = cluster.status(4n).confState;
				const leaving = votersOutgoing.length > 0 && cluster.status(4n).lastIndex === last;
				cluster.take((message) => message.to === 4n && leaving && (message.kind === "append" || message.kind === "heartbeat"));
				for (const message of cluster.take(() => true)) cluster.hand(message);
			}
			expect(cluster.status(4n).confState.votersOutgoing).toEqual([1n, 2n]);
			expect(cluster.status(4n).lastIndex).toBe(cluster.status(1n).lastIndex);
			expect(cluster.status(3n).confState.votersOutgoing).toEqual([]);
			// The change was answered: 2 may be switched off, and one of three may fail.
			cluster.messages = [];
			cluster.crash(1n, () => 0);
			cluster.crash(2n, () => 0);
			cluster.pass(11);
			cluster.input(asker, ({ core }) => core.campaign());
			cluster.settle();
			expect(cluster.status(4n).confState.votersOutgoing).toEqual([]);
			cluster.pass(40);
			expect(cluster.leaders.length).toBe(1);
		}
	});
});

for (const [name, first, second] of [
	["an addition and a removal", addition(5n), removal(4n)],
	["two additions", addition(5n), addition(6n)],
	["two removals", removal(4n), removal(3n)],
] as const) {
	test(`SC-055 two leaders, a change of each on the same base: ${name} (Ongaro 2015)`, () => {
		const cluster = clusterOf(1n, 2n, 3n, 4n);
		for (const id of [5n, 6n]) cluster.addEmpty(id);
		cluster.elect(1n);
		cluster.isolate(1n);
		cluster.change(1n, first);
		cluster.settle();
		for (const id of [2n, 3n, 4n]) cluster.input(id, ({ core }) => core.leaderConnectionLost(1n));
		cluster.settle();
		cluster.pass(2);
		expect(cluster.status(2n).role).toBe("leader");
		const index = change(cluster, 2n, second);
		expect(cluster.status(2n).commit).toBe(index);
		// The first one is nowhere but at 1, which cannot commit it any more, whoever hears it.
		cluster.heal();
		cluster.pass(60);
		const after = cluster.status(2n).confState;
		for (const id of after.voters) expect(cluster.status(id).confState).toEqual(after);
		expect(after.voters.includes(5n)).toBe(second.node === 5n);
		expect(after.voters.includes(4n)).toBe(second.op === "addVoter" || second.node !== 4n);
		expect(cluster.leaders.length).toBe(1);
	});
}

test("SC-069 a leader that only the outgoing half still holds needs its own vote there, and gets it (ScyllaDB #10618)", () => {
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config: { checkQuorum: false } });
	cluster.addEmpty(4n);
	cluster.elect(1n);
	change(cluster, 1n, { op: "addLearner", node: 4n });
	cluster.pass(3);
	cluster.request(1n, { changes: [removal(1n), addition(4n)], transition: "jointExplicit", context: new Uint8Array(0) });
	cluster.settle();
	expect(cluster.status(1n).confState).toMatchObject({ voters: [2n, 3n, 4n], votersOutgoing: [1n, 2n, 3n] });
	cluster.crash(1n, () => 0);
	cluster.restart(1n);
	cluster.crash(3n, () => 0);
	// 1 and 2 of {1, 2, 3}, 2 and 4 of {2, 3, 4}.
	cluster.input(1n, ({ core }) => core.campaign());
	cluster.settle();
	expect(cluster.status(1n).role).toBe("leader");
	change(cluster, 1n);
	cluster.pass(3);
	expect(cluster.leaders.map(({ id }) => id)).toEqual([2n]);
	expect(cluster.status(4n).confState).toMatchObject({ voters: [2n, 3n, 4n], votersOutgoing: [] });
});

test("SC-057 SC-118 a cluster grows from one to three, each new member by way of learner, and needs its new majority", () => {
	const cluster = clusterOf(1n);
	cluster.elect(1n);
	cluster.propose(1n, 5);
	for (const id of [2n, 3n]) {
		cluster.addEmpty(id);
		change(cluster, 1n, { op: "addLearner", node: id });
		cluster.pass(3);
		expect(cluster.member(id).machine.state.index).toBe(cluster.status(1n).commit);
		change(cluster, 1n, addition(id));
		cluster.pass(3);
	}
	expect(cluster.status(3n).confState).toMatchObject({ voters: [1n, 2n, 3n], learners: [] });
	cluster.isolate(2n);
	cluster.isolate(3n);
	cluster.propose(1n);
	cluster.settle();
	expect(cluster.status(1n).commit).toBeLessThan(cluster.status(1n).lastIndex);
	cluster.heal();
	cluster.pass(4);
	expect(cluster.status(3n).commit).toBe(cluster.status(1n).lastIndex);
});

test("SC-065 a learner gets everything and counts for nothing; promoted without knowing it, its vote counts (etcd #10998)", () => {
	const cluster = clusterOf(1n, 2n);
	cluster.addEmpty(3n);
	cluster.elect(1n);
	change(cluster, 1n, { op: "addLearner", node: 3n });
	cluster.pass(3);
	cluster.isolate(2n);
	cluster.propose(1n);
	cluster.settle();
	expect(cluster.status(3n).lastIndex).toBe(cluster.status(1n).lastIndex);
	expect(cluster.status(1n).commit).toBeLessThan(cluster.status(1n).lastIndex);
	cluster.heal();
	cluster.pass(4);
	cluster.input(3n, ({ core }) => core.campaign());
	expect(cluster.status(3n).role).toBe("follower");
	// The promotion reaches 2 and is committed; 3 hears nothing of it.
	cluster.isolate(3n);
	change(cluster, 1n, addition(3n));
	cluster.pass(1);
	expect(cluster.status(3n).confState.learners).toEqual([3n]);
	cluster.crash(1n, () => 0);
	cluster.heal();
	cluster.messages = [];
	cluster.pass(60);
	expect(cluster.leaders.map(({ id }) => id)).toEqual([2n]);
	expect(cluster.status(3n).confState.voters).toEqual([1n, 2n, 3n]);
});

test("SC-058 two members at once go through a joint configuration that leaves by itself, once, even if its leader changes", () => {
	const cluster = clusterOf(1n, 2n, 3n);
	for (const id of [4n, 5n]) cluster.addEmpty(id);
	cluster.elect(1n);
	cluster.change(1n, addition(4n), addition(5n), removal(3n));
	for (let i = 0; i < 40 && cluster.status(1n).confState.votersOutgoing.length === 0; i++) {
		for (const id of cluster.ids) {
			cluster.drain(id);
			cluster.persist(id);
		}
		for (const message of cluster.take(() => true)) cluster.hand(message);
	}
	expect(cluster.status(1n).confState).toMatchObject({ voters: [1n, 2n, 4n, 5n], votersOutgoing: [1n, 2n, 3n], autoLeave: true });
	cluster.crash(1n, () => 0);
	const during = marksDuring(() => cluster.pass(80));
	expect(during.jointLeftByNextLeader).toBe(1);
	cluster.restart(1n);
	cluster.pass(20);
	const [leader] = cluster.leaders;
	expect(leader?.core.status().confState).toMatchObject({ voters: [1n, 2n, 4n, 5n], votersOutgoing: [], autoLeave: false });
	const entries = leader?.disk.issued.entries.filter((entry) => entry.kind === EntryKind.config) ?? [];
	expect(entries.length).toBe(2);
});

test("SC-059 a joint configuration on request stays until it is left, and takes no other change", () => {
	const cluster = clusterOf(1n, 2n, 3n);
	cluster.elect(1n);
	cluster.request(1n, { changes: [removal(3n)], transition: "jointExplicit", context: new Uint8Array(0) });
	cluster.pass(5);
	expect(cluster.status(1n).confState.votersOutgoing).toEqual([1n, 2n, 3n]);
	const again = cluster.member(1n).core.proposeMembership({ changes: [removal(2n)], transition: "auto", context: new Uint8Array(0) });
	expect(again).toEqual({ ok: false, reason: "badConfig" });
	change(cluster, 1n);
	expect(cluster.status(1n).confState).toMatchObject({ voters: [1n, 2n], votersOutgoing: [] });
	const leave = cluster.member(1n).core.proposeMembership({ changes: [], transition: "auto", context: new Uint8Array(0) });
	expect(leave).toEqual({ ok: false, reason: "badConfig" });
});

test("a joint configuration elects only with both halves", () => {
	const cluster = clusterOf(1n, 2n, 3n);
	for (const id of [4n, 5n]) cluster.addEmpty(id);
	cluster.elect(1n);
	cluster.request(1n, {
		changes: [addition(4n), addition(5n), removal(2n), removal(3n)],
		transition: "jointExplicit",
		context: new Uint8Array(0),
	});
	cluster.pass(6);
	expect(cluster.status(4n).confState).toMatchObject({ voters: [1n, 4n, 5n], votersOutgoing: [1n, 2n, 3n] });
	cluster.crash(1n, () => 0);
	for (const [alone, others] of [
		[
			[4n, 5n],
			[2n, 3n],
		],
		[
			[2n, 3n],
			[4n, 5n],
		],
	] as const) {
		for (const id of alone) for (const other of others) cluster.part(id, other);
		cluster.pass(60);
		expect(cluster.leaders).toEqual([]);
	}
	cluster.heal();
	cluster.pass(60);
	expect(cluster.leaders.length).toBe(1);
});

test("SC-060 a leader that only the outgoing half still holds goes on until that half is gone, then hands over", () => {
	const cluster = clusterOf(1n, 2n, 3n);
	cluster.addEmpty(4n);
	cluster.elect(1n);
	cluster.change(1n, removal(1n), addition(4n));
	cluster.pass(3);
	expect(cluster.status(1n).role).toBe("follower");
	cluster.pass(3);
	expect(cluster.leaders.length).toBe(1);
	expect(cluster.leaders[0]?.core.status().confState).toMatchObject({ voters: [2n, 3n, 4n], votersOutgoing: [] });
});

test("a removed peer is fed until the change is answered, and its answers no longer raise terms", () => {
	const cluster = clusterOf(1n, 2n, 3n);
	cluster.elect(1n);
	change(cluster, 1n, removal(3n));
	expect(cluster.status(3n).confState.voters).toEqual([1n, 2n]);
	expect(cluster.status(1n).peers.map(({ id }) => id)).toEqual([2n]);
	const { term } = cluster.status(1n);
	const answer: Message = {
		kind: "appendResp",
		from: 3n,
		to: 1n,
		term: term + 5,
		index: 0,
		reject: false,
		hintIndex: 0,
		hintTerm: 0,
		commit: 1,
	};
	expect(cluster.member(1n).core.step(answer)).toBe("ignored:unknown-peer");
	expect(cluster.status(1n)).toMatchObject({ role: "leader", term });
	cluster.pass(300);
	expect(cluster.status(1n)).toMatchObject({ role: "leader", term });
});

test("SC-064 a new member that is silent at first does not make its leader step down, and does so later", () => {
	const cluster = clusterOf(1n);
	cluster.addEmpty(2n);
	cluster.elect(1n);
	cluster.isolate(2n);
	cluster.pass(8);
	change(cluster, 1n, addition(2n));
	cluster.pass(3);
	expect(cluster.status(1n)).toMatchObject({ role: "leader", confState: { voters: [1n, 2n] } });
	cluster.pass(20);
	expect(cluster.status(1n).role).toBe("follower");
});

test("SC-118 a voter that is added to one may be counted on when that one knows it durably; a removal waits for the new quorum", () => {
	const cluster = clusterOf(1n);
	cluster.addEmpty(2n);
	cluster.elect(1n);
	cluster.isolate(2n);
	expect(cluster.member(1n).core.membershipReady).toBe(true);
	cluster.change(1n, addition(2n));
	cluster.drain(1n);
	expect(cluster.member(1n).core.settledCommit).toBeLessThan(cluster.status(1n).lastIndex);
	expect(cluster.member(1n).core.membershipReady).toBe(false);
	cluster.settle();
	expect(cluster.member(1n).core.settledCommit).toBe(cluster.status(1n).lastIndex);
	// It answers now; yet whoever the change removed would have to stay.
	expect(cluster.status(1n).confState.voters).toEqual([1n, 2n]);

	const three = clusterOf(1n, 2n, 3n);
	three.elect(1n);
	three.isolate(3n);
	const index = change(three, 1n, removal(2n));
	expect(three.status(1n)).toMatchObject({ commit: index, confState: { voters: [1n, 3n] } });
	expect(three.member(1n).core.settledCommit).toBeLessThan(index);
	expect(three.member(2n).core.settledCommit).toBe(0);
	three.heal();
	three.pass(3);
	expect(three.member(1n).core.settledCommit).toBeGreaterThanOrEqual(index);
});

test("a candidate that learns of a newer configuration from an answer steps back, and asks again soon under that one", () => {
	const cluster = clusterOf(1n, 2n, 3n, 4n);
	cluster.elect(1n);
	cluster.isolate(4n);
	cluster.change(1n, removal(4n));
	for (let i = 0; i < 4; i++) {
		for (const id of [1n, 2n, 3n]) {
			cluster.drain(id);
			cluster.persist(id);
		}
		// 3 gets the entry, and not the news that it is committed.
		const informed = cluster.take((message) => message.to === 3n && message.kind === "append" && message.commit > 2);
		expect(informed.every((message) => message.kind === "append" && message.entries.length === 0)).toBe(true);
		for (const message of cluster.take(() => true)) cluster.hand(message);
	}
	expect(cluster.status(2n).confState.voters).toEqual([1n, 2n, 3n]);
	expect(cluster.status(3n).confState.voters).toEqual([1n, 2n, 3n, 4n]);
	cluster.crash(1n, () => 0);
	cluster.input(3n, ({ core }) => core.campaign());
	cluster.drain(3n);
	const [ask] = cluster.take((message) => message.kind === "preVote" && message.to === 2n);
	cluster.messages = [];
	cluster.hand(ask as Message);
	cluster.drain(2n);
	for (const message of cluster.take((each) => each.kind === "preVoteResp")) cluster.hand(message);
	expect(cluster.status(3n)).toMatchObject({ role: "follower", confState: { voters: [1n, 2n, 3n] } });
	for (let i = 0; i < 2; i++) cluster.tick(3n);
	expect(cluster.status(3n).role).toBe("preCandidate");
});

test("more than seven voters are taken, and told", () => {
	const told: unknown[] = [];
	const cluster = new Cluster({
		voters: [1n, 2n, 3n, 4n, 5n, 6n],
		dice: new Dice(1),
		tapOf: (id) => ({ emit: (name, _term, _index, fields) => void (name === "manyVoters" && id === 1n && told.push(fields)) }),
	});
	cluster.elect(1n);
	for (const node of [7n, 8n]) {
		cluster.addEmpty(node);
		change(cluster, 1n, addition(node));
		cluster.pass(3);
	}
	expect(cluster.status(1n).confState.voters.length).toBe(8);
	expect(told).toEqual([{ voters: 8 }]);
});

test("SC-063 one change at a time, and only by a leader that has applied the one before", () => {
	const cluster = clusterOf(1n, 2n, 3n);
	cluster.elect(1n);
	expect(cluster.change(1n, removal(2n))).toBe(true);
	expect(cluster.member(1n).core.proposeMembership({ changes: [removal(3n)], transition: "auto", context: new Uint8Array(0) })).toEqual({
		ok: false,
		reason: "pendingConfig",
	});
	for (let i = 0; i < 6; i++) {
		for (const id of cluster.ids) {
			cluster.drain(id);
			cluster.persist(id);
		}
		for (const message of cluster.take(() => true)) cluster.hand(message);
	}
	expect(cluster.status(1n).confState.voters).toEqual([1n, 3n]);
	// Committed, and not yet applied.
	expect(cluster.change(1n, removal(3n))).toBe(false);
	cluster.settle();
	for (const changes of [[removal(1n), removal(3n)], [addition(0n)], [addition(5n), removal(5n)]]) {
		expect(cluster.member(1n).core.proposeMembership({ changes, transition: "auto", context: new Uint8Array(0) })).toEqual({
			ok: false,
			reason: "badConfig",
		});
	}
	expect(cluster.change(1n, removal(3n))).toBe(true);
});

test("a restart finds its configuration in its log, also when it has lost the unsynced rest of its commit", () => {
	const cluster = clusterOf(1n, 2n, 3n);
	cluster.elect(1n);
	change(cluster, 1n, removal(3n));
	cluster.propose(1n, 4);
	cluster.settle();
	for (const id of [1n, 2n]) {
		cluster.crash(id, () => 0);
		cluster.restart(id);
		expect(cluster.status(id).confState.voters).toEqual([1n, 2n]);
	}
	cluster.pass(40);
	expect(cluster.leaders.length).toBe(1);
});

function configOf(cluster: Cluster) {
	return cluster.configOf(1n);
}
