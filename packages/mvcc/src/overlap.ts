/** Transactions that would change a key twice in one revision (etcd API 2.6, step 4). */
import type { ByteOps } from "@flotilla/base";
import type { RequestOp, TxnRequest } from "./request.ts";

/** Checks the two lists of the outermost transaction, each for itself: a key may be put in both. */
export function findOverlap(request: TxnRequest, ops: ByteOps): "duplicateKey" | null {
	return touched(request.success, ops) === null || touched(request.failure, ops) === null ? "duplicateKey" : null;
}

/** Keys put and intervals deleted by one list and what is nested in it. */
interface Touched {
	readonly puts: Set<string>;
	readonly deletes: IntervalSet;
}

/**
 * Null when the list changes a key twice. Nested transactions come first, in order, so that of two siblings the later one
 * may delete what the earlier one puts, but not the other way round. Deletes never clash with deletes.
 */
function touched(list: readonly RequestOp[], ops: ByteOps): Touched | null {
	const puts = new Set<string>();
	const deletes = new IntervalSet();
	for (const op of list) if (op.kind === "deleteRange") deletes.add(...deletedInterval(op.deleteRange.key, op.deleteRange.rangeEnd, ops));
	for (const op of list) {
		if (op.kind === "txn" && !addNested(op.txn, puts, deletes, ops)) return null;
	}
	for (const op of list) {
		if (op.kind !== "put") continue;
		const key = ops.latin1(op.put.key);
		if (puts.has(key) || deletes.holds(key)) return null;
		puts.add(key);
	}
	return { puts, deletes };
}

function addNested(txn: TxnRequest, puts: Set<string>, deletes: IntervalSet, ops: ByteOps): boolean {
	const success = touched(txn.success, ops);
	const failure = touched(txn.failure, ops);
	if (success === null || failure === null) return false;
	for (const key of success.puts) {
		if (puts.has(key) || deletes.holds(key)) return false;
		puts.add(key);
	}
	for (const key of failure.puts) {
		// One of the two branches runs: the same key in both is one change.
		if ((puts.has(key) && !success.puts.has(key)) || deletes.holds(key)) return false;
		puts.add(key);
	}
	deletes.addAll(success.deletes);
	deletes.addAll(failure.deletes);
	return true;
}

/**
 * An upper bound of one zero byte is taken as it stands, so that it covers nothing: etcd does not recognise "from the key
 * on" in this check, and clients may rely on what it lets pass.
 */
function deletedInterval(key: Uint8Array, rangeEnd: Uint8Array, ops: ByteOps): [from: string, to: string] {
	const from = ops.latin1(key);
	return [from, rangeEnd.length === 0 ? `${from}\0` : ops.latin1(rangeEnd)];
}

/** Intervals [from, to), asked far more often than changed: sorted and joined when a question comes. */
class IntervalSet {
	private intervals: Array<readonly [from: string, to: string]> = [];
	private joined = true;

	add(from: string, to: string): void {
		if (to <= from) return;
		this.intervals.push([from, to]);
		this.joined = false;
	}

	addAll(other: IntervalSet): void {
		for (const [from, to] of other.intervals) this.add(from, to);
	}

	holds(key: string): boolean {
		this.join();
		let low = 0;
		let high = this.intervals.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.intervals[middle] as readonly [string, string])[0] <= key) low = middle + 1;
			else high = middle;
		}
		return low > 0 && key < (this.intervals[low - 1] as readonly [string, string])[1];
	}

	private join(): void {
		if (this.joined) return;
		this.joined = true;
		this.intervals.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
		const joined: Array<readonly [string, string]> = [];
		for (const [from, to] of this.intervals) {
			const last = joined[joined.length - 1];
			if (last === undefined || from > last[1]) joined.push([from, to]);
			else if (to > last[1]) joined[joined.length - 1] = [last[0], to];
		}
		this.intervals = joined;
	}
}
