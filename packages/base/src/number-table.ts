/**
 * Map from whole numbers of 0 and above to values, for what comes and goes by the ten thousand a second. The language's own Map
 * makes a new table each time its gaps are used up, and each old table points to the next: once the collector has taken one for
 * long-lived, all that stood in every later one looks alive to it. This one clears the places of what leaves, and is made anew
 * only to grow or to shrink.
 *
 *   keys    [ .  9  1  .  .  4  . ]      open addressing; a search ends at the first gap, so whoever
 *   values  [ .  i  a  .  .  d  . ]      leaves has those behind it moved up
 */
const SMALLEST = 16;
/** An empty table that is larger is given up. */
const KEPT = 1_024;
const FREE = -1;
/** Spreads neighbours: 2^32 over the golden ratio. */
const SPREAD = 0x9e3779b1;

export class NumberTable<V> {
	private keys: number[] = [];
	private values: (V | undefined)[] = [];
	private shift = 0;
	private count = 0;

	constructor() {
		this.renew(SMALLEST);
	}

	get size(): number {
		return this.count;
	}

	get(key: number): V | undefined {
		const { keys } = this;
		const mask = keys.length - 1;
		for (let at = this.home(key); ; at = (at + 1) & mask) {
			const found = keys[at];
			if (found === key) return this.values[at];
			if (found === FREE) return undefined;
		}
	}

	set(key: number, value: V): void {
		if (2 * this.count >= this.keys.length) this.grow();
		const { keys } = this;
		const mask = keys.length - 1;
		let at = this.home(key);
		while (keys[at] !== FREE && keys[at] !== key) at = (at + 1) & mask;
		if (keys[at] === FREE) this.count++;
		keys[at] = key;
		this.values[at] = value;
	}

	/** False when it was not there. */
	delete(key: number): boolean {
		const { keys, values } = this;
		const mask = keys.length - 1;
		let gap = this.home(key);
		while (keys[gap] !== key) {
			if (keys[gap] === FREE) return false;
			gap = (gap + 1) & mask;
		}
		for (let at = (gap + 1) & mask; keys[at] !== FREE; at = (at + 1) & mask) {
			const home = this.home(keys[at] as number);
			// Only what would no longer be found behind the gap moves into it.
			if (((at - home) & mask) < ((at - gap) & mask)) continue;
			keys[gap] = keys[at] as number;
			values[gap] = values[at];
			gap = at;
		}
		keys[gap] = FREE;
		values[gap] = undefined;
		this.count--;
		if (this.count === 0 && keys.length > KEPT) this.renew(SMALLEST);
		return true;
	}

	/** All values, in no order that means anything, as they are now. */
	all(): V[] {
		const found: V[] = [];
		for (let at = 0; at < this.keys.length; at++) if (this.keys[at] !== FREE) found.push(this.values[at] as V);
		return found;
	}

	private home(key: number): number {
		return Math.imul(key, SPREAD) >>> this.shift;
	}

	private grow(): void {
		const { keys, values } = this;
		this.renew(2 * keys.length);
		for (let at = 0; at < keys.length; at++) if (keys[at] !== FREE) this.set(keys[at] as number, values[at] as V);
	}

	private renew(places: number): void {
		this.keys = new Array<number>(places).fill(FREE);
		this.values = new Array<V | undefined>(places).fill(undefined);
		this.shift = 32 - Math.log2(places);
		this.count = 0;
	}
}
