import { commitMark } from "./configuration.ts";
import { SELF } from "./members.ts";
import { NO_NODE } from "./message.ts";
import { appendTermOpening } from "./propose.ts";
import { jointVote, VOTE_GRANTED, VOTE_NONE } from "./quorum.ts";
import type { CampaignReason, Raft } from "./raft.ts";
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from "./roles.ts";
import { drawRetryTicks } from "./round-spans.ts";

/** Asks for leadership, by a pre-vote first (raft thesis §9.6) unless a leader handed over. Nothing happens where it must not. */
export function campaign(r: Raft, reason: CampaignReason): void {
	if (r.role === "leader" || !r.promotable || r.diskStalled) return;
	r.campaignReason = reason;
	if (r.config.preVote && reason !== "transfer") startPreVote(r);
	else startElection(r);
}

/** A voter answered, now or for the first time: only the first answer of a round counts. */
export function countVote(r: Raft, slot: number, vote: number): void {
	if (r.votes[slot] !== VOTE_NONE) return;
	r.votes[slot] = vote;
	judgeVotes(r);
}

/** The own vote counts only once term and vote are durable; a lost or later candidacy does not take it up. */
export function countOwnVote(r: Raft): void {
	const { durable } = r.work;
	if (r.role === "candidate" && durable.term === r.term && durable.vote === r.id) countVote(r, SELF, VOTE_GRANTED);
}

function startPreVote(r: Raft): void {
	becomePreCandidate(r);
	planRetry(r);
	const { log } = r;
	const { commit, commitTerm } = commitMark(r);
	const leaderLost = r.campaignReason === "connectionLost";
	for (const slot of r.members.targets) {
		if (!r.members.isVoter(slot)) continue;
		const to = r.members.idOf(slot);
		const { lastIndex, lastTerm } = log;
		r.send({ kind: "preVote", from: r.id, to, term: r.term + 1, commit, commitTerm, lastIndex, lastTerm, leaderLost });
	}
	judgeVotes(r);
}

function startElection(r: Raft): void {
	becomeCandidate(r);
	planRetry(r);
	const { lastIndex, lastTerm } = r.log;
	const { commit, commitTerm } = commitMark(r);
	const transfer = r.campaignReason === "transfer";
	for (const slot of r.members.targets) {
		if (!r.members.isVoter(slot)) continue;
		const to = r.members.idOf(slot);
		// Released, not sent: a candidate that crashed and came back with a shorter log, in the same term, could
		// otherwise win with votes that were given to the longer one.
		r.release({ kind: "vote", from: r.id, to, term: r.term, commit, commitTerm, lastIndex, lastTerm, transfer });
	}
}

/** While a lost connection is the reason, a lost or split round is tried again soon (rule H4). */
function planRetry(r: Raft): void {
	r.campaignInTicks = r.hintTicksLeft > 0 ? drawRetryTicks(r) : 0;
}

function judgeVotes(r: Raft): void {
	switch (jointVote(r.members.voters, r.members.outgoing, r.votes)) {
		case "won":
			if (r.role === "preCandidate") {
				startElection(r);
				return;
			}
			becomeLeader(r);
			appendTermOpening(r);
			return;
		case "lost":
			becomeFollower(r, r.term, NO_NODE, { reason: "voteLost", keepTimer: false });
			return;
		case "pending":
			return;
	}
}
