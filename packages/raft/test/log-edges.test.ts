import { Dice, silentTap } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { bootstrapPoint, DEFAULT_RAFT_CONFIG, EMPTY_CONF, Entry, EntryKind, RaftCore, type Term } from "../src/index.ts";
import { Cluster } from "./sim/cluster.ts";

const entriesFrom = (first: number, terms: readonly Term[]) =>
	terms.map((term, at) => new Entry(first + at, term, EntryKind.normal, Uint8Array.of(1)));

/** A follower whose log is only a snapshot at 10@3. */
function onSnapshot(): RaftCore {
	const { confState } = bootstrapPoint([1n, 2n, 3n]);
	const base = { index: 10, term: 3, confState, generation: "g" };
	const restored = { hardState: { term: 3, vote: 0n, commit: 10 }, base, entries: [], firstIndex: 11, applied: 10 };
	return new RaftCore({ ...DEFAULT_RAFT_CONFIG, id: 2n, incarnation: 1 }, restored, new Dice(1), silentTap);
}

function answerTo(core: RaftCore, prevIndex: number, prevTerm: Term, entries: readonly Entry[]): object {
	core.step({ kind: "append", from: 1n, to: 2n, term: 4, prevIndex, prevTerm, commit: 10, entries });
	const { send, append } = core.drain();
	const [answer] = [...send, ...(append?.release ?? [])];
	return { reject: false, ...answer };
}

describe("SC-082 an append to a log that begins with a snapshot", () => {
	test("anchored at it is taken", () => {
		expect(answerTo(onSnapshot(), 10, 3, entriesFrom(11, [3, 4]))).toMatchObject({ reject: false, index: 12 });
	});
	test("anchored at 0 or below it brings what lies above it", () => {
		expect(answerTo(onSnapshot(), 0, 0, entriesFrom(1, [1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3]))).toMatchObject({ reject: false, index: 11 });
		expect(answerTo(onSnapshot(), 7, 2, entriesFrom(8, [3, 3, 3, 4]))).toMatchObject({ reject: false, index: 11 });
	});
	test("that lies wholly below it is acknowledged up to it", () => {
		const core = onSnapshot();
		expect(answerTo(core, 4, 1, entriesFrom(5, [1, 1]))).toMatchObject({ reject: false, index: 10 });
		expect(core.status()).toMatchObject({ lastIndex: 10, lastTerm: 3 });
	});
	test("anchored behind its end is refused, and the hint is the snapshot", () => {
		expect(answerTo(onSnapshot(), 14, 4, [])).toMatchObject({ reject: true, index: 14, hintIndex: 10, hintTerm: 3 });
	});
});

describe("SC-116 the smallest logs", () => {
	test("nothing at all: an empty process at term 0 takes its first entry at index 1, and never speaks of term 0", () => {
		const cluster = new Cluster({ voters: [1n], dice: new Dice(1) });
		const terms = new Set<Term>();
		cluster.onMessage = (message) => terms.add(message.term);
		const joiner = cluster.addEmpty(2n);
		expect(joiner.core.status()).toMatchObject({ term: 0, commit: 0, lastIndex: 0, lastTerm: 0, role: "follower" });
		joiner.core.campaign();
		for (let i = 0; i < 300; i++) cluster.tick(2n);
		cluster.drain(2n);
		expect(joiner.core.status()).toMatchObject({ term: 0, role: "follower" });
		cluster.elect(1n);
		cluster.change(1n, { op: "addLearner", node: 2n });
		cluster.pass(3);
		expect(joiner.core.status()).toMatchObject({ commit: cluster.status(1n).commit, term: 2 });
		expect(terms.has(0)).toBe(false);

		const empty = { index: 0, term: 0, confState: EMPTY_CONF, generation: "" };
		const restored = { hardState: { term: 0, vote: 0n, commit: 0 }, base: empty, entries: [], firstIndex: 1, applied: 0 };
		const core = new RaftCore({ ...DEFAULT_RAFT_CONFIG, id: 2n, incarnation: 1 }, restored, new Dice(1), silentTap);
		core.step({ kind: "append", from: 1n, to: 2n, term: 1, prevIndex: 0, prevTerm: 0, commit: 1, entries: entriesFrom(1, [1]) });
		expect(core.status()).toMatchObject({ lastIndex: 1, commit: 1, term: 1 });
	});
	test("only the first point: a commit at it, and a heartbeat that knows no more", () => {
		const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1) });
		expect(cluster.status(1n)).toMatchObject({ term: 1, commit: 1, applied: 1, stable: 1, firstIndex: 2, lastIndex: 1, lastTerm: 1 });
		cluster.hand({ kind: "heartbeat", from: 2n, to: 1n, term: 1, commit: 0, commitTerm: 0, readPosition: 0, sequence: 1 });
		cluster.drain(1n);
		expect(cluster.messages).toMatchObject([{ kind: "heartbeatResp", to: 2n, term: 1 }]);
		expect(cluster.status(1n).commit).toBe(1);
	});
	test("SC-112 only a snapshot: it counts in elections, and answers for nothing below", () => {
		const core = onSnapshot();
		const ask = { kind: "preVote", from: 1n, to: 2n, term: 5, commit: 9, commitTerm: 3, leaderLost: false } as const;
		core.step({ ...ask, lastIndex: 9, lastTerm: 3 });
		core.step({ ...ask, from: 3n, lastIndex: 10, lastTerm: 3 });
		expect(core.drain().send).toMatchObject([
			{ to: 1n, reject: true },
			{ to: 3n, reject: false },
		]);
	});
});

