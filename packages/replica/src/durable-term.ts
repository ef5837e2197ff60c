/** The highest term that is on this member's disk: headers show no other, so that no restart makes it fall. */
import type { AppendWork } from "@flotilla/raft";

export class DurableTerm {
	term: number;
	private lastIssued: number;
	/** Frames that raise the term and are not durable yet, oldest first. */
	private pending: { readonly seq: number; readonly term: number }[] = [];

	constructor(term: number) {
		this.term = term;
		this.lastIssued = term;
	}

	onAppend(work: AppendWork): void {
		if (work.hardState === null || work.hardState.term <= this.lastIssued) return;
		this.lastIssued = work.hardState.term;
		this.pending.push({ seq: work.seq, term: work.hardState.term });
	}

	onPersisted(seq: number): void {
		while (this.pending.length > 0 && (this.pending[0] as { seq: number }).seq <= seq) {
			this.term = (this.pending.shift() as { term: number }).term;
		}
	}
}
