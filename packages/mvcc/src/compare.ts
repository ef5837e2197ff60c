import { KeyCursor } from "./key-cursor.ts";
import { NO_RECORD } from "./key-index.ts";
import { type KeySpan, keySpan } from "./key-span.ts";
import { NOT_FOUND } from "./key-table.ts";
import { decodeKeyValue, valueOfKeyValue } from "./key-value.ts";
import type { RangeParts } from "./range-work.ts";
import { type Compare, CompareResult, CompareTarget, type LeaseId, type Revision } from "./request.ts";

/** The state that compares see: that after revision `at`, which is not compacted. */
export interface CompareView {
	readonly at: Revision;
	/** Keys between two yields, */
	readonly stride: number;
	/** and those that ranges came by, all compares of a transaction together. */
	visited: number;
}

/** All compares of a list hold; an empty list holds (etcd API 2.7). Yields within long ranges. */
export function* holds(parts: RangeParts, compares: readonly Compare[], view: CompareView): Generator<void, boolean> {
	for (const compare of compares) {
		const span = keySpan(compare.key, compare.rangeEnd, parts.ops);
		const one = span.single ? holdsForKey(parts, compare, span.from, view.at) : yield* holdsForAll(parts, compare, span, view);
		if (!one) return false;
	}
	return true;
}

function holdsForKey(parts: RangeParts, compare: Compare, key: string, at: Revision): boolean {
	const slot = parts.index.find(key);
	return holdsFor(parts, compare, slot, slot === NOT_FOUND ? NO_RECORD : parts.index.aliveAt(slot, at));
}

function* holdsForAll(parts: RangeParts, compare: Compare, span: KeySpan, view: CompareView): Generator<void, boolean> {
	const { index } = parts;
	const cursor = new KeyCursor(index.tree, span.from, span.to);
	let any = false;
	for (let slot = cursor.next(); slot !== NOT_FOUND; slot = cursor.next()) {
		const ordinal = index.aliveAt(slot, view.at);
		if (ordinal !== NO_RECORD) {
			any = true;
			if (!holdsFor(parts, compare, slot, ordinal)) return false;
		}
		if (++view.visited % view.stride !== 0) continue;
		cursor.pause();
		yield;
	}
	// An empty range is like one key that is not there.
	return any || holdsFor(parts, compare, NOT_FOUND, NO_RECORD);
}

/** `ordinal`: of the record that shows the key alive, or NO_RECORD. */
function holdsFor(parts: RangeParts, compare: Compare, slot: number, ordinal: number): boolean {
	// The value of a key that is not there compares with nothing: false for every operator, "not equal" included.
	if (ordinal === NO_RECORD && compare.target === CompareTarget.value) return false;
	const order = orderOf(parts, compare, slot, ordinal);
	switch (compare.result) {
		case CompareResult.equal:
			return order === 0;
		case CompareResult.greater:
			return order > 0;
		case CompareResult.less:
			return order < 0;
		case CompareResult.notEqual:
			return order !== 0;
		default:
			return true;
	}
}

/** How the key stands to the operand: negative, zero or positive. Unknown targets are equal. */
function orderOf(parts: RangeParts, compare: Compare, slot: number, ordinal: number): number {
	const { target } = compare;
	switch (target) {
		case CompareTarget.version:
		case CompareTarget.create:
		case CompareTarget.mod:
			return numberOf(parts, target, slot, ordinal) - compare.number;
		case CompareTarget.value:
			return parts.ops.compare(valueOfKeyValue(parts.values.read(slot, ordinal, true)), compare.value);
		case CompareTarget.lease: {
			const lease = leaseOf(parts, slot, ordinal);
			return lease < compare.lease ? -1 : lease > compare.lease ? 1 : 0;
		}
		default:
			return 0;
	}
}

/** The index knows it of the newest record; of an older one the pair tells. */
function numberOf({ index, values }: RangeParts, target: number, slot: number, ordinal: number): number {
	if (ordinal === NO_RECORD) return 0;
	if (target === CompareTarget.mod) return index.main(slot, ordinal);
	const { slots } = index;
	const ofVersion = target === CompareTarget.version;
	if (ordinal === slots.head(slot)) return ofVersion ? slots.version(slot) : slots.createRevision(slot);
	const { createRevision, version } = decodeKeyValue(values.read(slot, ordinal, false));
	return ofVersion ? version : createRevision;
}

function leaseOf({ index, values }: RangeParts, slot: number, ordinal: number): LeaseId {
	if (ordinal === NO_RECORD) return 0n;
	const { slots } = index;
	return ordinal === slots.head(slot) ? slots.lease(slot) : decodeKeyValue(values.read(slot, ordinal, false)).lease;
}
