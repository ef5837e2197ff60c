/**
 * Linearizable reads (raft thesis §6.4, rules R1 to R6): all reads of a turn share one token of the core; it is granted at
 * an index, and the reads are released when that index is applied here. A token that gets no answer is followed by others:
 * any of them may release the read, since each was taken after the read arrived.
 */
import { type Consensus, NO_NODE, type ReadFailure, type ReadGrant } from "@flotilla/raft";
import type { ReadCall } from "./calls.ts";
import type { Leadership } from "./leadership.ts";
import type { Outbox } from "./outbox.ts";

/** Reads that arrived in one turn. */
class ReadBatch {
	readonly calls: readonly ReadCall[];
	/** Term in which it was last asked for; 0: no token is out. */
	askedTerm = 0;
	/** Index to be applied first; -1 until granted. */
	index = -1;

	constructor(calls: readonly ReadCall[]) {
		this.calls = calls;
	}
}

export interface ReadOptions {
	/** Reads waiting; more are refused. */
	readonly pendingCallsMax: number;
	readonly timeoutTicks: number;
	/** Unanswered reads are asked for again at this interval. */
	readonly retryTicks: number;
}

export class Reads {
	private readonly options: ReadOptions;
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	/** Of this turn, not yet part of a batch. */
	private arrived: ReadCall[] = [];
	/** Batches that want a token now. */
	private asking: ReadBatch[] = [];
	/** Batches not yet granted, those that are asking included, oldest first. */
	private ungranted: ReadBatch[] = [];
	/** Granted, waiting for their index to be applied. */
	private granted: ReadBatch[] = [];
	/** Tokens that are out, by counter: which batches each of them releases. */
	private readonly tokens = new Map<number, readonly ReadBatch[]>();
	private pending = 0;
	private retryTick = 0;

	constructor(options: ReadOptions, leadership: Leadership, outbox: Outbox) {
		this.options = options;
		this.leadership = leadership;
		this.outbox = outbox;
	}

	get full(): boolean {
		return this.pending >= this.options.pendingCallsMax;
	}

	add(call: ReadCall, tick: number): void {
		const patience = this.options.timeoutTicks;
		call.deadlineTick = tick + (call.timeoutTicks > 0 ? Math.min(call.timeoutTicks, patience) : patience);
		this.arrived.push(call);
		this.pending++;
	}

	cancel(call: ReadCall): void {
		if (call.completed) return;
		call.completed = true;
		this.pending--;
	}

	/** Takes one token for all that ask. Without a leader they wait for one, or for the next retry. */
	ask(core: Consensus): void {
		if (this.arrived.length > 0) {
			const batch = new ReadBatch(this.arrived);
			this.arrived = [];
			this.ungranted.push(batch);
			this.asking.push(batch);
		}
		if (this.asking.length === 0 || this.leadership.leader === NO_NODE) return;
		const batches = this.asking;
		this.asking = [];
		const result = core.readIndex();
		if (!result.ok) return;
		for (const batch of batches) batch.askedTerm = this.leadership.term;
		this.tokens.set(result.token.counter, batches);
	}

	onGrant(grant: ReadGrant): void {
		const batches = this.takeToken(grant.token.counter);
		for (const batch of batches) {
			if (batch.index >= 0) continue;
			batch.index = grant.index;
			this.granted.push(batch);
		}
		if (batches.length > 0) this.ungranted = this.ungranted.filter((batch) => batch.index < 0);
	}

	/** Not to be had through this token: the next leader, or the next retry, is asked. */
	onFailure(failure: ReadFailure): void {
		for (const batch of this.takeToken(failure.token.counter)) batch.askedTerm = 0;
	}

	/** Whoever leads now is asked for all that is not granted. */
	onLeaderChanged(): void {
		this.asking = [...this.ungranted];
	}

	/** The first entry of a new leader was applied: what was asked of an earlier one may have been lost with it. */
	onTermApplied(term: number): void {
		for (const batch of this.ungranted) {
			if (batch.askedTerm < term && !this.asking.includes(batch)) this.asking.push(batch);
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
				this.pending--;
				this.outbox.grantRead(call);
			}
		}
		this.granted = waiting;
	}

	/** Once in a while, not at every tick: ends what is overdue and asks again for the rest. */
	expire(tick: number): void {
		this.failWhere((call) => call.deadlineTick <= tick, "timeout");
		this.ungranted = this.ungranted.filter(hasOpenCalls);
		this.granted = this.granted.filter(hasOpenCalls);
		for (const [counter, batches] of this.tokens) {
			if (!batches.some((batch) => batch.index < 0 && hasOpenCalls(batch))) this.tokens.delete(counter);
		}
		if (tick < this.retryTick) return;
		this.retryTick = tick + this.options.retryTicks;
		this.asking = [...this.ungranted];
	}

	beginStop(): void {
		this.failWhere(() => true, "stopped");
		this.arrived = [];
		this.asking = [];
		this.ungranted = [];
		this.granted = [];
		this.tokens.clear();
	}

	private failWhere(due: (call: ReadCall) => boolean, fault: "timeout" | "stopped"): void {
		for (const batch of [...this.granted, ...this.ungranted]) this.failCalls(batch.calls, due, fault);
		this.failCalls(this.arrived, due, fault);
	}

	private failCalls(calls: readonly ReadCall[], due: (call: ReadCall) => boolean, fault: "timeout" | "stopped"): void {
		for (const call of calls) {
			if (call.completed || !due(call)) continue;
			this.pending--;
			this.outbox.failRead(call, fault);
		}
	}

	private takeToken(counter: number): readonly ReadBatch[] {
		const batches = this.tokens.get(counter) ?? [];
		this.tokens.delete(counter);
		return batches;
	}
}

function hasOpenCalls(batch: ReadBatch): boolean {
	return batch.calls.some((call) => !call.completed);
}
