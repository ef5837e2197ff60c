import type { Leaf } from "./key-nodes.ts";
import { NOT_FOUND } from "./key-table.ts";
import type { KeyTree } from "./key-tree.ts";

/** Slots of the keys in [from, to) in ascending order, dead keys included. Changes of the tree between two calls are allowed. */
export class KeyCursor {
	private readonly tree: KeyTree;
	private readonly to: string | null;
	/** That of the slot which `next` gave last. */
	leaf: Leaf;
	private at: number;
	/** Where the keys of this leaf that are below `to` end. */
	private end = 0;
	private nextLow: string | null = null;
	private changes: number;
	private last: string;

	constructor(tree: KeyTree, from: string, to: string | null) {
		this.tree = tree;
		this.to = to;
		this.last = from;
		const { leaf, at, nextLow } = tree.seek(from);
		this.leaf = leaf;
		this.at = at;
		this.enter(nextLow);
		this.changes = tree.changes;
	}

	/** NOT_FOUND at the end. */
	next(): number {
		if (this.changes !== this.tree.changes) this.moveTo(this.last);
		while (this.at >= this.end) {
			if (this.nextLow === null) return NOT_FOUND;
			this.moveTo(this.nextLow);
		}
		return this.leaf.slots[this.at++] as number;
	}

	/** To be called before the tree may change: remembers the place. */
	pause(): void {
		// The least key above the last one seen. Before the first call the place is `from` itself.
		if (this.at > 0 && this.changes === this.tree.changes) {
			const seen = this.keyAt(this.at - 1);
			if (seen >= this.last) this.last = `${seen}\0`;
		}
	}

	private moveTo(key: string): void {
		const { leaf, at, nextLow } = this.tree.seek(key);
		this.leaf = leaf;
		this.at = at;
		this.last = key;
		this.enter(nextLow);
		this.changes = this.tree.changes;
	}

	private enter(nextLow: string | null): void {
		const { leaf, to } = this;
		const count = leaf.slots.length;
		const reachesEnd = to !== null && count > 0 && this.keyAt(count - 1) >= to;
		this.end = reachesEnd ? this.tree.placeIn(leaf, to) : count;
		this.nextLow = reachesEnd || (to !== null && nextLow !== null && nextLow >= to) ? null : nextLow;
	}

	private keyAt(place: number): string {
		return this.tree.keyOf(this.leaf.slots[place] as number);
	}
}
