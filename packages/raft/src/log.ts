import { assert, fail } from "@flotilla/base";
import { EntryTail } from "./entry-tail.ts";
import type { Entry, LogIndex, SnapshotMeta, Term } from "./message.ts";
import { TermRuns, UNKNOWN_TERM } from "./term-runs.ts";

const NO_ENTRIES: readonly Entry[] = [];

/**
 * The log as the core sees it: a tail of entries in memory, the terms of all that a peer may still ask for, and the marks.
 *
 *        walFirst        memoryFrom     applied   commit    stable      lastIndex
 *   ........|---- WAL only ----|------------|--------|---------|------------|
 *           |--------------- terms known (as far as they were seen) --------|
 *
 * `applied <= applying <= commit <= lastIndex` and `applying <= stable` hold outside a snapshot install.
 */
export class RaftLog {
	commit: LogIndex;
	applied: LogIndex;
	/** Handed out for apply up to here. */
	applying: LogIndex;
	/** On the local disk and not about to be overwritten (see WorkQueue). */
	stable: LogIndex;
	/** Lowest index that the WAL can still deliver. */
	walFirst: LogIndex;
	/** Not 0 while a snapshot at that index is being installed: nothing is applied, nobody campaigns. */
	restoringIndex: LogIndex = 0;

	private tail: EntryTail;
	private readonly terms: TermRuns;
	private sliceFrom: LogIndex = 0;
	private sliced: readonly Entry[] = NO_ENTRIES;

	constructor(base: SnapshotMeta, firstIndex: LogIndex, applied: LogIndex) {
		assert(firstIndex <= base.index + 1, "the WAL must reach back to the base");
		this.commit = base.index;
		this.applied = applied;
		this.applying = applied;
		this.stable = base.index;
		this.walFirst = firstIndex;
		this.tail = new EntryTail(base.index);
		this.terms = new TermRuns(base.index, base.term);
	}

	get lastIndex(): LogIndex {
		return this.tail.last;
	}

	get lastTerm(): Term {
		return this.terms.lastTerm;
	}

	/** Lowest index held in memory; lastIndex + 1 when nothing is. */
	get memoryFrom(): LogIndex {
		return this.tail.first;
	}

	/** Lowest index that can be had at all, from memory or from the WAL. */
	get firstIndex(): LogIndex {
		return Math.min(this.tail.first, this.walFirst);
	}

	/** UNKNOWN_TERM beyond the log and below what is remembered. Index 0 has term 0. */
	termAt(index: LogIndex): Term {
		return index === 0 ? 0 : this.terms.termAt(index);
	}

	matches(index: LogIndex, term: Term): boolean {
		const own = this.termAt(index);
		return own !== UNKNOWN_TERM && own === term;
	}

	/** Lowest index whose term is known. */
	get termsFrom(): LogIndex {
		return this.terms.lowIndex;
	}

	/** Largest known index at or below `uptoIndex` with a term of at most `term`; -1 when there is none. */
	lastIndexWithTermAtMost(uptoIndex: LogIndex, term: Term): LogIndex {
		return this.terms.lastIndexWithTermAtMost(uptoIndex, term);
	}

