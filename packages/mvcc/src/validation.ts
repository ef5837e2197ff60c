/** Checks that need no state, in etcd's order (etcd API 2.2, 2.4 to 2.6): made at the door, before anything is replicated. */
import type { ByteOps } from "@flotilla/base";
import { findOverlap } from "./overlap.ts";
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from "./request.ts";
import type { RefusalCode } from "./result.ts";
import type { RequestValidation } from "./store-interface.ts";

const SORT_ORDER_MAX = 2;
const SORT_TARGET_MAX = 4;

/** `bytes` serves the comparison of keys. */
export function requestValidation(bytes: ByteOps): RequestValidation {
	return {
		range: checkRange,
		put: checkPut,
		deleteRange: checkDeleteRange,
		txn: (request, opsMax) => checkOps(request, opsMax) ?? findOverlap(request, bytes),
	};
}

function checkRange(request: RangeRequest): RefusalCode | null {
	if (request.key.length === 0) return "emptyKey";
	if (!isEnum(request.sortOrder, SORT_ORDER_MAX) || !isEnum(request.sortTarget, SORT_TARGET_MAX)) return "invalidSortOption";
	return null;
}

function checkPut(request: PutRequest): RefusalCode | null {
	if (request.key.length === 0) return "emptyKey";
	if (request.ignoreValue && request.value.length !== 0) return "valueProvided";
	if (request.ignoreLease && request.lease !== 0n) return "leaseProvided";
	return null;
}

function checkDeleteRange(request: DeleteRangeRequest): RefusalCode | null {
	return request.key.length === 0 ? "emptyKey" : null;
}

/** Depth is bounded by the budget: it shrinks by at least one a level, because the level that nests holds an operation. */
function checkOps(request: TxnRequest, opsMax: number): RefusalCode | null {
	const ops = Math.max(request.compare.length, request.success.length, request.failure.length);
	if (ops > opsMax) return "tooManyOps";
	for (const compare of request.compare) if (compare.key.length === 0) return "emptyKey";
	for (const list of [request.success, request.failure]) {
		for (const op of list) {
			const refusal = checkOp(op, opsMax - ops);
			if (refusal !== null) return refusal;
		}
	}
	return null;
}

function checkOp(op: RequestOp, opsMax: number): RefusalCode | null {
	switch (op.kind) {
		case "range":
			return checkRange(op.range);
		case "put":
			return checkPut(op.put);
		case "deleteRange":
			return checkDeleteRange(op.deleteRange);
		case "txn":
			return checkOps(op.txn, opsMax);
		case "none":
			return "keyNotFound";
	}
}

/** Only ranges in both branches: not replicated (etcd API 2.8). */
export function isReadOnlyTxn(request: TxnRequest): boolean {
	return request.success.every(isRange) && request.failure.every(isRange);
}

/** A read-only transaction all of whose ranges are serializable; one without any operation is one, too. */
export function isSerializableTxn(request: TxnRequest): boolean {
	return request.success.every(isSerializableRange) && request.failure.every(isSerializableRange);
}

function isRange(op: RequestOp): boolean {
	return op.kind === "range";
}

function isSerializableRange(op: RequestOp): boolean {
	return op.kind === "range" && op.range.serializable;
}

function isEnum(value: number, max: number): boolean {
	return value >= 0 && value <= max;
}
