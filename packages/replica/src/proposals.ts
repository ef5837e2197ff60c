/**
 * Writes of this member's clients, from arrival to outcome (rules F1 to F6). A call waits here until a leader is known,
 * is then proposed or forwarded under a fresh sequence, and is answered from this member's own apply. It is proposed again
 * only when the former proposal can no longer take effect.
 *
 *   waiting --propose/forward--> in flight --own apply--> completed
 *      ^                            |
 *      +-- definite refusal, or ----+--- deadline: outcome unknown
 *          an entry of a later term was applied
 */
import { assert } from "@flotilla/base";
import { type Consensus, NO_NODE, type ProposeRefusal } from "@flotilla/raft";
import type { CallFault, CommandResult, WriteCall } from "./calls.ts";
import type { EnvelopeEncoder } from "./envelope.ts";
import type { Leadership } from "./leadership.ts";
import type { ForwardRefused } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

/** One slab and one proposal of the core: small against the core's limit of uncommitted bytes, which is all or nothing. */
const BATCH_BYTES_MAX = 1 << 20;
const BATCH_CALLS_MAX = 4_096;
/** After a refusal that passes (overload, a transfer under way) the next try waits so long, unless the leader changes. */
const HOLD_TICKS = 5;

export interface ProposalOptions {
	readonly incarnation: number;
	/** Calls waiting or in flight; more are refused. */
	readonly pendingCallsMax: number;
	readonly timeoutTicks: number;
}

/** What happened to a call whose time is over. */
export type TimeoutJudge = (call: WriteCall, leaderKnown: boolean) => CallFault;

export class Proposals {
	private readonly options: ProposalOptions;
	private readonly encoder: EnvelopeEncoder;
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	/** Oldest first, from `head` on. Completed ones (canceled) are skipped when they come up. */
	private waiting: WriteCall[] = [];
	private head = 0;
	private canceled = 0;
	/** By sequence. Insertion order is that of the sequences, and the proposed terms never fall along it. */
	private readonly inFlight = new Map<number, WriteCall>();
	private pending = 0;
	private lastSequence = 0;
	private heldUntilTick = 0;
	private stopping = false;

	constructor(options: ProposalOptions, encoder: EnvelopeEncoder, leadership: Leadership, outbox: Outbox) {
		this.options = options;
		this.encoder = encoder;
		this.leadership = leadership;
		this.outbox = outbox;
	}

	get full(): boolean {
		return this.pending >= this.options.pendingCallsMax;
	}

	get inFlightCount(): number {
		return this.inFlight.size;
	}

	nextSequence(): number {
		return ++this.lastSequence;
	}

	add(call: WriteCall, tick: number): void {
		const patience = this.options.timeoutTicks;
		call.deadlineTick = tick + (call.timeoutTicks > 0 ? Math.min(call.timeoutTicks, patience) : patience);
		call.state = "waiting";
		this.waiting.push(call);
		this.pending++;
	}

	/** Its slot is free; what was proposed may still take effect, and nobody will be told. */
	cancel(call: WriteCall): void {
		if (call.state === "completed") return;
		if (call.state === "waiting") this.canceled++;
		else this.inFlight.delete(call.sequence);
		call.state = "completed";
		this.pending--;
		// Without a leader nothing passes through the queue: canceled calls must not pile up in it.
		if (this.canceled > this.options.pendingCallsMax) this.dropCanceled();
	}

	/** At the leader: all waiting calls, in batches, until none is left or the core refuses. */
	propose(core: Consensus, tick: number): void {
		if (tick < this.heldUntilTick) return;
		for (let batch = this.takeBatch(); batch.length > 0; batch = this.takeBatch()) {
			const result = core.propose(this.encodeNext(batch));
			if (!result.ok) {
				this.onProposeRefused(batch, result.reason, tick);
				return;
			}
			assert(result.term >= this.leadership.term, "a proposal is appended in the term that leads, or a later one");
			this.launch(batch, result.term, "proposed");
		}
	}

	/** At a follower: all waiting calls go to the leader, with the term they rely on (F1). */
	forward(tick: number): void {
		if (tick < this.heldUntilTick) return;
		const to = this.leadership.remoteLeader;
		if (to === NO_NODE) return;
		for (let batch = this.takeBatch(); batch.length > 0; batch = this.takeBatch()) {
			const envelopes = this.encodeNext(batch);
			this.launch(batch, this.leadership.term, "forwarded");
			this.sendForward(batch, envelopes);
		}
	}

	/** The lanes to the leader broke and came back: what it may have missed goes out again, in order (F2). */
	resend(): void {
		const { term } = this.leadership;
		if (this.leadership.remoteLeader === NO_NODE) return;
		const missed: WriteCall[] = [];
		for (const call of this.inFlight.values()) {
			if (call.state === "forwarded" && call.proposedTerm === term) missed.push(call);
		}
		for (let at = 0; at < missed.length; ) {
			const upto = batchEnd(missed, at);
			const batch = missed.slice(at, upto);
			this.sendForward(batch, this.encoder.encode(batch));
			at = upto;
		}
	}

	/** Definite: these will not take effect through that forward, so they may be proposed anew (F3, F4). */
	onForwardRefused(message: ForwardRefused, tick: number): void {
		if (message.incarnation !== this.options.incarnation) return;
		const again: WriteCall[] = [];
		for (const sequence of message.sequences) {
			const call = this.inFlight.get(sequence);
			if (call === undefined || call.state !== "forwarded") continue;
			if (call.proposedTerm !== message.term) continue;
			this.inFlight.delete(sequence);
			if (message.reason === "tooLarge") this.fail(call, "requestTooLarge");
			else again.push(call);
		}
		this.requeue(again);
		if (again.length > 0) this.heldUntilTick = tick + HOLD_TICKS;
	}