	/** The candidate's log is at least as new as ours (raft thesis §3.6.1). */
	isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
		return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
	}

	append(entries: readonly Entry[]): void {
		for (const entry of entries) {
			this.tail.push(entry);
			this.terms.push(entry.index, entry.term);
		}
	}

	/** Removes `index` and all above it. Committed entries never change (raft thesis §3.6.3). */
	truncateFrom(index: LogIndex): void {
		if (index <= this.commit) fail("committed entries must not be overwritten", { index, commit: this.commit });
		this.tail.truncateFrom(index);
		this.terms.truncateFrom(index);
		this.stable = Math.min(this.stable, index - 1);
		this.sliced = NO_ENTRIES;
	}

	/** Replaces the whole log by a point. `stable` keeps what the old log had committed until the marker is durable. */
	restore(meta: SnapshotMeta): void {
		assert(meta.index > this.commit, "a snapshot must not take back a commit");
		this.stable = Math.min(this.stable, this.commit);
		this.tail = new EntryTail(meta.index);
		this.walFirst = meta.index + 1;
		this.terms.reset(meta.index, meta.term);
		this.commit = meta.index;
		this.applying = meta.index;
		this.restoringIndex = meta.index;
		this.sliced = NO_ENTRIES;
	}

	commitTo(index: LogIndex): void {
		if (index > this.lastIndex) fail("commit must not pass the last index", { index, lastIndex: this.lastIndex });
		assert(index >= this.commit, "commit must not fall");
		this.commit = index;
	}

	appliedTo(index: LogIndex): void {
		if (index > this.applying) fail("applied must not pass what was handed out", { index, applying: this.applying });
		assert(index >= this.applied, "applied must not fall");
		this.applied = index;
		this.endRestore();
	}

	stableTo(index: LogIndex): void {
		if (index <= this.stable) return;
		assert(index <= this.lastIndex, "stable must not pass the last index");
		this.stable = index;
		this.endRestore();
	}

	/** An install is over when its marker is durable and the state machine holds it. */
	private endRestore(): void {
		if (this.applied >= this.restoringIndex && this.stable >= this.restoringIndex) this.restoringIndex = 0;
	}

	/** Entries from..upto, both included, all in memory. The array is shared between callers and must not be changed. */
	slice(fromIndex: LogIndex, uptoIndex: LogIndex): readonly Entry[] {
		const length = uptoIndex - fromIndex + 1;
		if (length <= 0) return NO_ENTRIES;
		if (this.sliceFrom === fromIndex && this.sliced.length === length) return this.sliced;
		// The WAL item and the appends of one turn usually want the same stretch: one array serves them all.
		this.sliced = this.tail.copy(fromIndex, uptoIndex);
		this.sliceFrom = fromIndex;
		return this.sliced;
	}

	/** Last index of the longest stretch from `fromIndex` whose bytes stay within `bytesMax`; at least one entry. */
	packUpto(fromIndex: LogIndex, uptoIndex: LogIndex, bytesMax: number): LogIndex {
		const limit = this.tail.endAt(fromIndex - 1) + bytesMax;
		if (this.tail.endAt(uptoIndex) <= limit) return uptoIndex;
		let low = fromIndex;
		let high = uptoIndex;
		while (low < high) {
			const middle = low + Math.ceil((high - low) / 2);
			if (this.tail.endAt(middle) <= limit) low = middle;
			else high = middle - 1;
		}
		return low;
	}

	/** Bytes of the entries from..upto, all in memory. */
	bytesBetween(fromIndex: LogIndex, uptoIndex: LogIndex): number {
		return uptoIndex < fromIndex ? 0 : this.tail.endAt(uptoIndex) - this.tail.endAt(fromIndex - 1);
	}

	get unstableBytes(): number {
		// During an install the old marks lie below the new log: everything in memory is unstable then.
		return this.bytesBetween(Math.max(this.stable + 1, this.tail.first), this.lastIndex);
	}

	get unappliedBytes(): number {
		return this.bytesBetween(Math.max(this.applied + 1, this.tail.first), this.commit);
	}

	/** Lets go of stable and applied entries beyond the given amounts, oldest first; their terms stay known. */
	shrinkMemory(entriesMax: number, bytesMax: number): void {
		if (this.restoringIndex !== 0) return;
		const droppable = Math.min(this.stable, this.applied);
		if (droppable < this.tail.first) return;
		let keepFrom = Math.max(this.tail.first, droppable - entriesMax + 1);
		const droppableEnd = this.tail.endAt(droppable);
		while (keepFrom <= droppable && droppableEnd - this.tail.endAt(keepFrom - 1) > bytesMax) keepFrom++;
		this.tail.dropBelow(keepFrom);
	}

	/** The WAL no longer holds entries below `firstIndex`. */
	compactedTo(firstIndex: LogIndex): void {
		assert(firstIndex <= this.lastIndex + 1, "compaction must not pass the log");
		this.walFirst = Math.max(this.walFirst, firstIndex);
		// The term just before the first entry stays: an append may be anchored there.
		this.terms.dropBelow(Math.min(this.firstIndex - 1, this.lastIndex));
	}
}
