/** Nodes of the key tree and what is done to one or two of them. */

/** Children of an inner node and keys of a leaf, at most. */
export const NODE_MAX = 64;
/** Neighbours that hold no more than this together become one. */
const MERGE_MAX = NODE_MAX / 2;

export type Node = Leaf | Inner;

export interface Split {
	readonly node: Node;
	readonly low: string;
}

/** Slots in the order of their keys, which lie with the slots alone: a second reference to each would be a tenth of the whole index. */
export class Leaf {
	readonly leaf = true;
	alive = 0;
	readonly slots: number[];

	constructor(slots: number[]) {
		this.slots = slots;
	}
}

/** `lows[i]`: no key below child i is smaller, none below child i - 1 is as large. `lows[0]` is never looked at. */
export class Inner {
	readonly leaf = false;
	alive = 0;
	readonly children: Node[];
	readonly lows: string[];

	constructor(children: Node[], lows: string[]) {
		this.children = children;
		this.lows = lows;
		for (const child of children) this.alive += child.alive;
	}

	childOf(key: string): number {
		const { lows } = this;
		let low = 1;
		let high = lows.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((lows[middle] as string) <= key) low = middle + 1;
			else high = middle;
		}
		return low - 1;
	}
}

export function splitInner(node: Inner, rising: boolean): Split {
	const middle = rising ? NODE_MAX : NODE_MAX / 2;
	const lows = node.lows.splice(middle);
	const right = new Inner(node.children.splice(middle), lows);
	node.alive -= right.alive;
	return { node: right, low: lows[0] as string };
}

export function sizeOf(node: Node): number {
	return node.leaf ? node.slots.length : node.children.length;
}

export function dropChild(node: Inner, at: number): void {
	node.children.splice(at, 1);
	node.lows.splice(at, 1);
}

export function mergeWithNext(node: Inner, at: number): void {
	const left = node.children[at] as Node;
	const right = node.children[at + 1] as Node;
	if (sizeOf(left) + sizeOf(right) > MERGE_MAX) return;
	if (left.leaf && right.leaf) {
		left.slots.push(...right.slots);
	} else if (!left.leaf && !right.leaf) {
		// The low of a first child is never looked at, so it may be stale: the parent's is the true one.
		right.lows[0] = node.lows[at + 1] as string;
		left.children.push(...right.children);
		left.lows.push(...right.lows);
	}
	left.alive += right.alive;
	dropChild(node, at + 1);
}

/** For some dozens of items a loop is faster than `splice` and `copyWithin`. */
export function insertAt<T>(items: T[], at: number, item: T): void {
	items.push(item);
	for (let i = items.length - 1; i > at; i--) items[i] = items[i - 1] as T;
	items[at] = item;
}