	/**
	 * The first entry of `term` was applied: terms along a log do not fall, so what was proposed in an earlier term and has
	 * not been seen by now never commits (F4).
	 */
	onTermApplied(term: number): void {
		const lost: WriteCall[] = [];
		for (const call of this.inFlight.values()) {
			if (call.proposedTerm >= term) break;
			lost.push(call);
		}
		for (const call of lost) this.inFlight.delete(call.sequence);
		this.requeue(lost);
	}

	/** An entry of this process life was applied: the call that waits for it, if its client still does. */
	take(sequence: number): WriteCall | undefined {
		const call = this.inFlight.get(sequence);
		if (call === undefined) return undefined;
		this.inFlight.delete(sequence);
		this.pending--;
		return call;
	}

	complete(call: WriteCall, term: number, index: number, outcome: CommandResult | CallFault): void {
		if (typeof outcome === "string") this.outbox.failWrite(call, outcome);
		else this.outbox.completeWrite(call, { ok: true, index, term, command: outcome });
	}

	/** A leader appeared or changed: nothing is held back any more. */
	onLeaderChanged(): void {
		this.heldUntilTick = 0;
	}

	/** Ends the calls whose time is over. Cost: the pending calls; so not at every tick. */
	expire(tick: number, judge: TimeoutJudge): void {
		const leaderKnown = this.leadership.leader !== NO_NODE;
		for (let i = this.head; i < this.waiting.length; i++) {
			const call = this.waiting[i] as WriteCall;
			if (call.state !== "waiting" || call.deadlineTick > tick) continue;
			this.canceled++;
			this.fail(call, leaderKnown ? judge(call, true) : "noLeaderDeadline");
		}
		for (const [sequence, call] of this.inFlight) {
			if (call.deadlineTick > tick) continue;
			this.inFlight.delete(sequence);
			this.fail(call, judge(call, leaderKnown));
		}
	}

	/** What waits ends; what was proposed may still be answered. */
	beginStop(): void {
		this.stopping = true;
		const waiting = this.waiting;
		const from = this.head;
		this.waiting = [];
		this.head = 0;
		this.canceled = 0;
		for (let i = from; i < waiting.length; i++) {
			const call = waiting[i] as WriteCall;
			if (call.state === "waiting") this.fail(call, "stopped");
		}
	}

	private fail(call: WriteCall, fault: CallFault): void {
		this.pending--;
		this.outbox.failWrite(call, fault);
	}

	private encodeNext(batch: readonly WriteCall[]): Uint8Array[] {
		for (const call of batch) call.sequence = this.nextSequence();
		return this.encoder.encode(batch);
	}

	private launch(batch: readonly WriteCall[], term: number, state: "proposed" | "forwarded"): void {
		for (const call of batch) {
			call.state = state;
			call.proposedTerm = term;
			this.inFlight.set(call.sequence, call);
		}
	}

	private sendForward(batch: readonly WriteCall[], envelopes: readonly Uint8Array[]): void {
		this.outbox.send({
			kind: "forward",
			from: this.leadership.self,
			to: this.leadership.leader,
			term: this.leadership.term,
			incarnation: this.options.incarnation,
			sequences: batch.map((call) => call.sequence),
			envelopes,
		});
	}

	private onProposeRefused(batch: WriteCall[], reason: ProposeRefusal, tick: number): void {
		if (reason === "tooLarge" && batch.length === 1) {
			for (const call of batch) this.fail(call, "requestTooLarge");
			return;
		}
		this.requeue(batch);
		this.heldUntilTick = tick + HOLD_TICKS;
	}

	/** Calls that may be proposed again come before those that never were, in their old order. */
	private requeue(calls: readonly WriteCall[]): void {
		if (calls.length === 0) return;
		for (const call of calls) call.state = "waiting";
		this.waiting = [...calls, ...this.waiting.slice(this.head)];
		this.head = 0;
		if (this.stopping) this.beginStop();
	}

	/** The next calls from the queue: at least one if there is any, up to the limits of a batch. */
	private takeBatch(): WriteCall[] {
		if (this.canceled > 0) this.dropCanceled();
		const upto = batchEnd(this.waiting, this.head);
		const batch = this.waiting.slice(this.head, upto);
		this.head = upto;
		if (this.head === this.waiting.length) {
			this.waiting = [];
			this.head = 0;
		}
		return batch;
	}

	private dropCanceled(): void {
		const live: WriteCall[] = [];
		for (let i = this.head; i < this.waiting.length; i++) {
			const call = this.waiting[i] as WriteCall;
			if (call.state === "waiting") live.push(call);
		}
		this.waiting = live;
		this.head = 0;
		this.canceled = 0;
	}
}

/** End (excluded) of the batch that starts at `from`. */
function batchEnd(calls: readonly WriteCall[], from: number): number {
	let bytes = 0;
	let upto = from;
	while (upto < calls.length && upto - from < BATCH_CALLS_MAX) {
		bytes += (calls[upto] as WriteCall).payload.length;
		if (bytes > BATCH_BYTES_MAX && upto > from) break;
		upto++;
	}
	return upto;
}
