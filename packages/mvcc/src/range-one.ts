import { NO_RECORD } from "./key-index.ts";
import { NOT_FOUND } from "./key-table.ts";
import { decodeKeyValue, withoutValue } from "./key-value.ts";
import type { RangeParts, RangeView } from "./range-work.ts";
import type { RangeRequest } from "./request.ts";
import type { RangeResult } from "./result.ts";

const NO_PAIRS: readonly Uint8Array[] = [];

/** A range of one key: what most reads are. Limit and order have no influence on it. */
export function rangeOne(parts: RangeParts, request: RangeRequest, view: RangeView): RangeResult {
	const { index } = parts;
	const slot = index.find(view.span.from);
	const ordinal = slot === NOT_FOUND ? NO_RECORD : index.before(slot, view.end);
	const revision = view.headerRevision;
	if (!index.isAlive(ordinal)) return { ok: true, revision, kvs: NO_PAIRS, more: false, count: 0 };
	if (request.countOnly) return { ok: true, revision, kvs: NO_PAIRS, more: false, count: 1 };
	const pair = parts.values.read(slot, ordinal, true);
	const kvs = passesFilters(request, pair) ? [request.keysOnly ? withoutValue(pair) : pair] : NO_PAIRS;
	return { ok: true, revision, kvs, more: false, count: 1 };
}

function passesFilters(request: RangeRequest, pair: Uint8Array): boolean {
	const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
	if (minModRevision === 0 && maxModRevision === 0 && minCreateRevision === 0 && maxCreateRevision === 0) return true;
	const { modRevision, createRevision } = decodeKeyValue(pair);
	return (
		(maxModRevision === 0 || modRevision <= maxModRevision) &&
		(minModRevision === 0 || modRevision >= minModRevision) &&
		(maxCreateRevision === 0 || createRevision <= maxCreateRevision) &&
		(minCreateRevision === 0 || createRevision >= minCreateRevision)
	);
}
