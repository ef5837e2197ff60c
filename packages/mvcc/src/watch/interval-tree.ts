/**
 * Which of many ranges hold a key. A balanced tree (AVL) over the ranges' beginnings; each node knows the highest end below it,
 * so that a look passes over whole parts of it: O(log n) and a step or so for each range found.
 *
 *            [c, f) max k             "d": the left part ends at b, so it is passed over;
 *           /            \             [c, f) holds it; the right part begins above it.
 *   [a, b) max b      [e, k) max k
 */
export class IntervalTree<T> {
	size = 0;
	private root: Node<T> | null = null;

	/** `to` is excluded; null: no upper end. */
	get(from: string, to: string | null): T | undefined {
		let node = this.root;
		while (node !== null) {
			const order = compareSpans(from, to, node);
			if (order === 0) return node.value;
			node = order < 0 ? node.left : node.right;
		}
		return undefined;
	}

	set(from: string, to: string | null, value: T): void {
		this.root = this.insert(this.root, from, to, value);
	}

	delete(from: string, to: string | null): void {
		this.root = this.remove(this.root, from, to);
	}

	/** Visits the values of the ranges that hold `key`, in the order of their beginnings. */
	stab(key: string, visit: (value: T) => void): void {
		stabBelow(this.root, key, visit);
	}

	/** In the order of the beginnings. */
	forEach(visit: (value: T) => void): void {
		visitBelow(this.root, visit);
	}

	private insert(node: Node<T> | null, from: string, to: string | null, value: T): Node<T> {
		if (node === null) {
			this.size++;
			return new Node(from, to, value);
		}
		const order = compareSpans(from, to, node);
		if (order === 0) {
			node.value = value;
			return node;
		}
		if (order < 0) node.left = this.insert(node.left, from, to, value);
		else node.right = this.insert(node.right, from, to, value);
		return balance(node);
	}

	private remove(node: Node<T> | null, from: string, to: string | null): Node<T> | null {
		if (node === null) return null;
		const order = compareSpans(from, to, node);
		if (order < 0) node.left = this.remove(node.left, from, to);
		else if (order > 0) node.right = this.remove(node.right, from, to);
		else {
			this.size--;
			if (node.left === null) return node.right;
			if (node.right === null) return node.left;
			const successor = leftmost(node.right);
			successor.right = withoutLeftmost(node.right);
			successor.left = node.left;
			return balance(successor);
		}
		return balance(node);
	}
}

class Node<T> {
	readonly from: string;
	readonly to: string | null;
	value: T;
	left: Node<T> | null = null;
	right: Node<T> | null = null;
	height = 1;
	/** Highest end in this part of the tree; null: one has no end. */
	maxTo: string | null;

	constructor(from: string, to: string | null, value: T) {
		this.from = from;
		this.to = to;
		this.value = value;
		this.maxTo = to;
	}
}

function stabBelow<T>(node: Node<T> | null, key: string, visit: (value: T) => void): void {
	if (node === null || !endsAbove(node.maxTo, key)) return;
	stabBelow(node.left, key, visit);
	if (node.from > key) return;
	if (endsAbove(node.to, key)) visit(node.value);
	stabBelow(node.right, key, visit);
}

function visitBelow<T>(node: Node<T> | null, visit: (value: T) => void): void {
	if (node === null) return;
	visitBelow(node.left, visit);
	visit(node.value);
	visitBelow(node.right, visit);
}

function endsAbove(to: string | null, key: string): boolean {
	return to === null || to > key;
}

function compareSpans<T>(from: string, to: string | null, node: Node<T>): number {
	if (from !== node.from) return from < node.from ? -1 : 1;
	if (to === node.to) return 0;
	if (to === null || node.to === null) return to === null ? 1 : -1;
	return to < node.to ? -1 : 1;
}

function leftmost<T>(node: Node<T>): Node<T> {
	let found = node;
	while (found.left !== null) found = found.left;
	return found;
}

function withoutLeftmost<T>(node: Node<T>): Node<T> | null {
	if (node.left === null) return node.right;
	node.left = withoutLeftmost(node.left);
	return balance(node);
}

/** Restores height, highest end and balance of a node whose parts are in order. */
function balance<T>(node: Node<T>): Node<T> {
	const lean = heightOf(node.left) - heightOf(node.right);
	if (lean > 1) {
		const left = node.left as Node<T>;
		if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left);
		return rotateRight(node);
	}
	if (lean < -1) {
		const right = node.right as Node<T>;
		if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right);
		return rotateLeft(node);
	}
	refresh(node);
	return node;
}

function rotateLeft<T>(node: Node<T>): Node<T> {
	const top = node.right as Node<T>;
	node.right = top.left;
	top.left = node;
	refresh(node);
	refresh(top);
	return top;
}

function rotateRight<T>(node: Node<T>): Node<T> {
	const top = node.left as Node<T>;
	node.left = top.right;
	top.right = node;
	refresh(node);
	refresh(top);
	return top;
}

function refresh<T>(node: Node<T>): void {
	const { left, right } = node;
	node.height = 1 + Math.max(heightOf(left), heightOf(right));
	let maxTo = node.to;
	if (left !== null) maxTo = higherEnd(maxTo, left.maxTo);
	if (right !== null) maxTo = higherEnd(maxTo, right.maxTo);
	node.maxTo = maxTo;
}

function heightOf<T>(node: Node<T> | null): number {
	return node === null ? 0 : node.height;
}

function higherEnd(a: string | null, b: string | null): string | null {
	return a === null || b === null ? null : a > b ? a : b;
}
