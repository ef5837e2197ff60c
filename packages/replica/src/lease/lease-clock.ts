/**
 * When leases end: known to a leader alone, in ticks of its monotonic clock, from the moment at which it has applied the first
 * entry of its own term (decisions 5.1, L1, L2). What follows from it for the state goes through the log.
 *
 *   running --time up--> expired --a round confirmed since--> ending --applied--> gone
 *      ^                    |
 *      +------ renewed -----+
 *
 * The round (L6, and more than L6 asks for): a lease is ended only when a quorum has answered a heartbeat that was made after
 * its time was up, and every renewal that had come by then was processed. So a leader that was paused or cut off ends nothing.
 */
import { type Lease, LeaseTable } from "@flotilla/mvcc";
import { CommandKind } from "../calls.ts";
import { encodeLeaseCheckpoints, encodeLeaseEnds, type LeaseMark } from "./lease-codec.ts";
import type { LeaseDeath, LeaseWatcher } from "./lease-commands.ts";
import type { LeaseCounts } from "./lease-counts.ts";
import { LeaseTimer, LeaseTimers } from "./lease-timers.ts";

/** One batch of ends is under way at a time, and small, so that writes find their way between them when many leases end at once. */
const ENDS_MAX = 128;
/** Keys of the leases of one batch; a lease with more of them goes alone. */
const END_KEYS_MAX = 512;
/** After leases could not be ended (the cluster is corrupt), the next try comes so much later. */
const REFUSED_MS = 500;
/** At least so long between the rounds that are asked for the sake of expired leases. */
const ROUND_MS = 50;
/** Checkpoints are gathered for so long, and no more than so many leave together; the others wait for the next time (L8). */
const CHECKPOINT_MS = 1_000;
const CHECKPOINTS_MAX = 4_000;
const MARKS_PER_ENTRY = 1_000;
/** Leases unrenewed until a half, a quarter, an eighth of their time is left are checkpointed. */
const STAGES = [2, 4, 8];
/** Timers looked at in one turn, and leases that get one in one turn at the begin of a term. */
const LOOKS_A_TURN = 4_096;

export interface LeaseClockParts {
	/** The table as it is now: a snapshot install exchanges it. */
	readonly table: () => LeaseTable;
	readonly counts: LeaseCounts;
	/** Appends a command of this leader; its index, or 0 when none can be appended now. */
	readonly propose: (kind: CommandKind, payload: Uint8Array) => number;
}

export class LeaseClock implements LeaseWatcher {
	/** The term that it runs for; 0: it stands still. */
	term = 0;
	private readonly tickMs: number;
	private readonly parts: LeaseClockParts;
	private now = 0;
	private startTick = 0;
	private nextBucket = 0;
	private timers = new LeaseTimers();
	private lookedTick = -1;
	/** Time up, in the order in which that was found. */
	private expired: LeaseTimer[] = [];
	private expiredHead = 0;
	private ending: LeaseTimer[] = [];
	private endsIndex = 0;
	/** All renewals that came up to here are processed, and this member led after it. */
	private clearedTick = -1;
	private roundTick = 0;
	private toCheckpoint: LeaseTimer[] = [];
	private checkpointTick = 0;

	constructor(tickMs: number, parts: LeaseClockParts) {
		this.tickMs = tickMs;
		this.parts = parts;
	}

	get running(): boolean {
		return this.term > 0;
	}

	/** Leases that have no timer yet, right after the start. */
	get filling(): boolean {
		return this.running && this.nextBucket < LeaseTable.bucketCount;
	}

	tick(now: number): void {
		this.now = now;
	}

	start(term: number): void {
		this.stop();
		this.term = term;
		this.startTick = this.now;
		this.checkpointTick = this.now + this.ticks(CHECKPOINT_MS);
	}

