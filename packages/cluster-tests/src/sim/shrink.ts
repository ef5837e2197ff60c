import { smallerParts } from "./part-kinds.ts";
import { APPLY_SLICE_MAX, type FaultKind, type RunPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";

/** How long to look for a smaller plan: until one of them is over. */
export interface Patience {
	readonly secondsMax: number;
	/** With a bound on runs alone the search is a pure function of what failed. */
	readonly runsMax: number;
}

/**
 * Leaves out what a failure does not need: kinds of faults, single strikes, changes of members, requests, clients and time.
 * Keeps a plan only if a run of it fails in the same way, so the smallest plan shows the same bug.
 */
export function shrink(failed: RunResult, { secondsMax, runsMax }: Patience = { secondsMax: 120, runsMax: 1_000 }): RunResult {
	const deadline = performance.now() + secondsMax * 1_000;
	let best = failed;
	let runs = 0;
	const isOver = (): boolean => runs >= runsMax || performance.now() >= deadline;
	const better = (plan: RunPlan): boolean => {
		runs++;
		const result = simulate(plan);
		if (kindOf(result) !== kindOf(failed)) return false;
		best = result;
		return true;
	};
	let found = true;
	while (found && !isOver()) {
		found = false;
		for (const plan of smallerPlans(best)) {
			if (isOver()) break;
			found ||= better(plan);
			if (found) break;
		}
	}
	return best;
}

/** Plans with less each; there is an end to it, since each leaves something out for good. */
function* smallerPlans({ plan, faults, virtualMs }: RunResult): Generator<RunPlan> {
	// What comes after the failure is of no use.
	if (virtualMs + 100 < plan.faultyMs) yield { ...plan, faultyMs: virtualMs + 100 };
	for (const kind of Object.keys(plan.faults) as FaultKind[]) {
		if (plan.faults[kind] > 0) yield { ...plan, faults: { ...plan.faults, [kind]: 0 } };
	}
	yield* withoutStrikes(
		plan,
		[...new Set(faults.map(({ strike }) => strike))].filter((strike) => strike !== ""),
	);
	for (const parts of smallerParts(plan.parts)) yield { ...plan, parts };
	if (plan.churn.everyMs > 0) yield { ...plan, churn: { ...plan.churn, everyMs: 0 } };
	if (plan.churn.joint) yield { ...plan, churn: { ...plan.churn, joint: false } };
	if (plan.members === 5) yield { ...plan, members: 3 };
	if (plan.faultyMs > 500) yield { ...plan, faultyMs: Math.ceil(plan.faultyMs / 2) };
	if (plan.leavesMinority) yield { ...plan, leavesMinority: false };
	if (plan.applySliceKeys < APPLY_SLICE_MAX) yield { ...plan, applySliceKeys: APPLY_SLICE_MAX };
	if (plan.driftPerMille > 0) yield { ...plan, driftPerMille: 0 };
	if (plan.network.lossPerMille > 0) yield { ...plan, network: { ...plan.network, lossPerMille: 0 } };
	if (plan.network.duplicatePerMille > 0) yield { ...plan, network: { ...plan.network, duplicatePerMille: 0 } };
	if (plan.network.corruptPerMille > 0) yield { ...plan, network: { ...plan.network, corruptPerMille: 0 } };
	if (plan.network.queueMax > 0) yield { ...plan, network: { ...plan.network, queueMax: 0 } };
}

/** The decisions of the nemesis are a list by now: halves of it are left out, then quarters, down to single strikes. */
function* withoutStrikes(plan: RunPlan, strikes: readonly string[]): Generator<RunPlan> {
	for (let size = Math.ceil(strikes.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
		for (let at = 0; at < strikes.length; at += size) {
			yield { ...plan, spared: [...plan.spared, ...strikes.slice(at, at + size)] };
		}
	}
}

/** The first finding up to its colon names what broke. */
export function kindOf(result: RunResult): string {
	return result.verdict === "ok" ? "ok" : (result.findings[0]?.split(":")[0] ?? "");
}
