import { Dice, marksDuring } from "@flotilla/base";
import { expect, test } from "vitest";
import type { Message, NodeId, SnapshotMeta } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

const three = (config = {}) => new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config });

/** 3 misses `count` entries, and the others keep nothing of them. */
function leaveBehind(cluster: Cluster, count: number, keep: number): void {
	cluster.elect(1n);
	cluster.isolate(3n);
	cluster.propose(1n, count);
	cluster.settle();
	for (const id of [1n, 2n]) {
		cluster.floor(id, keep);
		cluster.drain(id);
	}
}

function peerState(cluster: Cluster, leader: NodeId, peer: NodeId): string | undefined {
	return cluster.status(leader).peers.find(({ id }) => id === peer)?.state;
}

test("SC-079 a member that needs what the log no longer holds gets a snapshot, and streams from there", () => {
	const cluster = three({ memoryEntriesMax: 0 });
	leaveBehind(cluster, 20, 0);
	cluster.heal();
	cluster.pass(4);
	cluster.propose(1n, 2);
	cluster.settle();
	expect(cluster.status(3n)).toMatchObject({ commit: cluster.status(1n).lastIndex, firstIndex: 23 });
	expect(cluster.member(3n).machine.state.digest).toBe(cluster.member(1n).machine.state.digest);
	expect(peerState(cluster, 1n, 3n)).toBe("replicate");
});

test("a member that needs what only the WAL holds gets it from there, without a snapshot", () => {
	const cluster = three({ memoryEntriesMax: 2, appendBytesMax: 60 });
	leaveBehind(cluster, 30, 1_000);
	cluster.heal();
	cluster.pass(5);
	expect(cluster.status(3n).commit).toBe(cluster.status(1n).lastIndex);
	expect(cluster.status(3n).firstIndex).toBe(2);
});

test("entries that were asked of the WAL and are cut there before they are read: a snapshot takes their place", () => {
	const cluster = three({ memoryEntriesMax: 2, appendBytesMax: 60 });
	leaveBehind(cluster, 30, 1_000);
	cluster.heal();
	const { fetches } = cluster.member(1n);
	for (let turn = 0; turn < 100 && fetches.length === 0; turn++) {
		for (const id of cluster.ids) {
			cluster.tick(id);
			cluster.drain(id);
			cluster.persist(id);
		}
		for (const message of cluster.take(() => true)) cluster.hand(message);
	}
	expect(fetches.map(({ peer }) => peer)).toEqual([3n]);
	fetches.length = 0;
	const during = marksDuring(() => {
		cluster.input(1n, ({ core }) => core.onFetched(3n, []));
		cluster.floor(1n, 0);
		cluster.drain(1n);
		cluster.pass(5);
	});
	expect(during.fetchedTooLate).toBe(1);
	expect(during.catchUpBySnapshot).toBe(1);
	expect(cluster.status(3n).commit).toBe(cluster.status(1n).lastIndex);
	expect(cluster.status(3n).firstIndex).toBeGreaterThan(30);
});

test("a state that is sent while a joint configuration is in force brings that configuration along", () => {
	const cluster = three({ memoryEntriesMax: 0 });
	cluster.addEmpty(4n);
	cluster.elect(1n);
	cluster.isolate(3n);
	const changes = [
		{ op: "addVoter", node: 4n },
		{ op: "remove", node: 2n },
	] as const;
	expect(cluster.request(1n, { changes, transition: "jointExplicit", context: new Uint8Array(0) })).toBe(true);
	cluster.pass(5);
	const joint = { voters: [1n, 3n, 4n], votersOutgoing: [1n, 2n, 3n] };
	expect(cluster.status(1n).confState).toMatchObject(joint);
	for (const id of [1n, 2n]) {
		cluster.floor(id, 0);
		cluster.drain(id);
	}
	cluster.heal();
	const during = marksDuring(() => cluster.pass(10));
	expect(during.snapshotWhileJoint).toBeGreaterThan(0);
	expect(cluster.status(3n)).toMatchObject({ confState: joint, commit: cluster.status(1n).lastIndex });
});

test("a restarted leader knows no terms below its floor and still feeds a slow peer from the WAL", () => {
	const cluster = three({ memoryEntriesMax: 2, appendBytesMax: 60 });
	leaveBehind(cluster, 30, 1_000);
	for (const id of [1n, 2n]) {
		cluster.crash(id, () => 0);
		cluster.restart(id);
		expect(cluster.member(id).disk.synced).toMatchObject({ base: { index: 32 }, walFirst: 2 });
	}
	cluster.heal();
	cluster.pass(60);
	const [leader] = cluster.leaders;
	expect(cluster.status(3n).commit).toBe(leader?.core.status().lastIndex);
	expect(cluster.status(3n).firstIndex).toBe(2);
});

