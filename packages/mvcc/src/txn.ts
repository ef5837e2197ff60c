/** What a transaction does whose path is chosen and checked (etcd API 2.7, 2.8). */
import { fail } from "@flotilla/base";
import type { Changes } from "./changes.ts";
import { rangeSteps, viewOf } from "./range-steps.ts";
import type { RangeParts } from "./range-work.ts";
import type { DeleteRangeRequest, PutRequest, RangeRequest } from "./request.ts";
import type { DeleteRangeResult, OpResult, PutResult, RangeResult, TxnResult } from "./result.ts";
import type { TxnPath } from "./txn-path.ts";

const NO_RESPONSES: readonly OpResult[] = [];

export interface RunParts extends RangeParts {
	readonly changes: Changes;
	/** Keys between two yields. */
	readonly stride: number;
}

/**
 * Runs a path that was checked. The caller begins and ends the change. Yields every `stride` keys that it deletes or reads in a range.
 * What nobody is `told` is not read, and there are no responses.
 */
export function* runPath(parts: RunParts, path: TxnPath, told: boolean): Generator<void, TxnResult> {
	if (!told) {
		yield* changeOnly(parts, path);
		return { ok: true, revision: parts.changes.visibleRevision, succeeded: path.succeeded, responses: NO_RESPONSES };
	}
	const { changes } = parts;
	const responses: OpResult[] = [];
	let nested = 0;
	for (const op of path.ops) {
		switch (op.kind) {
			case "range":
				responses.push({ kind: "range", range: yield* rangeNow(parts, op.range) });
				break;
			case "put":
				responses.push({ kind: "put", put: putNow(changes, op.put) });
				break;
			case "deleteRange":
				responses.push({ kind: "deleteRange", deleteRange: yield* deleteSteps(changes, op.deleteRange) });
				break;
			case "txn":
				responses.push({ kind: "txn", txn: yield* runPath(parts, path.nested[nested++] as TxnPath, true) });
				break;
			case "none":
				fail("an operation without content does not pass the check of its path");
		}
	}
	return { ok: true, revision: changes.visibleRevision, succeeded: path.succeeded, responses };
}

function* changeOnly(parts: RunParts, path: TxnPath): Generator<void, void> {
	const { changes } = parts;
	let nested = 0;
	for (const op of path.ops) {
		if (op.kind === "put") changes.put(op.put.prevKv ? { ...op.put, prevKv: false } : op.put);
		else if (op.kind === "deleteRange") yield* changes.deleteRange({ ...op.deleteRange, prevKv: false }, []);
		else if (op.kind === "txn") yield* changeOnly(parts, path.nested[nested++] as TxnPath);
	}
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

/**
 * Reads without a revision of their own see what the transaction has changed so far. No pin is needed: until the end of the change
 * nothing else is applied, and a clean-up under way leaves what the compact revision retains.
 */
function rangeNow(parts: RunParts, request: RangeRequest): Generator<void, RangeResult> {
	const current = parts.changes.visibleRevision;
	const newest = request.revision <= 0;
	const view = viewOf(parts, request, { at: newest ? current : request.revision, newest, headerRevision: current });
	return rangeSteps(parts, request, view, parts.stride);
}
