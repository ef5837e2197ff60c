import { assert, type ByteOps } from "@flotilla/base";
import { Finds } from "./finds.ts";
import { HeldBytes, SLICE_BYTES } from "./held-bytes.ts";
import { KeyCursor } from "./key-cursor.ts";
import { type KeyIndex, NO_RECORD } from "./key-index.ts";
import type { KeySpan } from "./key-span.ts";
import { NOT_FOUND } from "./key-table.ts";
import { decodeKeyValue, withoutValue } from "./key-value.ts";
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

/** Of a sorted range with a limit up to this, only what may come first is kept while it is read. */
const KEPT_MAX = 1_024;
/** Items of a sort that are placed for one of the budget: a comparison is cheaper than a key's place or pair. */
const COMPARISONS = 8;

type Phase = "collect" | "sort" | "fetch" | "done";

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
	private readonly finds: Finds;
	/** More finds than so many are cut to those that come first. */
	private readonly findsMax: number;
	private sorting: SlicedSort | null = null;
	private more = false;
	private readonly kvs: Uint8Array[] = [];
	private toldBytes = 0;
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
		this.finds = new Finds(parts.index);
		this.findsMax = request.limit > 0 && request.limit <= KEPT_MAX ? 2 * (request.limit + KEPT_MAX) : Number.POSITIVE_INFINITY;
		this.countKnown = view.count !== null;
		this.count = view.count ?? 0;
	}

	get heldBytes(): number {
		return this.held.bytes;
	}

	get answerBytes(): number {
		return this.toldBytes;
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
				return this.collect(budget, bytesEnd);
			case "sort":
				return this.sort(budget);
			case "fetch":
			case "done":
				return this.fetch(budget, bytesEnd);
		}
	}

	private collect(budget: number, bytesEnd: number): number {
		const { index } = this.parts;
		const { end } = this.view;
		for (let visited = 0; visited < budget; visited++) {
			const enough = this.finds.count >= this.wanted;
			const slot = enough && this.countKnown ? NOT_FOUND : this.cursor.next();
			if (slot === NOT_FOUND) {
				this.enter("sort");
				return visited + 1;
			}
			const ordinal = index.aliveBefore(slot, end);
			if (ordinal === NO_RECORD) continue;
			if (!this.countKnown) this.count++;
			if (enough || !this.passesMod(slot, ordinal)) continue;
			this.find(slot, ordinal);
			if (this.held.bytes >= bytesEnd) return visited + 1;
		}
		return budget;
	}

	private passesMod(slot: number, ordinal: number): boolean {
		const { minModRevision, maxModRevision } = this.request;
		if (minModRevision === 0 && maxModRevision === 0) return true;
		const main = this.parts.index.main(slot, ordinal);
		return (maxModRevision === 0 || main <= maxModRevision) && (minModRevision === 0 || main >= minModRevision);
	}

	private find(slot: number, ordinal: number): void {
		const { finds, held } = this;
		const before = finds.bytes;
		if (this.decodes) this.read(slot, ordinal);
		else finds.add(slot, ordinal);
		if (finds.count > this.findsMax) this.letGo();
		held.bytes += finds.bytes - before;
	}

	/** Where filters or order need the pair. */
	private read(slot: number, ordinal: number): void {
		const { maxCreateRevision, minCreateRevision, sortTarget } = this.request;
		const pair = this.parts.values.read(slot, ordinal, this.view.span.single);
		const { createRevision: create, version, value } = decodeKeyValue(pair);
		if ((maxCreateRevision !== 0 && create > maxCreateRevision) || (minCreateRevision !== 0 && create < minCreateRevision)) return;
		const sortKey = sortTarget === SortTarget.value ? value : sortTarget === SortTarget.version ? version : create;
		this.finds.addRead(slot, ordinal, pair, sortKey);
	}

	/** Those that cannot be among the first of the answer are not needed any more. */
	private letGo(): void {
		const { sortOrder, sortTarget, limit } = this.request;
		const { finds } = this;
		// In key order they stand already; downwards the last ones come first.
		if (sortTarget !== SortTarget.key) finds.keep(finds.order.sort(this.inOrder()).slice(0, limit));
		else finds.keep(sortOrder === SortOrder.descend ? finds.order.slice(-limit) : finds.order.slice(0, limit));
		this.more = true;
	}

	private sort(budget: number): number {
		const { finds } = this;
		this.sorting ??= this.startSort();
		if (this.sorting !== null) {
			if (!this.sorting.step(COMPARISONS * budget)) return budget;
			finds.order = this.sorting.result();
		}
		const { limit } = this.request;
		if (limit > 0 && finds.order.length > limit) {
			finds.order.length = limit;
			this.more = true;
		}
		this.enter("fetch");
		return 1;
	}

	/** Null when key order, up or down, is all that is asked for. */
	private startSort(): SlicedSort | null {
		const { sortTarget, sortOrder } = this.request;
		const { finds } = this;
		if (sortTarget === SortTarget.key) {
			if (sortOrder === SortOrder.descend) finds.order.reverse();
			return null;
		}
		return new SlicedSort(finds.order, this.inOrder());
	}

	/** Equal values stay in key order, whichever way they are sorted (etcd leaves this open). */
	private inOrder(): (a: number, b: number) => number {
		const { sortTarget, sortOrder } = this.request;
		const compare = this.finds.comparison(sortTarget, this.parts.ops);
		return sortOrder === SortOrder.descend ? (a, b) => compare(b, a) : compare;
	}

	private fetch(budget: number, bytesEnd: number): number {
		const { keysOnly } = this.request;
		const { finds } = this;
		const end = Math.min(finds.order.length, this.next + budget);
		const from = this.next;
		for (; this.next < end && this.held.bytes < bytesEnd; this.next++) {
			const found = finds.order[this.next] as number;
			const known = finds.pair(found);
			const pair = known ?? this.parts.values.read(finds.slot(found), finds.ordinal(found), this.view.span.single);
			const told = keysOnly ? withoutValue(pair) : pair;
			if (known === null) this.held.bytes += told.length;
			this.toldBytes += told.length;
			this.kvs.push(told);
		}
		if (this.next === finds.order.length) {
			this.phase = "done";
			this.release();
		}
		return this.next - from + 1;
	}

	private enter(phase: Phase): void {
		this.phase = phase;
		this.next = 0;
	}
}
