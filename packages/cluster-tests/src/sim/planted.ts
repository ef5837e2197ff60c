import { isContestMutant } from "./contest-mutants.ts";
import { isLeaseMutant } from "./lease-mutants.ts";
import type { Mutant } from "./mutants.ts";
import type { FaultRates, RunPlan } from "./plan.ts";
import { isRejoinMutant } from "./rejoin-mutants.ts";
import { isSliceMutant } from "./slice-mutants.ts";
import { isWatchMutant } from "./watch-mutants.ts";

/** The same run with a bug, and with what brings it out more often than chance would. */
export function planted(plan: RunPlan, mutant: Mutant): RunPlan {
	if (isContestMutant(mutant)) {
		const lock = { ...plan.parts.lock, lockers: 4 };
		const election = { ...plan.parts.election, candidates: 4, observers: 2, stallPercent: 0 };
		return { ...plan, mutant, parts: { ...plan.parts, lock, election } };
	}
	if (mutant === "keepsOneKey") return { ...withManyEnds(plan), mutant };
	if (isLeaseMutant(mutant)) return { ...withLeases(plan), mutant };
	if (isWatchMutant(mutant)) return { ...withWatchers(plan), ...(mutant === "forgetsAtSnapshot" ? awayLonger(plan) : {}), mutant };
	if (mutant === "notesNoAddresses") return { ...withGrownClusters(plan), mutant };
	if (isRejoinMutant(mutant)) return { ...withLostStores(plan), mutant };
	if (isSliceMutant(mutant)) return { ...withSlices(plan), mutant };
	return { ...plan, ...CIRCUMSTANCES[mutant]?.(plan), mutant };
}

const CIRCUMSTANCES: Partial<Record<Mutant, (plan: RunPlan) => Partial<RunPlan>>> = {
	takesDamagedFrames: ({ network }) => ({ network: { ...network, corruptPerMille: 20 } }),
	// Where nothing was damaged every loss is a finding.
	goesOnAfterFailedWrite: ({ faults }) => ({
		faults: { ...faults, failDiskMs: 500, powerCutMs: 1_500, rotMs: 0, wipeMs: 0, oldFolderMs: 0 },
	}),
	// Writes fail and are read back by a start, then the power goes.
	trustsPageCache: ({ faults }) => ({
		faults: { ...faults, failDiskMs: 500, powerCutMs: 1_000, killAllMs: 0, rotMs: 0, wipeMs: 0, oldFolderMs: 0 },
	}),
	// Floors all the time, and no log behind them to make the store anew from.
	skipsBarriers: ({ faults }) => ({
		...{ floorEntries: 10, floorBytes: 1_024, keepEntries: 0, keepBytes: 0, segmentBytes: 4_096, storeUs: 10_000 },
		faults: { ...faults, powerCutMs: 1_000, rotMs: 0, wipeMs: 0, oldFolderMs: 0 },
	}),
	forgetsFolder: (plan) => {
		const caught = catchingUp(plan);
		return { ...caught, faults: { ...(caught.faults as FaultRates), powerCutMs: 1_500 } };
	},
	mixesStates: (plan) => ({ ...withLeases(plan), ...catchingUp(plan) }),
	answersAtApply: ({ churn }) => ({ churn: { ...churn, everyMs: 300 } }),
	leavesAtOnce: ({ churn }) => ({ churn: { ...churn, everyMs: 300 } }),
	// A single bit of an old frame, met by a start that needs it; nobody may have to count on that copy, so the others keep up.
	truncatesMidLog: (plan) => ({
		...{ ...inPeace(plan, 2), segmentBytes: 16_384, floorEntries: 1_000, floorBytes: 65_536, keepEntries: 5_000, keepBytes: 65_536 },
		faults: { ...noFaults(plan), rotMs: 200, killMs: 1_000 },
	}),
	// Leaders are cut off with clients that go on, so that folders are copied with tails that nobody else has, and put back.
	trustsHeartbeats: (plan) => ({ ...inPeace(plan, 6), faultyMs: 20_000, faults: { ...noFaults(plan), oldTailMs: 3_000 } }),
	ignoresLimits: () => ({ coreLimits: { appendBytesMax: 1, inflightMessagesMax: 1, uncommittedBytesMax: 300, unstableBytesMax: 300 } }),
};

