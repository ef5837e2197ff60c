import { smallerParts } from "./part-kinds.ts";
import type { RunPlan } from "./plan.ts";
import { type RunResult, simulate } from "./run.ts";

/**
 * Leaves out what a failure does not need: faults one kind at a time, then operations, clients and time. Keeps a plan only
 * if a run of it fails in the same way, so the smallest plan shows the same bug.
 */
export function shrink(failed: RunResult): RunResult {
	let best = failed;
	for (let found = true; found; ) {
		found = false;
		for (const plan of smallerPlans(best.plan)) {
			const result = simulate(plan);
			if (kindOf(result) !== kindOf(failed)) continue;
			best = result;
			found = true;
			break;
		}
	}
	return best;
}

/** Plans with one thing less each; there is an end to it, since each leaves something out for good. */
function* smallerPlans(plan: RunPlan): Generator<RunPlan> {
	for (const fault of Object.keys(plan.faults) as Array<keyof RunPlan["faults"]>) {
		if (plan.faults[fault] > 0) yield { ...plan, faults: { ...plan.faults, [fault]: 0 } };
	}
	for (const parts of smallerParts(plan.parts)) yield { ...plan, parts };
	if (plan.churn.everyMs > 0) yield { ...plan, churn: { ...plan.churn, everyMs: 0 } };
	if (plan.members === 5) yield { ...plan, members: 3 };
	if (plan.faultyMs > 500) yield { ...plan, faultyMs: Math.ceil(plan.faultyMs / 2) };
	if (plan.driftPerMille > 0) yield { ...plan, driftPerMille: 0 };
	if (plan.network.lossPerMille > 0) yield { ...plan, network: { ...plan.network, lossPerMille: 0 } };
	if (plan.network.duplicatePerMille > 0) yield { ...plan, network: { ...plan.network, duplicatePerMille: 0 } };
}

/** The first finding up to its colon names what broke. */
function kindOf(result: RunResult): string {
	return result.verdict === "ok" ? "ok" : (result.findings[0]?.split(":")[0] ?? "");
}
