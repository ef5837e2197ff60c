import type { Sliced } from "@flotilla/mvcc";
import type { CallContext, Status } from "../front/seam.ts";
import { statusOf } from "./answers.ts";

/** Keys or records that a call may read at once, without waiting for its turn: about the cost of a point read. */
export const FIRST_SLICE = 256;
const SLICE = 256;
/** Slices of all long reads together in one turn of the loop: two or three milliseconds, some more when the disk is cold. */
const SLICES_A_TURN = 2;

export interface LongWorkLimits {
	/** Reads that go forward side by side; the next ones wait. */
	readonly runningMax: number;
	/** Reads that wait; one more is refused. Behind them wait the answers to changes that were let in before. */
	readonly waitingMax: number;
}

interface Answerable extends CallContext {
	fail(status: Status): void;
}

/** A slice of work under way: true when it is over, or cannot go on now. */
export type Step = (budget: number) => boolean;

/**
 * Long reads, slice by slice and in turn, so that the loop is never held: not by one of them, and not by many. What is short
 * is done at once. A read whose client went away is given up. Beyond the limits a read is refused.
 */
export class LongWork {
	private readonly limits: LongWorkLimits;
	private readonly soon: (work: () => void) => void;
	private running: Step[] = [];
	private waiting: Step[] = [];
	private scheduled = false;

	constructor(limits: LongWorkLimits, soon: (work: () => void) => void) {
		this.limits = limits;
		this.soon = soon;
	}

	run<T>(work: Sliced<T>, call: Answerable, done: (result: T) => void): void {
		if (work.step(FIRST_SLICE)) {
			done(work.result());
			return;
		}
		if (this.full) {
			work.abandon();
			call.fail(statusOf("tooManyLongReads"));
			return;
		}
		let over = false;
		call.onCancel(() => {
			if (over) return;
			over = true;
			work.abandon();
		});
		this.enqueue((budget) => {
			if (over) return true;
			if (!work.step(budget)) return false;
			over = true;
			done(work.result());
			return true;
		});
	}

	/** One more would be too many. */
	get full(): boolean {
		return this.waiting.length >= this.limits.waitingMax;
	}

	/**
	 * Runs `step` slice by slice until it returns true. Whoever begins with a call looks first whether this is full; one that was let in
	 * before, and is known to be long only now, is not refused.
	 */
	enqueue(step: Step): void {
		if (this.running.length < this.limits.runningMax) this.running.push(step);
		else this.waiting.push(step);
		this.schedule();
	}

	private schedule(): void {
		if (this.scheduled) return;
		this.scheduled = true;
		this.soon(() => this.turn());
	}

	private turn(): void {
		this.scheduled = false;
		for (let slices = 0; slices < SLICES_A_TURN; slices++) {
			const step = this.running.shift();
			if (step === undefined) break;
			if (!step(SLICE)) this.running.push(step);
			else if (this.waiting.length > 0) this.running.push(this.waiting.shift() as Step);
		}
		if (this.running.length > 0) this.schedule();
	}
}
