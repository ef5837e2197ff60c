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
import { InFlight } from "./in-flight.ts";
import type { Leadership } from "./leadership.ts";
import type { ForwardRefused } from "./messages.ts";
import type { Outbox } from "./outbox.ts";
import { batchEnd, WaitingCalls } from "./waiting-calls.ts";

/** After a refusal that passes (overload, a transfer under way) the next try waits so long, twice as long after each further one. */
const HOLD_TICKS_MIN = 5;
const HOLD_TICKS_MAX = 80;
/** Payload bytes sent to the leader and not settled: within what a lane may queue, so that forwards alone never overflow it. */
const FORWARD_WINDOW_BYTES = 16 << 20;
/** After trouble on the lane to the leader nothing is forwarded until it is back, or for so long. */
const LANE_HOLD_TICKS = 10;

export interface ProposalOptions {
	readonly incarnation: number;
	/** Calls waiting or in flight, and the bytes of their payloads; more are refused. */
	readonly pendingCallsMax: number;
	readonly pendingBytesMax: number;
	readonly timeoutTicks: number;
}

/** What to tell the client of a call whose time is over, and which may or may not take effect. */
export type TimeoutJudge = (call: WriteCall) => CallFault;

export class Proposals {
	private readonly options: ProposalOptions;
	private readonly encoder: EnvelopeEncoder;
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	private readonly waiting: WaitingCalls;
	private readonly inFlight = new InFlight();
	private pending = 0;
	private pendingBytes = 0;
	private lastSequence = 0;
	private heldUntilTick = 0;
	private holdTicks = HOLD_TICKS_MIN;
	/** Forwards of this term may have been lost on the way: they go out again before anything newer (F2). */
	private resendDue = false;
	private stopping = false;

	constructor(options: ProposalOptions, encoder: EnvelopeEncoder, leadership: Leadership, outbox: Outbox) {
		this.options = options;
		this.encoder = encoder;
		this.leadership = leadership;
		this.outbox = outbox;
		this.waiting = new WaitingCalls(options.pendingCallsMax);
	}

	/** No room for a call with a payload of so many bytes. One is always taken. */
	isFullFor(payloadBytes: number): boolean {
		if (this.pending === 0) return false;
		return this.pending >= this.options.pendingCallsMax || this.pendingBytes + payloadBytes > this.options.pendingBytesMax;
	}

	nextSequence(): number {
		return ++this.lastSequence;
	}

	/** Something forwarded now would overtake what the lane lost, and so would make the leader drop that. */
	get laneUnsettled(): boolean {
		return this.resendDue;
	}

	/** Calls that wait for a leader, or for one that takes them. */
	get waitingCount(): number {
		return this.waiting.length;
	}

	add(call: WriteCall, tick: number): void {
		const patience = this.options.timeoutTicks;
		call.deadlineTick = tick + (call.timeoutTicks > 0 ? Math.min(call.timeoutTicks, patience) : patience);
		this.waiting.push(call);
		this.pending++;
		this.pendingBytes += call.payload.length;
	}

	/** Its slot is free; what was proposed may still take effect, and nobody will be told. */
	cancel(call: WriteCall): void {
		if (call.state === "completed") return;
		const waited = call.state === "waiting";
		call.state = "completed";
		if (waited) this.waiting.noteGone(call);
		else this.inFlight.land(call);
		this.free(call);
	}

	/** At the leader: all waiting calls, in batches, until none is left or the core refuses. True when some were proposed. */
	propose(core: Consensus, tick: number): boolean {
		if (tick < this.heldUntilTick || this.waiting.empty) return false;
		let proposed = false;
		for (let batch = this.waiting.takeBatch(); batch.length > 0; batch = this.waiting.takeBatch()) {
			const result = core.propose(this.encodeNext(batch));
			if (!result.ok) {
				this.onProposeRefused(batch, result.reason, tick);
				return proposed;
			}
			assert(result.term >= this.leadership.term, "a proposal is appended in the term that leads, or a later one");
			this.inFlight.launch(batch, result.term, "proposed");
			proposed = true;
		}
		return proposed;
	}

	/** At a follower: all waiting calls go to the leader, with the term they rely on (F1). */
	forward(tick: number): void {
		if (tick < this.heldUntilTick || this.leadership.remoteLeader === NO_NODE) return;
		if (this.resendDue) this.resend();
		while (this.inFlight.bytes < FORWARD_WINDOW_BYTES) {
			const batch = this.waiting.takeBatch();
			if (batch.length === 0) return;
			const envelopes = this.encodeNext(batch);
			this.inFlight.launch(batch, this.leadership.term, "forwarded");
			this.sendForward(batch, envelopes);
		}
	}

	/** The lane to the leader broke or overflowed: later forwards must not overtake those that it lost. */
	onLaneTrouble(tick: number): void {
		this.resendDue = true;
		this.heldUntilTick = Math.max(this.heldUntilTick, tick + LANE_HOLD_TICKS);
	}

	onLaneRestored(): void {
		this.resendDue = true;
		this.heldUntilTick = 0;
	}

