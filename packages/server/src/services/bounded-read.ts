import type { Sliced, SlicedRead } from "@flotilla/mvcc";
import type { Status } from "../front/seam.ts";
import { answerTooLong, type RangeAnswers, tooMuchToSort } from "./range-answer.ts";

/**
 * A read that holds its whole answer until it is done (sorted, filtered, or in a transaction), under the bound of all long
 * answers: only its first slice does not ask. Longer than a message may be, it comes to nothing.
 */
export class BoundedRead<T> implements Sliced<T | Status> {
	private readonly work: SlicedRead<T>;
	private readonly all: RangeAnswers;
	private counted = 0;
	private begun = false;
	private refusal: Status | null = null;

	constructor(work: SlicedRead<T>, all: RangeAnswers) {
		this.work = work;
		this.all = all;
		all.enter(this);
	}

	step(budget: number): boolean {
		const { work, all } = this;
		if (this.begun && !all.mayGrow(this)) return false;
		this.begun = true;
		const done = work.step(budget);
		all.grew(work.heldBytes - this.counted);
		this.counted = work.heldBytes;
		this.refusal = answerTooLong(work.answerBytes) ?? tooMuchToSort(this.counted);
		if (done) all.ended(this, this.counted);
		else if (this.refusal !== null) this.abandon();
		return done || this.refusal !== null;
	}

	result(): T | Status {
		return this.refusal ?? this.work.result();
	}

	abandon(): void {
		this.work.abandon();
		this.all.ended(this, this.counted);
	}
}
