import { assert } from "@flotilla/base";
import { dropChild, Inner, insertAt, Leaf, mergeWithNext, NODE_MAX, type Node, type Split, sizeOf, splitInner } from "./key-nodes.ts";
import { STRIDE } from "./sliced.ts";

/** Of a tree that is loaded, while whole nodes are made. */
const LEAVES_A_STRIDE = Math.ceil(STRIDE / NODE_MAX);

/** What the tree must know of a slot. */
export interface TreeSlots {
	key(slot: number): string;
	isAlive(slot: number): boolean;
}

/**
 * B+ tree from key to slot. Each node counts the living keys below it, so that a range is counted in O(log n) however many
 * keys it holds. Keys whose newest record is a tombstone stay, uncounted, until compaction removes them.
 */
export class KeyTree {
	private root: Node = new Leaf([]);
	private readonly slots: TreeSlots;
	/** Rises whenever a position in a leaf may have moved. */
	changes = 0;
	size = 0;

	constructor(slots: TreeSlots) {
		this.slots = slots;
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

	/** So many keys of the leaf that holds `key` came to life (above 0) or died (below). */
	changeAlive(key: string, by: number): void {
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
		if (this.root.leaf === false && this.root.children.length === 0) this.root = new Leaf([]);
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
		const at = this.placeIn(node, key);
		for (let i = 0; i < at; i++) if (this.slots.isAlive(node.slots[i] as number)) rank++;
		return rank;
	}

	/** Living keys in [from, to); `to` null: to the end. */
	countAlive(from: string, to: string | null): number {
		if (to === null) return this.alive - this.rank(from);
		return to > from ? this.rank(to) - this.rank(from) : 0;
	}

	/** Replaces the content by the keys of these slots, which are in ascending order. Yields every STRIDE keys. */
	*load(slots: Int32Array): Generator<void, void> {
		const fill = NODE_MAX - NODE_MAX / 8;
		let nodes: Node[] = [];
		let lows: string[] = [];
		for (let at = 0; at < slots.length; at += fill) {
			const leaf = new Leaf(Array.from(slots.subarray(at, at + fill)));
			leaf.alive = this.countLeaf(leaf);
			nodes.push(leaf);
			lows.push(this.slots.key(slots[at] as number));
			if ((at / fill) % LEAVES_A_STRIDE === 0) yield;
		}
		while (nodes.length > 1) {
			const parents: Node[] = [];
			const parentLows: string[] = [];
			for (let at = 0; at < nodes.length; at += fill) {
				parents.push(new Inner(nodes.slice(at, at + fill), lows.slice(at, at + fill)));
				parentLows.push(lows[at] as string);
				if ((at / fill) % LEAVES_A_STRIDE === 0) yield;
			}
			nodes = parents;
			lows = parentLows;
		}
		this.changes++;
		this.size = slots.length;
		this.root = nodes[0] ?? new Leaf([]);
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
		return { leaf: node, at: this.placeIn(node, key), nextLow };
	}

	/** Where the keys of a leaf that are not below `key` begin. */
	placeIn({ slots }: Leaf, key: string): number {
		let low = 0;
		let high = slots.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if (this.slots.key(slots[middle] as number) < key) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	keyOf(slot: number): string {
		return this.slots.key(slot);
	}

	private insertBelow(node: Node, key: string, slot: number, last: boolean): Split | null {
		node.alive++;
		if (node.leaf) {
			const at = this.placeIn(node, key);
			assert(at === node.slots.length || this.slots.key(node.slots[at] as number) !== key, "a key is in the tree once");
			insertAt(node.slots, at, slot);
			return node.slots.length > NODE_MAX ? this.splitLeaf(node, last && at === NODE_MAX) : null;
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
		const right = new Leaf(leaf.slots.splice(middle));
		right.alive = this.countLeaf(right);
		leaf.alive -= right.alive;
		return { node: right, low: this.slots.key(right.slots[0] as number) };
	}

	private countLeaf(leaf: Leaf): number {
		let alive = 0;
		for (const slot of leaf.slots) if (this.slots.isAlive(slot)) alive++;
		return alive;
	}

	private removeBelow(node: Node, key: string): void {
		if (node.leaf) {
			const at = this.placeIn(node, key);
			assert(at < node.slots.length && this.slots.key(node.slots[at] as number) === key, "a key that is removed is in the tree");
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
