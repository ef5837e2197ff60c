/** A histogram that costs a loop over a few numbers an observation; it is turned into samples only when somebody looks. */
export class Buckets {
	/** Upper bounds, ascending; what lies above them counts in the last place. */
	readonly bounds: readonly number[];
	readonly counts: Float64Array;
	sum = 0;
	count = 0;

	constructor(bounds: readonly number[]) {
		this.bounds = bounds;
		this.counts = new Float64Array(bounds.length + 1);
	}

	observe(value: number): void {
		let place = 0;
		while (place < this.bounds.length && value > (this.bounds[place] as number)) place++;
		this.counts[place] = (this.counts[place] as number) + 1;
		this.sum += value;
		this.count++;
	}
}

/** `first` and its doubles. */
export function doubling(first: number, count: number): number[] {
	return Array.from({ length: count }, (_, i) => first * 2 ** i);
}
