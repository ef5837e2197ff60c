import { sortByKey } from "./key-sort.ts";
import { KeyTable, NOT_FOUND } from "./key-table.ts";
import { KeyTree } from "./key-tree.ts";
import { RecordLog } from "./record-log.ts";
import { RecordSums } from "./record-sums.ts";
import { SlotTable } from "./slot-table.ts";

/** No record of a key at a revision. Above it: an ordinal; one that the log no longer holds, or -1, is the base record. */
export const NO_RECORD = -2;

export interface IndexCensus {
	/** Keys, living or dead, by the three places that know of them. */
	readonly inTree: number;
	readonly inTable: number;
	readonly slots: number;
	/** Records below the compact revision, and those from there on. */
	readonly bases: number;
	readonly records: number;
}

/**
 * Which records there are: keys in order (tree) and by name (table), what is known of each key (slots), and every record since the compact
 * revision (log). A record is named by (slot, ordinal); ordinals below `log.start` name the slot's base record.
 */
export class KeyIndex {
	readonly slots = new SlotTable();
	readonly tree = new KeyTree(this.slots);
	private readonly table = new KeyTable(this.slots);
	readonly log = new RecordLog();
	/** Sums of the records that the compact revision lets stay, whether or not the clean-up has come as far. */
	readonly retained = new RecordSums();
	/** Sums of the records that the index holds: equal to `retained` when no clean-up is pending. */
	readonly held = new RecordSums();

	/** How much of each kind there is; for those who suspect that something is never let go of. */
	census(): IndexCensus {
		const { log, slots, table, tree } = this;
		return { inTree: tree.size, inTable: table.size, slots: slots.size, bases: slots.countBases(), records: log.end - log.start };
	}

	/** The slot of `key`, or NOT_FOUND. It may be dead. */
	find(key: string): number {
		return this.table.find(key);
	}

	/** Enters a key for its first record; returns its slot. */
	create(key: string, createRevision: number): number {
		const slot = this.slots.allocate(key);
		this.slots.setLife(slot, createRevision, 1);
		this.tree.insert(key, slot);
		this.table.insert(key, slot);
		return slot;
	}

	/** Removes a key without records. */
	remove(slot: number): void {
		const key = this.slots.key(slot);
		this.tree.remove(key);
		this.table.remove(key);
		this.slots.release(slot);
	}

	/** For a rebuild: the slot of `key`, made if need be. Such keys are in no order until `loadTree`. */
	enter(key: string): number {
		const known = this.table.find(key);
		if (known !== NOT_FOUND) return known;
		const slot = this.slots.allocate(key);
		this.table.insert(key, slot);
		return slot;
	}

	/** Takes back what `enter` made. */
	withdraw(slot: number): void {
		this.table.remove(this.slots.key(slot));
		this.slots.release(slot);
	}

	/** Orders the keys that were entered: `slots` holds all of them, and is sorted on the way. Yields every STRIDE keys. */
	*loadTree(slots: Int32Array): Generator<void, void> {
		yield* sortByKey(slots, (slot) => this.slots.key(slot));
		yield* this.tree.load(slots);
	}

	/** Makes this the base record of its slot, newest of all. */
	setBase(slot: number, main: number, sub: number, crc: number, recordBytes: number): void {
		this.slots.setBase(slot, main, sub, crc, recordBytes);
		this.held.add(crc, recordBytes);
		this.retained.add(crc, recordBytes);
	}

	/** The base record of a slot is superseded. */
	dropBase(slot: number): void {
		const { slots } = this;
		this.held.remove(slots.baseCrc(slot), slots.baseBytes(slot));
		this.retained.remove(slots.baseCrc(slot), slots.baseBytes(slot));
		slots.dropBase(slot);
	}

	/** Appends the newest record of all. The caller keeps life and lease of the slot. */
	append(slot: number, main: number, sub: number, tombstone: boolean, crc: number, recordBytes: number): number {
		const ordinal = this.log.append(slot, main, sub, tombstone, crc, recordBytes, this.slots.head(slot));
		this.slots.setHead(slot, ordinal);
		this.retained.add(crc, recordBytes);
		this.held.add(crc, recordBytes);
		const { atMain, afterMain } = this.log.newestSuperseded;
		this.addSuperseded(ordinal, atMain, afterMain);
		return ordinal;
	}

