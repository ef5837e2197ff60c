/**
 * Which forwards of one process life a leader took in its term. A mark moves over everything that was taken or refused; what lies
 * at or below it is never taken any more. Of the newest that lie there it is known whether they were: sequences come nearly without
 * gaps, so runs of them are kept, the newest ones.
 *
 *   taken   [3 4 5]   [8 9]   mark = 12       6 and 10 were never taken, and will not be; of 2 nobody can say any more
 *           ^ surely from here on
 */

/** Each gap is something that was refused, lost on the way, or no forward. */
const RUNS_MAX = 1_024;

interface Run {
	readonly from: number;
	upto: number;
}

export class TakenSequences {
	mark = 0;
	private runs: Run[] = [];
	/** Above it `runs` says everything. */
	private surelyAbove = 0;

	/** Rising, and above the mark. */
	take(sequences: readonly number[]): void {
		for (const sequence of sequences) {
			const last = this.runs[this.runs.length - 1];
			if (last !== undefined && last.upto + 1 === sequence) last.upto = sequence;
			else this.runs.push({ from: sequence, upto: sequence });
		}
		this.pass(sequences);
		if (this.runs.length <= 2 * RUNS_MAX) return;
		this.surelyAbove = (this.runs[RUNS_MAX] as Run).from - 1;
		this.runs = this.runs.slice(RUNS_MAX);
	}

	/** They were not taken, and will not be. */
	pass(sequences: readonly number[]): void {
		this.mark = Math.max(this.mark, sequences[sequences.length - 1] ?? 0);
	}

	/** It lies at or below the mark, and was surely not taken. */
	isLost(sequence: number): boolean {
		if (sequence > this.mark || sequence <= this.surelyAbove) return false;
		let low = 0;
		let high = this.runs.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.runs[middle] as Run).from <= sequence) low = middle + 1;
			else high = middle;
		}
		const run = this.runs[low - 1];
		return run === undefined || run.upto < sequence;
	}
}
