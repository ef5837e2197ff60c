/** The same load at more and more clients: what more throughput costs in latency. */
import type { RunResult } from "../load/run.ts";

export interface SweepStep {
	readonly clients: number;
	readonly result: RunResult;
}

export interface Sweep {
	readonly steps: readonly SweepStep[];
	/** Place of the step beyond which more load buys more latency than throughput. */
	readonly knee: number;
}

/** 1, 2, 4 ... and the last one itself. */
export function sweepClients(last: number): number[] {
	const counts: number[] = [];
	for (let clients = 1; clients < last; clients *= 2) counts.push(clients);
	return [...counts, last];
}

/** Where throughput by median latency is highest (Kleinrock's power): before it the server idles, behind it calls only queue. */
export function kneeOf(steps: readonly SweepStep[]): number {
	let knee = 0;
	let best = 0;
	for (const [at, { result }] of steps.entries()) {
		const power = result.latency.p50Us > 0 ? result.perSecond / result.latency.p50Us : 0;
		if (power <= best) continue;
		best = power;
		knee = at;
	}
	return knee;
}
