/** Bytes of pairs that one step of a read adds, after which it yields. The last pair may go beyond. */
export const SLICE_BYTES = 1 << 20;

/** What a read holds of its answer while that grows, and what it has done since it last yielded; the ranges of one transaction count together. */
export class HeldBytes {
	bytes = 0;
	private yieldedAt = 0;
	private items = 0;

	/** So many keys were looked at. True when that and what was done before it are worth a yield, which then follows. */
	worked(items: number, stride: number): boolean {
		this.items += items;
		if (this.items < stride && this.bytes < this.yieldedAt + SLICE_BYTES) return false;
		this.items = 0;
		this.yieldedAt = this.bytes;
		return true;
	}
}
