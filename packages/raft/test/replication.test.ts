import { Dice, marksDuring } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import {
	type Append,
	type AppendResp,
	type CoreStatus,
	Entry,
	EntryKind,
	type Heartbeat,
	type Message,
	type NodeId,
	type Term,
} from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

const three = (config = {}) => new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), config });
const isAppend = (to: NodeId) => (message: Message) => message.kind === "append" && message.to === to;

function handAll(cluster: Cluster, messages: readonly Message[]): void {
	for (const message of messages) cluster.hand(message);
}

describe("SC-023 a new leader makes every log equal to its own (raft thesis figure 3.6)", () => {
	const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
	for (const [name, log] of [
		["a: one entry missing", [1, 1, 1, 4, 4, 5, 5, 6, 6]],
		["b: many missing", [1, 1, 1, 4]],
		["c: one too many of the same term", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
		["d: entries of a later term", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
		["e: missing and uncommitted ones of an earlier term", [1, 1, 1, 4, 4, 4, 4]],
		["f: terms that the leader never saw", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
	] as [string, Term[]][]) {
		test(name, () => {
			const logs = new Map([
				[1n, leader],
				[2n, log],
				[3n, leader],
			]);
			const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), logs });
			let refusals = 0;
			cluster.onMessage = (message) => {
				if (message.kind === "appendResp" && message.reject) refusals++;
			};
			// A voter with more of the last term refuses its vote: the other one is enough. Its term is no hindrance either.
			cluster.input(1n, ({ core }) => core.campaign());
			cluster.settle();
			for (let i = 0; i < 30 && cluster.status(1n).role !== "leader"; i++) {
				cluster.input(1n, ({ core }) => core.campaign());
				cluster.settle();
			}
			expect(cluster.status(1n).role).toBe("leader");
			cluster.pass(3);
			const terms = (id: NodeId) => cluster.member(id).disk.synced.entries.map((entry) => entry.term);
			expect(terms(2n)).toEqual(terms(1n));
			expect(cluster.status(2n).commit).toBe(cluster.status(1n).lastIndex);
			// At most one question for each term that either side has and the other has not, and one more.
			expect(refusals).toBeLessThanOrEqual(4);
		});
	}
});

test("SC-022 an entry of an earlier term on a majority is not committed by counting, and may be overwritten (raft thesis figure 3.7)", () => {
	// As figure 3.7 (c) to (d): the entry of term 2 at index 2 is on 1, 2 and 3; 5 holds one of term 3 there.
	const logs = new Map([
		[1n, [2]],
		[2n, [2]],
		[3n, [] as Term[]],
		[5n, [3]],
	]);
	const cluster = new Cluster({ voters: [1n, 2n, 3n, 4n, 5n], dice: new Dice(1), logs, config: { preVote: false, checkQuorum: false } });
	cluster.isolate(5n);
	for (const to of ["2", "3", "4"]) cluster.cut.delete(`1>${to}`);
	// 1 leads term 3 or later; whatever it sends is cut off behind the old entry.
	for (let tries = 0; tries < 10 && cluster.status(1n).role !== "leader"; tries++) {
		cluster.input(1n, ({ core }) => core.campaign());
		for (let i = 0; i < 8; i++) {
			for (const id of cluster.ids) {
				cluster.drain(id);
				cluster.persist(id);
			}
			handAll(
				cluster,
				cluster.take((message) => message.kind === "vote" || message.kind === "voteResp"),
			);
			cluster.messages = [];
		}
	}
	const { term } = cluster.status(1n);
	for (const to of [2n, 3n, 4n]) {
		const old = cluster.member(1n).disk.issued.entries.slice(0, 1);
		cluster.hand({ kind: "append", from: 1n, to, term, prevIndex: 1, prevTerm: 1, commit: 1, entries: old });
		cluster.drain(to);
		cluster.persist(to);
	}
	handAll(
		cluster,
		cluster.take((message) => message.kind === "appendResp"),
	);
	expect(cluster.status(1n).peers.filter((peer) => peer.match >= 2).length).toBe(3);
	expect(cluster.status(1n).commit).toBe(1);
	cluster.crash(1n, () => 0);
	cluster.heal();
	cluster.messages = [];
	for (let i = 0; i < 300 && cluster.status(5n).role !== "leader"; i++) {
		cluster.input(5n, ({ core }) => core.campaign());
		cluster.settle();
	}
	expect(cluster.status(5n).role).toBe("leader");
	cluster.pass(5);
	expect(cluster.member(2n).disk.synced.termAt(2)).toBe(3);
});

