import type { ConfState, MembershipRequest, NodeId } from "./message.ts";
import { NO_NODE } from "./message.ts";

/** Pure arithmetic on configurations (raft thesis chapter 4). A change that does not fit gives null. */

export const EMPTY_CONF: ConfState = { voters: [], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };

export function isJoint(conf: ConfState): boolean {
	return conf.votersOutgoing.length > 0;
}

/** Every node of a configuration, ascending. */
export function membersOf(conf: ConfState): NodeId[] {
	return sortedIds(new Set([...conf.voters, ...conf.votersOutgoing, ...conf.learners, ...conf.learnersNext]));
}

/** A simple change moves at most one voter; no changes leave the joint configuration; all else enters one. */
export function changedConf(conf: ConfState, request: MembershipRequest): ConfState | null {
	if (request.changes.length === 0) return isJoint(conf) ? leaveJoint(conf) : null;
	if (isJoint(conf) || isContradictory(request)) return null;
	const draft = draftOf(conf);
	const before = new Set(draft.voters);
	for (const change of request.changes) applyChange(draft, change.op, change.node);
	if (draft.voters.size === 0) return null;
	if (request.transition === "auto" && movedVoters(before, draft.voters) <= 1) return confOf(draft, false);
	return enterJoint(conf, request);
}

/** The checks that any configuration must pass: what a decoder lets through must hold them. */
export function isWellFormed(conf: ConfState): boolean {
	const voters = new Set(conf.voters);
	const outgoing = new Set(conf.votersOutgoing);
	for (const list of [conf.voters, conf.learners, conf.votersOutgoing, conf.learnersNext]) if (!isAscending(list)) return false;
	if (conf.learners.some((id) => voters.has(id) || outgoing.has(id))) return false;
	if (conf.learnersNext.some((id) => voters.has(id) || !outgoing.has(id))) return false;
	if (voters.size === 0) return conf.learners.length === 0 && outgoing.size === 0 && !conf.autoLeave;
	return outgoing.size > 0 || !conf.autoLeave;
}

interface Draft {
	readonly voters: Set<NodeId>;
	readonly learners: Set<NodeId>;
	readonly outgoing: Set<NodeId>;
	readonly learnersNext: Set<NodeId>;
}

function draftOf(conf: ConfState): Draft {
	return {
		voters: new Set(conf.voters),
		learners: new Set(conf.learners),
		outgoing: new Set(conf.votersOutgoing),
		learnersNext: new Set(conf.learnersNext),
	};
}

function confOf(draft: Draft, autoLeave: boolean): ConfState {
	return {
		voters: sortedIds(draft.voters),
		learners: sortedIds(draft.learners),
		votersOutgoing: sortedIds(draft.outgoing),
		learnersNext: sortedIds(draft.learnersNext),
		autoLeave,
	};
}

function enterJoint(conf: ConfState, request: MembershipRequest): ConfState | null {
	const draft: Draft = { ...draftOf(conf), outgoing: new Set(conf.voters) };
	for (const change of request.changes) applyChange(draft, change.op, change.node);
	return draft.voters.size === 0 ? null : confOf(draft, request.transition !== "jointExplicit");
}

function leaveJoint(conf: ConfState): ConfState {
	const draft = draftOf(conf);
	for (const id of draft.learnersNext) draft.learners.add(id);
	draft.learnersNext.clear();
	draft.outgoing.clear();
	return confOf(draft, false);
}

function applyChange(draft: Draft, op: "addVoter" | "addLearner" | "remove", node: NodeId): void {
	draft.voters.delete(node);
	draft.learners.delete(node);
	draft.learnersNext.delete(node);
	if (op === "addVoter") draft.voters.add(node);
	// A node cannot be learner and outgoing voter at once: it waits for the joint configuration to end.
	if (op === "addLearner") (draft.outgoing.has(node) ? draft.learnersNext : draft.learners).add(node);
}

function isContradictory(request: MembershipRequest): boolean {
	const ops = new Map<NodeId, string>();
	for (const { op, node } of request.changes) {
		if (node === NO_NODE || (ops.get(node) ?? op) !== op) return true;
		ops.set(node, op);
	}
	return false;
}

function movedVoters(before: ReadonlySet<NodeId>, after: ReadonlySet<NodeId>): number {
	let moved = 0;
	for (const id of before) if (!after.has(id)) moved++;
	for (const id of after) if (!before.has(id)) moved++;
	return moved;
}

function isAscending(ids: readonly NodeId[]): boolean {
	for (let i = 0; i < ids.length; i++) if ((ids[i] as NodeId) <= (i === 0 ? NO_NODE : (ids[i - 1] as NodeId))) return false;
	return true;
}

function sortedIds(ids: ReadonlySet<NodeId>): NodeId[] {
	return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
