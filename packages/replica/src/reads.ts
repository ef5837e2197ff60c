/**
 * Linearizable reads (raft thesis §6.4, rules R1 to R6): all reads of a turn share one token of the core; it is granted at
 * an index, and the reads are released when that index is applied here. A token that gets no answer is followed by others:
 * any of them may release the read, since each was taken after the read arrived.
 *
 *   open --token taken--> asked --granted at an index--> granted --index applied--> done
 */
import { NumberTable } from "@flotilla/base";
import { type Consensus, NO_NODE, type ReadFailure, type ReadGrant } from "@flotilla/raft";
import type { CallFault, ReadCall } from "./calls.ts";
import type { Leadership } from "./leadership.ts";
import type { Outbox } from "./outbox.ts";

interface Token {
	readonly counter: number;
	/** Those that it releases. */
	readonly batches: readonly ReadBatch[];
}

/** Reads that share their tokens. */
class ReadBatch {
	calls: ReadCall[];
	/** Term in which it was last asked for; 0: no token is out. */
	askedTerm = 0;
	/** Index to be applied first; -1 until granted. */
	index = -1;

	constructor(calls: ReadCall[]) {
		this.calls = calls;
	}
}

export interface ReadOptions {
	/** Reads waiting; more are refused. */
	readonly pendingCallsMax: number;
	/** And bytes of their requests. */
	readonly pendingBytesMax: number;
	readonly timeoutTicks: number;
	/** Unanswered reads are asked for again at this interval. */
	readonly retryTicks: number;
}

export class Reads {
	private readonly options: ReadOptions;
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	/** Reads that no token was taken for yet. */
	private open: ReadCall[] = [];
	/** Not yet granted, oldest first. */
	private asked: ReadBatch[] = [];
	/** Those of `asked` that want another token. */
	private again: ReadBatch[] = [];
	/** Waiting for their index to be applied. */
	private granted: ReadBatch[] = [];
	/** Tokens that are out, by counter. */
	private readonly tokens = new NumberTable<Token>();
	/** Calls held in any of the above that nobody waits for any more. */
	private canceled = 0;
	private pending = 0;
	private pendingBytes = 0;
	private retryTick = 0;

	constructor(options: ReadOptions, leadership: Leadership, outbox: Outbox) {
		this.options = options;
		this.leadership = leadership;
		this.outbox = outbox;
	}

	isFullFor(call: ReadCall): boolean {
		const { pendingBytesMax, pendingCallsMax } = this.options;
		return this.pending >= pendingCallsMax || this.pendingBytes + call.bytes > pendingBytesMax;
	}

	add(call: ReadCall, tick: number): void {
		const patience = this.options.timeoutTicks;
		call.deadlineTick = tick + (call.timeoutTicks > 0 ? Math.min(call.timeoutTicks, patience) : patience);
		call.completed = false;
		this.open.push(call);
		this.pending++;
		this.pendingBytes += call.bytes;
	}

	cancel(call: ReadCall): void {
		if (call.completed) return;
		call.completed = true;
		this.forget(call);
		// A client that asks and leaves, again and again, must not fill the queues with what it left.
		if (++this.canceled > this.options.pendingCallsMax) this.dropCompleted();
	}

	/** Takes one token for all that want one. Without a leader they wait for it. True when a token was taken. */
	ask(core: Consensus): boolean {
		if ((this.open.length === 0 && this.again.length === 0) || this.leadership.leader === NO_NODE) return false;
		const result = core.readIndex();
		if (!result.ok) return false;
		const batches = this.again;
		this.again = [];
		if (this.open.length > 0) {
			const batch = new ReadBatch(this.open);
			this.open = [];
			this.asked.push(batch);
			batches.push(batch);
		}
		for (const batch of batches) batch.askedTerm = this.leadership.term;
		const { counter } = result.token;
		this.tokens.set(counter, { counter, batches });
		return true;
	}

	onGrant(grant: ReadGrant): void {
		const batches = this.takeToken(grant.token.counter);
		for (const batch of batches) {
			if (batch.index >= 0) continue;
			batch.index = grant.index;
			this.granted.push(batch);
		}
		if (batches.length > 0) this.asked = this.asked.filter((batch) => batch.index < 0);
	}

	/** Not to be had through this token: the next leader, or the next retry, is asked. */
	onFailure(failure: ReadFailure): void {
		for (const batch of this.takeToken(failure.token.counter)) batch.askedTerm = 0;
	}

	/** Whoever leads now, or can be reached again, is asked for all that is not granted. */
	askAgain(): void {
		this.again = [...this.asked];
	}

	/** The first entry of a new leader was applied: what was asked of an earlier one may have been lost with it. */
	onTermApplied(term: number): void {
		for (const batch of this.asked) {
			if (batch.askedTerm < term && !this.again.includes(batch)) this.again.push(batch);
		}
	}

	/** Releases what the applied index allows. */
	release(appliedIndex: number): void {
		if (this.granted.length === 0) return;
		const waiting: ReadBatch[] = [];
		for (const batch of this.granted) {
			if (batch.index > appliedIndex) {
				waiting.push(batch);
				continue;
			}
			for (const call of batch.calls) {
				if (call.completed) continue;
				this.forget(call);
				this.outbox.grantRead(call);
			}
		}
		this.granted = waiting;
	}

	/** Once in a while, not at every tick: ends what is overdue, says how many, and asks again for the rest. */
	expire(tick: number): number {
		const pendingBefore = this.pending;
		this.fail((call) => call.deadlineTick <= tick, "timeout");
		this.dropCompleted();
		if (tick >= this.retryTick) {
			this.retryTick = tick + this.options.retryTicks;
			this.askAgain();
		}
		return pendingBefore - this.pending;
	}

	beginStop(): void {
		this.fail(() => true, "stopped");
		this.dropCompleted();
	}

	private fail(due: (call: ReadCall) => boolean, fault: CallFault): void {
		for (const batch of this.granted) this.failCalls(batch.calls, due, fault);
		for (const batch of this.asked) this.failCalls(batch.calls, due, fault);
		this.failCalls(this.open, due, fault);
	}

	private failCalls(calls: readonly ReadCall[], due: (call: ReadCall) => boolean, fault: CallFault): void {
		for (const call of calls) {
			if (call.completed || !due(call)) continue;
			this.forget(call);
			this.outbox.failRead(call, fault);
		}
	}

	/** Nobody waits for it any more. */
	private forget(call: ReadCall): void {
		this.pending--;
		this.pendingBytes -= call.bytes;
	}

	private dropCompleted(): void {
		this.canceled = 0;
		this.open = this.open.filter(isOpen);
		for (const batch of this.asked) batch.calls = batch.calls.filter(isOpen);
		for (const batch of this.granted) batch.calls = batch.calls.filter(isOpen);
		this.asked = this.asked.filter(hasCalls);
		this.again = this.again.filter(hasCalls);
		this.granted = this.granted.filter(hasCalls);
		for (const { counter, batches } of this.tokens.all()) {
			if (!batches.some((batch) => batch.index < 0 && hasCalls(batch))) this.tokens.delete(counter);
		}
	}

	private takeToken(counter: number): readonly ReadBatch[] {
		const batches = this.tokens.get(counter)?.batches ?? [];
		this.tokens.delete(counter);
		return batches;
	}
}

function isOpen(call: ReadCall): boolean {
	return !call.completed;
}

function hasCalls(batch: ReadBatch): boolean {
	return batch.calls.length > 0;
}
