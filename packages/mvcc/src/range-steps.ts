/** Ranges that are part of other work: at once, or in the slices of that work. */
import { type HeldBytes, SLICE_BYTES } from "./held-bytes.ts";
import { keySpan } from "./key-span.ts";
import { rangeOne } from "./range-one.ts";
import { type RangeParts, type RangeView, RangeWork } from "./range-work.ts";
import type { RangeRequest } from "./request.ts";
import type { RangeResult } from "./result.ts";

export function viewOf(parts: RangeParts, request: RangeRequest, when: Omit<RangeView, "span">): RangeView {
	return { span: keySpan(request.key, request.rangeEnd, parts.ops), ...when };
}

/** A range at once, however large. */
export function rangeAt(parts: RangeParts, request: RangeRequest, view: RangeView): RangeResult {
	if (view.span.single) return rangeOne(parts, request, view);
	const work = new RangeWork(parts, request, view, () => {});
	work.step(Number.POSITIVE_INFINITY);
	return work.result();
}

/** The same, with a yield every `stride` keys or MiB; many single keys of one read count in `held`. What it reads must not be cleaned up meanwhile. */
export function* rangeSteps(
	parts: RangeParts,
	request: RangeRequest,
	view: RangeView,
	stride: number,
	held: HeldBytes | null = null,
): Generator<void, RangeResult> {
	if (view.span.single) {
		const result = rangeOne(parts, request, view);
		if (held === null) return result;
		for (const pair of result.kvs) held.bytes += pair.length;
		if (held.bytes < held.yieldedAt + SLICE_BYTES) return result;
		held.yieldedAt = held.bytes;
		yield;
		return result;
	}
	const work = new RangeWork(parts, request, view, () => {}, held ?? undefined);
	while (!work.step(stride)) yield;
	return work.result();
}
