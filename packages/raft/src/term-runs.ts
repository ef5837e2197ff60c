import { assert } from "@flotilla/base";
import type { LogIndex, Term } from "./message.ts";

/** The term of an index that lies outside what is known. Terms are never negative. */
export const UNKNOWN_TERM = -1;

/**
 * Terms of a stretch of the log, run-length encoded: terms never fall along a log, so there is one run per term. Makes the
 * term of any index and the back-tracking hints cheap without holding the entries.
 *
 *   firsts  [ 5   9   30 ]     index 5..8 has term 2, 9..29 term 3, 30..lastIndex term 7
 *   terms   [ 2   3    7 ]
 */
export class TermRuns {
	private firsts: LogIndex[];
	private terms: Term[];
	private last: LogIndex;

	/** Starts with one known point. */
	constructor(index: LogIndex, term: Term) {
		this.firsts = [index];
		this.terms = [term];
		this.last = index;
	}

	/** Lowest index whose term is known. */
	get lowIndex(): LogIndex {
		return this.firsts[0] as LogIndex;
	}

	get lastTerm(): Term {
		return this.terms[this.terms.length - 1] as Term;
	}

	termAt(index: LogIndex): Term {
		if (index > this.last) return UNKNOWN_TERM;
		const run = this.runOf(index);
		return run < 0 ? UNKNOWN_TERM : (this.terms[run] as Term);
	}

	/** Appends the term of the next index. */
	push(index: LogIndex, term: Term): void {
		assert(index === this.last + 1, "terms are appended without gaps");
		const lastTerm = this.lastTerm;
		assert(term >= lastTerm, "terms must not fall along the log");
		if (term !== lastTerm) {
			this.firsts.push(index);
			this.terms.push(term);
		}
		this.last = index;
	}

	/** Forgets `index` and all above it; the lowest known point stays. */
	truncateFrom(index: LogIndex): void {
		assert(index > this.lowIndex, "the lowest known term must stay");
		while ((this.firsts[this.firsts.length - 1] as LogIndex) >= index) {
			this.firsts.pop();
			this.terms.pop();
		}
		this.last = Math.min(this.last, index - 1);
	}

	/** Forgets everything below `index`. */
	dropBelow(index: LogIndex): void {
		if (index <= this.lowIndex) return;
		assert(index <= this.last, "the last term must stay");
		const run = this.runOf(index);
		this.firsts.splice(0, run);
		this.terms.splice(0, run);
		this.firsts[0] = index;
	}

	reset(index: LogIndex, term: Term): void {
		this.firsts = [index];
		this.terms = [term];
		this.last = index;
	}

	/** Largest known index at or below `uptoIndex` whose term is at most `term`; -1 when there is none. */
	lastIndexWithTermAtMost(uptoIndex: LogIndex, term: Term): LogIndex {
		const upto = Math.min(uptoIndex, this.last);
		for (let run = this.runOf(upto); run >= 0; run--) {
			if ((this.terms[run] as Term) > term) continue;
			const end = run + 1 < this.firsts.length ? (this.firsts[run + 1] as LogIndex) - 1 : this.last;
			return Math.min(upto, end);
		}
		return -1;
	}

	/** The run that holds `index`, searched from the end, where nearly every question lies; -1 below the lowest. */
	private runOf(index: LogIndex): number {
		let run = this.firsts.length - 1;
		while (run >= 0 && (this.firsts[run] as LogIndex) > index) run--;
		return run;
	}
}
