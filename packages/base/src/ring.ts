import { assert } from "./assert.ts";

/**
 * Bounded first-in first-out queue. `push` refuses when full: the caller decides whether to drop, refuse or slow down.
 *
 *   slots  [ . . c d e . . ]      head = 2, length = 3
 *                ^ head     the next push goes to (head + length) mod capacity
 */
export class Ring<T> {
	readonly capacity: number;
	private readonly slots: (T | undefined)[];
	private head = 0;
	private count = 0;

	constructor(capacity: number) {
		assert(capacity > 0, "a ring needs room for one");
		this.capacity = capacity;
		this.slots = new Array<T | undefined>(capacity);
	}

	get length(): number {
		return this.count;
	}

	get full(): boolean {
		return this.count === this.capacity;
	}

	/** False when the ring is full; nothing is stored then. */
	push(item: T): boolean {
		if (this.count === this.capacity) return false;
		this.slots[(this.head + this.count) % this.capacity] = item;
		this.count++;
		return true;
	}

	shift(): T | undefined {
		if (this.count === 0) return undefined;
		const item = this.slots[this.head];
		this.slots[this.head] = undefined;
		this.head = (this.head + 1) % this.capacity;
		this.count--;
		return item;
	}

	/** The element `offset` places behind the oldest one, without removing it. */
	peek(offset = 0): T | undefined {
		return offset < this.count ? this.slots[(this.head + offset) % this.capacity] : undefined;
	}

	clear(): void {
		this.slots.fill(undefined);
		this.head = 0;
		this.count = 0;
	}
}
