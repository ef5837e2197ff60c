/** Applying what touches very many keys: a slice a turn, so that heartbeats, votes and reads go on meanwhile. */
import { marks } from "@flotilla/base";
import type { Sliced } from "@flotilla/mvcc";
import type { ApplyOutcome } from "./state-machine.ts";

/** Keys changed in one turn: a millisecond, and as much for the writing of their records. Nearly every command needs fewer. */
export const APPLY_SLICE_KEYS = 1_024;

/** A command that is applied in part. No other one may be applied before its end. */
export class SlicedApply {
	private readonly work: () => ApplyOutcome | null;

	/** `work` does a slice; null: there is more. */
	constructor(work: () => ApplyOutcome | null) {
		this.work = work;
	}

	/** The outcome, at the end. */
	step(): ApplyOutcome | null {
		return this.work();
	}
}

/** The first slice is done at once. */
export function applySliced<T>(sliced: Sliced<T>, sliceKeys: number, outcomeOf: (result: T) => ApplyOutcome): ApplyOutcome | SlicedApply {
	const work = (): ApplyOutcome | null => (sliced.step(sliceKeys) ? outcomeOf(sliced.result()) : null);
	const outcome = work();
	if (outcome !== null) return outcome;
	marks.changeSliced++;
	return new SlicedApply(work);
}