test("SC-026 a late, shorter copy of an append takes nothing back", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n, 2);
	cluster.drain(1n);
	const [short] = cluster.take(isAppend(2n)) as Append[];
	cluster.hand(short as Append);
	cluster.propose(1n, 3);
	cluster.settle();
	const { lastIndex } = cluster.status(2n);
	cluster.hand(short as Append);
	cluster.drain(2n);
	cluster.persist(2n);
	expect(cluster.status(2n).lastIndex).toBe(lastIndex);
});

test("SC-027 a follower commits what the leader has verified, not its own tail", () => {
	const logs = new Map([[2n, [2, 2, 2, 2]]]);
	const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), logs });
	cluster.hand({ kind: "append", from: 1n, to: 2n, term: 3, prevIndex: 1, prevTerm: 1, commit: 5, entries: [] });
	expect(cluster.status(2n).commit).toBe(1);
	const [entry] = cluster.member(2n).disk.synced.entries;
	cluster.checker.maxCommit = 2;
	cluster
		.member(2n)
		.core.step({ kind: "append", from: 1n, to: 2n, term: 3, prevIndex: 1, prevTerm: 1, commit: 5, entries: [entry as never] });
	expect(cluster.status(2n)).toMatchObject({ commit: 2, lastIndex: 5 });
});

test("SC-028 SC-029 what lies below commit is acknowledged unseen; what contradicts it ends the process", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n, 5);
	cluster.settle();
	const { commit, term, lastIndex } = cluster.status(2n);
	cluster.hand({ kind: "append", from: 1n, to: 2n, term, prevIndex: 1, prevTerm: 1, commit: commit + 1, entries: [] });
	cluster.drain(2n);
	cluster.persist(2n);
	expect(cluster.take((message) => message.kind === "appendResp")).toMatchObject([{ index: commit, reject: false }]);
	expect(cluster.status(2n).lastIndex).toBe(lastIndex);
	const { core } = cluster.member(2n);
	const two = cluster
		.member(2n)
		.disk.synced.entries.slice(-1)
		.map(({ index }) => ({ index, term: term + 1, kind: 0 as const, data: new Uint8Array(1) }));
	expect(() =>
		core.step({
			kind: "append",
			from: 1n,
			to: 2n,
			term: term + 1,
			prevIndex: lastIndex - 1,
			prevTerm: term,
			commit: 1,
			entries: [...two, { ...two[0], index: lastIndex + 1 } as never],
		}),
	).toThrow(/contradicts what this member knows to be committed/);
});

