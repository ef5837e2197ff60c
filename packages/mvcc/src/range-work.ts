import { assert, type ByteOps } from "@flotilla/base";
import { HeldBytes, SLICE_BYTES } from "./held-bytes.ts";
import { KeyCursor } from "./key-cursor.ts";
import { type KeyIndex, NO_RECORD } from "./key-index.ts";
import type { KeySpan } from "./key-span.ts";
import { NOT_FOUND } from "./key-table.ts";
import { decodeKeyValue, type KeyValue, withoutValue } from "./key-value.ts";
import { type RangeRequest, type Revision, SortOrder, SortTarget } from "./request.ts";
import type { RangeResult } from "./result.ts";
import { SlicedSort } from "./sliced-sort.ts";
import type { SlicedRead } from "./store-interface.ts";
import type { ValueStore } from "./value-store.ts";

/** What a read of the key space works on. */
export interface RangeParts {
	readonly index: KeyIndex;
	readonly values: ValueStore;
	readonly ops: ByteOps;
}

/** Where and when a read reads. */
export interface RangeView {
	readonly span: KeySpan;
	/** Ordinal from which on no record is shown: the end of a state that is not compacted, and is not cleaned up meanwhile. */
	readonly end: number;
	/** Living keys of the span, where that is known; null: they are counted. */
	readonly count: number | null;
	/** Revision that the result names. */
	readonly headerRevision: Revision;
}

type Phase = "collect" | "decode" | "sort" | "fetch" | "done";

/**
 * A range in slices. The order of the steps is etcd's (API 2.2): keys in key order, filters, sort, limit; values are read
 * only of keys that need them. What it has found stays valid while compaction is held below the revision it reads.
 */
export class RangeWork implements SlicedRead<RangeResult> {
	private phase: Phase = "collect";
	private readonly parts: RangeParts;
	private readonly request: RangeRequest;
	private readonly view: RangeView;
	private readonly release: () => void;
	private readonly held: HeldBytes;
	private readonly cursor: KeyCursor;
	private readonly filtered: boolean;
	private readonly decodes: boolean;
	/** Keys to collect at most. */
	private readonly wanted: number;
	private readonly countKnown: boolean;
	private count: number;
	/** Of the budget of the last step. */
	private used = 0;
	/** What was found, by number: record (slot and ordinal) and, once read, its pair. */
	private readonly slots: number[] = [];
	private readonly ordinals: number[] = [];
	private readonly pairs: (Uint8Array | null)[] = [];
	private readonly decoded: (KeyValue | null)[] = [];
	/** Numbers of what was found, in the order of the result. */
	private order: number[] = [];
	private sorting: SlicedSort | null = null;
	private more = false;
	private readonly kvs: Uint8Array[] = [];
	private next = 0;

	/** `release` is called once, at the end or when the work is given up. `held`: of the whole read that this is part of. */
	constructor(parts: RangeParts, request: RangeRequest, view: RangeView, release: () => void, held = new HeldBytes()) {
		this.parts = parts;
		this.request = request;
		this.view = view;
		this.release = release;
		this.held = held;
		const { single, from, to } = view.span;
		this.cursor = new KeyCursor(parts.index.tree, from, single ? `${from}\0` : to);
		const byCreate = request.minCreateRevision !== 0 || request.maxCreateRevision !== 0;
		this.filtered = byCreate || request.minModRevision !== 0 || request.maxModRevision !== 0;
		const { sortTarget } = request;
		this.decodes = byCreate || sortTarget === SortTarget.version || sortTarget === SortTarget.create || sortTarget === SortTarget.value;
		const cutsInKeyOrder = request.limit > 0 && request.sortOrder === SortOrder.none && !this.filtered;
		this.wanted = request.countOnly ? 0 : cutsInKeyOrder ? request.limit + 1 : Number.POSITIVE_INFINITY;
		this.countKnown = view.count !== null;
		this.count = view.count ?? 0;
	}

	get heldBytes(): number {
		return this.held.bytes;
	}

	step(budget: number): boolean {
		const bytesEnd = budget === Number.POSITIVE_INFINITY ? budget : this.held.bytes + SLICE_BYTES;
		let left = budget;
		while (left > 0 && this.phase !== "done" && this.held.bytes < bytesEnd) left -= this.advance(left, bytesEnd);
		if (this.phase !== "done") this.cursor.pause();
		this.used = budget - left;
		return this.phase === "done";
	}

	/** What the last step has done of its budget. */
	get lastUsed(): number {
		return this.used;
	}

	result(): RangeResult {
		assert(this.phase === "done", "a range is asked for its result at its end");
		return { ok: true, revision: this.view.headerRevision, kvs: this.kvs, more: this.more, count: this.count };
	}

	abandon(): void {
		if (this.phase === "done") return;
		this.phase = "done";
		this.release();
	}

