/** An interval of keys in the index's form (one character a byte). `to` is excluded; null: no upper bound. */
export interface KeyInterval {
	readonly from: string;
	readonly to: string | null;
}

/** `rangeEnd` as in requests and permissions: empty is the single key, one zero byte is from the key on. */
export function intervalOf(key: string, rangeEnd: string): KeyInterval {
	return { from: key, to: rangeEnd === "" ? `${key}\0` : rangeEnd === "\0" ? null : rangeEnd };
}

/** A set of keys: intervals in ascending order, joined where they overlap or adjoin, so that one of them covers a range or none. */
export class KeyIntervals {
	private readonly joined: readonly KeyInterval[];

	constructor(intervals: Iterable<KeyInterval>) {
		this.joined = join([...intervals]);
	}

	/**
	 * Whether the whole interval is in the set. One that is empty (its end not above its beginning) counts as its first key; etcd's
	 * answer then depends on the shape of its tree.
	 */
	covers({ from, to }: KeyInterval): boolean {
		const { joined } = this;
		let low = 0;
		let high = joined.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((joined[middle] as KeyInterval).from <= from) low = middle + 1;
			else high = middle;
		}
		if (low === 0) return false;
		const end = (joined[low - 1] as KeyInterval).to;
		if (end === null) return true;
		return from < end && to !== null && to <= end;
	}
}

function join(intervals: KeyInterval[]): KeyInterval[] {
	intervals.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
	const joined: KeyInterval[] = [];
	for (const interval of intervals) {
		if (interval.to !== null && interval.to <= interval.from) continue;
		const last = joined[joined.length - 1];
		if (last === undefined || (last.to !== null && interval.from > last.to)) joined.push(interval);
		else if (last.to !== null && (interval.to === null || interval.to > last.to))
			joined[joined.length - 1] = { from: last.from, to: interval.to };
	}
	return joined;
}