describe("a leader whose majority has lost what was committed", () => {
	/** Member 2 holds 1@1, an entry of the leader of term 2, and five more, all committed. */
	function committed(): Cluster {
		const cluster = three();
		cluster.elect(1n);
		cluster.propose(1n, 5);
		cluster.settle();
		expect(cluster.status(2n)).toMatchObject({ commit: 7, term: 2 });
		return cluster;
	}
	const own = new Entry(3, 4, EntryKind.normal, Uint8Array.of());

	test("is not told of entries that it does not hold: that would end it, and each one elected after it", () => {
		const cluster = committed();
		cluster.hand({ kind: "append", from: 3n, to: 2n, term: 4, prevIndex: 2, prevTerm: 2, commit: 2, entries: [] });
		cluster.drain(2n);
		cluster.persist(2n);
		expect(cluster.take((message) => message.kind === "appendResp" && message.to === 3n)).toMatchObject([{ index: 2, reject: false }]);
	});
	test.each([
		["an entry of its own", { prevIndex: 2, prevTerm: 2, entries: [own] }],
		["an anchor of its own", { prevIndex: 3, prevTerm: 4, entries: [] }],
	])("is left by who knows better, at the first sight of %s", (_what, rest) => {
		const { core } = committed().member(2n);
		const told = { kind: "append", from: 3n, to: 2n, term: 4, commit: 2, ...rest } as const;
		expect(() => core.step(told)).toThrow(/contradicts what this member knows to be committed.*"committedTerm":2/);
	});
	test("is left by who knows better when it sends its state, too", () => {
		const cluster = committed();
		const meta = { index: 3, term: 4, confState: cluster.status(2n).confState, generation: "g" };
		expect(() => cluster.member(2n).core.step({ kind: "snapshot", from: 3n, to: 2n, term: 4, meta })).toThrow(
			/contradicts what this member/,
		);
	});
});

test("an append that begins below commit brings what lies above it", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n, 3);
	cluster.settle();
	cluster.propose(1n, 3);
	cluster.drain(1n);
	cluster.take(isAppend(2n));
	const { term, lastIndex } = cluster.status(1n);
	cluster.hand({
		kind: "append",
		from: 1n,
		to: 2n,
		term,
		prevIndex: 2,
		prevTerm: 2,
		commit: 2,
		entries: cluster.member(1n).disk.issued.entries.slice(1),
	});
	expect(cluster.status(2n).lastIndex).toBe(lastIndex);
});

test("SC-025 an entry that is overwritten and comes back is stable when its last write is (A, B, A)", () => {
	const cluster = three();
	const entry = (term: Term) => [{ index: 2, term, kind: 0 as const, data: Uint8Array.of(term) }];
	const append = (from: NodeId, term: Term, entries: ReturnType<typeof entry>) =>
		cluster.hand({ kind: "append", from, to: 2n, term, prevIndex: 1, prevTerm: 1, commit: 1, entries });
	append(1n, 2, entry(2));
	cluster.drain(2n);
	append(3n, 3, entry(3));
	cluster.drain(2n);
	append(1n, 4, entry(2));
	expect(cluster.status(2n).stable).toBe(1);
	// Also while the third write is not even handed to the disk.
	const during = marksDuring(() => cluster.persist(2n, 1));
	expect(during.returnedEntryHeld).toBe(1);
	expect(cluster.status(2n).stable).toBe(1);
	cluster.drain(2n);
	cluster.persist(2n, 1);
	expect(cluster.status(2n)).toMatchObject({ stable: 1, lastIndex: 2, lastTerm: 2 });
	cluster.persist(2n, 1);
	expect(cluster.status(2n).stable).toBe(2);
	// A crash before that finds what the writes that returned have left, in their order.
	for (const [kept, terms] of [
		[0, []],
		[1, [2]],
		[2, [3]],
		[3, [2]],
	] as const) {
		const crashed = three();
		for (const term of [2, 3, 4]) {
			const from = term === 3 ? 3n : 1n;
			crashed.hand({ kind: "append", from, to: 2n, term, prevIndex: 1, prevTerm: 1, commit: 1, entries: entry(term === 3 ? 3 : 2) });
			crashed.drain(2n);
		}
		crashed.crash(2n, () => kept);
		crashed.restart(2n);
		expect(crashed.member(2n).disk.synced.entries.map((each) => each.term)).toEqual(terms);
		expect(crashed.status(2n)).toMatchObject({ lastIndex: 1 + terms.length, stable: 1 + terms.length, term: kept + 1 });
	}
});