	private advance(budget: number, bytesEnd: number): number {
		switch (this.phase) {
			case "collect":
				return this.collect(budget);
			case "decode":
				return this.decode(budget, bytesEnd);
			case "sort":
				return this.sort(budget);
			case "fetch":
			case "done":
				return this.fetch(budget, bytesEnd);
		}
	}

	private collect(budget: number): number {
		const { index } = this.parts;
		const { end } = this.view;
		for (let visited = 0; visited < budget; visited++) {
			const enough = this.slots.length >= this.wanted;
			const slot = enough && this.countKnown ? NOT_FOUND : this.cursor.next();
			if (slot === NOT_FOUND) {
				this.enter(this.decodes ? "decode" : "sort");
				return visited + 1;
			}
			const ordinal = index.aliveBefore(slot, end);
			if (ordinal === NO_RECORD) continue;
			if (!this.countKnown) this.count++;
			if (enough || !this.passesMod(slot, ordinal)) continue;
			// Where filters or order need the pairs, the order is made of what passes when they are read.
			if (!this.decodes) this.order.push(this.slots.length);
			this.slots.push(slot);
			this.ordinals.push(ordinal);
		}
		return budget;
	}

	private passesMod(slot: number, ordinal: number): boolean {
		const { minModRevision, maxModRevision } = this.request;
		if (minModRevision === 0 && maxModRevision === 0) return true;
		const main = this.parts.index.main(slot, ordinal);
		return (maxModRevision === 0 || main <= maxModRevision) && (minModRevision === 0 || main >= minModRevision);
	}

	private decode(budget: number, bytesEnd: number): number {
		const { maxCreateRevision, minCreateRevision } = this.request;
		const end = Math.min(this.slots.length, this.next + budget);
		const from = this.next;
		for (; this.next < end && this.held.bytes < bytesEnd; this.next++) {
			const pair = this.readPair(this.next);
			this.held.bytes += pair.length;
			const decoded = decodeKeyValue(pair);
			const create = decoded.createRevision;
			this.pairs.push(pair);
			this.decoded.push(decoded);
			if ((maxCreateRevision === 0 || create <= maxCreateRevision) && (minCreateRevision === 0 || create >= minCreateRevision)) {
				this.order.push(this.next);
			}
		}
		if (this.next === this.slots.length) this.enter("sort");
		return this.next - from + 1;
	}

	private sort(budget: number): number {
		this.sorting ??= this.startSort();
		if (this.sorting !== null) {
			if (!this.sorting.step(budget)) return budget;
			this.order = this.sorting.result();
		}
		const { limit } = this.request;
		if (limit > 0 && this.order.length > limit) {
			this.order.length = limit;
			this.more = true;
		}
		this.enter("fetch");
		return 1;
	}

	/** Null when key order, up or down, is all that is asked for. */
	private startSort(): SlicedSort | null {
		const { sortTarget, sortOrder } = this.request;
		if (sortTarget === SortTarget.key) {
			if (sortOrder === SortOrder.descend) this.order.reverse();
			return null;
		}
		// Equal values stay in key order, whichever way they are sorted (etcd leaves this open).
		const compare = this.comparison(sortTarget);
		return new SlicedSort(this.order, sortOrder === SortOrder.descend ? (a, b) => compare(b, a) : compare);
	}

	private comparison(sortTarget: number): (a: number, b: number) => number {
		const { decoded } = this;
		const { index, ops } = this.parts;
		const pair = (i: number): KeyValue => decoded[i] as KeyValue;
		switch (sortTarget) {
			case SortTarget.version:
				return (a, b) => pair(a).version - pair(b).version;
			case SortTarget.create:
				return (a, b) => pair(a).createRevision - pair(b).createRevision;
			case SortTarget.value:
				return (a, b) => ops.compare(pair(a).value, pair(b).value);
			default:
				return (a, b) => this.mainOf(index, a) - this.mainOf(index, b);
		}
	}

	private mainOf(index: KeyIndex, i: number): number {
		return index.main(this.slots[i] as number, this.ordinals[i] as number);
	}

	private fetch(budget: number, bytesEnd: number): number {
		const { keysOnly } = this.request;
		const end = Math.min(this.order.length, this.next + budget);
		const from = this.next;
		for (; this.next < end && this.held.bytes < bytesEnd; this.next++) {
			const found = this.order[this.next] as number;
			const known = this.pairs[found];
			const pair = known ?? this.readPair(found);
			const told = keysOnly ? withoutValue(pair) : pair;
			if (known === undefined) this.held.bytes += told.length;
			this.kvs.push(told);
		}
		if (this.next === this.order.length) {
			this.phase = "done";
			this.release();
		}
		return this.next - from + 1;
	}

	private readPair(found: number): Uint8Array {
		return this.parts.values.read(this.slots[found] as number, this.ordinals[found] as number, this.view.span.single);
	}

	private enter(phase: Phase): void {
		this.phase = phase;
		this.next = 0;
	}
}
