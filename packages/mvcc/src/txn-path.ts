/** Which way a transaction goes, and whether it may (etcd API 2.7, 2.8): all of it is known before the first change, so none is half done. */
import { type CompareView, holds } from "./compare.ts";
import { keySpan, spanHolds } from "./key-span.ts";
import { NOT_FOUND } from "./key-table.ts";
import type { LeaseAttachments } from "./lease/lease-table.ts";
import type { RangeParts } from "./range-work.ts";
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, Revision, TxnRequest } from "./request.ts";
import type { RefusalCode } from "./result.ts";

const NO_DELETES: readonly DeleteRangeRequest[] = [];

/** A transaction whose compares are decided. Nested ones lie in the order of the operations that hold them. */
export interface TxnPath {
	readonly succeeded: boolean;
	readonly ops: readonly RequestOp[];
	readonly nested: readonly TxnPath[];
}

/** All compares see the state before the transaction, nested ones too. Yields within long ranges. */
export function* choosePath(parts: RangeParts, request: TxnRequest, view: CompareView): Generator<void, TxnPath> {
	const succeeded = yield* holds(parts, request.compare, view);
	const ops = succeeded ? request.success : request.failure;
	const nested: TxnPath[] = [];
	for (const op of ops) if (op.kind === "txn") nested.push(yield* choosePath(parts, op.txn, view));
	return { succeeded, ops, nested };
}

export interface CheckState {
	readonly parts: RangeParts;
	readonly leases: LeaseAttachments;
	readonly revision: Revision;
	readonly compactRevision: Revision;
}

/** First all puts, then all ranges: where several of them cannot be, the same one is told as by etcd. */
export function checkPath(state: CheckState, path: TxnPath): RefusalCode | null {
	return checkPuts(state, path, []) ?? checkRanges(state, path);
}

/** `deleted`: what earlier operations of the transaction delete. */
function checkPuts(state: CheckState, path: TxnPath, deleted: DeleteRangeRequest[]): RefusalCode | null {
	let nested = 0;
	for (const op of path.ops) {
		let refusal: RefusalCode | null = null;
		if (op.kind === "put") refusal = absentKey(state, op.put, deleted) ?? absentLease(state, op.put);
		else if (op.kind === "deleteRange") deleted.push(op.deleteRange);
		else if (op.kind === "none") refusal = "keyNotFound";
		else if (op.kind === "txn") refusal = checkPuts(state, path.nested[nested++] as TxnPath, deleted);
		if (refusal !== null) return refusal;
	}
	return null;
}

function checkRanges(state: CheckState, path: TxnPath): RefusalCode | null {
	let nested = 0;
	for (const op of path.ops) {
		let refusal: RefusalCode | null = null;
		if (op.kind === "range") refusal = checkRangeInTxn(state, op.range);
		else if (op.kind === "txn") refusal = checkRanges(state, path.nested[nested++] as TxnPath);
		if (refusal !== null) return refusal;
	}
	return null;
}

/** Unlike in a plain range, a negative revision is compared with the compact revision. */
export function checkRangeInTxn(state: Pick<CheckState, "revision" | "compactRevision">, request: RangeRequest): RefusalCode | null {
	if (request.revision > state.revision) return "futureRevision";
	return request.revision !== 0 && request.revision < state.compactRevision ? "compacted" : null;
}

/**
 * Deviation: a put that keeps value or lease of a key which an earlier operation of the same transaction deletes (possible
 * with a delete up to the zero byte) is refused as for an absent key; etcd ends its process there.
 */
function absentKey(state: CheckState, request: PutRequest, deleted: readonly DeleteRangeRequest[]): RefusalCode | null {
	if (!request.ignoreValue && !request.ignoreLease) return null;
	const { index, ops } = state.parts;
	const key = ops.latin1(request.key);
	if (index.findAlive(key) === NOT_FOUND) return "keyNotFound";
	return deleted.some((range) => spanHolds(keySpan(range.key, range.rangeEnd, ops), key)) ? "keyNotFound" : null;
}

function absentLease(state: CheckState, request: PutRequest): RefusalCode | null {
	return request.lease !== 0n && !state.leases.has(request.lease) ? "leaseNotFound" : null;
}

/** A put by itself: where two things are missing, another one of them is told than in a transaction, as by etcd. */
export function checkPutState(state: CheckState, request: PutRequest): RefusalCode | null {
	return absentLease(state, request) ?? absentKey(state, request, NO_DELETES);
}
