/** Transactions that only read: they are no part of any change, and all that they see is of one revision. */
import { fail } from "@flotilla/base";
import { viewOf } from "./range-steps.ts";
import type { RangeParts } from "./range-work.ts";
import type { Revision, TxnRequest } from "./request.ts";
import type { Refusal } from "./result.ts";
import { STRIDE } from "./sliced.ts";
import type { OpDone, TxnDone } from "./txn.ts";
import { checkRangeInTxn, choosePath } from "./txn-path.ts";

/** The state that a transaction which only reads was asked for. Clean-up is held back meanwhile. */
export interface ReadState {
	readonly revision: Revision;
	readonly compactRevision: Revision;
	/** It is still the newest one. */
	unmoved(): boolean;
}

/** What it is to be answered with. Yields within long ranges of compares. */
export function* readPath(parts: RangeParts, request: TxnRequest, state: ReadState): Generator<void, TxnDone | Refusal> {
	const { revision } = state;
	const { ops, succeeded } = yield* choosePath(parts, request, { at: revision, stride: STRIDE, visited: 0 });
	const ranges = ops.map((op) =>
		op.kind === "range" ? op.range : fail("a transaction that only reads has ranges alone", { kind: op.kind }),
	);
	for (const range of ranges) {
		const code = checkRangeInTxn(state, range);
		if (code !== null) return { ok: false, code };
	}
	const { log } = parts.index;
	const done = ranges.map((range): OpDone => {
		const at = range.revision <= 0 ? revision : range.revision;
		const newest = at === revision && state.unmoved();
		const view = viewOf(parts, range, { end: newest ? log.end : log.firstAt(at + 1), newest, headerRevision: revision });
		return { kind: "range", read: { request: range, view } };
	});
	return { kind: "txn", txn: { revision, succeeded, ops: done } };
}
