/** How far it is, in words. */

const TOLD_EVERY_MS = 1_000;
/** A rate of less time than this says nothing. */
const RATE_MS = 2_000;
/** Of how long ago the present number of revisions left is compared with. */
const TREND_MS = 10_000;
/** Revisions behind the source: what is on its way while somebody writes. */
const IN_STEP_MAX = 64;

/** A line at most once a second, and none twice in a row. */
export function everySecond(tell: (line: string) => void): (line: string) => void {
	let dueMs = 0;
	let last = "";
	return (line) => {
		if (performance.now() < dueMs || line === last) return;
		dueMs = performance.now() + TOLD_EVERY_MS;
		last = line;
		tell(line);
	};
}

/** Of a work whose size is known. */
export class Countdown {
	private readonly startedMs = performance.now();

	describe(done: number, all: number): string {
		const ms = performance.now() - this.startedMs;
		if (ms < RATE_MS || done === 0) return "";
		const rate = (done * 1_000) / ms;
		return `, ${Math.round(rate)} a second, ${seconds((all - done) / rate)} left`;
	}
}

/** Of a work that grows while it is done. */
export class Backlog {
	private readonly seen: Array<{ readonly ms: number; readonly left: number }> = [];

	/** `revision`: carried out, of `last`, in `changes`. */
	describe(revision: number, last: number, changes: number): string {
		const left = Math.max(0, last - revision);
		const trend = this.trend(left);
		const since = `${changes} changes since the copy`;
		if (left <= IN_STEP_MAX) return `in step up to revision ${revision} of ${last}; ${since}`;
		return `catching up: revision ${revision} of ${last}, ${left} left${trend}; ${since}`;
	}

	private trend(left: number): string {
		const ms = performance.now();
		this.seen.push({ ms, left });
		while (this.seen.length > 2 && (this.seen[1]?.ms ?? ms) < ms - TREND_MS) this.seen.shift();
		const [first] = this.seen;
		if (first === undefined || ms - first.ms < RATE_MS) return "";
		const rate = ((first.left - left) * 1_000) / (ms - first.ms);
		if (rate > 0) return `, ${seconds(left / rate)} at this rate`;
		return ms - first.ms < TREND_MS / 2 ? "" : ", and no fewer than before: the source writes as fast as this copies, or faster";
	}
}

function seconds(count: number): string {
	const whole = Math.ceil(count);
	return whole < 120 ? `${whole} s` : `${Math.ceil(whole / 60)} min`;
}