	/** The newest record of a slot at `revision`, which must not be compacted: an ordinal (see NO_RECORD). */
	at(slot: number, revision: number): number {
		const ordinal = this.log.find(this.slots.head(slot), revision);
		return ordinal >= this.log.start || this.slots.hasBase(slot) ? ordinal : NO_RECORD;
	}

	/** The newest record of a slot below the ordinal `end`, of a state that is not compacted. */
	before(slot: number, end: number): number {
		const ordinal = this.log.findBefore(this.slots.head(slot), end);
		return ordinal >= this.log.start || this.slots.hasBase(slot) ? ordinal : NO_RECORD;
	}

	/** The record that shows a slot alive before the ordinal `end`, or NO_RECORD. Most are asked for their newest one. */
	aliveBefore(slot: number, end: number): number {
		const head = this.slots.head(slot);
		if (head < this.log.start || head < end) return this.slots.isAlive(slot) ? head : NO_RECORD;
		const ordinal = this.before(slot, end);
		return this.isAlive(ordinal) ? ordinal : NO_RECORD;
	}

	/** The record that shows a slot alive at `revision`, or NO_RECORD. Most are asked for their newest one. */
	aliveAt(slot: number, revision: number): number {
		const { log, slots } = this;
		const head = slots.head(slot);
		if (head < log.start || log.main(head) <= revision) return slots.isAlive(slot) ? head : NO_RECORD;
		const ordinal = this.at(slot, revision);
		return this.isAlive(ordinal) ? ordinal : NO_RECORD;
	}

	/** Whether a record of a slot leaves the key alive. */
	isAlive(ordinal: number): boolean {
		return ordinal >= this.log.start ? !this.log.isTombstone(ordinal) : ordinal !== NO_RECORD;
	}

	main(slot: number, ordinal: number): number {
		return ordinal >= this.log.start ? this.log.main(ordinal) : this.slots.baseMain(slot);
	}

	sub(slot: number, ordinal: number): number {
		return ordinal >= this.log.start ? this.log.sub(ordinal) : this.slots.baseSub(slot);
	}

	crc(slot: number, ordinal: number): number {
		return ordinal >= this.log.start ? this.log.crc(ordinal) : this.slots.baseCrc(slot);
	}

	/** The slot of `key` if it is alive now, else NOT_FOUND. */
	findAlive(key: string): number {
		const slot = this.table.find(key);
		return slot !== NOT_FOUND && this.slots.isAlive(slot) ? slot : NOT_FOUND;
	}

	/** Takes away from `retained` what a compaction from one revision to a higher one makes superfluous. */
	retire(fromRevision: number, toRevision: number): void {
		const { log } = this;
		const gone = new RecordSums();
		this.sumSuperseded(log.firstAt(fromRevision + 1), log.firstAt(toRevision + 1), gone, null);
		this.sumSuperseded(log.firstAt(fromRevision), log.firstAt(toRevision), null, gone);
		this.retained.removeAll(gone);
	}

	/** Whole chunks by their sums, the rest record by record. */
	private sumSuperseded(from: number, to: number, at: RecordSums | null, after: RecordSums | null): void {
		const { log } = this;
		let ordinal = from;
		while (ordinal < to) {
			const chunkEnd = log.chunkEnd(ordinal);
			if (log.isChunkStart(ordinal) && chunkEnd <= to) {
				const { atMain, afterMain } = log.supersededOf(ordinal);
				at?.addAll(atMain);
				after?.addAll(afterMain);
				ordinal = chunkEnd;
				continue;
			}
			for (const end = Math.min(chunkEnd, to); ordinal < end; ordinal++) this.addSuperseded(ordinal, at, after);
		}
	}

	/**
	 * What this record makes superfluous: the one before it, at its own main revision if that is higher, and itself if it is
	 * a tombstone. A tombstone before it has counted itself.
	 */
	private addSuperseded(ordinal: number, at: RecordSums | null, after: RecordSums | null): void {
		const { log, slots } = this;
		if (after !== null && log.isTombstone(ordinal)) after.add(log.crc(ordinal), log.bytes(ordinal));
		const previous = log.previous(ordinal);
		if (previous >= log.start) {
			if (log.isTombstone(previous)) return;
			const sums = log.main(previous) === log.main(ordinal) ? after : at;
			sums?.add(log.crc(previous), log.bytes(previous));
			return;
		}
		const slot = log.slot(ordinal);
		if (at !== null && slots.hasBase(slot)) at.add(slots.baseCrc(slot), slots.baseBytes(slot));
	}
}
