/** One thread of a campaign: runs the seeds that it is given, one after the other. */
import { parentPort } from "node:worker_threads";
import type { SeedReport, SeedRequest } from "./campaign.ts";
import { drawPlan } from "./plan.ts";
import { simulate } from "./run.ts";

parentPort?.on("message", ({ seed, limits, twice }: SeedRequest) => {
	const before = process.threadCpuUsage();
	const beganMs = performance.now();
	const result = simulate(drawPlan(seed, limits));
	const realMs = performance.now() - beganMs;
	const { user, system } = process.threadCpuUsage(before);
	const differs = twice && simulate(drawPlan(seed, limits)).traceHash !== result.traceHash;
	parentPort?.postMessage({ result, differs, cpuMs: (user + system) / 1_000, realMs } satisfies SeedReport);
});
