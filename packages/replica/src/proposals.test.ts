import type { Consensus, NodeId, Role } from "@flotilla/raft";
import { describe, expect, test } from "vitest";
import { CommandKind, WriteCall } from "./calls.ts";
import { EnvelopeEncoder } from "./envelope.ts";
import { Leadership } from "./leadership.ts";
import type { ForwardRefused } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { Proposals } from "./proposals.ts";

const SELF = 1n;
const LEADER = 2n;
const LIFE = 77;

/** The proposals of one member, in a world of its own. */
class Bench {
	tick = 0;
	readonly outbox = new Outbox();
	readonly leadership = new Leadership(SELF, 4);
	readonly proposals = new Proposals(
		{ incarnation: LIFE, pendingCallsMax: 100, pendingBytesMax: 1_000, timeoutTicks: 700 },
		new EnvelopeEncoder(SELF, LIFE),
		this.leadership,
		this.outbox,
	);
	/** Sizes of the batches that the core took; it answers with `refusal` while that is set. */
	readonly appended: number[] = [];
	refusal: "transferring" | "tooLarge" | null = null;

	constructor(role: Role = "follower", leader: NodeId = LEADER) {
		this.learn(role, leader, 5);
	}

	learn(role: Role, leader: NodeId, term: number): void {
		const sameTerm = term === this.leadership.term;
		this.leadership.update({ role, leader, term }, this.tick);
		if (leader !== 0n) this.proposals.onLeaderChanged(sameTerm);
	}

	write(payloadBytes = 1, timeoutTicks = 0): WriteCall {
		const call = new WriteCall(CommandKind.put, new Uint8Array(payloadBytes), "", 0, timeoutTicks, () => {});
		this.proposals.add(call, this.tick);
		return call;
	}

	/** Sequences that left for the leader in this turn. */
	forward(): number[] {
		this.proposals.forward(this.tick);
		return this.outbox.take().send.flatMap((message) => (message.kind === "forward" ? message.sequences : []));
	}

	propose(): void {
		const core = {
			propose: (envelopes: readonly Uint8Array[]) => {
				if (this.refusal !== null) return { ok: false, reason: this.refusal };
				this.appended.push(envelopes.length);
				return { ok: true, firstIndex: 1, term: this.leadership.term };
			},
		};
		this.proposals.propose(core as unknown as Consensus, this.tick);
	}

	refuse(sequences: number[], change: Partial<ForwardRefused> = {}): void {
		const message = {
			kind: "forwardRefused",
			from: LEADER,
			to: SELF,
			term: 5,
			incarnation: LIFE,
			sequences,
			reason: "overloaded",
		} as const;
		this.proposals.onForwardRefused({ ...message, ...change }, this.tick);
	}

	faults(): string[] {
		return this.outbox.take().completions.map(({ outcome }) => (outcome.ok ? "ok" : outcome.fault));
	}
}

