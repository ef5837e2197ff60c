/** Of so many writes the median is taken. */
const KEPT = 64;

/** How long the last writes to the log took, from handing them over until they were durable (rule H4). */
export class SyncTimes {
	private readonly kept = new Float64Array(KEPT);
	private readonly sorted = new Float64Array(KEPT);
	private noted = 0;
	private judged = 0;
	private median = 0;

	note(ms: number): void {
		this.kept[this.noted++ % KEPT] = ms;
	}

	/** 0 before the first. A member that hardly writes learns by the last write that its disk is no longer what the others say. */
	get expectedMs(): number {
		const last = this.noted === 0 ? 0 : (this.kept[(this.noted - 1) % KEPT] as number);
		return Math.max(this.medianMs, last);
	}

	private get medianMs(): number {
		if (this.judged === this.noted) return this.median;
		this.judged = this.noted;
		const count = Math.min(this.noted, KEPT);
		this.sorted.set(this.kept);
		this.median = this.sorted.subarray(0, count).sort()[count >> 1] as number;
		return this.median;
	}
}
