import { KeyCursor } from "./key-cursor.ts";
import { NO_RECORD } from "./key-index.ts";
import { NOT_FOUND } from "./key-table.ts";
import { withoutValue } from "./key-value.ts";
import type { RangeParts, RangeView } from "./range-work.ts";
import { type RangeRequest, type Revision, SortOrder, SortTarget } from "./request.ts";

/**
 * A range in key order, without filters, handed out piece by piece: nothing of it is kept here, however long it is. All pieces
 * show the revision at which it began; until `done` or `abandon` compaction is held below that.
 */
export class RangeChunks {
	/** Revision that the answer names. */
	readonly revision: Revision;
	/** All keys of the range were seen. Then `count` and `more` are known. */
	done = false;
	/** Keys in the range, whatever the limit. */
	count = 0;
	private readonly parts: RangeParts;
	private readonly request: RangeRequest;
	private readonly view: RangeView;
	private readonly release: () => void;
	private readonly cursor: KeyCursor;
	private readonly pairsMax: number;
	private readonly countKnown: boolean;
	private handedOut = 0;

	/** `release` is called once, at the end or when the range is given up. */
	constructor(parts: RangeParts, request: RangeRequest, view: RangeView, release: () => void) {
		this.parts = parts;
		this.request = request;
		this.view = view;
		this.release = release;
		this.revision = view.headerRevision;
		const { single, from, to } = view.span;
		const end = single ? `${from}\0` : to;
		this.cursor = new KeyCursor(parts.index.tree, from, end);
		this.pairsMax = request.countOnly ? 0 : request.limit > 0 ? request.limit : Number.POSITIVE_INFINITY;
		this.countKnown = view.count !== null;
		this.count = view.count ?? 0;
	}

	/** More keys are there than the limit let through. */
	get more(): boolean {
		return !this.request.countOnly && this.count > this.handedOut;
	}

	/** The next pairs: looks at `keysMax` keys at most and stops at `bytesMax` bytes, after one pair at least. */
	next(keysMax: number, bytesMax: number): Uint8Array[] {
		const pairs: Uint8Array[] = [];
		let bytes = 0;
		for (let visited = 0; visited < keysMax && bytes < bytesMax && !this.done; visited++) {
			const full = this.handedOut === this.pairsMax;
			const slot = full && this.countKnown ? NOT_FOUND : this.cursor.next();
			if (slot === NOT_FOUND) {
				this.end();
				break;
			}
			const ordinal = this.parts.index.aliveBefore(slot, this.view.end);
			if (ordinal === NO_RECORD) continue;
			if (!this.countKnown) this.count++;
			if (full) continue;
			const pair = this.read(slot, ordinal);
			this.handedOut++;
			bytes += pair.length;
			pairs.push(pair);
		}
		if (!this.done) this.cursor.pause();
		return pairs;
	}

	abandon(): void {
		if (!this.done) this.end();
	}

	private read(slot: number, ordinal: number): Uint8Array {
		const pair = this.parts.values.read(slot, ordinal, this.view.span.single);
		return this.request.keysOnly ? withoutValue(pair) : pair;
	}

	private end(): void {
		this.done = true;
		this.release();
	}
}

/** Whether a range comes in key order as it is found: then it can be handed out in pieces. */
export function isPlain(request: RangeRequest): boolean {
	const { sortOrder, sortTarget, minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
	const filtered = minModRevision !== 0 || maxModRevision !== 0 || minCreateRevision !== 0 || maxCreateRevision !== 0;
	return !filtered && sortTarget === SortTarget.key && sortOrder !== SortOrder.descend;
}
