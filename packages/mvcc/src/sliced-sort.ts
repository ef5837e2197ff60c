/** Runs this long are sorted at once. */
const RUN_LENGTH = 2048;

/** Stable merge sort of an array that may be large, in slices: runs first, then merges that double their length. */
export class SlicedSort {
	private items: number[];
	private spare: number[];
	private readonly compare: (a: number, b: number) => number;
	/** Length of the sorted runs; 0 while the first ones are being made. */
	private run = 0;
	/** Where the next run or merge begins. */
	private at = 0;
	private left = 0;
	private right = 0;

	constructor(items: number[], compare: (a: number, b: number) => number) {
		this.items = items;
		this.spare = [];
		this.compare = compare;
	}

	/** Places about `budget` items. True when all are sorted. */
	step(budget: number): boolean {
		let work = budget;
		while (work > 0 && !this.done) work -= this.run === 0 ? this.sortRun() : this.merge(work);
		return this.done;
	}

	result(): number[] {
		return this.items;
	}

	private get done(): boolean {
		return this.run > 0 && this.run >= this.items.length;
	}

	private sortRun(): number {
		const run = this.items.slice(this.at, this.at + RUN_LENGTH).sort(this.compare);
		for (const item of run) this.items[this.at++] = item;
		if (this.at >= this.items.length) this.nextRound(RUN_LENGTH);
		return run.length + 1;
	}

	/** Goes on with the pair of runs that begins at `at`: the output is as long as the two heads have moved. */
	private merge(budget: number): number {
		const { items, spare, run } = this;
		const middle = Math.min(this.at + run, items.length);
		const end = Math.min(this.at + 2 * run, items.length);
		let placed = 0;
		for (; placed < budget && (this.left < middle || this.right < end); placed++) {
			const fromLeft =
				this.right >= end || (this.left < middle && this.compare(items[this.left] as number, items[this.right] as number) <= 0);
			spare.push((fromLeft ? items[this.left++] : items[this.right++]) as number);
		}
		if (this.left < middle || this.right < end) return placed;
		if (end === items.length) {
			this.items = spare;
			this.spare = [];
			this.nextRound(run * 2);
		} else this.startPair(end);
		return placed + 1;
	}

	private nextRound(run: number): void {
		this.run = run;
		this.startPair(0);
	}

	private startPair(at: number): void {
		this.at = at;
		this.left = at;
		this.right = Math.min(at + this.run, this.items.length);
	}
}
