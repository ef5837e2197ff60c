/** Bugs planted in watching: each must be found by the check of the promise that it breaks. */
import { describe, expect, test } from "vitest";
import type { WatchCheck } from "../history/watch-checks.ts";
import { drawPlan, type RunPlan } from "./plan.ts";
import { simulate } from "./run.ts";
import { WATCH_MUTANTS, type WatchMutant } from "./watch-mutants.ts";

const FOUND_BY: Readonly<Record<WatchMutant, WatchCheck>> = {
	losesEvents: "complete",
	swapsEvents: "complete",
	startsLate: "complete",
	startsEarly: "future",
	thinsCompacted: "complete",
	splitsRevisions: "whole",
	repeatsEvents: "once",
	progressAhead: "bookmark",
	forgetsPrevious: "previous",
	forgetsAtSnapshot: "complete",
};
const RUNS = 30;

/** With watchers, and for each bug the circumstances that it needs more often than they come by themselves. */
function planFor(mutant: WatchMutant, seed: number): RunPlan {
	const plan = drawPlan(`watch mutant ${seed}`, { faultyMs: 6_000, operationsMin: 0 });
	const watch = { ...plan.parts.watch, clients: 3, progressPercent: 30, stallPercent: 20 };
	const kv = { ...plan.parts.kv, weights: { ...plan.parts.kv.weights, compact: 1, txn: 4 } };
	const wanted = { ...plan, mutant, parts: { ...plan.parts, watch, kv } };
	if (mutant !== "forgetsAtSnapshot") return wanted;
	// Members are cut off while their clients stay, and so little of the log is kept that they need a snapshot afterwards.
	const none = Object.fromEntries(Object.keys(plan.faults).map((kind) => [kind, 0])) as unknown as RunPlan["faults"];
	return {
		...wanted,
		...{ members: 3, faults: { ...none, isolateMs: 1_000 }, electionTicks: 20, heartbeatTicks: 2 },
		...{ floorEntries: 10, floorBytes: 1_024, keepEntries: 0, keepBytes: 0, segmentBytes: 4_096, memoryEntries: 0 },
		network: { ...plan.network, delayMinUs: 20, delayMeanUs: 50, lossPerMille: 0 },
	};
}

describe("a planted bug of watching is found", () => {
	test.each(WATCH_MUTANTS)("%s", (mutant) => {
		const others = new Set<string>();
		for (let seed = 0; seed < RUNS; seed++) {
			for (const finding of simulate(planFor(mutant, seed)).findings) {
				if (finding.startsWith(`watch, ${FOUND_BY[mutant]}:`)) return;
				others.add(finding.slice(0, 200));
			}
		}
		expect.unreachable(`${mutant} passed ${RUNS} runs; found instead: ${[...others].join("; ")}`);
	});
});