describe("forwards", () => {
	test("of one turn go in one message, in order, each once", () => {
		const bench = new Bench();
		for (let i = 0; i < 3; i++) bench.write();
		expect(bench.forward()).toEqual([1, 2, 3]);
		expect(bench.forward()).toEqual([]);
	});

	test("that a broken lane may have lost go again before anything newer, when it is back", () => {
		const bench = new Bench();
		bench.write();
		bench.forward();
		bench.proposals.onLaneTrouble(bench.tick);
		bench.write();
		expect(bench.forward()).toEqual([]);
		expect(bench.proposals.laneUnsettled).toBe(true);
		bench.proposals.onLaneRestored();
		expect(bench.forward()).toEqual([1, 2]);
		expect(bench.proposals.laneUnsettled).toBe(false);
	});

	test("leave within a window of 16 MiB: more would overflow the lane that carries them", () => {
		const bench = new Bench();
		for (let n = 0; n < 4; n++) bench.write(9 << 20);
		expect(bench.forward()).toEqual([1, 2]);
		expect(bench.forward()).toEqual([]);
		expect(bench.proposals.take(1)).toBeDefined();
		expect(bench.forward()).toEqual([3]);
	});

	test("that an overflow may have lost go again after a while, though no lane broke", () => {
		const bench = new Bench();
		bench.write();
		bench.forward();
		bench.proposals.onLaneTrouble(bench.tick);
		bench.tick = 9;
		expect(bench.forward()).toEqual([]);
		bench.tick = 10;
		expect(bench.forward()).toEqual([1]);
	});

	test("that went into a lane that was still down go again when it is back", () => {
		const bench = new Bench();
		bench.write();
		bench.forward();
		bench.proposals.onLaneTrouble(bench.tick);
		bench.tick = 10;
		bench.forward();
		bench.proposals.onLaneRestored();
		expect(bench.forward()).toEqual([1]);
	});

	test("go again to a leader that was given up for lost and is back in its term, and not to one of a later term", () => {
		const bench = new Bench();
		bench.write();
		bench.forward();
		bench.learn("follower", 0n, 5);
		bench.learn("follower", LEADER, 5);
		expect(bench.forward()).toEqual([1]);
		bench.learn("follower", 3n, 6);
		expect(bench.forward()).toEqual([]);
	});

	test("are made anew, under a fresh sequence, once an entry of a later term was applied", () => {
		const bench = new Bench();
		const call = bench.write();
		bench.forward();
		bench.learn("follower", 3n, 6);
		bench.proposals.onTermApplied(6);
		expect(bench.forward()).toEqual([2]);
		expect(bench.proposals.take(1)).toBeUndefined();
		expect(bench.proposals.take(2)).toBe(call);
	});

	test("are not made anew for an entry of their own term", () => {
		const bench = new Bench();
		bench.write();
		bench.forward();
		bench.proposals.onTermApplied(5);
		expect(bench.forward()).toEqual([]);
	});
});

describe("refusals of the leader", () => {
	test("put the writes back before those that never left, and hold all of them for a while, longer each time", () => {
		const bench = new Bench();
		bench.write();
		bench.write();
		bench.forward();
		bench.write();
		bench.refuse([1, 2]);
		bench.tick = 4;
		expect(bench.forward()).toEqual([]);
		bench.tick = 5;
		expect(bench.forward()).toEqual([3, 4, 5]);
		bench.refuse([3, 4, 5]);
		bench.tick = 14;
		expect(bench.forward()).toEqual([]);
		bench.tick = 15;
		expect(bench.forward()).toEqual([6, 7, 8]);
	});

	for (const [what, change] of [
		["of another term", { term: 4 }],
		["of another process life", { incarnation: LIFE + 1 }],
		["of sequences that are not under way", { sequences: [9] }],
	] as const) {
		test(`${what} change nothing`, () => {
			const bench = new Bench();
			bench.write();
			bench.forward();
			bench.refuse([1], change);
			bench.tick = 100;
			expect(bench.forward()).toEqual([]);
		});
	}

	test("do not touch what this member proposed itself", () => {
		const bench = new Bench("leader", SELF);
		bench.write();
		bench.propose();
		bench.refuse([1]);
		bench.tick = 100;
		bench.propose();
		expect(bench.appended).toEqual([1]);
	});

	test("for size are an answer", () => {
		const bench = new Bench();
		bench.write();
		bench.forward();
		bench.refuse([1], { reason: "tooLarge" });
		expect(bench.faults()).toEqual(["requestTooLarge"]);
	});
});

describe("proposals of a leader", () => {
	test("that the core cannot take now are tried again, and at once when the leader changes", () => {
		const bench = new Bench("leader", SELF);
		bench.write();
		bench.refusal = "transferring";
		bench.propose();
		bench.refusal = null;
		bench.propose();
		expect(bench.appended).toEqual([]);
		bench.learn("follower", LEADER, 6);
		expect(bench.forward()).toEqual([2]);
	});

	test("end as too large when the core says so", () => {
		const bench = new Bench("leader", SELF);
		bench.write();
		bench.refusal = "tooLarge";
		bench.propose();
		expect(bench.faults()).toEqual(["requestTooLarge"]);
	});
});