	stop(): void {
		if (!this.running) return;
		this.term = 0;
		this.nextBucket = 0;
		this.timers = new LeaseTimers();
		this.expired = [];
		this.expiredHead = 0;
		this.ending = [];
		this.endsIndex = 0;
		this.clearedTick = -1;
		this.toCheckpoint = [];
		this.lookedTick = -1;
		this.roundTick = 0;
	}

	granted(lease: Lease): void {
		if (this.running) this.addTimer(lease, this.now + this.ticks(lease.ttl * 1_000));
	}

	ended(lease: Lease, reason: LeaseDeath): void {
		if (!this.running) return;
		this.timers.remove(lease);
		if (reason === "expired") this.parts.counts.expired++;
	}

	/** Of a lease that is in the table. */
	timerOf(lease: Lease): LeaseTimer {
		return this.timers.of(lease) ?? this.addTimer(lease, this.deadlineOf(lease));
	}

	/** It was renewed by a request that arrived at `arrivalTick` (L3). */
	extend(timer: LeaseTimer, arrivalTick: number): void {
		timer.deadlineTick = Math.max(timer.deadlineTick, arrivalTick + timer.ttlTicks);
	}

	remainingMs(timer: LeaseTimer): number {
		return Math.max(0, timer.deadlineTick - this.now) * this.tickMs;
	}

	/** A confirmed round was opened at `tick`, and all that waited for it is done. */
	cleared(tick: number): void {
		this.clearedTick = Math.max(this.clearedTick, tick);
	}

	/** Leases wait to be ended for which no round has been asked yet. */
	get wantsRound(): boolean {
		const first = this.expired[this.expiredHead];
		return first !== undefined && first.deadlineTick > this.clearedTick && this.now >= this.roundTick;
	}

	roundAsked(): void {
		this.roundTick = this.now + this.ticks(ROUND_MS);
	}

	/** Proposes what is due. True when something was proposed. */
	run(appliedIndex: number): boolean {
		if (!this.running) return false;
		this.fill();
		this.look();
		const ended = this.endExpired(appliedIndex);
		return this.checkpointDue() || ended;
	}

	/** Takes back the checkpoints of renewed leases, before they are told so (L4). True when something was proposed. */
	resetMarks(timers: readonly LeaseTimer[]): boolean {
		return this.proposeMarks(timers.filter((timer) => !timer.gone && timer.markMs !== 0).map((timer) => ({ timer, remainingMs: 0 })));
	}

	/** In ticks; of whatever lease, without a timer being made for it. */
	deadlineOf(lease: Lease): number {
		return this.timers.of(lease)?.deadlineTick ?? this.startTick + this.ticks(lease.remainingMs || lease.ttl * 1_000);
	}

	private addTimer(lease: Lease, deadlineTick: number): LeaseTimer {
		const timer = new LeaseTimer(lease, this.ticks(lease.ttl * 1_000), deadlineTick);
		this.timers.add(timer);
		this.wait(timer);
		return timer;
	}

	/** At the begin of a term, some a turn: a million leases do not hold the loop. */
	private fill(): void {
		const table = this.parts.table();
		for (let seen = 0; this.filling && seen < LOOKS_A_TURN; this.nextBucket++) {
			for (const lease of table.bucketLeases(this.nextBucket)) {
				this.timerOf(lease);
				seen++;
			}
		}
	}

	/** Puts a timer where its next stage, or its end, brings it up. */
	private wait(timer: LeaseTimer): void {
		const { deadlineTick, ttlTicks } = timer;
		const stage = STAGES.find((share) => deadlineTick - Math.floor(ttlTicks / share) > this.now);
		timer.lookTick = stage === undefined ? deadlineTick : deadlineTick - Math.floor(ttlTicks / stage);
		this.timers.push(timer);
	}

	private look(): void {
		if (this.lookedTick === this.now) return;
		let looks = 0;
		for (let timer = this.timers.popDue(this.now); timer !== null; timer = this.timers.popDue(this.now)) {
			if (timer.deadlineTick <= this.now) {
				this.expired.push(timer);
			} else {
				if (this.isHalfGone(timer)) this.toCheckpoint.push(timer);
				this.wait(timer);
			}
			if (++looks >= LOOKS_A_TURN) return;
		}
		this.lookedTick = this.now;
	}

