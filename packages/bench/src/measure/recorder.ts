/** Latencies of one run: as a whole, and second by second. HDR histograms with three digits, in microseconds. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";

const FIGURES = 3;
const HIGHEST_US = 3_600_000_000;

export interface Latency {
	readonly count: number;
	readonly minUs: number;
	readonly meanUs: number;
	readonly p50Us: number;
	readonly p90Us: number;
	readonly p99Us: number;
	readonly p999Us: number;
	readonly maxUs: number;
}

/** One second of a run, or what was meant to be one on a busy machine. */
export interface Point {
	/** Milliseconds since 1970 at its beginning. */
	readonly atMs: number;
	readonly lengthMs: number;
	readonly operations: number;
	readonly failures: number;
	readonly p50Us: number;
	readonly p90Us: number;
	readonly p99Us: number;
	readonly maxUs: number;
	/** It belongs to the warm-up: not in the totals. */
	readonly warmUp: boolean;
}

/** Operations a second. */
export function rateOf({ operations, lengthMs }: Point): number {
	return lengthMs > 0 ? (operations / lengthMs) * 1_000 : 0;
}

const newHistogram = (): RecordableHistogram => createHistogram({ lowest: 1, highest: HIGHEST_US, figures: FIGURES });

export class Recorder {
	readonly points: Point[] = [];
	/** Texts of failures, with how often they came. Bounded: a text that names no thing in particular comes again. */
	readonly failures = new Map<string, number>();
	private readonly total = newHistogram();
	private readonly second = newHistogram();
	private failed = 0;
	private failedInSecond = 0;
	private happened = 0;
	private happenedInSecond = 0;
	private secondStartedMs = 0;
	private measuring = false;

	/** `nowMs` is the wall clock's, here and below. */
	beginSeconds(nowMs: number): void {
		this.secondStartedMs = nowMs;
	}

	/** From here on the totals count; what was under way before belongs to them when it ends. */
	beginMeasuring(): void {
		this.measuring = true;
	}

	endMeasuring(): void {
		this.measuring = false;
	}

	/** One operation and its latency. */
	took(ms: number): void {
		this.latencyOf(ms);
		this.count(1);
	}

	/** Operations of which not every single one is timed. */
	count(operations: number): void {
		this.happenedInSecond += operations;
		if (this.measuring) this.happened += operations;
	}

	/** The latency of one that is counted elsewhere. */
	latencyOf(ms: number): void {
		const us = Math.max(1, Math.round(ms * 1_000));
		this.second.record(us);
		if (this.measuring) this.total.record(us);
	}

	failure(text: string): void {
		this.failedInSecond++;
		if (!this.measuring) return;
		this.failed++;
		const known = this.failures.get(text);
		if (known !== undefined || this.failures.size < FAILURE_TEXTS_MAX) this.failures.set(text, (known ?? 0) + 1);
	}

	/** Ends the present second. */
	endSecond(nowMs: number, warmUp: boolean): Point {
		const { second } = this;
		const point = {
			atMs: this.secondStartedMs,
			lengthMs: nowMs - this.secondStartedMs,
			operations: this.happenedInSecond,
			failures: this.failedInSecond,
			...partsOf(second, ["p50Us", "p90Us", "p99Us"]),
			maxUs: second.count === 0 ? 0 : second.max,
			warmUp,
		};
		this.points.push(point);
		second.reset();
		this.failedInSecond = 0;
		this.happenedInSecond = 0;
		this.secondStartedMs = nowMs;
		return point;
	}

	get latency(): Latency {
		return summary(this.total);
	}

	get operations(): number {
		return this.happened;
	}

	get failedCount(): number {
		return this.failed;
	}
}

const FAILURE_TEXTS_MAX = 32;
const SHARES = { p50Us: 50, p90Us: 90, p99Us: 99, p999Us: 99.9 } as const;

function partsOf<Name extends keyof typeof SHARES>(histogram: RecordableHistogram, names: readonly Name[]): Record<Name, number> {
	const parts = names.map((name) => [name, histogram.count === 0 ? 0 : histogram.percentile(SHARES[name])]);
	return Object.fromEntries(parts) as Record<Name, number>;
}

function summary(histogram: RecordableHistogram): Latency {
	const { count } = histogram;
	return {
		count,
		minUs: count === 0 ? 0 : histogram.min,
		meanUs: count === 0 ? 0 : histogram.mean,
		...partsOf(histogram, ["p50Us", "p90Us", "p99Us", "p999Us"]),
		maxUs: count === 0 ? 0 : histogram.max,
	};
}
