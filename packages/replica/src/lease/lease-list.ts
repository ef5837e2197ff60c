/** All leases of a table, in slices: a hundred thousand of them do not hold the loop. */
import { type Lease, type LeaseId, LeaseTable, SlicedSort, STRIDE } from "@flotilla/mvcc";

/**
 * `deadlineOf`: those that end first come first; null: in no order. Leases that come or go meanwhile may be among them or not.
 * Yields every STRIDE leases.
 */
export function* listLeases(table: LeaseTable, deadlineOf: ((lease: Lease) => number) | null): Generator<void, readonly LeaseId[]> {
	const ids: LeaseId[] = [];
	const deadlines: number[] = [];
	let yieldAt = STRIDE;
	for (let bucket = 0; bucket < LeaseTable.bucketCount; bucket++) {
		for (const lease of table.bucketLeases(bucket)) {
			ids.push(lease.id);
			if (deadlineOf !== null) deadlines.push(deadlineOf(lease));
		}
		if (ids.length < yieldAt) continue;
		yieldAt = ids.length + STRIDE;
		yield;
	}
	if (deadlineOf === null) return ids;
	// What is sorted are places in the two lists.
	const sort = new SlicedSort(Array.from(ids.keys()), (a, b) => (deadlines[a] as number) - (deadlines[b] as number));
	while (!sort.step(STRIDE)) yield;
	const ordered: LeaseId[] = [];
	for (const place of sort.result()) {
		ordered.push(ids[place] as LeaseId);
		if (ordered.length % STRIDE === 0) yield;
	}
	return ordered;
}
