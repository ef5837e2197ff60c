import { marks } from "@flotilla/base";
import { campaign, countVote } from "./campaign.ts";
import { commitMark } from "./configuration.ts";
import { onAskedByLost, rememberSticky } from "./hints.ts";
import type { PreVote, PreVoteResp, Vote, VoteResp } from "./message.ts";
import { NO_NODE } from "./message.ts";
import { VOTE_GRANTED, VOTE_REFUSED } from "./quorum.ts";
import type { Raft } from "./raft.ts";
import { drawRetryTicks } from "./round-spans.ts";

/**
 * Votes are answered in every role, by learners and by nodes that believe they were removed, and for candidates outside the
 * configuration in force here: it may be an old one (raft thesis §4.2.2).
 */

/** A vote request of this node's term. */
export function answerVote(r: Raft, m: Vote): void {
	const free = r.vote === m.from || (r.vote === NO_NODE && r.leader === NO_NODE);
	const granted = free && r.log.isUpToDate(m.lastIndex, m.lastTerm);
	if (granted) {
		r.vote = m.from;
		r.electionElapsed = 0;
		giveWay(r);
	}
	r.emit(granted ? "voteGranted" : "voteRejected", r.log.lastIndex, { to: m.from });
	respondVote(r, m, !granted);
}

/** The answer leaves when term, vote and the log that it was weighed against are durable. */
export function respondVote(r: Raft, m: Vote, reject: boolean): void {
	const { commit, commitTerm } = commitMark(r);
	r.release({ kind: "voteResp", from: r.id, to: m.from, term: r.term, commit, commitTerm, reject });
}

/** A pre-vote that is not below this node's term. Changes neither term nor vote; several may be granted. */
export function answerPreVote(r: Raft, m: PreVote): void {
	if (m.term > r.term && r.inLease) {
		refuseAsSticky(r, m);
		return;
	}
	const free = m.term > r.term || r.vote === m.from || (r.vote === NO_NODE && r.leader === NO_NODE);
	const upToDate = r.log.isUpToDate(m.lastIndex, m.lastTerm);
	if (free && upToDate) {
		giveWay(r);
		r.emit("preVoteGranted", r.log.lastIndex, { to: m.from });
		respondPreVote(r, m, "granted");
		return;
	}
	respondPreVote(r, m, "rejected");
	// It cannot win against this log, and this node has lost the leader too: do not let it try for long (rule H5).
	if (!upToDate && r.role === "follower" && r.hintTicksLeft > 0) campaign(r, "connectionLost");
}

export function respondPreVote(r: Raft, m: PreVote, outcome: "granted" | "rejected" | "sticky"): void {
	const { commit, commitTerm } = commitMark(r);
	const reject = outcome !== "granted";
	// A grant echoes the term that was asked for; a refusal tells the own one, so that the asker can move there.
	const term = reject ? r.term : m.term;
	r.send({ kind: "preVoteResp", from: r.id, to: m.from, term, commit, commitTerm, reject, sticky: outcome === "sticky" });
}

export function onVoteResp(r: Raft, m: VoteResp, slot: number): void {
	if (r.role === "candidate") countVote(r, slot, m.reject ? VOTE_REFUSED : VOTE_GRANTED);
}

export function onPreVoteResp(r: Raft, m: PreVoteResp, slot: number): void {
	if (r.role !== "preCandidate") return;
	// The voter still hears the leader: it will answer anew if it stops doing so, and that answer should count.
	if (m.sticky && r.hintTicksLeft > 0) return;
	if (m.reject) countVote(r, slot, VOTE_REFUSED);
	else if (m.term === r.term + 1) countVote(r, slot, VOTE_GRANTED);
}

function refuseAsSticky(r: Raft, m: PreVote): void {
	marks.preVoteSticky++;
	rememberSticky(r, m);
	respondPreVote(r, m, "sticky");
	if (r.role === "leader" && m.leaderLost) onAskedByLost(r, m.from);
}

/** Another candidate is on its way: an early campaign of this node would only split the votes (rule H4). */
function giveWay(r: Raft): void {
	r.campaignInTicks = r.hintTicksLeft > 0 ? drawRetryTicks(r) : 0;
}