	private isHalfGone({ deadlineTick, ttlTicks }: LeaseTimer): boolean {
		return deadlineTick - this.now <= ttlTicks / 2;
	}

	private endExpired(appliedIndex: number): boolean {
		if (this.endsIndex > appliedIndex) return false;
		this.settleEnds();
		const batch = this.takeExpired();
		if (batch.length === 0) return false;
		const leases = batch.map(({ lease }) => lease);
		const index = this.parts.propose(CommandKind.leaseEnd, encodeLeaseEnds({ term: this.term, leases }));
		if (index === 0) {
			for (const timer of batch) this.waitUntil(timer, this.now + 1);
			return false;
		}
		for (const timer of batch) timer.endIndex = index;
		this.ending = batch;
		this.endsIndex = index;
		return true;
	}

	/** What was to end and did not was refused: it is tried again, unless it is renewed before. */
	private settleEnds(): void {
		for (const timer of this.ending) if (!timer.gone) this.waitUntil(timer, this.now + this.ticks(REFUSED_MS));
		this.ending = [];
	}

	private takeExpired(): LeaseTimer[] {
		const batch: LeaseTimer[] = [];
		let keys = 0;
		for (; this.expiredHead < this.expired.length && batch.length < ENDS_MAX; this.expiredHead++) {
			const timer = this.expired[this.expiredHead] as LeaseTimer;
			if (timer.gone) continue;
			if (timer.deadlineTick > this.now) {
				this.wait(timer);
				continue;
			}
			// Those behind it were found later, and their turn comes with the next round too.
			if (timer.deadlineTick > this.clearedTick) break;
			if (batch.length > 0 && keys + timer.lease.keyCount > END_KEYS_MAX) break;
			keys += timer.lease.keyCount;
			batch.push(timer);
		}
		if (this.expiredHead === this.expired.length) {
			this.expired = [];
			this.expiredHead = 0;
		} else if (this.expiredHead > LOOKS_A_TURN) {
			this.expired = this.expired.slice(this.expiredHead);
			this.expiredHead = 0;
		}
		return batch;
	}

	private waitUntil(timer: LeaseTimer, tick: number): void {
		timer.lookTick = tick;
		this.timers.push(timer);
	}

	private checkpointDue(): boolean {
		if (this.now < this.checkpointTick || this.toCheckpoint.length === 0) return false;
		this.checkpointTick = this.now + this.ticks(CHECKPOINT_MS);
		const taken = this.toCheckpoint.splice(0, CHECKPOINTS_MAX);
		const due = new Set(taken.filter((timer) => !timer.gone && timer.deadlineTick > this.now && this.isHalfGone(timer)));
		return this.proposeMarks([...due].map((timer) => ({ timer, remainingMs: this.remainingMs(timer) })));
	}

	private proposeMarks(marks: ReadonlyArray<{ readonly timer: LeaseTimer; readonly remainingMs: number }>): boolean {
		for (let at = 0; at < marks.length; at += MARKS_PER_ENTRY) {
			const part = marks.slice(at, at + MARKS_PER_ENTRY);
			const leases: LeaseMark[] = part.map(({ timer: { lease }, remainingMs }) => ({ id: lease.id, birth: lease.birth, remainingMs }));
			const index = this.parts.propose(CommandKind.leaseCheckpoint, encodeLeaseCheckpoints({ term: this.term, leases }));
			if (index === 0) return at > 0;
			for (const { timer, remainingMs } of part) {
				timer.markMs = remainingMs;
				timer.markIndex = index;
			}
		}
		return marks.length > 0;
	}

	private ticks(ms: number): number {
		return Math.ceil(ms / this.tickMs);
	}
}
