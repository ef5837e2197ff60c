import { KeyCursor } from "./key-cursor.ts";
import { keySpan } from "./key-span.ts";
import { NOT_FOUND } from "./key-table.ts";
import { valueOfKeyValue } from "./key-value.ts";
import type { RangeParts } from "./range-work.ts";
import { type Compare, CompareResult, CompareTarget } from "./request.ts";

/** All compares of a list hold in the present state; an empty list holds (etcd API 2.7). */
export function holds(parts: RangeParts, compares: readonly Compare[]): boolean {
	for (const compare of compares) if (!holdsOne(parts, compare)) return false;
	return true;
}

function holdsOne(parts: RangeParts, compare: Compare): boolean {
	const { index } = parts;
	const span = keySpan(compare.key, compare.rangeEnd, parts.ops);
	if (span.single) return holdsFor(parts, compare, index.findAlive(span.from));
	const cursor = new KeyCursor(index.tree, span.from, span.to);
	let any = false;
	for (let slot = cursor.next(); slot !== NOT_FOUND; slot = cursor.next()) {
		if (!index.slots.isAlive(slot)) continue;
		any = true;
		if (!holdsFor(parts, compare, slot)) return false;
	}
	// An empty range is like one key that is not there.
	return any || holdsFor(parts, compare, NOT_FOUND);
}

function holdsFor(parts: RangeParts, compare: Compare, slot: number): boolean {
	// The value of a key that is not there compares with nothing: false for every operator, "not equal" included.
	if (slot === NOT_FOUND && compare.target === CompareTarget.value) return false;
	const order = orderOf(parts, compare, slot);
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
function orderOf(parts: RangeParts, compare: Compare, slot: number): number {
	const { index, values, ops } = parts;
	const { slots } = index;
	const absent = slot === NOT_FOUND;
	switch (compare.target) {
		case CompareTarget.version:
			return (absent ? 0 : slots.version(slot)) - compare.number;
		case CompareTarget.create:
			return (absent ? 0 : slots.createRevision(slot)) - compare.number;
		case CompareTarget.mod:
			return (absent ? 0 : index.main(slot, slots.head(slot))) - compare.number;
		case CompareTarget.value:
			return ops.compare(valueOfKeyValue(values.read(slot, slots.head(slot), true)), compare.value);
		case CompareTarget.lease: {
			const lease = absent ? 0n : slots.lease(slot);
			return lease < compare.lease ? -1 : lease > compare.lease ? 1 : 0;
		}
		default:
			return 0;
	}
}
