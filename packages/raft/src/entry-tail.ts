import { assert } from "@flotilla/base";
import type { Entry, LogIndex } from "./message.ts";

/** What one entry costs beyond its payload, in messages and in memory. Empty entries count as free (raft thesis §3.6.2: a new term must always start). */
const ENTRY_OVERHEAD_BYTES = 24;

export function entryBytes(entry: Entry): number {
	return entry.data.length === 0 ? 0 : entry.data.length + ENTRY_OVERHEAD_BYTES;
}

const SLOTS_MIN = 256;

/**
 * The newest entries of the log, in a ring: at a steady length nothing is allocated or moved for an entry that comes or
 * goes. Beside each entry stands the running sum of bytes at its end, so that any stretch costs one subtraction.
 *
 *   slots  [ h i . . . e f g ]      head = 5 holds the first index; the capacity is a power of two
 */
export class EntryTail {
	private entries = slots(SLOTS_MIN);
	private ends = new Float64Array(SLOTS_MIN);
	private head = 0;
	private firstIndex: LogIndex;
	private lastIndex: LogIndex;
	private endBefore = 0;

	/** Empty, and to be continued behind `lastIndex`. */
	constructor(lastIndex: LogIndex) {
		this.firstIndex = lastIndex + 1;
		this.lastIndex = lastIndex;
	}

	/** Lowest index held; `last + 1` when nothing is. */
	get first(): LogIndex {
		return this.firstIndex;
	}

	get last(): LogIndex {
		return this.lastIndex;
	}

	/** Entries that fit before the ring has to grow. */
	get capacity(): number {
		return this.entries.length;
	}

	/** Running sum of bytes at the end of the entry; also that just before the first. */
	endAt(index: LogIndex): number {
		return index < this.firstIndex ? this.endBefore : (this.ends[this.slotOf(index)] as number);
	}

	push(entry: Entry): void {
		assert(entry.index === this.lastIndex + 1, "entries are appended without gaps");
		if (this.lastIndex - this.firstIndex + 1 === this.entries.length) this.resize(this.entries.length * 2);
		const end = this.endAt(this.lastIndex) + entryBytes(entry);
		const slot = this.slotOf(entry.index);
		this.entries[slot] = entry;
		this.ends[slot] = end;
		this.lastIndex = entry.index;
	}

	/** Entries from..upto, both included. */
	copy(fromIndex: LogIndex, uptoIndex: LogIndex): Entry[] {
		assert(fromIndex >= this.firstIndex, "the slice must be in memory");
		assert(uptoIndex <= this.lastIndex, "the slice must not pass the last index");
		const from = this.slotOf(fromIndex);
		const end = from + (uptoIndex - fromIndex + 1);
		const { length } = this.entries;
		if (end <= length) return this.entries.slice(from, end) as Entry[];
		return [...this.entries.slice(from), ...this.entries.slice(0, end - length)] as Entry[];
	}

	truncateFrom(index: LogIndex): void {
		assert(index >= this.firstIndex, "uncommitted entries are in memory");
		this.forget(index, this.lastIndex);
		this.lastIndex = index - 1;
	}

	dropBelow(index: LogIndex): void {
		if (index <= this.firstIndex) return;
		this.endBefore = this.endAt(index - 1);
		this.forget(this.firstIndex, index - 1);
		this.head = this.slotOf(index);
		this.firstIndex = index;
		// What a burst has needed is given back, with a distance that keeps the ring from changing its size to and fro.
		const wanted = (this.lastIndex - this.firstIndex + 1) * 8;
		if (this.entries.length > SLOTS_MIN && wanted < this.entries.length) this.resize(this.entries.length / 2);
	}

	private forget(fromIndex: LogIndex, uptoIndex: LogIndex): void {
		for (let index = fromIndex; index <= uptoIndex; index++) this.entries[this.slotOf(index)] = undefined;
	}

	private slotOf(index: LogIndex): number {
		// The distance is small, whatever the index: it is cheap as a 32-bit integer.
		return (this.head + (index - this.firstIndex)) & (this.entries.length - 1);
	}

	private resize(capacity: number): void {
		const entries = slots(capacity);
		const ends = new Float64Array(capacity);
		for (let index = this.firstIndex; index <= this.lastIndex; index++) {
			entries[index - this.firstIndex] = this.entries[this.slotOf(index)];
			ends[index - this.firstIndex] = this.endAt(index);
		}
		this.entries = entries;
		this.ends = ends;
		this.head = 0;
	}
}

function slots(count: number): (Entry | undefined)[] {
	return new Array<Entry | undefined>(count).fill(undefined);
}
