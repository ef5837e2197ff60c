import { Dice, silentTap } from "@flotilla/base";
import { expect, test } from "vitest";
import { bootstrapPoint, DEFAULT_RAFT_CONFIG, type Entry, type Message, type NodeId, RaftCore } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

test("SC-084 uncommitted bytes: counted exactly, over commits and changes of the leader; empty entries and a lone large batch are free", () => {
	const limit = 300;
	for (let seed = 1; seed <= 40; seed++) {
		const dice = new Dice(seed);
		const cluster = new Cluster({ voters: [1n, 2n, 3n], dice, config: { uncommittedBytesMax: limit, checkQuorum: false } });
		cluster.elect(1n);
		let leader: NodeId = 1n;
		// The opening entry of the term is empty and costs nothing; older terms are not this leader's to count.
		let uncommitted = 0;
		for (let step = 0; step < 40; step++) {
			const where = `seed ${seed} step ${step}`;
			if (dice.chance(1, 6)) {
				cluster.heal();
				cluster.settle();
				cluster.pass(3);
				expect(cluster.status(leader).commit, where).toBe(cluster.status(leader).lastIndex);
				uncommitted = 0;
			}
			if (dice.chance(1, 8)) {
				cluster.heal();
				cluster.pass(3);
				const next = dice.pick([1n, 2n, 3n].filter((id) => id !== leader));
				cluster.member(leader).core.transferLeadership(next);
				cluster.settle();
				expect(cluster.status(next).role, where).toBe("leader");
				leader = next;
				uncommitted = 0;
			}
			cluster.isolate(leader);
			const sizes = Array.from({ length: dice.range(1, 4) }, () => dice.pick([0, 1, 50, 100, 400]));
			const bytes = sizes.reduce((sum, size) => sum + size, 0);
			const taken = cluster.member(leader).core.propose(sizes.map((size) => new Uint8Array(size)));
			expect(taken.ok, where).toBe(uncommitted === 0 || uncommitted + bytes <= limit);
			// In the log an entry with a payload costs its overhead, too.
			if (taken.ok) uncommitted += sizes.reduce((sum, size) => sum + (size === 0 ? 0 : size + 24), 0);
		}
		cluster.heal();
		cluster.pass(4);
		expect(cluster.propose(leader)).toBe(true);
	}
});

test("SC-086 a state machine that takes a hundred ticks an entry: what it is behind is bounded, nobody calls an election, and it catches up", () => {
	const limits = { applyBytesMax: 100, unappliedBytesMax: 600, appendBytesMax: 200 };
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config: limits });
	cluster.elect(1n);
	const { term } = cluster.status(1n);
	const slow = cluster.member(2n);
	let behindMost = 0;
	for (let tick = 1; tick <= 1_000; tick++) {
		for (const id of cluster.ids) cluster.tick(id);
		cluster.propose(1n);
		cluster.passUnapplied(2n, 4);
		if (tick % 100 === 0) cluster.apply(2n, 1);
		// Handed out and not yet applied; and what waits behind it.
		expect(slow.applyQueue.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThanOrEqual(100);
		behindMost = Math.max(behindMost, slow.core.status().lastIndex - slow.machine.state.index);
	}
	expect(cluster.status(1n)).toMatchObject({ role: "leader", term, commit: 1_002 });
	expect(behindMost).toBeLessThan(30);
	expect(slow.machine.state.index).toBeLessThan(20);
	// What it lets fall is found out a heartbeat later: that is its pace.
	cluster.pass(300);
	expect(slow.machine.state).toEqual(cluster.member(1n).machine.state);
	expect(cluster.status(1n).term).toBe(term);
});

