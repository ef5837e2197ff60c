import type { Term } from "./message.ts";

/** A term a millisecond reaches this in nine thousand years. */
const BELIEVED_MAX = 2 ** 48;
/** How far above what it believes anyway a member lets itself be taken at once. */
const STEP = 2 ** 20;

/**
 * The highest term that a member takes over from a message (rule T1). One forged word must not use up the terms there are: behind
 * the last safe integer nobody could be elected any more, now or after any restart. Whoever hears of a higher one moves to this one
 * and no further, so members whose terms have come to lie on both sides of any bound still find together.
 */
export function termCeiling(own: Term): Term {
	return Math.min(Math.max(own, BELIEVED_MAX) + STEP, Number.MAX_SAFE_INTEGER);
}
