import type { Consensus, MembershipRequest } from "@flotilla/raft";
import type { ReplicaMachine } from "@flotilla/replica";

/**
 * Lets whatever brings a voter go through a joint configuration that leaves by itself. A member never proposes that, since a single
 * voter does not need it; but its core, its log, its floors, its snapshots and its elections are made for it, and here they have to
 * show it. Removals stay simple: the replica lets the removed member go when its removal is settled, and in a joint
 * configuration the outgoing half would still count on its vote.
 */
export function changeJointly(machine: ReplicaMachine): void {
	const core: unknown = Reflect.get(machine, "core");
	if (!isConsensus(core)) throw new Error("a replica has a core");
	const propose = core.proposeMembership.bind(core);
	core.proposeMembership = (request) => propose(bringsVoter(request) ? { ...request, transition: "jointImplicit" } : request);
}

function bringsVoter({ changes }: MembershipRequest): boolean {
	return changes.length > 0 && changes.every(({ op }) => op === "addVoter");
}

function isConsensus(value: unknown): value is Consensus {
	return typeof value === "object" && value !== null && "proposeMembership" in value;
}