test("SC-086 a leader whose own state machine stands still leads on, takes no more than it may be behind, and goes on when that moves", () => {
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config: { applyBytesMax: 100, unappliedBytesMax: 600 } });
	cluster.elect(1n);
	const { term } = cluster.status(1n);
	const turn = (applies: (id: NodeId) => boolean): void => {
		for (const id of cluster.ids) cluster.tick(id);
		for (let round = 0; round < 4; round++) {
			for (const id of cluster.ids) {
				cluster.drain(id);
				cluster.persist(id);
				if (applies(id)) cluster.apply(id);
			}
			for (const message of cluster.take(() => true)) cluster.hand(message);
		}
	};
	let taken = 0;
	for (let i = 0; i < 300; i++) {
		if (cluster.propose(1n)) taken++;
		turn((id) => id !== 1n);
	}
	expect(taken).toBeGreaterThan(10);
	expect(taken).toBeLessThan(30);
	expect(cluster.status(1n)).toMatchObject({ role: "leader", term, commit: cluster.status(1n).lastIndex });
	for (let i = 0; i < 30; i++) turn(() => true);
	expect(cluster.propose(1n)).toBe(true);
	turn(() => true);
	expect(cluster.status(1n).commit).toBe(cluster.status(1n).lastIndex);
});

test("SC-088 a follower that lags by a million small entries is fed within the limits of a message and of the window, and holds nobody up", () => {
	const ids: NodeId[] = [1n, 2n, 3n];
	const base = bootstrapPoint(ids);
	const limits = { appendBytesMax: 4_096, inflightMessagesMax: 8, inflightBytesMax: 1 << 20 };
	const [leader, second, slow] = ids.map((id) => {
		const restored = { hardState: { term: 1, vote: 0n, commit: 1 }, base, entries: [], firstIndex: 2, applied: 1 };
		return new RaftCore({ ...DEFAULT_RAFT_CONFIG, ...limits, id, incarnation: 1 }, restored, new Dice(Number(id)), silentTap);
	}) as [RaftCore, RaftCore, RaftCore];
	const cores = [leader, second, slow];
	const onDisk: Entry[] = [];
	let slowIsAway = false;
	let wire: Message[] = [];
	let largest = 0;
	let underWay = 0;
	const turn = () => {
		for (const core of cores) {
			const { send, append, apply, fetch } = core.drain();
			wire.push(...send);
			if (append !== null) {
				if (core === leader) onDisk.push(...append.entries);
				core.onPersisted(append.seq);
				wire.push(...append.release);
			}
			for (const { peer, fromIndex, uptoIndex } of fetch) {
				const first = onDisk[0] as Entry;
				core.onFetched(peer, onDisk.slice(fromIndex - first.index, Math.min(uptoIndex, fromIndex + 99) + 1 - first.index));
			}
			const last = apply.at(-1);
			if (last !== undefined) core.onApplied(last.index);
		}
		const arrived = wire;
		wire = [];
		for (const message of arrived) {
			if (slowIsAway && (message.to === 3n || message.from === 3n)) continue;
			if (message.kind === "append" && message.to === 3n && message.entries.length > 0) {
				underWay = Math.max(underWay, arrived.filter((each) => each.kind === "append" && each.to === 3n && each.entries.length > 0).length);
				largest = Math.max(
					largest,
					message.entries.reduce((sum, { data }) => sum + data.length + 24, 0),
				);
			}
			cores[Number(message.to) - 1]?.step(message);
		}
	};
	leader.campaign();
	for (let i = 0; i < 6; i++) turn();
	slowIsAway = true;
	const small = new Uint8Array(8);
	for (let i = 0; i < 1_000; i++) {
		expect(leader.propose(new Array<Uint8Array>(1_000).fill(small)).ok).toBe(true);
		turn();
		turn();
	}
	for (let i = 0; i < 3; i++) turn();
	expect(leader.status().commit).toBe(leader.status().lastIndex);
	expect(leader.status().lastIndex - slow.status().lastIndex).toBe(1_000_000);
	slowIsAway = false;
	for (let i = 0; i < 12; i++) leader.tick();
	let turns = 0;
	for (; slow.status().commit < leader.status().lastIndex && turns < 25_000; turns++) {
		turn();
		if (turns % 10 !== 0) continue;
		leader.tick();
		// The others' work goes on meanwhile.
		expect(leader.propose([small]).ok).toBe(true);
	}
	expect(turns).toBeLessThan(25_000);
	expect(second.status().commit).toBeGreaterThan(1_000_000);
	expect(largest).toBeLessThanOrEqual(4_096);
	expect(underWay).toBeLessThanOrEqual(8);
});
