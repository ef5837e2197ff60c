import { assert, type ByteOps } from "@flotilla/base";
import { type KeyIndex, NO_RECORD } from "./key-index.ts";
import { NOT_FOUND } from "./key-table.ts";
import { encodeDeletedPair } from "./key-value.ts";
import type { RangeParts } from "./range-work.ts";
import type { Revision } from "./request.ts";
import type { ValueStore } from "./value-store.ts";

/** A change of the past. One object is used for all: valid during the visit only. */
export interface PastChange {
	readonly revision: Revision;
	readonly key: string;
	readonly type: "put" | "delete";
	/** The pair as an event shows it. That of a put may have to come from the storage. */
	read(): Uint8Array;
}

export interface HistoryBudget {
	/** Records to visit, about. */
	readonly records: number;
	/** Bytes to read, about. */
	readonly bytes: number;
	/** A revision of so many records or more is shown in several calls. */
	readonly whole: number;
}

/** Up to where the past was shown. */
export interface Place {
	/** The first revision that was not shown, or not all of it. */
	readonly revision: Revision;
	/** Records of it that were: above 0 only in the middle of a large one. */
	readonly part: number;
}

/** What watchers see of the past: the changes in their order, and the pair that a key had. */
export interface StoreHistory {
	/**
	 * Shows the changes from a place on, which must be neither compacted nor in the future, in their order and by whole revisions:
	 * at least one, then more until the budget is used up. A large revision comes by itself, a part a call. `visit` returns how
	 * many bytes it made this read. Returns the place behind.
	 */
	scan(from: Place, budget: HistoryBudget, visit: (change: PastChange) => number): Place;
	/** The encoded pair of a key after `revision`, which must not be compacted; null when it had none. */
	pairAt(key: string, revision: Revision): Uint8Array | null;
}

export class History implements StoreHistory {
	private readonly index: KeyIndex;
	private readonly values: ValueStore;
	private readonly change: LoggedChange;
	private readonly present: () => Revision;

	/** `present`: the newest revision that is complete. */
	constructor({ index, values, ops }: RangeParts, present: () => Revision) {
		this.present = present;
		this.index = index;
		this.values = values;
		this.change = new LoggedChange(index, values, ops);
	}

	scan(from: Place, budget: HistoryBudget, visit: (change: PastChange) => number): Place {
		const { change } = this;
		const { log } = this.index;
		const first = log.firstAt(from.revision);
		const start = first + from.part;
		const end = log.firstAt(this.present() + 1);
		assert(start < end, "the history is read up to the present revision");
		const isLarge = (ordinal: number, main: Revision): boolean => ordinal + budget.whole < end && log.main(ordinal + budget.whole) === main;
		let revision = log.main(start);
		const alone = from.part > 0 || isLarge(first, revision);
		let bytes = 0;
		for (let ordinal = start; ordinal < end; ordinal++) {
			const main = log.main(ordinal);
			const usedUp = ordinal - start >= budget.records || bytes >= budget.bytes;
			if (main !== revision) {
				if (alone || usedUp || isLarge(ordinal, main)) return { revision: main, part: 0 };
				revision = main;
			} else if (alone && usedUp) return { revision, part: ordinal - first };
			change.show(ordinal, main);
			bytes += visit(change);
		}
		return { revision: revision + 1, part: 0 };
	}

	pairAt(key: string, revision: Revision): Uint8Array | null {
		const { index } = this;
		const slot = index.find(key);
		const ordinal = slot === NOT_FOUND ? NO_RECORD : index.at(slot, revision);
		return index.isAlive(ordinal) ? this.values.read(slot, ordinal, false) : null;
	}
}

class LoggedChange implements PastChange {
	revision: Revision = 0;
	key = "";
	type: "put" | "delete" = "put";
	private slot = NOT_FOUND;
	private ordinal = 0;
	private readonly index: KeyIndex;
	private readonly values: ValueStore;
	private readonly ops: ByteOps;

	constructor(index: KeyIndex, values: ValueStore, ops: ByteOps) {
		this.index = index;
		this.values = values;
		this.ops = ops;
	}

	show(ordinal: number, revision: Revision): void {
		const { log, slots } = this.index;
		this.ordinal = ordinal;
		this.revision = revision;
		this.slot = log.slot(ordinal);
		this.key = slots.key(this.slot);
		this.type = log.isTombstone(ordinal) ? "delete" : "put";
	}

	read(): Uint8Array {
		if (this.type === "delete") return encodeDeletedPair(this.key, this.revision, this.ops);
		return this.values.read(this.slot, this.ordinal, false);
	}
}
