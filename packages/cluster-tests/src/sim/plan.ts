import { Dice } from "@flotilla/base";
import type { RaftLimits } from "@flotilla/raft";
import type { ChurnPlan } from "./churn.ts";
import type { Mutant } from "./mutants.ts";
import type { NetworkModel } from "./network.ts";
import { drawParts, type PartPlans } from "./part-kinds.ts";

/** Mean times between faults of one kind, in milliseconds of virtual time. 0: never in this run. */
export interface FaultRates {
	readonly killMs: number;
	readonly powerCutMs: number;
	readonly killAllMs: number;
	/** Between any two operations, see `CrashPoints`. */
	readonly crashPointMs: number;
	readonly pauseMs: number;
	readonly isolateMs: number;
	readonly oneWayMs: number;
	readonly bridgeMs: number;
	readonly flapMs: number;
	readonly resetMs: number;
	readonly clogMs: number;
	readonly slowDiskMs: number;
	/** An operation of the log's disk fails. */
	readonly failDiskMs: number;
	readonly fullDiskMs: number;
	/** A bit on a disk is inverted. */
	readonly rotMs: number;
	/** A machine loses its disks. */
	readonly wipeMs: number;
	readonly clockJumpMs: number;
	readonly transferMs: number;
	/** A member stays down so long that the others may have cut what it needs. */
	readonly awayMs: number;
	/** A member's folder is put back to an earlier copy. */
	readonly oldFolderMs: number;
	/** A member dies and its store is lost, or a part of it. */
	readonly loseStoreMs: number;
	/** The folder of a leader that was cut off is put back to what it was at the end of that. */
	readonly oldTailMs: number;
	/** A member is stopped in order. */
	readonly stopMs: number;
}
export type FaultKind = keyof FaultRates;

/** Everything that a run draws before it begins. Printed with a failure; replaying needs only the seed. */
export interface RunPlan {
	readonly seed: string;
	readonly members: number;
	/** How long faults go on, and how many client operations there must be before they end: a quiet run proves nothing. */
	readonly faultyMs: number;
	readonly operationsMin: number;
	readonly electionTicks: number;
	readonly heartbeatTicks: number;
	readonly segmentBytes: number;
	readonly floorEntries: number;
	readonly floorBytes: number;
	/** Of the log behind a floor; little of it makes snapshots frequent. */
	readonly keepEntries: number;
	readonly keepBytes: number;
	readonly memoryEntries: number;
	/** What may wait in a core, in some runs next to nothing. */
	readonly coreLimits: Partial<RaftLimits>;
	readonly partBytes: number;
	/** Of one command that are changed in a turn: where they are few, much happens in its middle. */
	readonly applySliceKeys: number;
	/** 0: nothing is applied, no further slice either, while a record waits for the store. */
	readonly unstoredBytesMax: number;
	/** What an operation of a store takes at most. */
	readonly storeUs: number;
	readonly parts: PartPlans;
	readonly network: NetworkModel;
	readonly faults: FaultRates;
	readonly churn: ChurnPlan;
	/** Before everything is mended a minority stays broken for a while, and the rest must do without it. */
	readonly leavesMinority: boolean;
	/** Strikes of faults that are left out, by kind and number: what shrinking found to be of no account. */
	readonly spared: readonly string[];
	/** A member dies at its operation of this number, by a power cut; 0: none does. */
	readonly crashAt: number;
	/** Which one, in the order of their coming; 0: the first. */
	readonly crashMember: number;
	/** Clocks run off by at most so many per mille. */
	readonly driftPerMille: number;
	/** A bug that is planted on purpose; null but in tests of the simulator itself. */
	readonly mutant: Mutant | null;
}

/** As in a real member: no command of the workload needs a second slice. */
export const APPLY_SLICE_MAX = 1_024;

/** What a cluster begins with, as often as it stands here. */
export const CLUSTER_SIZES: readonly number[] = [1, 3, 3, 3, 3, 5, 5];

export interface PlanLimits {
	readonly faultyMs: number;
	readonly operationsMin: number;
}

/**
 * Swarm: first a subset of faults and operations, then rates for those, then sizes. Leaving things out finds what
 * "everything on" hides (Groce et al., "Swarm testing", 2012).
 */