test("SC-078 a transfer that fails is tried again after a heartbeat; one that nobody reports ends by itself", () => {
	const cluster = three({ memoryEntriesMax: 0, snapshotTimeoutTicks: 15 });
	leaveBehind(cluster, 20, 0);
	cluster.heal();
	let started = 0;
	const step = (ticks: number, end: (cluster: Cluster) => void) => {
		for (let i = 0; i < ticks; i++) {
			for (const id of cluster.ids) cluster.tick(id);
			for (let j = 0; j < 4; j++) {
				for (const id of cluster.ids) {
					cluster.drain(id);
					cluster.persist(id);
				}
				for (const message of cluster.take(() => true)) cluster.hand(message);
			}
			started += cluster.transfers.length;
			end(cluster);
		}
	};
	step(6, (each) => each.transfers.length > 0 && each.endTransfer(0, false));
	expect(started).toBeGreaterThan(1);
	expect(peerState(cluster, 1n, 3n)).not.toBe("replicate");
	started = 0;
	step(16, (each) => {
		each.transfers = [];
	});
	step(6, (each) => {
		each.transfers = [];
	});
	expect(started).toBeGreaterThan(0);
	cluster.pass(20);
	expect(peerState(cluster, 1n, 3n)).toBe("replicate");
});

test("SC-078 an acknowledgement ends the state of being sent a snapshot, whatever becomes of the report", () => {
	const cluster = three({ memoryEntriesMax: 0 });
	leaveBehind(cluster, 20, 0);
	cluster.heal();
	for (let i = 0; i < 8 && cluster.transfers.length === 0; i++) {
		cluster.tick(1n);
		for (let j = 0; j < 4; j++) {
			for (const id of cluster.ids) {
				cluster.drain(id);
				cluster.persist(id);
			}
			for (const message of cluster.take(() => true)) cluster.hand(message);
		}
	}
	expect(peerState(cluster, 1n, 3n)).toBe("snapshot");
	// It arrives, and nobody has told the leader so yet.
	const [transfer] = cluster.transfers.splice(0, 1);
	cluster.member(3n).receiveState(cluster.member(1n).machine.at(22));
	cluster.hand({ kind: "snapshot", from: 1n, to: 3n, term: 2, meta: transfer?.meta as SnapshotMeta });
	cluster.drain(3n);
	cluster.persist(3n);
	cluster.apply(3n);
	for (const message of cluster.take((each) => each.from === 3n)) cluster.hand(message);
	expect(peerState(cluster, 1n, 3n)).toBe("replicate");
	cluster.input(1n, ({ core }) => core.reportSnapshot(3n, false, 0));
	expect(peerState(cluster, 1n, 3n)).toBe("replicate");
	cluster.propose(1n);
	cluster.settle();
	expect(cluster.status(3n).commit).toBe(23);
});

test("no snapshot is prepared for a member that is not heard, and one is as soon as it is", () => {
	const cluster = three({ memoryEntriesMax: 0 });
	leaveBehind(cluster, 20, 0);
	cluster.pass(25);
	cluster.input(1n, ({ core }) => core.reportUnreachable(3n));
	expect(cluster.member(1n).core.drain().snapshots).toEqual([]);
	expect(peerState(cluster, 1n, 3n)).toBe("probe");
	cluster.heal();
	for (let i = 0; i < 2; i++) cluster.tick(1n);
	cluster.drain(1n);
	for (const message of cluster.take((each) => each.to === 3n)) cluster.hand(message);
	cluster.drain(3n);
	cluster.persist(3n);
	for (const message of cluster.take((each) => each.from === 3n)) cluster.hand(message);
	expect(cluster.member(1n).core.drain().snapshots).toMatchObject([{ peer: 3n, minIndex: 22 }]);
});

const metaOf = (cluster: Cluster, index: number, term: number): SnapshotMeta => ({
	index,
	term,
	confState: cluster.status(1n).confState,
	generation: "copy",
});

