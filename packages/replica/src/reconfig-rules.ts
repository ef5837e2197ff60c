/** Which changes of the members are refused, and with which word: etcd's rules (etcd API, Cluster), pure and in its order. */
import type { NodeId } from "@flotilla/raft";
import type { MemberTable } from "./member-table.ts";
import type { MemberInfo } from "./members.ts";
import type { MembershipChange, MembershipRefusal } from "./membership.ts";

export interface MembershipRules {
	/** Refuse changes that may cost the quorum. */
	readonly strictReconfigCheck: boolean;
	readonly maxLearners: number;
}

/** Whether a member has been connected for long enough to count on it; and whether it can be reached at all. */
export interface Reachability {
	steady(member: NodeId): boolean;
	reached(member: NodeId): boolean;
}

/** Asked on the member that the client called, before anything is proposed. */
export function strictRefusal(
	change: MembershipChange,
	members: readonly MemberInfo[],
	reach: Reachability,
): "notEnoughStartedMembers" | "unhealthyCluster" | null {
	const voters = members.filter((member) => !member.learner);
	const steady = voters.filter(({ id }) => reach.steady(id)).length;
	if (change.kind === "add") {
		if (!hasEnoughStarted(change, members)) return "notEnoughStartedMembers";
		return voters.length === 1 || steady >= half(voters.length + 1) + 1 ? null : "unhealthyCluster";
	}
	if (change.kind !== "remove" || members.some(({ id, learner }) => id === change.id && learner)) return null;
	if (!hasEnoughStarted(change, members)) return "notEnoughStartedMembers";
	// Who cannot be reached does not count as it is: its removal takes nothing away.
	if (!reach.reached(change.id)) return null;
	return steady - 1 >= 1 + half(voters.length - 1) ? null : "unhealthyCluster";
}

/** Asked of the leader, when its table holds every change before this one. */
export function refusalOfChange(
	change: MembershipChange,
	table: MemberTable,
	rules: MembershipRules,
	inSync: () => boolean,
): MembershipRefusal | null {
	const refusal = refusalByTable(change, table, rules.maxLearners);
	if (refusal !== null) return refusal;
	if (change.kind === "promote" && !inSync()) return "learnerNotReady";
	return rules.strictReconfigCheck && !hasEnoughStarted(change, table.members) ? "notEnoughStartedMembers" : null;
}

function refusalByTable(change: MembershipChange, table: MemberTable, maxLearners: number): MembershipRefusal | null {
	if (change.kind === "add") {
		const { id, peerUrls, learner } = change.member;
		if (table.removed.has(id)) return "memberNotFound";
		if (table.get(id) !== undefined) return "memberExists";
		if (table.isTaken(peerUrls, id)) return "peerUrlExists";
		return learner && table.members.filter((member) => member.learner).length >= maxLearners ? "tooManyLearners" : null;
	}
	const member = table.get(change.id);
	if (member === undefined) return "memberNotFound";
	if (change.kind === "update") return table.isTaken(change.peerUrls, change.id) ? "peerUrlExists" : null;
	return change.kind === "promote" && !member.learner ? "memberNotLearner" : null;
}

/** Among the voters that there would be, a quorum must be of members that have announced themselves. */
function hasEnoughStarted(change: MembershipChange, members: readonly MemberInfo[]): boolean {
	const voters = members.filter((member) => !member.learner);
	const started = voters.filter((member) => member.name !== "").length;
	switch (change.kind) {
		case "update":
			return true;
		case "add":
			if (change.member.learner) return true;
			// The way back from a single survivor.
			return (started === 1 && voters.length === 1) || started >= half(voters.length + 1) + 1;
		case "promote":
			return started + 1 >= half(voters.length + 1) + 1;
		case "remove": {
			const left = voters.filter(({ id }) => id !== change.id);
			if (left.length === voters.length && members.some(({ id }) => id === change.id)) return true;
			return left.filter((member) => member.name !== "").length >= half(left.length) + 1;
		}
	}
}

function half(count: number): number {
	return Math.floor(count / 2);
}
