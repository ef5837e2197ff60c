import type { Dice } from "@flotilla/base";
import { type AuthPlan, authPart } from "./auth-part.ts";
import { type ElectionPlan, electionPart } from "./election-part.ts";
import { type KvPlan, kvPart } from "./kv-part.ts";
import type { LeasePlan } from "./lease-holder.ts";
import { leasePart } from "./lease-part.ts";
import { type LockPlan, lockPart } from "./lock-part.ts";
import type { PartWorld, WorkloadPart } from "./parts.ts";
import { type WatchPlan, watchPart } from "./watch-part.ts";

/** The plans of all parts of the workload, by name. */
export interface PartPlans {
	readonly kv: KvPlan;
	readonly watch: WatchPlan;
	readonly auth: AuthPlan;
	readonly lease: LeasePlan;
	readonly lock: LockPlan;
	readonly election: ElectionPlan;
}

/** Each part draws from a stream of its own: one that is added later leaves the plans of the others as they were. */
export function drawParts(streamOf: (name: keyof PartPlans) => Dice): PartPlans {
	return {
		kv: kvPart.draw(streamOf("kv")),
		watch: watchPart.draw(streamOf("watch")),
		auth: authPart.draw(streamOf("auth")),
		lease: leasePart.draw(streamOf("lease")),
		lock: lockPart.draw(streamOf("lock")),
		election: electionPart.draw(streamOf("election")),
	};
}

export function makeParts(plans: PartPlans, worldOf: (name: keyof PartPlans) => PartWorld): WorkloadPart[] {
	return [
		kvPart.make(plans.kv, worldOf("kv")),
		watchPart.make(plans.watch, worldOf("watch")),
		authPart.make(plans.auth, worldOf("auth")),
		leasePart.make(plans.lease, worldOf("lease")),
		lockPart.make(plans.lock, worldOf("lock")),
		electionPart.make(plans.election, worldOf("election")),
	];
}

export function* smallerParts(plans: PartPlans): Generator<PartPlans> {
	for (const kv of kvPart.smaller(plans.kv)) yield { ...plans, kv };
	for (const election of electionPart.smaller(plans.election)) yield { ...plans, election };
	for (const lock of lockPart.smaller(plans.lock)) yield { ...plans, lock };
	for (const lease of leasePart.smaller(plans.lease)) yield { ...plans, lease };
	for (const watch of watchPart.smaller(plans.watch)) yield { ...plans, watch };
	for (const auth of authPart.smaller(plans.auth)) yield { ...plans, auth };
}
