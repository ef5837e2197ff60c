import type { Consensus, ProposeResult } from "@flotilla/raft";
import { describe, expect, test } from "vitest";
import { CommandKind } from "./calls.ts";
import { EnvelopeEncoder } from "./envelope.ts";
import { ForwardGate } from "./forward-gate.ts";
import { Leadership } from "./leadership.ts";
import type { Forward } from "./messages.ts";
import { Outbox } from "./outbox.ts";

const LEADER = 1n;
const ORIGIN = 2n;
const LIFE = 77;
const TERM = 5;

function forwardOf(sequences: number[], change: Partial<Forward> = {}, kind: CommandKind = CommandKind.put): Forward {
	const payload = Uint8Array.of(1);
	const contents = sequences.map((sequence) => ({ kind, sequence, user: "", authRevision: 0, payload }));
	const envelopes = new EnvelopeEncoder(ORIGIN, LIFE).encode(contents);
	return { kind: "forward", from: ORIGIN, to: LEADER, term: TERM, incarnation: LIFE, sequences, envelopes, ...change };
}

/** A gate at the leader of `TERM`, and what it let through. */
class Bench {
	readonly outbox = new Outbox();
	readonly leadership = new Leadership(LEADER, TERM - 1);
	readonly gate = new ForwardGate(this.leadership, this.outbox);
	readonly taken: number[] = [];
	answer: ProposeResult = { ok: true, firstIndex: 9, term: TERM };

	constructor() {
		this.leadership.update({ role: "leader", leader: LEADER, term: TERM }, 0);
		this.gate.onLeading(TERM);
	}

	receive(forward: Forward): void {
		const core = {
			propose: (envelopes: readonly Uint8Array[]) => {
				if (this.answer.ok) this.taken.push(...envelopes.map((envelope) => envelope[20] as number));
				return this.answer;
			},
		};
		this.gate.receive(forward, core as unknown as Consensus);
	}

	get refused(): Array<readonly [string, readonly number[]]> {
		return this.outbox.output.send.map((message) =>
			message.kind === "forwardRefused" ? ([message.reason, message.sequences] as const) : (["?", []] as const),
		);
	}
}

describe("the leader's gate for forwards", () => {
	test("takes what lies above the mark, and drops the rest without a word", () => {
		const bench = new Bench();
		bench.receive(forwardOf([1, 2, 3]));
		bench.receive(forwardOf([2, 3, 4, 6]));
		expect(bench.taken).toEqual([1, 2, 3, 4, 6]);
		expect(bench.refused).toEqual([]);
	});

	test("refuses what was lost on its way while a later one was not: it will never be taken, and its origin may ask anew", () => {
		const bench = new Bench();
		bench.receive(forwardOf([1, 2]));
		bench.receive(forwardOf([5, 6]));
		bench.receive(forwardOf([2, 3, 4, 5, 7]));
		expect(bench.taken).toEqual([1, 2, 5, 6, 7]);
		expect(bench.refused).toEqual([["overtaken", [3, 4]]]);
		// Its first copy, late.
		bench.receive(forwardOf([3]));
		expect(bench.taken).toEqual([1, 2, 5, 6, 7]);
	});

	test("moves the mark on a refusal, so that what was refused is never taken later", () => {
		const bench = new Bench();
		bench.answer = { ok: false, reason: "overloaded" };
		bench.receive(forwardOf([1, 2]));
		bench.answer = { ok: true, firstIndex: 9, term: TERM };
		bench.receive(forwardOf([1, 2, 3]));
		expect(bench.refused).toEqual([
			["overloaded", [1, 2]],
			["overtaken", [1, 2]],
		]);
		expect(bench.taken).toEqual([3]);
	});

	test("after stepping down refuses what is new and stays silent about what it took", () => {
		const bench = new Bench();
		bench.receive(forwardOf([1]));
		bench.leadership.update({ role: "follower", leader: 3n, term: TERM }, 1);
		bench.receive(forwardOf([1, 2]));
		bench.receive(forwardOf([1, 2]));
		expect(bench.taken).toEqual([1]);
		expect(bench.refused).toEqual([
			["notLeader", [2]],
			["overtaken", [2]],
		]);
	});

	test("says nothing about terms that this process life did not lead: an earlier one may have taken them", () => {
		const bench = new Bench();
		bench.receive(forwardOf([1], { term: TERM - 1 }));
		bench.receive(forwardOf([1], { term: TERM + 1 }));
		expect(bench.taken).toEqual([]);
		expect(bench.refused).toEqual([]);
		const restarted = new ForwardGate(bench.leadership, bench.outbox);
		restarted.receive(forwardOf([1]), {} as Consensus);
		expect(bench.refused).toEqual([]);
	});

	test("begins anew with each term it leads, and keeps process lives apart", () => {
		const bench = new Bench();
		bench.receive(forwardOf([1, 2]));
		bench.leadership.update({ role: "leader", leader: LEADER, term: TERM + 2 }, 1);
		bench.gate.onLeading(TERM + 2);
		bench.answer = { ok: true, firstIndex: 9, term: TERM + 2 };
		bench.receive(forwardOf([1], { term: TERM + 2 }));
		expect(bench.taken).toEqual([1, 2, 1]);
	});

	for (const [what, forward] of [
		["sequences that do not rise", forwardOf([2, 1])],
		["fewer envelopes than sequences", forwardOf([1, 2], { envelopes: forwardOf([1]).envelopes })],
		["an envelope of another process life", forwardOf([1], { incarnation: LIFE + 1 })],
		["an envelope of another member", forwardOf([1], { from: 3n })],
		["another sequence than the envelope's", forwardOf([1], { sequences: [2] })],
		["bytes that are no envelope", forwardOf([1], { envelopes: [new Uint8Array(40)] })],
		["a kind that only leaders bring in (F6)", forwardOf([1], {}, CommandKind.clusterVersion)],
		["the end of leases, which is the leader's own (L5)", forwardOf([1], {}, CommandKind.leaseEnd)],
		["a checkpoint of leases", forwardOf([1], {}, CommandKind.leaseCheckpoint)],
		["nothing", forwardOf([])],
	] as const) {
		test(`lets nothing into the log from a forward with ${what}`, () => {
			const bench = new Bench();
			bench.receive(forward);
			expect(bench.taken).toEqual([]);
		});
	}
});
