/** Transactions (etcd API 2.7, 2.8): the whole path is chosen and checked before the first change, so none is half done. */
import { fail } from "@flotilla/base";
import type { Changes } from "./changes.ts";
import { holds } from "./compare.ts";
import { keySpan, spanHolds } from "./key-span.ts";
import { NOT_FOUND } from "./key-table.ts";
import type { LeaseAttachments } from "./lease/lease-table.ts";
import { rangeOne } from "./range-one.ts";
import { type RangeParts, type RangeView, RangeWork } from "./range-work.ts";
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, Revision, TxnRequest } from "./request.ts";
import type { DeleteRangeResult, OpResult, PutResult, RangeResult, RefusalCode, TxnResult } from "./result.ts";

const NO_DELETES: readonly DeleteRangeRequest[] = [];

/** A transaction whose compares are decided. Nested ones lie in the order of the operations that hold them. */
export interface TxnPath {
	readonly succeeded: boolean;
	readonly ops: readonly RequestOp[];
	readonly nested: readonly TxnPath[];
}

/** All compares see the state before the transaction, nested ones too. */
export function choosePath(parts: RangeParts, request: TxnRequest): TxnPath {
	const succeeded = holds(parts, request.compare);
	const ops = succeeded ? request.success : request.failure;
	const nested: TxnPath[] = [];
	for (const op of ops) if (op.kind === "txn") nested.push(choosePath(parts, op.txn));
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
function checkRangeInTxn(state: CheckState, request: RangeRequest): RefusalCode | null {
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

/** Runs a path that was checked. The caller begins and ends the change. Yields every STRIDE keys that it deletes. */
export function* runPath(parts: RangeParts, changes: Changes, path: TxnPath): Generator<void, TxnResult> {
	const responses: OpResult[] = [];
	let nested = 0;
	for (const op of path.ops) {
		switch (op.kind) {
			case "range":
				responses.push({ kind: "range", range: rangeNow(parts, changes, op.range) });
				break;
			case "put":
				responses.push({ kind: "put", put: putNow(changes, op.put) });
				break;
			case "deleteRange":
				responses.push({ kind: "deleteRange", deleteRange: yield* deleteSteps(changes, op.deleteRange) });
				break;
			case "txn":
				responses.push({ kind: "txn", txn: yield* runPath(parts, changes, path.nested[nested++] as TxnPath) });
				break;
			case "none":
				fail("an operation without content does not pass the check of its path");
		}
	}
	return { ok: true, revision: changes.visibleRevision, succeeded: path.succeeded, responses };
}

function putNow(changes: Changes, request: PutRequest): PutResult {
	const prevKv = changes.put(request);
	return { ok: true, revision: changes.visibleRevision, prevKv };
}

function* deleteSteps(changes: Changes, request: DeleteRangeRequest): Generator<void, DeleteRangeResult> {
	const prevKvs: Uint8Array[] = [];
	const deleted = yield* changes.deleteRange(request, prevKvs);
	return { ok: true, revision: changes.visibleRevision, deleted, prevKvs };
}

/** Reads without a revision of their own see what the transaction has changed so far. */
function rangeNow(parts: RangeParts, changes: Changes, request: RangeRequest): RangeResult {
	const current = changes.visibleRevision;
	const newest = request.revision <= 0;
	const span = keySpan(request.key, request.rangeEnd, parts.ops);
	return rangeAt(parts, request, { span, at: newest ? current : request.revision, newest, headerRevision: current });
}

/** A range at once, however large. */
export function rangeAt(parts: RangeParts, request: RangeRequest, view: RangeView): RangeResult {
	if (view.span.single) return rangeOne(parts, request, view);
	const work = new RangeWork(parts, request, view, () => {});
	work.step(Number.POSITIVE_INFINITY);
	return work.result();
}
