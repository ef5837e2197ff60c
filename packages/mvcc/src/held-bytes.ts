/** Bytes of pairs that one step of a read adds, after which it yields. The last pair may go beyond. */
export const SLICE_BYTES = 1 << 20;

/** What a read holds of its answer while that grows; the ranges of one transaction count together. */
export class HeldBytes {
	bytes = 0;
	/** As of the last yield that single keys made: each of them is too small for one. */
	yieldedAt = 0;
}
