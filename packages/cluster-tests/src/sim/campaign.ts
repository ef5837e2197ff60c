import { Worker } from "node:worker_threads";
import type { PlanLimits } from "./plan.ts";
import type { RunResult } from "./run.ts";

/** What a worker is asked: a seed, or null when there are no more. */
export interface SeedRequest {
	readonly seed: string;
	readonly limits: PlanLimits;
	/** Run it twice and compare. */
	readonly twice: boolean;
}

export interface SeedReport {
	readonly result: RunResult;
	/** Two runs of the seed were not the same. */
	readonly differs: boolean;
	/** Of the worker's processor: other work on the machine does not count, nor do the threads that collect garbage and compile. */
	readonly cpuMs: number;
	/** Of the clock on the wall. */
	readonly realMs: number;
}

export interface CampaignOptions {
	readonly seeds: readonly string[];
	readonly limits: PlanLimits;
	readonly workers: number;
	readonly twice: boolean;
	/** Called in the order of the seeds, whichever worker was first. */
	readonly onReport: (report: SeedReport) => void;
}

/** Spreads seeds over threads. What a seed does depends on nothing but the seed, so neither does anything that is reported. */
export async function runCampaign({ seeds, limits, workers, twice, onReport }: CampaignOptions): Promise<void> {
	const done = new Map<number, SeedReport>();
	let told = 0;
	let asked = 0;
	const take = (at: number, report: SeedReport): void => {
		done.set(at, report);
		for (let next = done.get(told); next !== undefined; next = done.get(told)) {
			done.delete(told++);
			onReport(next);
		}
	};
	const work = (worker: Worker): Promise<void> =>
		new Promise((resolve, reject) => {
			let at = -1;
			const askNext = (): void => {
				if (asked === seeds.length) {
					void worker.terminate();
					resolve();
					return;
				}
				at = asked++;
				worker.postMessage({ seed: seeds[at] as string, limits, twice } satisfies SeedRequest);
			};
			worker.on("message", (report: SeedReport) => {
				take(at, report);
				askNext();
			});
			worker.on("error", reject);
			askNext();
		});
	const count = Math.max(1, Math.min(workers, seeds.length));
	await Promise.all(Array.from({ length: count }, () => work(new Worker(new URL("./campaign-worker.ts", import.meta.url)))));
}