export function drawPlan(seed: string, least: PlanLimits): RunPlan {
	const dice = new Dice(`${seed}/plan`);
	// Streams of their own, so that what is added later leaves the rest of a seed's plan as it was.
	const late = new Dice(`${seed}/late faults`);
	const wire = new Dice(`${seed}/wire`);
	const folders = new Dice(`${seed}/folders`);
	const ends = new Dice(`${seed}/ends`);
	const churn = new Dice(`${seed}/churn`);
	const slices = new Dice(`${seed}/slices`);
	const joint = new Dice(`${seed}/joint`);
	const limits = new Dice(`${seed}/limits`);
	const stores = new Dice(`${seed}/stores`);
	const tails = new Dice(`${seed}/tails`);
	const stops = new Dice(`${seed}/stops`);
	const rate = (minMs: number, maxMs: number, from = dice): number => (from.chance(1, 2) ? from.range(minMs, maxMs) : 0);
	const seldom = (minMs: number, maxMs: number): number => (late.chance(1, 3) ? late.range(minMs, maxMs) : 0);
	// Little of the log is kept, in memory and on the disk: who was away needs a snapshot.
	const scarce = dice.chance(1, 2);
	const stream = dice.chance(3, 4);
	return {
		seed,
		members: dice.pick(CLUSTER_SIZES),
		...least,
		electionTicks: dice.pick([20, 50, 100]),
		heartbeatTicks: dice.pick([2, 5, 10]),
		segmentBytes: (scarce ? 4 : dice.pick([16, 32, 256])) * 1024,
		floorEntries: scarce ? 10 : dice.pick([10, 50, 1_000]),
		floorBytes: (scarce ? 1 : dice.pick([1, 8, 64])) * 1024,
		parts: drawParts((name) => new Dice(`${seed}/${name}`)),
		network: {
			delayMinUs: dice.pick([20, 100, 2_000, 10_000]),
			delayMeanUs: dice.pick([50, 500, 5_000, 20_000]),
			mode: stream ? "stream" : "datagram",
			lossPerMille: dice.chance(1, 2) ? dice.pick([1, 10, 50, 150]) : 0,
			duplicatePerMille: dice.chance(1, 2) ? dice.pick([1, 10, 50, 300]) : 0,
			corruptPerMille: wire.chance(1, 4) ? wire.pick([1, 5, 20]) : 0,
			queueMax: late.chance(1, 6) ? late.range(4, 20) : 0,
		},
		faults: {
			killMs: rate(1_000, 6_000),
			powerCutMs: rate(2_000, 8_000),
			killAllMs: dice.chance(1, 3) ? dice.range(4_000, 10_000) : 0,
			crashPointMs: rate(1_000, 5_000, late),
			pauseMs: rate(1_000, 6_000),
			isolateMs: rate(1_000, 6_000),
			oneWayMs: rate(1_000, 6_000),
			bridgeMs: rate(2_000, 8_000),
			flapMs: rate(2_000, 8_000, late),
			resetMs: rate(300, 3_000),
			clogMs: rate(1_000, 6_000),
			slowDiskMs: rate(1_000, 6_000),
			failDiskMs: dice.chance(1, 3) ? dice.range(3_000, 10_000) : 0,
			fullDiskMs: seldom(3_000, 10_000),
			rotMs: seldom(1_000, 6_000),
			wipeMs: seldom(4_000, 12_000),
			clockJumpMs: rate(2_000, 8_000),
			transferMs: rate(1_000, 6_000),
			awayMs: scarce ? dice.range(1_000, 3_000) : rate(2_000, 6_000),
			oldFolderMs: folders.chance(1, 4) ? folders.range(2_000, 8_000) : 0,
			loseStoreMs: stores.chance(1, 3) ? stores.range(1_500, 6_000) : 0,
			oldTailMs: tails.chance(1, 6) ? tails.range(2_000, 8_000) : 0,
			stopMs: rate(1_000, 6_000, stops),
		},
		churn: {
			everyMs: churn.chance(1, 2) ? churn.range(300, 3_000) : 0,
			learnersOfTen: churn.pick([0, 5, 10]),
			votersMax: churn.pick([3, 5, 5]),
			joint: joint.chance(1, 3),
		},
		leavesMinority: ends.chance(1, 2),
		driftPerMille: dice.chance(1, 2) ? dice.range(1, 100) : 0,
		keepEntries: scarce ? dice.pick([0, 20]) : 5_000,
		keepBytes: scarce ? 0 : dice.pick([0, 64 * 1024]),
		memoryEntries: scarce ? dice.pick([0, 10]) : dice.pick([0, 10_000]),
		partBytes: dice.pick([200, 2_000, 1 << 20]),
		applySliceKeys: slices.chance(1, 2) ? slices.pick([1, 1, 2, 3]) : APPLY_SLICE_MAX,
		unstoredBytesMax: slices.chance(1, 3) ? 0 : 64 << 20,
		storeUs: slices.chance(1, 2) ? 400 : slices.pick([2_000, 10_000]),
		coreLimits: limits.chance(1, 3) ? drawCoreLimits(limits) : {},
		spared: [],
		crashAt: 0,
		crashMember: 0,
		mutant: null,
	};
}

function drawCoreLimits(dice: Dice): Partial<RaftLimits> {
	return {
		appendBytesMax: dice.pick([1, 300, 3_000]),
		inflightMessagesMax: dice.pick([1, 2, 4]),
		inflightBytesMax: dice.pick([1, 1_000, 1 << 20]),
		uncommittedBytesMax: dice.pick([300, 3_000, 1 << 20]),
		applyBytesMax: dice.pick([1, 300, 1 << 20]),
		unstableBytesMax: dice.pick([300, 3_000, 1 << 20]),
		unappliedBytesMax: dice.pick([300, 3_000, 1 << 20]),
		queuedReadsMax: dice.pick([2, 10]),
	};
}

/** It begins with so many members, and their number stays as it is. */
export function staysAt({ members, churn }: RunPlan, count: number): boolean {
	return members === count && churn.everyMs === 0;
}
