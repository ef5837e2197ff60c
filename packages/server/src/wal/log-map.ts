/** Where the entries lie: segments, runs of consecutive entries in them, and the terms along the log. */
import { assert } from "@flotilla/base";
import type { Entry, LogIndex, Term } from "@flotilla/raft";

export interface LogSegment {
	readonly sequence: number;
	path: string;
	/** Size of the file. */
	readonly bytes: number;
	/** Position of its first byte in the log as a whole, counted from when the process began. */
	readonly start: number;
	/** What lies before this offset is durable and may be read. */
	durableEnd: number;
	/** Reads under way; the file stays as long. */
	readers: number;
}

/**
 * Consecutive entries that were written one after another into one segment. A truncation shortens the runs before it, so that
 * the entries of a run between its two ends are always the ones in force.
 */
interface Run {
	readonly segment: LogSegment;
	readonly firstIndex: LogIndex;
	lastIndex: LogIndex;
	/** Frame offsets, and the first entry of the frame at each: one at most each `POINT_BYTES`. */
	readonly offsets: number[];
	readonly indexes: LogIndex[];
}

export interface Place {
	readonly segment: LogSegment;
	/** Offset of a frame at or before the one that holds the index. */
	readonly offset: number;
	/** Last index that may be taken from here on. */
	readonly runLastIndex: LogIndex;
}

/** Distance of points: a read passes over this much at most, and 512 MiB of log need 8,192 of them. */
const POINT_BYTES = 64 * 1024;

export class LogMap {
	readonly segments: LogSegment[] = [];
	private readonly runs: Run[] = [];
	/** Term `terms[i]` holds from `termFrom[i]` on. The first one may lie just before the first entry. */
	private readonly termFrom: LogIndex[] = [];
	private readonly terms: Term[] = [];
	private last: LogIndex = 0;
	/** False after a truncation: what follows must not join the run before it. */
	private runOpen = false;

	get lastIndex(): LogIndex {
		return this.last;
	}

	/** Lowest index that can be read; one above the last index when there is none. */
	get firstIndex(): LogIndex {
		return this.runs.length === 0 ? this.last + 1 : (this.runs[0] as Run).firstIndex;
	}

	get lastTerm(): Term {
		return this.terms.length === 0 ? 0 : (this.terms[this.terms.length - 1] as Term);
	}

	/** Forgets everything: the log goes on after this point. */
	reset(index: LogIndex, term: Term): void {
		this.runs.length = 0;
		this.termFrom.length = 0;
		this.terms.length = 0;
		this.termFrom.push(index);
		this.terms.push(term);
		this.last = index;
		this.runOpen = false;
	}

	/** Term at an index that lies between the point before the first entry and the last one; null outside. */
	termAt(index: LogIndex): Term | null {
		if (index > this.last) return null;
		for (let i = this.terms.length - 1; i >= 0; i--) if ((this.termFrom[i] as LogIndex) <= index) return this.terms[i] as Term;
		return null;
	}

	/** Entries at or above `from` are gone. */
	truncate(from: LogIndex): void {
		if (from > this.last) return;
		while (this.runs.length > 0 && (this.runs[this.runs.length - 1] as Run).firstIndex >= from) this.runs.pop();
		const run = this.runs[this.runs.length - 1];
		if (run !== undefined && run.lastIndex >= from) {
			run.lastIndex = from - 1;
			while ((run.indexes[run.indexes.length - 1] as LogIndex) >= from) {
				run.indexes.pop();
				run.offsets.pop();
			}
		}
		while (this.terms.length > 0 && (this.termFrom[this.termFrom.length - 1] as LogIndex) >= from) {
			this.terms.pop();
			this.termFrom.pop();
		}
		this.last = from - 1;
		this.runOpen = false;
	}

	/** Tells the term of the entry before the end, when a truncation went beyond all that is known. */
	setTermBefore(from: LogIndex, term: Term): void {
		if (this.terms.length > 0 || from !== this.last + 1) return;
		this.termFrom.push(from - 1);
		this.terms.push(term);
	}

	/** Entries of the frame at `offset` follow the last one. */
	append(segment: LogSegment, offset: number, entries: readonly Entry[]): void {
		const first = (entries[0] as Entry).index;
		assert(first === this.last + 1, "entries are added right after the last one");
		let run = this.runs[this.runs.length - 1];
		if (run === undefined || run.segment !== segment || !this.runOpen) {
			run = { segment, firstIndex: first, lastIndex: this.last, offsets: [offset], indexes: [first] };
			this.runs.push(run);
			this.runOpen = true;
		} else if (offset - (run.offsets[run.offsets.length - 1] as number) >= POINT_BYTES) {
			run.offsets.push(offset);
			run.indexes.push(first);
		}
		let term = this.lastTerm;
		for (const entry of entries) {
			if (entry.term === term) continue;
			term = entry.term;
			this.termFrom.push(entry.index);
			this.terms.push(term);
		}
		this.last = (entries[entries.length - 1] as Entry).index;
		run.lastIndex = this.last;
	}

	/** Null when the index cannot be read. */
	locate(index: LogIndex): Place | null {
		const run = this.runOf(index);
		if (run === null) return null;
		let low = 0;
		let high = run.indexes.length - 1;
		while (low < high) {
			const middle = (low + high + 1) >>> 1;
			if ((run.indexes[middle] as LogIndex) <= index) low = middle;
			else high = middle - 1;
		}
		return { segment: run.segment, offset: run.offsets[low] as number, runLastIndex: run.lastIndex };
	}

	/** Position in the log as a whole near which the index lies; that of the end when it cannot be read. */
	positionOf(index: LogIndex, end: number): number {
		const place = this.locate(index);
		return place === null ? end : place.segment.start + place.offset;
	}

	/** Highest index in force that the oldest segment holds; 0 when it holds none. */
	lastIndexOfOldest(): LogIndex {
		let last = 0;
		for (const run of this.runs) {
			if (run.segment !== this.segments[0]) break;
			last = run.lastIndex;
		}
		return last;
	}

	/** The oldest segment's entries are no longer readable. */
	dropOldest(): LogSegment {
		const dropped = this.segments.shift();
		assert(dropped !== undefined, "a log always keeps a segment");
		let gone = 0;
		while (gone < this.runs.length && (this.runs[gone] as Run).segment === dropped) gone++;
		this.runs.splice(0, gone);
		const known = this.firstIndex - 1;
		const term = this.termAt(known);
		while (this.terms.length > 1 && (this.termFrom[1] as LogIndex) <= known) {
			this.terms.shift();
			this.termFrom.shift();
		}
		if (term !== null) this.termFrom[0] = known;
		return dropped;
	}

	private runOf(index: LogIndex): Run | null {
		for (let i = this.runs.length - 1; i >= 0; i--) {
			const run = this.runs[i] as Run;
			if (index > run.lastIndex) return null;
			if (index >= run.firstIndex) return run;
		}
		return null;
	}
}
