import { assert } from "@flotilla/base";
import type { Sliced } from "./store-interface.ts";

/** Items of work between two yields of a generator that is run in slices, where nothing else is said. */
export const STRIDE = 256;

/** Does all of the work now: for what is small, and where nobody waits. */
export function wholly<T>(work: Sliced<T>): T {
	while (!work.step(Number.MAX_SAFE_INTEGER));
	return work.result();
}

/** Long work written as a generator: each `yield` stands for `stride` items. */
export function sliced<T>(work: Generator<void, T>, stride = STRIDE): Sliced<T> {
	let outcome: { readonly value: T } | null = null;
	return {
		step(budget) {
			for (let left = budget; left > 0 && outcome === null; left -= stride) {
				const next = work.next();
				if (next.done) outcome = { value: next.value };
			}
			return outcome !== null;
		},
		result() {
			assert(outcome !== null, "the work is asked for its result at its end");
			return outcome.value;
		},
		abandon() {},
	};
}
