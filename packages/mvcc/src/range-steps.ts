/** Ranges that are part of other work: at once, or in the slices of that work. */
import type { HeldBytes } from "./held-bytes.ts";
import { keySpan } from "./key-span.ts";
import { rangeOne } from "./range-one.ts";
import { type RangeParts, type RangeView, RangeWork } from "./range-work.ts";
import type { RangeRequest, Revision } from "./request.ts";
import type { RangeResult } from "./result.ts";

/** `end`: see `RangeView`. `newest`: it shows all that there is, so the keys need not be counted. */
export function viewOf(
	{ index, ops }: RangeParts,
	request: Pick<RangeRequest, "key" | "rangeEnd">,
	when: { readonly end: number; readonly newest: boolean; readonly headerRevision: Revision },
): RangeView {
	const span = keySpan(request.key, request.rangeEnd, ops);
	const count = when.newest && !span.single ? index.tree.countAlive(span.from, span.to) : null;
	return { span, end: when.end, count, headerRevision: when.headerRevision };
}

/** A range at once, however large. */
export function rangeAt(parts: RangeParts, request: RangeRequest, view: RangeView): RangeResult {
	if (view.span.single) return rangeOne(parts, request, view);
	const work = new RangeWork(parts, request, view, () => {});
	work.step(Number.POSITIVE_INFINITY);
	return work.result();
}

/** The same with a yield every `stride` keys or MiB, counted over all the ranges of one read. What it reads must not be cleaned up meanwhile. */
export function* rangeSteps(
	parts: RangeParts,
	request: RangeRequest,
	view: RangeView,
	stride: number,
	held: HeldBytes,
): Generator<void, RangeResult> {
	if (view.span.single) {
		const result = rangeOne(parts, request, view);
		for (const pair of result.kvs) held.bytes += pair.length;
		if (held.worked(1, stride)) yield;
		return result;
	}
	const work = new RangeWork(parts, request, view, () => {}, held);
	while (!work.step(stride)) {
		held.worked(stride, stride);
		yield;
	}
	if (held.worked(work.lastUsed, stride)) yield;
	return work.result();
}
