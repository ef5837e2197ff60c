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
}

/** What watchers see of the past: the changes in their order, and the pair that a key had. */
export interface StoreHistory {
	/**
	 * Shows the changes from revision `from` on, which must be neither compacted nor in the future, in their order and by whole
	 * revisions: at least one, then more until the budget is used up. `visit` returns how many bytes it made this read. Returns
	 * the first revision that was not shown.
	 */
	scan(from: Revision, budget: HistoryBudget, visit: (change: PastChange) => number): Revision;
	/** The encoded pair of a key after `revision`, which must not be compacted; null when it had none. */
	pairAt(key: string, revision: Revision): Uint8Array | null;
}

export class History implements StoreHistory {
	private readonly index: KeyIndex;
	private readonly values: ValueStore;
	private readonly change: LoggedChange;

	constructor({ index, values, ops }: RangeParts) {
		this.index = index;
		this.values = values;
		this.change = new LoggedChange(index, values, ops);
	}

	scan(from: Revision, budget: HistoryBudget, visit: (change: PastChange) => number): Revision {
		const { change } = this;
		const { log } = this.index;
		const start = log.firstAt(from);
		assert(start < log.end, "the history is read up to the present revision");
		let bytes = 0;
		let revision = log.main(start);
		for (let ordinal = start; ordinal < log.end; ordinal++) {
			const main = log.main(ordinal);
			if (main !== revision && (ordinal - start >= budget.records || bytes >= budget.bytes)) return main;
			revision = main;
			change.show(ordinal, main);
			bytes += visit(change);
		}
		return revision + 1;
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
