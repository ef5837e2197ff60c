import { assert } from "@flotilla/base";
import { SELF } from "./members.ts";
import type { NodeId, Term } from "./message.ts";
import { NO_NODE } from "./message.ts";
import type { ReadFailure } from "./output.ts";
import { VOTE_GRANTED } from "./quorum.ts";
import type { CampaignReason, Raft } from "./raft.ts";

/** Role changes and what each of them resets (raft thesis §3.4, figure 3.1). */

export interface FollowerReason {
	readonly reason: "higherTerm" | "leaderHeard" | "quorumLost" | "voteLost" | "configChanged" | "removed" | "diskStalled" | "silence";
	/** A vote request must not push our own election away: only a granted one does (see `answerVote`). */
	readonly keepTimer: boolean;
}

export function becomeFollower(r: Raft, term: Term, leader: NodeId, why: FollowerReason): void {
	assert(term >= r.term, "terms must not fall");
	const wasFollower = r.role === "follower";
	if (!wasFollower || term > r.term) failReads(r, "leaderChanged");
	if (term > r.term) {
		r.term = term;
		r.vote = NO_NODE;
		r.emit("termRaised", r.log.lastIndex);
	}
	r.role = "follower";
	resetForRole(r, wasFollower && why.keepTimer);
	setLeader(r, leader, why.reason);
	if (!wasFollower) r.emit("becameFollower", r.log.lastIndex, { reason: why.reason, leader });
}

/** Asks without touching term and vote (raft thesis §9.6): nothing to persist. */
export function becomePreCandidate(r: Raft): void {
	assert(r.role !== "leader", "a leader does not campaign");
	r.role = "preCandidate";
	resetForRole(r, false);
	setLeader(r, NO_NODE, r.campaignReason);
	r.votes[SELF] = VOTE_GRANTED;
	r.emit("becamePreCandidate", r.log.lastIndex, { reason: r.campaignReason });
}

/** The own vote counts when it is durable (see `countOwnVote`). */
export function becomeCandidate(r: Raft): void {
	assert(r.role !== "leader", "a leader does not campaign");
	assert(r.term < Number.MAX_SAFE_INTEGER, "terms stay safe integers");
	r.role = "candidate";
	r.term++;
	r.vote = r.id;
	resetForRole(r, false);
	setLeader(r, NO_NODE, r.campaignReason);
	r.emit("becameCandidate", r.log.lastIndex, { reason: r.campaignReason });
}

export function becomeLeader(r: Raft): void {
	assert(r.role === "candidate", "only a candidate becomes leader");
	r.role = "leader";
	resetForRole(r, false);
	setLeader(r, r.id, r.campaignReason);
	for (const slot of r.members.targets) r.progress.add(r.members.idOf(slot), slot, r.log.lastIndex + 1, false);
	r.progress.match[SELF] = r.log.stable;
	r.progress.durableCommit[SELF] = r.work.syncedCommit;
	r.pendingConfigIndex = r.log.lastIndex;
	r.emit("becameLeader", r.log.lastIndex, { reason: r.campaignReason });
}

/** Leader known, changed or lost. A known leader ends hint mode and whatever campaign was planned. */
export function setLeader(r: Raft, leader: NodeId, reason: FollowerReason["reason"] | CampaignReason): void {
	if (leader !== NO_NODE) {
		r.hintTicksLeft = 0;
		r.campaignInTicks = 0;
		r.heldLostLeader = NO_NODE;
	}
	if (leader === r.leader) return;
	const previous = r.leader;
	r.leader = leader;
	r.goodbyeTicksLeft = 0;
	failAsked(r, "leaderChanged");
	if (leader === NO_NODE) r.emit("leaderLost", r.log.lastIndex, { leader: previous, reason });
	else r.emit("leaderChanged", r.log.lastIndex, { leader, previous, reason: leader === r.id ? reason : r.campaignReason });
}

/** Pending reads of a term or role that ended (rule R4); followers that asked are told to ask again. */
export function failReads(r: Raft, reason: ReadFailure["reason"]): void {
	for (const list of [r.reads.waiting, r.reads.pending]) {
		for (const read of list) {
			if (read.from === NO_NODE) r.output.readFailures.push({ token: read.token, reason });
			else r.send({ kind: "readIndexResp", from: r.id, to: read.from, term: r.term, token: read.token, index: 0 });
		}
	}
	failAsked(r, reason);
	r.reads.clear();
}

function failAsked(r: Raft, reason: ReadFailure["reason"]): void {
	for (const token of r.reads.asked) r.output.readFailures.push({ token, reason });
	r.reads.asked = [];
}

function resetForRole(r: Raft, keepTimer: boolean): void {
	if (!keepTimer) {
		r.electionElapsed = 0;
		r.drawElectionTimeout();
	}
	r.heartbeatElapsed = 0;
	r.votes.fill(0);
	r.lostBy.fill(0);
	r.quorumCheckInTicks = 0;
	r.pendingConfigIndex = 0;
	r.unreportedConfigs = [];
	r.transferSent = false;
	if (r.transferee !== NO_NODE) {
		r.emit("transferEnded", r.log.lastIndex, { to: r.transferee, outcome: "roleChanged" });
		r.transferee = NO_NODE;
	}
	r.members.releaseDeparted(Number.POSITIVE_INFINITY);
	r.progress.clear();
}
