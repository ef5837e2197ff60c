import { assert } from "@flotilla/base";
import { NOT_FOUND } from "./key-table.ts";

/** Children of an inner node and keys of a leaf, at most. */
const NODE_MAX = 64;
/** Neighbours that hold no more than this together become one. */
const MERGE_MAX = NODE_MAX / 2;

/** What the tree must know of a slot. */
export interface SlotLife {
	isAlive(slot: number): boolean;
}

/**
 * B+ tree from key to slot. Each node counts the living keys below it, so that a range is counted in O(log n) however many
 * keys it holds. Keys whose newest record is a tombstone stay, uncounted, until compaction removes them.
 */
export class KeyTree {
	private root: Node = new Leaf([], []);
	private readonly life: SlotLife;
	/** Rises whenever a position in a leaf may have moved. */
	changes = 0;
	size = 0;

	constructor(life: SlotLife) {
		this.life = life;
	}

	/** Living keys. */
	get alive(): number {
		return this.root.alive;
	}

	/** Adds a key that is alive and not there yet. */
	insert(key: string, slot: number): void {
		this.changes++;
		this.size++;
		const right = this.insertBelow(this.root, key, slot, true);
		if (right !== null) this.root = new Inner([this.root, right.node], ["", right.low]);
	}

	/** A key that is there came to life (+1) or died (-1). */
	changeAlive(key: string, by: 1 | -1): void {
		let node = this.root;
		while (node.leaf === false) {
			node.alive += by;
			node = node.children[node.childOf(key)] as Node;
		}
		node.alive += by;
	}

	/** Removes a key that is dead. */
	remove(key: string): void {
		this.changes++;
		this.size--;
		this.removeBelow(this.root, key);
		while (this.root.leaf === false && this.root.children.length === 1) this.root = this.root.children[0] as Node;
		if (this.root.leaf === false && this.root.children.length === 0) this.root = new Leaf([], []);
	}

	/** Living keys below `key`. */
	rank(key: string): number {
		let node = this.root;
		let rank = 0;
		while (node.leaf === false) {
			const child = node.childOf(key);
			for (let i = 0; i < child; i++) rank += (node.children[i] as Node).alive;
			node = node.children[child] as Node;
		}
		const at = lowerBound(node.keys, key);
		for (let i = 0; i < at; i++) if (this.life.isAlive(node.slots[i] as number)) rank++;
		return rank;
	}

	/** Living keys in [from, to); `to` null: to the end. */
	countAlive(from: string, to: string | null): number {
		if (to === null) return this.alive - this.rank(from);
		return to > from ? this.rank(to) - this.rank(from) : 0;
	}

	/** Replaces the content by keys in ascending order. O(n). */
	load(keys: readonly string[], slots: readonly number[]): void {
		this.changes++;
		this.size = keys.length;
		const fill = NODE_MAX - NODE_MAX / 8;
		let nodes: Node[] = [];
		let lows: string[] = [];
		for (let at = 0; at < keys.length; at += fill) {
			const leaf = new Leaf(keys.slice(at, at + fill), slots.slice(at, at + fill));
			leaf.alive = this.countLeaf(leaf);
			nodes.push(leaf);
			lows.push(keys[at] as string);
		}
		while (nodes.length > 1) {
			const parents: Node[] = [];
			const parentLows: string[] = [];
			for (let at = 0; at < nodes.length; at += fill) {
				parents.push(new Inner(nodes.slice(at, at + fill), lows.slice(at, at + fill)));
				parentLows.push(lows[at] as string);
			}
			nodes = parents;
			lows = parentLows;
		}
		this.root = nodes[0] ?? new Leaf([], []);
	}

	/** For cursors: the leaf that holds `key` or would hold it, and the least key of the leaf behind it. */
	seek(key: string): { readonly leaf: Leaf; readonly at: number; readonly nextLow: string | null } {
		let node = this.root;
		let nextLow: string | null = null;
		while (node.leaf === false) {
			const child = node.childOf(key);
			if (child + 1 < node.lows.length) nextLow = node.lows[child + 1] as string;
			node = node.children[child] as Node;
		}
		return { leaf: node, at: lowerBound(node.keys, key), nextLow };
	}