	/**
	 * A leader is known anew: nothing is held back any more. What one of an earlier term was sent is settled by apply (F4);
	 * the same one, given up for lost and back, may have missed something.
	 */
	onLeaderChanged(sameTerm: boolean): void {
		this.heldUntilTick = 0;
		this.holdTicks = HOLD_TICKS_MIN;
		this.resendDue = sameTerm;
	}

	/** Definite: these will not take effect through that forward, so they may be proposed anew (F3, F4). */
	onForwardRefused(message: ForwardRefused, tick: number): void {
		if (message.incarnation !== this.options.incarnation) return;
		const again: WriteCall[] = [];
		for (const sequence of message.sequences) {
			const call = this.inFlight.get(sequence);
			if (call === undefined || call.state !== "forwarded") continue;
			if (call.proposedTerm !== message.term) continue;
			this.inFlight.land(call);
			if (message.reason === "tooLarge") this.fail(call, "requestTooLarge");
			else again.push(call);
		}
		this.proposeAgain(again);
		// The leader takes others all the while.
		if (again.length > 0 && message.reason !== "overtaken") this.hold(tick);
	}

	/**
	 * The first entry of `term` was applied: terms along a log do not fall, so what was proposed in an earlier term and has
	 * not been seen by now never commits (F4).
	 */
	onTermApplied(term: number): void {
		const lost = this.inFlight.launchedBefore(term);
		for (const call of lost) this.inFlight.land(call);
		this.proposeAgain(lost);
	}

	/** A snapshot skipped entries: whether what was proposed is among them cannot be known (F5). What waits goes on. */
	onSkipped(): void {
		for (const call of this.inFlight.launchedBefore(Number.POSITIVE_INFINITY)) {
			this.inFlight.land(call);
			this.fail(call, "outcomeUnknown");
		}
	}

	/** A client waits for the outcome of this one. */
	isAwaited(sequence: number): boolean {
		return this.inFlight.get(sequence) !== undefined;
	}

	/** An entry of this process life was applied: the call that waits for it, if its client still does. */
	take(sequence: number): WriteCall | undefined {
		const call = this.inFlight.get(sequence);
		if (call === undefined) return undefined;
		this.inFlight.land(call);
		this.free(call);
		this.holdTicks = HOLD_TICKS_MIN;
		return call;
	}

	complete(call: WriteCall, term: number, index: number, outcome: CommandResult | CallFault): void {
		if (typeof outcome === "string") this.outbox.failWrite(call, outcome);
		else this.outbox.completeWrite(call, { ok: true, index, term, command: outcome });
	}

	/**
	 * Ends the calls whose time is over, and says how many. `applying`: the sequence of the one whose entry is applied in part, whose
	 * outcome is certain and near; 0: there is none. Cost: the pending calls; so not at every tick.
	 */
	expire(tick: number, applying: number, judge: TimeoutJudge): number {
		const pendingBefore = this.pending;
		const leaderKnown = this.leadership.leader !== NO_NODE;
		this.waiting.visit((call) => {
			if (call.deadlineTick <= tick) this.failWaiting(call, leaderKnown ? judge(call) : "noLeaderDeadline");
		});
		for (const call of this.inFlight.overdue(tick)) {
			if (call.sequence === applying) continue;
			this.inFlight.land(call);
			this.fail(call, judge(call));
		}
		return pendingBefore - this.pending;
	}

	/** What waits ends; what was proposed may still be answered. */
	beginStop(): void {
		this.stopping = true;
		this.waiting.visit((call) => this.failWaiting(call, "stopped"));
	}

	private failWaiting(call: WriteCall, fault: CallFault): void {
		this.fail(call, fault);
		this.waiting.noteGone(call);
	}

	private fail(call: WriteCall, fault: CallFault): void {
		this.free(call);
		this.outbox.failWrite(call, fault);
	}

	private free(call: WriteCall): void {
		this.pending--;
		this.pendingBytes -= call.payload.length;
	}

	private encodeNext(batch: readonly WriteCall[]): Uint8Array[] {
		for (const call of batch) call.sequence = this.nextSequence();
		return this.encoder.encode(batch);
	}

	private resend(): void {
		this.resendDue = false;
		const missed = this.inFlight.forwardedIn(this.leadership.term);
		for (let at = 0; at < missed.length; ) {
			const upto = batchEnd(missed, at);
			const batch = missed.slice(at, upto);
			this.sendForward(batch, this.encoder.encode(batch));
			at = upto;
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

	private onProposeRefused(batch: readonly WriteCall[], reason: ProposeRefusal, tick: number): void {
		if (reason === "tooLarge" && batch.length === 1) {
			for (const call of batch) this.fail(call, "requestTooLarge");
			return;
		}
		this.proposeAgain(batch);
		this.hold(tick);
	}

	/** Refusals of several batches of one turn are one. */
	private hold(tick: number): void {
		if (this.heldUntilTick > tick) return;
		this.heldUntilTick = tick + this.holdTicks;
		this.holdTicks = Math.min(HOLD_TICKS_MAX, 2 * this.holdTicks);
	}

	private proposeAgain(calls: readonly WriteCall[]): void {
		if (calls.length === 0) return;
		this.waiting.putBack(calls);
		if (this.stopping) this.beginStop();
	}
}