test("SC-077 a snapshot of an entry that the log holds keeps the log: only the commit moves", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n, 5);
	cluster.drain(1n);
	for (const message of cluster.take((each) => each.kind === "append")) cluster.hand(message);
	cluster.checker.maxCommit = 5;
	const { core } = cluster.member(2n);
	const during = marksDuring(() => void core.step({ kind: "snapshot", from: 1n, to: 2n, term: 2, meta: metaOf(cluster, 5, 2) }));
	expect(during.snapshotFastForward).toBe(1);
	expect(core.status()).toMatchObject({ commit: 5, lastIndex: 7, firstIndex: 2 });
	expect(core.drain().append?.snapshot).toBe(null);
});

test("SC-076 a snapshot over a contradicting or unverified tail drops the whole log (hashicorp/raft #697)", () => {
	const logs = new Map([[2n, [2, 2, 2, 2, 2, 2]]]);
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), logs });
	const { core } = cluster.member(2n);
	core.step({ kind: "snapshot", from: 1n, to: 2n, term: 4, meta: metaOf(cluster, 5, 3) });
	expect(core.status()).toMatchObject({ commit: 5, lastIndex: 5, lastTerm: 3, firstIndex: 6, stable: 1 });
	const { append, apply } = core.drain();
	expect(append).toMatchObject({ snapshot: { index: 5 }, entries: [], truncateFrom: 0, mustSync: true, hardState: { commit: 5 } });
	expect(append?.release).toMatchObject([{ kind: "appendResp", index: 5, reject: false }]);
	expect(apply).toEqual([]);
});

test("SC-075 SC-120 while a snapshot is being installed: appends queue behind it, nothing is applied, nobody campaigns", () => {
	const cluster = three();
	const { core } = cluster.member(2n);
	const meta = metaOf(cluster, 5, 3);
	const entry = { index: 6, term: 4, kind: 0 as const, data: Uint8Array.of(1) };
	core.step({ kind: "snapshot", from: 1n, to: 2n, term: 4, meta });
	const first = core.drain().append;
	core.step({ kind: "append", from: 1n, to: 2n, term: 4, prevIndex: 5, prevTerm: 3, commit: 6, entries: [entry] });
	const output = core.drain();
	const second = output.append;
	expect(output.apply).toEqual([]);
	expect(core.status()).toMatchObject({ stable: 1, commit: 6, applied: 1 });
	core.campaign();
	expect(core.status().role).toBe("follower");
	// Another, newer one has to wait for the first.
	expect(core.step({ kind: "snapshot", from: 1n, to: 2n, term: 4, meta: { ...meta, index: 9 } })).toBe("dropped:overloaded");
	core.onPersisted(first?.seq ?? 0);
	expect(core.status().stable).toBe(5);
	core.onPersisted(second?.seq ?? 0);
	expect(core.drain().apply).toEqual([]);
	core.onApplied(5);
	expect(core.drain().apply.map(({ index }) => index)).toEqual([6]);
	core.campaign();
	expect(core.status().role).toBe("preCandidate");
});

test("SC-081 an old snapshot, or one that does not know this member, changes nothing", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n, 4);
	cluster.settle();
	const { core } = cluster.member(2n);
	const before = core.status();
	const snapshot = (meta: SnapshotMeta): Message => ({ kind: "snapshot", from: 1n, to: 2n, term: 2, meta });
	expect(core.step(snapshot(metaOf(cluster, 3, 2)))).toBe("ok");
	// All of it is on the disk already: the answer waits for nothing.
	expect(core.drain().send).toMatchObject([{ kind: "appendResp", reject: false, index: 3 }]);
	const foreign = { ...metaOf(cluster, 50, 2), confState: { ...before.confState, voters: [1n, 3n] } };
	expect(core.step(snapshot(foreign))).toBe("ignored:unknown-peer");
	expect(core.step(snapshot({ ...foreign, confState: { ...before.confState, voters: [2n, 1n] } }))).toBe("rejected:malformed");
	expect(core.status()).toEqual(before);
});

test("SC-112 a new leader whose log is only a snapshot is up to date by its base", () => {
	const cluster = three({ memoryEntriesMax: 0 });
	leaveBehind(cluster, 20, 0);
	cluster.heal();
	cluster.pass(4);
	cluster.crash(3n, () => 0);
	cluster.restart(3n);
	expect(cluster.status(3n).lastIndex).toBe(cluster.status(1n).lastIndex);
	cluster.crash(1n, () => 0);
	cluster.isolate(2n);
	cluster.pass(5);
	cluster.heal();
	cluster.pass(60);
	expect(cluster.leaders.length).toBe(1);
	expect(cluster.leaders[0]?.core.status().commit).toBeGreaterThan(20);
});
