/** How each planted bug of whole members is looked for: in which runs, by whose word, and within how many of them it must be found. */
import type { WatchCheck } from "../history/watch-checks.ts";
import { isCalm, underUnrest } from "./calm.ts";
import { CALM_MUTANTS, type CalmMutant } from "./calm-mutants.ts";
import { CONTEST_MUTANTS, type ContestMutant } from "./contest-mutants.ts";
import { LEASE_MUTANTS, type LeaseMutant } from "./lease-mutants.ts";
import { MEMBERSHIP_MUTANTS } from "./membership-mutants.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";
import { drawPlan } from "./plan.ts";
import { planted } from "./planted.ts";
import { simulate } from "./run.ts";
import { STORAGE_MUTANTS, type StorageMutant } from "./storage-mutants.ts";
import type { Unrest } from "./unrest.ts";
import { WATCH_MUTANTS, type WatchMutant } from "./watch-mutants.ts";

export interface Hunt {
	readonly name: string;
	/** A test demands it within so many runs of fixed seeds: a miss is a change of the simulator. */
	readonly runsMax: number;
	/** One run: the words in which it tells of this bug, or null. */
	readonly look: (seed: string) => string | null;
}

/** Five times what any of them took in several series of seeds: another draw of the same plans must not make a test fail. */
const RUNS_MAX = 30;
const LIMITS = { faultyMs: 8_000, operationsMin: 0 };

const WATCH_CHECKS: Readonly<Record<WatchMutant, WatchCheck>> = {
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

/** How a finding begins that is of the bug; what else it breaks does not count. */
const OWN_CHECKS: Readonly<Record<Exclude<(typeof MUTANTS)[number], "drawsElsewhere">, readonly string[]>> = {
	acknowledgesBeforeDurable: ["acknowledgedDurable: "],
	readsWithoutBarrier: ["history, realTime: "],
	proposesTwice: ["history, phantom: "],
	losesAppliedTail: ["unwritten: "],
	// A log with a hole, which its own member refuses although nobody has damaged it.
	goesOnAfterFailedWrite: ["start: "],
	takesDamagedFrames: ["noReuse: ", "committedImmutable: "],
	truncatesMidLog: ["vouchedKept: "],
	ignoresLimits: ["queuesBounded: "],
	trustsHeartbeats: ["committedImmutable: "],
};

/** Nobody has damaged anything: a member that cannot start, or holds another state, is the finding. */
const STORAGE_CHECKS: Readonly<Record<StorageMutant, string>> = {
	trustsPageCache: "start: ",
	skipsBarriers: "start: ",
	forgetsFolder: "start: ",
	mixesStates: "equalStates: ",
};

const LEASE_CHECKS: Readonly<Record<LeaseMutant, string>> = {
	renewsWithoutLeader: "lease, notEarly: ",
	clockRunsFast: "lease, notEarly: ",
	revokesNothing: "lease, deadIsDead: ",
	keepsOneKey: "lease, deadIsDead: ",
	forgetsEnds: "liveness: ",
};

const CONTEST_CHECKS: Readonly<Record<ContestMutant, string>> = {
	lockJumpsQueue: "lock: ",
	campaignJumpsQueue: "election, oneLeader: ",
	proclaimsUnfenced: "election, fence: ",
	observerMisses: "election, gap: ",
};

const UNREST: Readonly<Record<CalmMutant, readonly Unrest[]>> = {
	trustsEveryLoss: ["allLinks", "resets"],
	unseatsHeardLeader: ["oneLink", "oneSided"],
};

export const HUNTS: readonly Hunt[] = [
	...MUTANTS.map((mutant) => {
		if (mutant === "drawsElsewhere") return { name: mutant, runsMax: RUNS_MAX, look: differing };
		return hunt(mutant, OWN_CHECKS[mutant]);
	}),
	...STORAGE_MUTANTS.map((mutant) => hunt(mutant, [STORAGE_CHECKS[mutant]])),
	...MEMBERSHIP_MUTANTS.map((mutant) => hunt(mutant, ["settledKnown: "])),
	...WATCH_MUTANTS.map((mutant) => hunt(mutant, [`watch, ${WATCH_CHECKS[mutant]}:`])),
	...LEASE_MUTANTS.map((mutant) => hunt(mutant, [LEASE_CHECKS[mutant]])),
	...CONTEST_MUTANTS.map((mutant) => hunt(mutant, [CONTEST_CHECKS[mutant]])),
	...CALM_MUTANTS.flatMap((mutant) => UNREST[mutant].map((unrest) => restless(mutant, unrest))),
];

/** In how many runs of a series it was found, one after the other; null: not within `runsMax`. */
export function runsUntilFound({ look }: Hunt, series: string, runsMax: number): { readonly runs: number; readonly by: string } | null {
	for (let runs = 1; runs <= runsMax; runs++) {
		const by = look(`${series} ${runs}`);
		if (by !== null) return { runs, by };
	}
	return null;
}

function hunt(mutant: Mutant, checks: readonly string[]): Hunt {
	const look = (seed: string): string | null => {
		const { findings } = simulate(planted(drawPlan(seed, LIMITS), mutant));
		return findings.find((finding) => checks.some((check) => finding.startsWith(check))) ?? null;
	};
	return { name: mutant, runsMax: RUNS_MAX, look };
}

/** A draw that no seed decides breaks no promise but one: a seed must be one run. */
function differing(seed: string): string | null {
	const plan = planted(drawPlan(seed, { ...LIMITS, faultyMs: 2_000 }), "drawsElsewhere");
	const [once, again] = [1, 2].map(() => simulate(plan).traceHash);
	return once === again ? null : "two runs of one seed differ";
}

function restless(mutant: CalmMutant, unrest: Unrest): Hunt {
	const look = (seed: string): string | null => {
		const calm = underUnrest(seed, unrest, mutant);
		return isCalm(unrest, calm) ? null : `${calm.leaders} leaders and ${calm.terms} terms more, ${calm.silenceMs} ms without a write`;
	};
	return { name: `${mutant}, ${unrest}`, runsMax: 1, look };
}