	private insertBelow(node: Node, key: string, slot: number, last: boolean): Split | null {
		node.alive++;
		if (node.leaf) {
			const at = lowerBound(node.keys, key);
			assert(node.keys[at] !== key, "a key is in the tree once");
			insertAt(node.keys, at, key);
			insertAt(node.slots, at, slot);
			return node.keys.length > NODE_MAX ? this.splitLeaf(node, last && at === NODE_MAX) : null;
		}
		const child = node.childOf(key);
		const isLast = last && child === node.children.length - 1;
		const right = this.insertBelow(node.children[child] as Node, key, slot, isLast);
		if (right === null) return null;
		insertAt(node.children, child + 1, right.node);
		insertAt(node.lows, child + 1, right.low);
		return node.children.length > NODE_MAX ? splitInner(node, isLast) : null;
	}

	/** `rising`: keys come in ascending order, so the left leaf stays full instead of half empty. */
	private splitLeaf(leaf: Leaf, rising: boolean): Split {
		const middle = rising ? NODE_MAX : NODE_MAX / 2;
		const right = new Leaf(leaf.keys.splice(middle), leaf.slots.splice(middle));
		right.alive = this.countLeaf(right);
		leaf.alive -= right.alive;
		return { node: right, low: right.keys[0] as string };
	}

	private countLeaf(leaf: Leaf): number {
		let alive = 0;
		for (const slot of leaf.slots) if (this.life.isAlive(slot)) alive++;
		return alive;
	}

	private removeBelow(node: Node, key: string): void {
		if (node.leaf) {
			const at = lowerBound(node.keys, key);
			assert(node.keys[at] === key, "a key that is removed is in the tree");
			node.keys.splice(at, 1);
			node.slots.splice(at, 1);
			return;
		}
		const at = node.childOf(key);
		const child = node.children[at] as Node;
		this.removeBelow(child, key);
		if (sizeOf(child) === 0) dropChild(node, at);
		else if (at + 1 < node.children.length) mergeWithNext(node, at);
		else if (at > 0) mergeWithNext(node, at - 1);
	}
}

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

type Node = Leaf | Inner;

interface Split {
	readonly node: Node;
	readonly low: string;
}

class Leaf {
	readonly leaf = true;
	alive = 0;
	readonly keys: string[];
	readonly slots: number[];

	constructor(keys: string[], slots: number[]) {
		this.keys = keys;
		this.slots = slots;
	}
}

/** `lows[i]`: no key below child i is smaller, none below child i - 1 is as large. `lows[0]` is never looked at. */
class Inner {
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

function splitInner(node: Inner, rising: boolean): Split {
	const middle = rising ? NODE_MAX : NODE_MAX / 2;
	const lows = node.lows.splice(middle);
	const right = new Inner(node.children.splice(middle), lows);
	node.alive -= right.alive;
	return { node: right, low: lows[0] as string };
}

function sizeOf(node: Node): number {
	return node.leaf ? node.keys.length : node.children.length;
}

function dropChild(node: Inner, at: number): void {
	node.children.splice(at, 1);
	node.lows.splice(at, 1);
}

function mergeWithNext(node: Inner, at: number): void {
	const left = node.children[at] as Node;
	const right = node.children[at + 1] as Node;
	if (sizeOf(left) + sizeOf(right) > MERGE_MAX) return;
	if (left.leaf && right.leaf) {
		left.keys.push(...right.keys);
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

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
	let low = 0;
	let high = keys.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if ((keys[middle] as string) < key) low = middle + 1;
		else high = middle;
	}
	return low;
}

/** For some dozens of items a loop is faster than `splice` and `copyWithin`. */
function insertAt<T>(items: T[], at: number, item: T): void {
	items.push(item);
	for (let i = items.length - 1; i > at; i--) items[i] = items[i - 1] as T;
	items[at] = item;
}