describe("deadlines and room", () => {
	test("a write that never left ends without doubt, one that did with a guess", () => {
		const bench = new Bench();
		bench.write(1, 50);
		bench.forward();
		bench.learn("follower", 0n, 5);
		bench.write(1, 50);
		bench.tick = 49;
		expect(bench.proposals.expire(bench.tick, 0, () => "timeout")).toBe(0);
		bench.tick = 50;
		expect(bench.proposals.expire(bench.tick, 0, () => "timeout")).toBe(2);
		expect(bench.faults()).toEqual(["noLeaderDeadline", "timeout"]);
		bench.learn("follower", LEADER, 6);
		bench.proposals.onTermApplied(6);
		expect(bench.forward()).toEqual([]);
	});

	test("what a snapshot may have skipped ends as unknown and is never made anew; what never left waits on (rule F5)", () => {
		const bench = new Bench();
		bench.write();
		bench.write();
		expect(bench.forward()).toEqual([1, 2]);
		bench.learn("follower", 0n, 5);
		const waits = bench.write();
		bench.proposals.onSkipped();
		expect(bench.faults()).toEqual(["outcomeUnknown", "outcomeUnknown"]);
		bench.learn("follower", LEADER, 6);
		bench.proposals.onTermApplied(6);
		expect(bench.forward()).toEqual([3]);
		expect(bench.proposals.take(3)).toBe(waits);
	});

	test("what this leader proposed itself and a snapshot may have skipped ends as unknown, too", () => {
		const bench = new Bench("leader", SELF);
		bench.write();
		bench.propose();
		bench.learn("follower", LEADER, 6);
		bench.proposals.onSkipped();
		expect(bench.faults()).toEqual(["outcomeUnknown"]);
		bench.proposals.onTermApplied(6);
		expect(bench.forward()).toEqual([]);
	});

	test("what is applied in part is waited for: its outcome is certain", () => {
		const bench = new Bench();
		bench.write(1, 50);
		bench.write(1, 50);
		expect(bench.forward()).toEqual([1, 2]);
		expect(bench.proposals.expire(100, 2, () => "timeout")).toBe(1);
		expect(bench.proposals.take(2)).toBeDefined();
	});

	test("calls and bytes count until the outcome, and one call always fits", () => {
		const bench = new Bench();
		expect(bench.proposals.isFullFor(5_000)).toBe(false);
		const big = bench.write(999);
		expect(bench.proposals.isFullFor(1)).toBe(false);
		expect(bench.proposals.isFullFor(2)).toBe(true);
		bench.proposals.cancel(big);
		for (let i = 0; i < 100; i++) bench.write();
		expect(bench.proposals.isFullFor(0)).toBe(true);
		bench.forward();
		expect(bench.proposals.isFullFor(0)).toBe(true);
		expect(bench.proposals.take(1)).toBeDefined();
		expect(bench.proposals.isFullFor(0)).toBe(false);
	});

	test("a canceled call is neither sent nor answered, and canceled twice is canceled once", () => {
		const bench = new Bench();
		const call = bench.write();
		bench.proposals.cancel(call);
		bench.proposals.cancel(call);
		bench.write();
		expect(bench.forward()).toEqual([1]);
		expect(bench.proposals.isFullFor(1_000)).toBe(true);
	});

	test("after the stop what comes back from a refusal ends, too", () => {
		const bench = new Bench();
		bench.write();
		bench.forward();
		bench.write();
		bench.proposals.beginStop();
		expect(bench.faults()).toEqual(["stopped"]);
		bench.refuse([1]);
		expect(bench.faults()).toEqual(["stopped"]);
	});
});
