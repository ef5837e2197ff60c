/**
 * Sorts many keys in slices. Comparing strings costs a cache miss a time, so large groups are sorted by the first characters
 * in which their keys differ, as numbers (radix sort): what then is still equal is a smaller group of its own. A million keys
 * take some 0.3 s this way, 1.5 s by comparison (`scripts/bench.ts`).
 */
import { STRIDE } from "./sliced.ts";

/** Groups up to this are sorted by comparison, at once. */
const SMALL_MAX = 1_024;
/** Characters that one round looks at: two numbers of three. */
const CHARACTERS = 6;
/** A character, or the end of the key, which comes before all of them. */
const DIGIT_BITS = 9;
const DIGITS = 1 << DIGIT_BITS;
const DIGIT_MASK = DIGITS - 1;

interface Group {
	readonly from: number;
	readonly to: number;
	/** The keys agree in so many characters. */
	readonly agreed: number;
}

/** Sorts `slots` in place by their keys, which differ from each other. Yields every STRIDE items. */
export function* sortByKey(slots: Int32Array, keyOf: (slot: number) => string): Generator<void, void> {
	const groups: Group[] = [{ from: 0, to: slots.length, agreed: 0 }];
	let columns = new Columns(0);
	let sinceYield = 0;
	for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
		const { from, to } = group;
		if (to - from <= SMALL_MAX) {
			sortSmall(slots, from, to, keyOf);
			sinceYield += to - from;
			if (sinceYield < STRIDE) continue;
			sinceYield = 0;
			yield;
			continue;
		}
		// The first group is the largest.
		if (columns.size < to - from) columns = new Columns(to - from);
		const agreed = yield* sharedPrefix(slots, group, keyOf);
		yield* columns.fill(slots, group, agreed, keyOf);
		yield* columns.sort(to - from);
		yield* columns.collect(slots, group, agreed, groups);
	}
}

function sortSmall(slots: Int32Array, from: number, to: number, keyOf: (slot: number) => string): void {
	if (to - from < 2) return;
	const pairs = Array.from(slots.subarray(from, to), (slot) => ({ slot, key: keyOf(slot) }));
	pairs.sort((a, b) => (a.key < b.key ? -1 : 1));
	for (const { slot } of pairs) slots[from++] = slot;
}

/** In how many characters all keys of a group agree. */
function* sharedPrefix(slots: Int32Array, { from, to, agreed }: Group, keyOf: (slot: number) => string): Generator<void, number> {
	const first = keyOf(slots[from] as number);
	let shared = first.length;
	for (let i = from + 1; i < to && shared > agreed; i++) {
		const key = keyOf(slots[i] as number);
		let same = agreed;
		while (same < shared && same < key.length && key.charCodeAt(same) === first.charCodeAt(same)) same++;
		shared = same;
		if (i % STRIDE === 0) yield;
	}
	return shared;
}

/** The items of one group with their characters as numbers, twice: each pass of the sort goes from one copy to the other. */
class Columns {
	readonly size: number;
	private high: Uint32Array;
	private low: Uint32Array;
	private slot: Int32Array;
	private highNext: Uint32Array;
	private lowNext: Uint32Array;
	private slotNext: Int32Array;

	constructor(size: number) {
		this.size = size;
		this.high = new Uint32Array(size);
		this.low = new Uint32Array(size);
		this.slot = new Int32Array(size);
		this.highNext = new Uint32Array(size);
		this.lowNext = new Uint32Array(size);
		this.slotNext = new Int32Array(size);
	}

	*fill(slots: Int32Array, { from, to }: Group, agreed: number, keyOf: (slot: number) => string): Generator<void, void> {
		for (let i = from; i < to; i++) {
			const slot = slots[i] as number;
			const key = keyOf(slot);
			this.slot[i - from] = slot;
			this.high[i - from] = threeDigits(key, agreed);
			this.low[i - from] = threeDigits(key, agreed + 3);
			if (i % STRIDE === 0) yield;
		}
	}

	/** Least significant digit first; each pass keeps the order of the one before among equals. */
	*sort(count: number): Generator<void, void> {
		for (let pass = 0; pass < CHARACTERS; pass++) {
			const ends = yield* this.countDigits(count, pass);
			if (ends !== null) yield* this.distribute(count, pass, ends);
		}
	}

	/** Where the items of each digit begin; null when all have the same one. */
	private *countDigits(count: number, pass: number): Generator<void, Int32Array | null> {
		const places = new Int32Array(DIGITS);
		const column = pass < 3 ? this.low : this.high;
		const shift = (pass % 3) * DIGIT_BITS;
		for (let i = 0; i < count; i++) {
			const digit = ((column[i] as number) >>> shift) & DIGIT_MASK;
			places[digit] = (places[digit] as number) + 1;
			if (i % (4 * STRIDE) === 0) yield;
		}
		let before = 0;
		for (let digit = 0; digit < DIGITS; digit++) {
			const here = places[digit] as number;
			if (here === count) return null;
			places[digit] = before;
			before += here;
		}
		return places;
	}

	private *distribute(count: number, pass: number, places: Int32Array): Generator<void, void> {
		const { high, low, slot, highNext, lowNext, slotNext } = this;
		const column = pass < 3 ? low : high;
		const shift = (pass % 3) * DIGIT_BITS;
		for (let i = 0; i < count; i++) {
			const digit = ((column[i] as number) >>> shift) & DIGIT_MASK;
			const place = places[digit] as number;
			places[digit] = place + 1;
			highNext[place] = high[i] as number;
			lowNext[place] = low[i] as number;
			slotNext[place] = slot[i] as number;
			if (i % STRIDE === 0) yield;
		}
		this.high = highNext;
		this.low = lowNext;
		this.slot = slotNext;
		this.highNext = high;
		this.lowNext = low;
		this.slotNext = slot;
	}

	/** Puts the slots back; runs of equal characters become groups. */
	*collect(slots: Int32Array, { from, to }: Group, agreed: number, groups: Group[]): Generator<void, void> {
		const { high, low, slot } = this;
		const count = to - from;
		let runStart = 0;
		for (let i = 0; i < count; i++) {
			slots[from + i] = slot[i] as number;
			const ends = i + 1 === count || high[i + 1] !== high[i] || low[i + 1] !== low[i];
			if (ends && i > runStart) groups.push({ from: from + runStart, to: from + i + 1, agreed: agreed + CHARACTERS });
			if (ends) runStart = i + 1;
			if (i % STRIDE === 0) yield;
		}
	}
}

function threeDigits(key: string, at: number): number {
	return (((digitAt(key, at) << DIGIT_BITS) | digitAt(key, at + 1)) << DIGIT_BITS) | digitAt(key, at + 2);
}

function digitAt(key: string, at: number): number {
	return at < key.length ? key.charCodeAt(at) + 1 : 0;
}