test("nothing is acknowledged before it is durable, and all acknowledgements of a turn are one", () => {
	const cluster = three();
	cluster.elect(1n);
	for (let i = 0; i < 3; i++) {
		cluster.propose(1n);
		cluster.drain(1n);
		handAll(cluster, cluster.take(isAppend(2n)));
	}
	cluster.messages = [];
	cluster.drain(2n);
	expect(cluster.messages).toEqual([]);
	cluster.persist(2n);
	expect(cluster.messages).toMatchObject([{ kind: "appendResp", index: cluster.status(1n).lastIndex, reject: false }]);
});

test("a leader commits through its followers' disks before its own, and applies only what its own holds", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n);
	cluster.drain(1n);
	for (const id of [2n, 3n]) {
		handAll(cluster, cluster.take(isAppend(id)));
		cluster.drain(id);
		cluster.persist(id);
	}
	handAll(
		cluster,
		cluster.take((message) => message.kind === "appendResp"),
	);
	cluster.drain(1n);
	expect(cluster.status(1n)).toMatchObject({ commit: 3, stable: 2 });
	expect(cluster.member(1n).applyQueue).toEqual([]);
	cluster.persist(1n);
	cluster.drain(1n);
	expect(cluster.member(1n).applyQueue.map(({ index }) => index)).toEqual([3]);
});

test("SC-030 a window of appends that was lost is found out through the next heartbeat", () => {
	const cluster = three({ inflightMessagesMax: 2, appendBytesMax: 1 });
	cluster.elect(1n);
	cluster.pass(3);
	cluster.propose(1n, 6);
	cluster.drain(1n);
	expect(cluster.take(isAppend(2n)).length).toBe(2);
	cluster.take(isAppend(3n));
	cluster.pass(4);
	for (const id of cluster.ids) expect(cluster.status(id).commit).toBe(cluster.status(1n).lastIndex);
});

test("SC-031 a peer that was unreachable is probed, and streams again after one answer", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.input(1n, ({ core }) => core.reportUnreachable(2n));
	expect(cluster.status(1n).peers[0]?.state).toBe("probe");
	cluster.pass(3);
	expect(cluster.status(1n).peers[0]?.state).toBe("replicate");
	cluster.input(1n, ({ core }) => core.reportUnreachable(2n));
	cluster.propose(1n, 2);
	cluster.drain(1n);
	expect(cluster.messages.filter(isAppend(2n)).length).toBe(1);
	cluster.propose(1n, 2);
	cluster.drain(1n);
	expect(cluster.messages.filter(isAppend(2n)).length).toBe(1);
	cluster.settle();
	expect(cluster.status(2n).commit).toBe(cluster.status(1n).lastIndex);
});

test("SC-033 a commit whose news was lost is learned from the next heartbeat", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n);
	cluster.drain(1n);
	handAll(cluster, cluster.take(isAppend(2n)));
	cluster.drain(2n);
	cluster.persist(2n);
	cluster.persist(1n);
	handAll(
		cluster,
		cluster.take((message) => message.kind === "appendResp"),
	);
	cluster.drain(1n);
	expect(cluster.take(isAppend(2n)).length).toBe(1);
	expect(cluster.status(2n).commit).toBe(2);
	cluster.pass(2);
	expect(cluster.status(2n).commit).toBe(3);
});

test("SC-087 a follower above its limits lets appends fall and goes on answering heartbeats", () => {
	const cluster = three({ unstableBytesMax: 50 });
	cluster.elect(1n);
	for (let i = 0; i < 5; i++) {
		cluster.propose(1n, 5);
		cluster.drain(1n);
		handAll(cluster, cluster.take(isAppend(2n)));
		cluster.drain(2n);
	}
	const { lastIndex } = cluster.status(1n);
	expect(cluster.status(2n).lastIndex).toBeLessThan(lastIndex);
	cluster.pass(4);
	expect(cluster.status(2n).lastIndex).toBe(lastIndex);
	expect(cluster.status(1n).role).toBe("leader");
});