/** Three members whom nothing keeps from being as far as each other, and clients that write and do not wait long. */
function inPeace({ churn, network, parts }: RunPlan, clients: number): Partial<RunPlan> {
	const weights = { put: 8, get: 2, range: 0, delete: 0, txn: 0, compact: 0 };
	return {
		...{ members: 3, electionTicks: 20, heartbeatTicks: 2, churn: { ...churn, everyMs: 0 }, leavesMinority: false, coreLimits: {} },
		network: {
			...{ ...network, mode: "stream", delayMinUs: 100, delayMeanUs: 500 },
			...{ lossPerMille: 0, duplicatePerMille: 0, corruptPerMille: 0, queueMax: 0 },
		},
		parts: { ...parts, kv: { ...parts.kv, clients, timeoutMs: 300, weights } },
	};
}

function noFaults({ faults }: RunPlan): FaultRates {
	return Object.fromEntries(Object.keys(faults).map((kind) => [kind, 0])) as unknown as FaultRates;
}

/** Leases are never left out. */
export function withLeases(plan: RunPlan): RunPlan {
	const lease = { ...plan.parts.lease, holders: Math.max(2, plan.parts.lease.holders), keysMax: 3, revokePercent: 15 };
	return { ...plan, parts: { ...plan.parts, lease } };
}

/** Leases with several keys end all the time, and are looked at afterwards; a start or a state that is received would meet a key without its lease first. */
function withManyEnds(plan: RunPlan): RunPlan {
	const leased = withLeases(plan);
	const lease = { ...leased.parts.lease, holders: 6, keysMax: 4, revokePercent: 40, sleepPercent: 30, timeoutMs: 1_000 };
	const calm = { churn: { ...plan.churn, everyMs: 0 }, faults: { ...noFaults(plan), resetMs: 1_000 } };
	return { ...leased, ...calm, parts: { ...leased.parts, lease } };
}

/** Much is changed at once, a key a turn, on slow stores, and members die in the middle. */
function withSlices(plan: RunPlan): RunPlan {
	const kv = { ...plan.parts.kv, clients: 10, keys: 24, weights: { ...plan.parts.kv.weights, put: 24, delete: 4, txn: 12, range: 12 } };
	return {
		...plan,
		...{ applySliceKeys: 1, unstoredBytesMax: 0, storeUs: 10_000, floorEntries: 10, floorBytes: 1_024 },
		faults: { ...plan.faults, killMs: 1_000, crashPointMs: 1_000 },
		parts: { ...plan.parts, kv },
	};
}

/** Three members lose their stores all the time, behind logs that are cut all the time, and are cut off from each other. */
export function withLostStores(plan: RunPlan): RunPlan {
	return {
		...plan,
		...{ members: 3, churn: { ...plan.churn, everyMs: 0 }, electionTicks: 20, heartbeatTicks: 2 },
		...{ floorEntries: 10, floorBytes: 1_024, keepEntries: 0, keepBytes: 0, segmentBytes: 4_096, memoryEntries: 0 },
		faults: { ...noFaults(plan), loseStoreMs: 600, isolateMs: 1_000, killMs: 2_000, crashPointMs: 1_500, transferMs: 3_000 },
	};
}

/** A member that began alone, whose cluster grows, shrinks and moves while members lose their stores: whom to ask stands in no first configuration. */
export function withGrownClusters(plan: RunPlan): RunPlan {
	const lost = withLostStores(plan);
	const churn = { everyMs: 250, learnersOfTen: 3, votersMax: 5, joint: false };
	return { ...lost, members: 1, churn, leavesMinority: false, faults: { ...lost.faults, loseStoreMs: 500, isolateMs: 0, crashPointMs: 0 } };
}

/** Nor are watchers, and they have something to watch. */
function withWatchers(plan: RunPlan): RunPlan {
	const watch = { ...plan.parts.watch, clients: 3, progressPercent: 30, stallPercent: 20 };
	const kv = { ...plan.parts.kv, weights: { ...plan.parts.kv.weights, compact: 1, txn: 4 } };
	return { ...plan, parts: { ...plan.parts, watch, kv } };
}

/** Members are cut off while their clients stay, and so little of the log is kept that they need a snapshot afterwards. */
function catchingUp(plan: RunPlan): Partial<RunPlan> {
	const { network } = plan;
	return {
		...{ members: 3, faults: { ...noFaults(plan), isolateMs: 1_000 }, electionTicks: 20, heartbeatTicks: 2 },
		...{ floorEntries: 10, floorBytes: 1_024, keepEntries: 0, keepBytes: 0, segmentBytes: 4_096, memoryEntries: 0 },
		network: { ...network, delayMinUs: 20, delayMeanUs: 50, lossPerMille: 0 },
	};
}

/** With watchers that need what was in the state they are skipped over. */
function awayLonger(plan: RunPlan): Partial<RunPlan> {
	const caught = catchingUp(plan);
	return { ...caught, faultyMs: 16_000, leavesMinority: false, faults: { ...(caught.faults as FaultRates), isolateMs: 700 } };
}