describe("SC-024 a leader and a follower find out where their logs meet", () => {
	const leader = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
	for (const [name, log] of [
		["equal", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]],
		["empty", []],
		["one short", [1, 1, 1, 4, 4, 5, 5, 6, 6]],
		["far behind", [1]],
		["one too many of the last term", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
		["many too many of the last term", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6, 6, 6, 6]],
		["the first term too long", [1, 1, 1, 1, 1, 1, 1]],
		["the first term far too long", [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
		["a middle term too long", [1, 1, 1, 4, 4, 4, 4, 4]],
		["another term in the middle", [1, 1, 1, 3, 3, 3, 3]],
		["two other terms", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
		["three other terms", [1, 1, 2, 2, 3, 3, 3, 3]],
		["terms that alternate with the leader's", [1, 2, 3, 3, 3, 3]],
		["only another first term", [2, 2, 2]],
		["another first term and a long tail", [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]],
		["a term between two of the leader's", [1, 1, 1, 4, 4, 5, 5, 5, 5]],
		["a short log of a newer term", [1, 1, 1, 5]],
		["the middle of a term is missing", [1, 1, 1, 4, 4, 5]],
		["nothing of the last two terms", [1, 1, 1, 4, 4]],
		["a gap of terms, and longer", [1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3, 3]],
	] as [string, Term[]][]) {
		test(name, () => {
			const logs = new Map([
				[1n, leader],
				[2n, log],
				[3n, leader],
			]);
			const cluster = new Cluster({ voters: [1n, 2n, 3n], dice: new Dice(1), logs });
			cluster.cut.add("2>1");
			for (let i = 0; i < 9 && cluster.status(1n).role !== "leader"; i++) {
				cluster.input(1n, ({ core }) => core.campaign());
				cluster.settle();
			}
			cluster.heal();
			let questions = 0;
			let next = Number.POSITIVE_INFINITY;
			cluster.onMessage = (message) => {
				if (message.kind === "appendResp" && message.from === 2n && message.reject) questions++;
				const peer = cluster.status(1n).peers.find(({ id }) => id === 2n);
				if (peer === undefined) return;
				// A question never goes back up, and never below what is known.
				if (peer.state === "probe") expect(peer.next).toBeLessThanOrEqual(next);
				expect(peer.next).toBeGreaterThan(peer.match);
				next = peer.next;
			};
			cluster.pass(4);
			const terms = (id: bigint) => cluster.member(id).disk.synced.entries.map((entry) => entry.term);
			expect(terms(2n)).toEqual(terms(1n));
			const foreign = new Set(log.filter((term, at) => leader[at] !== term)).size;
			expect(questions).toBeLessThanOrEqual(foreign + 1);
		});
	}
});
