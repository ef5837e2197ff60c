/**
 * Membership changes that this member's clients ask for, from arrival to outcome. One of them at a time is with the leader;
 * it is asked for again only when it can no longer take effect, so that each has one effect at most (rules F2 to F4).
 *
 *   waiting --ask--> asked --own apply--> applied --a quorum knows it durably (rule C3)--> done
 *      ^               |
 *      +---------------+-- an entry of a later term was applied
 *                      +-- refused by the leader: done
 */
import { NO_NODE } from "@flotilla/raft";
import type { CallFault } from "./calls.ts";
import type { Leadership } from "./leadership.ts";
import { encodeMembershipChange, type MembershipCall } from "./membership.ts";
import type { MembershipAsk, MembershipRefused } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

/** Changes in hand; one more is refused. Nobody changes a cluster that often. */
const CALLS_MAX = 64;
/** An ask that may have been lost without a broken connection goes out again: the leader takes it once. */
const RETRY_TICKS = 50;

interface Asked {
	readonly call: MembershipCall;
	readonly ask: MembershipAsk;
}

export class MembershipCalls {
	private readonly incarnation: number;
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	private readonly nextSequence: () => number;
	private waiting: MembershipCall[] = [];
	/** With the leader of its term. Kept when its client has left: a later one must not overtake it. */
	private asked: Asked | null = null;
	private applied: { readonly call: MembershipCall; readonly index: number }[] = [];
	private retryTick = 0;
	private stopping = false;

	constructor(incarnation: number, leadership: Leadership, outbox: Outbox, nextSequence: () => number) {
		this.incarnation = incarnation;
		this.leadership = leadership;
		this.outbox = outbox;
		this.nextSequence = nextSequence;
	}

	get full(): boolean {
		return this.waiting.length + this.applied.length >= CALLS_MAX;
	}

	add(call: MembershipCall, tick: number): void {
		call.sinceTick = tick;
		this.waiting.push(call);
	}

	/** Nobody is told; what was asked for may still take effect. */
	cancel(call: MembershipCall): void {
		call.completed = true;
		this.drop();
	}

	/** The ask that is due now, if any: the caller knows the way to the leader. */
	next(tick: number): MembershipAsk | null {
		const { leader, term } = this.leadership;
		if (leader === NO_NODE) return null;
		if (this.asked !== null) {
			// Of an earlier term: settled by what is applied (rule F4).
			if (this.asked.ask.term !== term || tick < this.retryTick) return null;
		} else {
			const call = this.waiting.shift();
			if (call === undefined) return null;
			this.asked = { call, ask: this.makeAsk(call) };
		}
		this.retryTick = tick + RETRY_TICKS;
		return this.asked.ask;
	}

	/** The way to the leader is there again: what was on it may be lost. */
	onLaneRestored(): void {
		this.retryTick = 0;
	}

	/** Definite: the leader of that term did not take it, and never will. */
	onRefused({ incarnation, sequence, term, reason }: MembershipRefused): void {
		const asked = this.asked;
		if (incarnation !== this.incarnation || asked?.ask.sequence !== sequence || asked.ask.term !== term) return;
		this.asked = null;
		this.fail(asked.call, reason);
	}

	/** The entry of a change of this process life was applied. */
	onConfigured(sequence: number, index: number): void {
		const call = this.takeAsked(sequence);
		if (call !== null && !call.completed) this.applied.push({ call, index });
	}

	/** The same for new addresses, which leave the configuration as it is. `fault`: null when they took effect. */
	onUpdated(sequence: number, fault: CallFault | null): void {
		const call = this.takeAsked(sequence);
		if (call === null) return;
		if (fault === null) this.succeed(call);
		else this.fail(call, fault);
	}

	/** Terms along a log do not fall: what was asked for in an earlier one and was not seen by now never commits (rule F4). */
	onTermApplied(term: number): void {
		const asked = this.asked;
		if (asked === null || asked.ask.term >= term) return;
		this.asked = null;
		if (asked.call.completed) return;
		if (this.stopping) this.fail(asked.call, "stopped");
		else this.waiting.unshift(asked.call);
	}

	/** A snapshot skipped entries: whether what was asked for is among them cannot be known (rule F5). */
	onSkipped(): void {
		if (this.asked === null) return;
		this.fail(this.asked.call, "outcomeUnknown");
		this.asked = null;
	}

	/** Changes up to here are known durably to a quorum (rule C3). */
	settle(index: number): void {
		if (this.applied.length === 0) return;
		for (const each of this.applied) if (each.index <= index) this.succeed(each.call);
		this.drop();
	}

	expire(tick: number, judge: (sinceTick: number) => CallFault): number {
		let expired = 0;
		for (const call of [...this.waiting, ...this.applied.map((each) => each.call), ...(this.asked === null ? [] : [this.asked.call])]) {
			if (call.completed || call.timeoutTicks === 0 || tick < call.sinceTick + call.timeoutTicks) continue;
			this.fail(call, judge(call.sinceTick));
			expired++;
		}
		if (expired > 0) this.drop();
		return expired;
	}

	/** What waits ends; what the leader was asked for may still be answered. */
	beginStop(): void {
		this.stopping = true;
		for (const call of this.waiting) this.fail(call, "stopped");
		this.waiting = [];
	}

	private takeAsked(sequence: number): MembershipCall | null {
		const asked = this.asked;
		if (asked?.ask.sequence !== sequence) return null;
		this.asked = null;
		return asked.call;
	}

	private makeAsk(call: MembershipCall): MembershipAsk {
		const { self, leader, term } = this.leadership;
		const change = encodeMembershipChange(call.change);
		const { incarnation } = this;
		return { kind: "membershipAsk", from: self, to: leader, term, incarnation, sequence: this.nextSequence(), change };
	}

	private succeed(call: MembershipCall): void {
		if (call.completed) return;
		call.completed = true;
		this.outbox.output.completions.push({ call, outcome: { ok: true } });
	}

	private fail(call: MembershipCall, fault: CallFault): void {
		if (call.completed) return;
		call.completed = true;
		this.outbox.output.completions.push({ call, outcome: { ok: false, fault } });
	}

	private drop(): void {
		this.waiting = this.waiting.filter((call) => !call.completed);
		this.applied = this.applied.filter(({ call }) => !call.completed);
	}
}