test("an old refusal takes nothing back from a peer that has acknowledged more since", () => {
	const cluster = three();
	cluster.elect(1n);
	cluster.propose(1n, 4);
	cluster.settle();
	const { term } = cluster.status(1n);
	const before = cluster.status(1n).peers;
	const stale: AppendResp = { kind: "appendResp", from: 2n, to: 1n, term, index: 3, reject: true, hintIndex: 1, hintTerm: 1, commit: 1 };
	cluster.hand(stale);
	expect(cluster.status(1n).peers).toEqual(before);
	cluster.input(1n, ({ core }) => core.reportUnreachable(2n));
	const [probed] = cluster.status(1n).peers;
	cluster.hand({ ...stale, index: (probed?.next ?? 0) - 1 });
	// Even a refusal that fits never asks again for what is known to be there.
	expect(cluster.status(1n).peers[0]?.next).toBe(probed?.next);
});

test("SC-083 a leader without a quorum takes proposals up to its limit, a single large one when idle, and goes on afterwards", () => {
	const cluster = three({ uncommittedBytesMax: 100, checkQuorum: false });
	cluster.elect(1n);
	cluster.isolate(1n);
	expect(cluster.member(1n).core.propose([new Uint8Array(500)]).ok).toBe(true);
	cluster.settle();
	expect(cluster.member(1n).core.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "overloaded" });
	expect(cluster.member(1n).core.propose([new Uint8Array(16 << 20)])).toEqual({ ok: false, reason: "tooLarge" });
	expect(cluster.member(2n).core.propose([new Uint8Array(1)])).toEqual({ ok: false, reason: "noLeader" });
	cluster.heal();
	cluster.pass(5);
	expect(cluster.status(3n).commit).toBe(cluster.status(1n).lastIndex);
	expect(cluster.propose(1n)).toBe(true);
});

test("SC-085 a state machine gets at most its limit in bytes beyond what it has acknowledged, and always at least one entry", () => {
	const cluster = three({ applyBytesMax: 1 });
	cluster.elect(1n);
	cluster.propose(1n, 4);
	cluster.drain(1n);
	for (let round = 0; round < 4; round++) {
		for (const id of cluster.ids) {
			cluster.persist(id);
			cluster.drain(id);
		}
		handAll(
			cluster,
			cluster.take(() => true),
		);
	}
	const applied: number[] = [];
	while (cluster.member(1n).applyQueue.length > 0) {
		for (let i = 0; i < 3; i++) cluster.drain(1n);
		expect(cluster.member(1n).applyQueue.length).toBe(1);
		applied.push(cluster.member(1n).applyQueue[0]?.index ?? 0);
		cluster.apply(1n);
		cluster.drain(1n);
	}
	expect(applied).toEqual([3, 4, 5, 6]);
});

test("SC-094 SC-097 two leaders of one term, or a peer that acknowledges what does not exist, end the process", () => {
	const cluster = three();
	cluster.elect(1n);
	const { term, lastIndex } = cluster.status(1n);
	const { core } = cluster.member(1n);
	expect(() => core.step({ kind: "heartbeat", from: 3n, to: 1n, term, commit: 1, commitTerm: 1, readPosition: 0, sequence: 1 })).toThrow(
		/at most one leader/,
	);
	expect(() =>
		core.step({ kind: "appendResp", from: 3n, to: 1n, term, index: lastIndex + 1, reject: false, hintIndex: 0, hintTerm: 0, commit: 1 }),
	).toThrow(/do not exist/);
	const heartbeat: Message = {
		...{ kind: "heartbeat", from: 1n, to: 2n, term },
		...{ commit: lastIndex + 5, commitTerm: term, readPosition: 0, sequence: 1 },
	};
	expect(() => cluster.member(2n).core.step(heartbeat)).toThrow(/lost entries/);
});

