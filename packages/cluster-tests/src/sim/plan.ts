import { Dice } from "@flotilla/base";
import type { Mutant } from "./mutants.ts";
import type { NetworkModel } from "./network.ts";
import type { Weights } from "./workload.ts";

/** Mean times between faults of one kind, in milliseconds of virtual time. 0: never in this run. */
export interface FaultRates {
	readonly killMs: number;
	readonly powerCutMs: number;
	readonly killAllMs: number;
	readonly pauseMs: number;
	readonly isolateMs: number;
	readonly oneWayMs: number;
	readonly bridgeMs: number;
	readonly resetMs: number;
	readonly clogMs: number;
	readonly slowDiskMs: number;
	readonly failSyncMs: number;
	readonly clockJumpMs: number;
	readonly transferMs: number;
	/** A member stays down so long that the others may have cut what it needs. */
	readonly awayMs: number;
	/** A member is removed from the cluster for ever. */
	readonly removeMs: number;
}

/** Everything that a run draws before it begins. Printed with a failure; replaying needs only the seed. */
export interface RunPlan {
	readonly seed: string;
	readonly members: number;
	readonly clients: number;
	readonly keys: number;
	readonly clientTimeoutMs: number;
	/** How long faults go on. */
	readonly faultyMs: number;
	readonly electionTicks: number;
	readonly heartbeatTicks: number;
	readonly segmentBytes: number;
	readonly floorEntries: number;
	readonly floorBytes: number;
	/** Of the log behind a floor; little of it makes snapshots frequent. */
	readonly keepEntries: number;
	readonly keepBytes: number;
	readonly memoryEntries: number;
	readonly partBytes: number;
	readonly weights: Weights;
	readonly network: NetworkModel;
	readonly faults: FaultRates;
	/** Clocks run off by at most so many per mille. */
	readonly driftPerMille: number;
	/** A bug that is planted on purpose; null but in tests of the simulator itself. */
	readonly mutant: Mutant | null;
}

export interface PlanLimits {
	readonly faultyMs: number;
}

/**
 * Swarm: first a subset of faults and operations, then rates for those, then sizes. Leaving things out finds what
 * "everything on" hides (Groce et al., "Swarm testing", 2012).
 */
export function drawPlan(seed: string, limits: PlanLimits): RunPlan {
	const dice = new Dice(`${seed}/plan`);
	// Draws of their own, so that the rest of a seed's plan stays what it was.
	const removals = new Dice(`${seed}/removals`);
	const rate = (minMs: number, maxMs: number): number => (dice.chance(1, 2) ? dice.range(minMs, maxMs) : 0);
	// Little of the log is kept, in memory and on the disk: who was away needs a snapshot.
	const scarce = dice.chance(1, 2);
	const weight = (max: number): number => (dice.chance(2, 3) ? dice.range(1, max) : 0);
	return {
		seed,
		members: dice.pick([1, 3, 3, 3, 3, 5, 5]),
		clients: dice.range(2, 6),
		keys: dice.range(3, 10),
		clientTimeoutMs: dice.pick([300, 1_000, 5_000]),
		faultyMs: limits.faultyMs,
		electionTicks: dice.pick([20, 50, 100]),
		heartbeatTicks: dice.pick([2, 5, 10]),
		segmentBytes: (scarce ? 4 : dice.pick([16, 32, 256])) * 1024,
		floorEntries: scarce ? 10 : dice.pick([10, 50, 1_000]),
		floorBytes: (scarce ? 1 : dice.pick([1, 8, 64])) * 1024,
		weights: { put: dice.range(2, 10), get: dice.range(1, 10), range: weight(6), delete: weight(4), txn: weight(8), compact: weight(1) },
		network: {
			delayMinUs: dice.pick([20, 100, 2_000, 10_000]),
			delayMeanUs: dice.pick([50, 500, 5_000, 20_000]),
			mode: dice.chance(3, 4) ? "stream" : "datagram",
			lossPerMille: dice.chance(1, 2) ? dice.range(1, 50) : 0,
			duplicatePerMille: dice.chance(1, 2) ? dice.range(1, 50) : 0,
		},
		faults: {
			killMs: rate(1_000, 6_000),
			powerCutMs: rate(2_000, 8_000),
			killAllMs: dice.chance(1, 3) ? dice.range(4_000, 10_000) : 0,
			pauseMs: rate(1_000, 6_000),
			isolateMs: rate(1_000, 6_000),
			oneWayMs: rate(1_000, 6_000),
			bridgeMs: rate(2_000, 8_000),
			resetMs: rate(300, 3_000),
			clogMs: rate(1_000, 6_000),
			slowDiskMs: rate(1_000, 6_000),
			failSyncMs: dice.chance(1, 3) ? dice.range(3_000, 10_000) : 0,
			clockJumpMs: rate(2_000, 8_000),
			transferMs: rate(1_000, 6_000),
			removeMs: removals.chance(1, 3) ? removals.range(1_000, 6_000) : 0,
			awayMs: scarce ? dice.range(1_000, 3_000) : rate(2_000, 6_000),
		},
		driftPerMille: dice.chance(1, 2) ? dice.range(1, 100) : 0,
		keepEntries: scarce ? dice.pick([0, 20]) : 5_000,
		keepBytes: scarce ? 0 : dice.pick([0, 64 * 1024]),
		memoryEntries: scarce ? dice.pick([0, 10]) : dice.pick([0, 10_000]),
		partBytes: dice.pick([200, 2_000, 1 << 20]),
		mutant: null,
	};
}
