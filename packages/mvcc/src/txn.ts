/** What a transaction changes whose path is chosen and checked (etcd API 2.7, 2.8). What it answers is read when all is changed: see txn-answer.ts. */
import { fail } from "@flotilla/base";
import type { Changes } from "./changes.ts";
import { viewOf } from "./range-steps.ts";
import type { RangeParts, RangeView } from "./range-work.ts";
import { type DeleteRangeRequest, PLAIN_RANGE, type PutRequest, type RangeRequest, type Revision } from "./request.ts";
import type { TxnPath } from "./txn-path.ts";

/** What answers are read with. */
export interface ReadParts extends RangeParts {
	/** Keys between two yields. */
	readonly stride: number;
}

export interface RunParts extends ReadParts {
	readonly changes: Changes;
}

/** What an operation saw is named by the place in the log of records at which it stood: it can be read later, whatever is changed meanwhile. */
export interface ToRead {
	readonly request: RangeRequest;
	readonly view: RangeView;
}

/** What an operation has done, and what is to be read for its answer. `former`: the pairs that it took away or wrote over, when asked for. */
export type OpDone =
	| { readonly kind: "range"; readonly read: ToRead }
	| { readonly kind: "put"; readonly revision: Revision; readonly former: ToRead | null }
	| DeleteDone
	| TxnDone;

export interface DeleteDone {
	readonly kind: "deleteRange";
	readonly revision: Revision;
	readonly deleted: number;
	readonly former: ToRead | null;
}

export interface TxnDone {
	readonly kind: "txn";
	readonly txn: PathDone;
}

export interface PathDone {
	readonly revision: Revision;
	readonly succeeded: boolean;
	/** Nothing where nobody is told. */
	readonly ops: readonly OpDone[];
}

const NO_OPS: readonly OpDone[] = [];
const NO_BYTES = new Uint8Array(0);

/** Runs a path that was checked. The caller begins and ends the change. Yields every `stride` keys that it deletes. `told`: to somebody. */
export function* runPath(parts: RunParts, path: TxnPath, told: boolean): Generator<void, PathDone> {
	const { changes } = parts;
	const done: OpDone[] = [];
	let nested = 0;
	for (const op of path.ops) {
		let one: OpDone | null = null;
		switch (op.kind) {
			case "range":
				if (told) one = { kind: "range", read: rangeHere(parts, op.range) };
				break;
			case "put":
				one = putNow(parts, op.put, told);
				break;
			case "deleteRange":
				one = yield* deleteNow(parts, op.deleteRange, told);
				break;
			case "txn":
				one = { kind: "txn", txn: yield* runPath(parts, path.nested[nested++] as TxnPath, told) };
				break;
			case "none":
				fail("an operation without content does not pass the check of its path");
		}
		if (told && one !== null) done.push(one);
	}
	return { revision: changes.visibleRevision, succeeded: path.succeeded, ops: told ? done : NO_OPS };
}

export function* deleteNow(parts: RunParts, request: DeleteRangeRequest, told: boolean): Generator<void, DeleteDone> {
	const former = told && request.prevKv ? formerHere(parts, request.key, request.rangeEnd) : null;
	const deleted = yield* parts.changes.deleteRange(request);
	return { kind: "deleteRange", revision: parts.changes.visibleRevision, deleted, former };
}

function putNow(parts: RunParts, request: PutRequest, told: boolean): OpDone {
	const former = told && request.prevKv ? formerHere(parts, request.key, NO_BYTES) : null;
	parts.changes.put(request.prevKv ? { ...request, prevKv: false } : request);
	return { kind: "put", revision: parts.changes.visibleRevision, former };
}

/** Reads without a revision of their own see what the transaction has changed so far. */
function rangeHere(parts: RunParts, request: RangeRequest): ToRead {
	const { log } = parts.index;
	const newest = request.revision <= 0;
	const end = newest ? log.end : log.firstAt(request.revision + 1);
	return { request, view: viewOf(parts, request, { end, newest, headerRevision: parts.changes.visibleRevision }) };
}

function formerHere(parts: RunParts, key: Uint8Array, rangeEnd: Uint8Array): ToRead {
	const request = { ...PLAIN_RANGE, key, rangeEnd };
	return { request, view: viewOf(parts, request, { end: parts.index.log.end, newest: false, headerRevision: 0 }) };
}
