import { type Leaf, lowerBound } from "./key-nodes.ts";
import { NOT_FOUND } from "./key-table.ts";
import type { KeyTree } from "./key-tree.ts";

/** Slots of the keys in [from, to) in ascending order, dead keys included. Changes of the tree between two calls are allowed. */
export class KeyCursor {
	private readonly tree: KeyTree;
	private readonly to: string | null;
	private leaf: Leaf;
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
			const seen = this.leaf.keys[this.at - 1] as string;
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
		const { keys } = this.leaf;
		const reachesEnd = this.to !== null && keys.length > 0 && (keys[keys.length - 1] as string) >= this.to;
		this.end = reachesEnd ? lowerBound(keys, this.to as string) : keys.length;
		this.nextLow = reachesEnd || (this.to !== null && nextLow !== null && nextLow >= this.to) ? null : nextLow;
	}
}