describe("a heartbeat names an entry by index and term (rule C5)", () => {
	/** 2 follows 1 in term 2 and holds entries up to 4; it knows 2 to be committed. */
	function beaten(mark: { readonly commit: number; readonly commitTerm: Term }): () => CoreStatus {
		const cluster = three();
		cluster.elect(1n);
		cluster.propose(1n, 2);
		cluster.drain(1n);
		handAll(cluster, cluster.take(isAppend(2n)));
		const { core } = cluster.member(2n);
		expect(core.status()).toMatchObject({ term: 2, commit: 2, lastIndex: 4 });
		return () => {
			core.step({ kind: "heartbeat", from: 1n, to: 2n, term: 2, ...mark, readPosition: 0, sequence: 1 });
			return core.status();
		};
	}

	test("the very entry is committed, and all before it", () => {
		expect(beaten({ commit: 3, commitTerm: 2 })().commit).toBe(3);
		expect(beaten({ commit: 4, commitTerm: 2 })().commit).toBe(4);
	});

	test("one whose term the leader has forgotten is not", () => {
		expect(beaten({ commit: 4, commitTerm: 0 })().commit).toBe(2);
		expect(beaten({ commit: 5, commitTerm: 0 })).toThrow(/lost entries that it acknowledged/);
	});

	test("SC-094 another one, or none, in its place ends the process: what it acknowledged is lost", () => {
		expect(beaten({ commit: 4, commitTerm: 1 })).toThrow(/lost entries that it acknowledged.*"commit":4,"commitTerm":1/);
		expect(beaten({ commit: 5, commitTerm: 2 })).toThrow(/lost entries that it acknowledged.*"lastIndex":4/);
	});

	test("what is known to be committed stays so, whatever is named below it", () => {
		expect(beaten({ commit: 2, commitTerm: 1 })().commit).toBe(2);
		expect(beaten({ commit: 0, commitTerm: 0 })().commit).toBe(2);
	});

	test("a leader that has let go of its log sends the index alone, and the state brings the commit", () => {
		const cluster = three({ memoryEntriesMax: 0 });
		cluster.elect(1n);
		cluster.settle();
		cluster.isolate(3n);
		cluster.propose(1n, 10);
		cluster.settle();
		cluster.floor(1n, 0);
		cluster.heal();
		const named: Heartbeat[] = [];
		cluster.onMessage = (message) => {
			if (message.kind === "heartbeat" && message.to === 3n) named.push(message);
		};
		cluster.pass(6);
		expect(named[0]).toMatchObject({ commit: 2, commitTerm: 0 });
		expect(named.at(-1)).toMatchObject({ commit: 12, commitTerm: 2 });
		expect(cluster.status(3n).commit).toBe(12);
	});
});

test("SC-096 what no member would send is refused and changes nothing", () => {
	const cluster = three();
	cluster.elect(1n);
	const { core } = cluster.member(2n);
	const before = core.status();
	const base = { kind: "append", from: 1n, to: 2n, term: 2, prevIndex: 2, prevTerm: 2, commit: 2, entries: [] } as const;
	const entry = (index: number, term: number, kind: 0 | 1 = 0) => ({ index, term, kind, data: Uint8Array.of(9) });
	for (const bad of [
		{ ...base, to: 3n },
		{ ...base, from: 2n },
		{ ...base, from: 0n },
		{ ...base, term: Number.NaN },
		{ ...base, prevIndex: -1 },
		{ ...base, commit: 2 ** 60 },
		{ ...base, entries: [entry(4, 2)] },
		{ ...base, entries: [entry(3, 3)] },
		{ ...base, entries: [entry(3, 1)] },
		{ ...base, entries: [entry(3, 2, 1)] },
	]) {
		expect(core.step(bad)).toBe("rejected:malformed");
	}
	expect(core.status()).toEqual(before);
});
