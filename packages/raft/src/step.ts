import { fail, marks } from "@flotilla/base";
import { takeCommitMark } from "./configuration.ts";
import { hearLeader, onAppend, onGoodbye, onHeartbeat, onSnapshot, onTimeoutNow } from "./follower.ts";
import { onAppendResp, onHeartbeatResp } from "./leader.ts";
import type { Message } from "./message.ts";
import { NO_NODE } from "./message.ts";
import type { StepStatus } from "./output.ts";
import { isPlausible } from "./plausible.ts";
import type { Raft } from "./raft.ts";
import { onReadIndex, onReadIndexResp } from "./reads.ts";
import { becomeFollower } from "./roles.ts";
import { termCeiling } from "./term-ceiling.ts";
import { answerPreVote, answerVote, onPreVoteResp, onVoteResp, respondPreVote, respondVote } from "./votes.ts";

/** One message of a peer. First who may speak, then whose term it is, then what it says. */
export function step(r: Raft, m: Message): StepStatus {
	if (!isPlausible(m, r.id)) return "rejected:malformed";
	if (!mayAnswer(r, m)) return "ignored:unknown-peer";
	// Whatever the term: that an entry is committed stays true (rule C4).
	if (m.kind === "vote" || m.kind === "voteResp" || m.kind === "preVote" || m.kind === "preVoteResp") takeCommitMark(r, m);
	if (m.term < r.term) return onLowerTerm(r, m);
	if (m.term > r.term) {
		if (m.kind === "vote" && !m.transfer && r.inLease) {
			marks.voteInLease++;
			respondVote(r, m, true);
			return "ignored:in-lease";
		}
		if (m.term > termCeiling(r.term)) return onIncredibleTerm(r, m);
		adoptTerm(r, m);
	}
	return dispatch(r, m);
}

/** Answers count from members only; those who were just removed may acknowledge but no longer raise terms. */
function mayAnswer(r: Raft, m: Message): boolean {
	if (m.kind !== "appendResp" && m.kind !== "heartbeatResp" && m.kind !== "voteResp" && m.kind !== "preVoteResp") return true;
	const slot = r.members.slotOf(m.from);
	return r.members.isMember(slot) || (r.members.isDeparting(slot) && m.term <= r.term);
}

function onLowerTerm(r: Raft, m: Message): StepStatus {
	if (m.kind === "append" || m.kind === "heartbeat") {
		// Silence would deadlock: a node that came back with a higher term would neither follow nor win (etcd #8243).
		marks.staleLeaderTold++;
		const commit = r.work.syncedCommit;
		r.send({ kind: "appendResp", from: r.id, to: m.from, term: r.term, index: 0, reject: false, hintIndex: 0, hintTerm: 0, commit });
	}
	// The asker has to learn this term, or it may ask in vain for ever (etcd #8501).
	if (m.kind === "preVote") {
		marks.stalePreVoteTold++;
		respondPreVote(r, m, "rejected");
	}
	return "ignored:stale-term";
}

/** Nothing that it says is taken but that there is a higher term (rule T1). */
function onIncredibleTerm(r: Raft, m: Message): StepStatus {
	if (tellsOfTerm(m)) becomeFollower(r, termCeiling(r.term), NO_NODE, { reason: "higherTerm", keepTimer: true });
	return "ignored:incredible-term";
}

/** A pre-vote asks for a term that need not come, and a grant echoes what was asked for; only a refusal tells of one that exists. */
function tellsOfTerm(m: Message): boolean {
	return m.kind !== "preVote" && (m.kind !== "preVoteResp" || m.reject);
}

function adoptTerm(r: Raft, m: Message): void {
	if (!tellsOfTerm(m)) return;
	if (m.kind === "append" || m.kind === "heartbeat" || m.kind === "snapshot") {
		becomeFollower(r, m.term, m.from, { reason: "leaderHeard", keepTimer: false });
	} else becomeFollower(r, m.term, NO_NODE, { reason: "higherTerm", keepTimer: true });
}

function dispatch(r: Raft, m: Message): StepStatus {
	switch (m.kind) {
		case "append":
		case "heartbeat":
		case "snapshot":
		case "timeoutNow":
			return followLeader(r, m);
		case "goodbye":
			onGoodbye(r, m);
			return "ok";
		case "vote":
			answerVote(r, m);
			return "ok";
		case "preVote":
			answerPreVote(r, m);
			return "ok";
		case "readIndex":
			return onReadIndex(r, m);
		case "readIndexResp":
			onReadIndexResp(r, m);
			return "ok";
		case "voteResp":
			onVoteResp(r, m, r.members.slotOf(m.from));
			return "ok";
		case "preVoteResp":
			onPreVoteResp(r, m, r.members.slotOf(m.from));
			return "ok";
		case "appendResp":
			if (r.role === "leader") onAppendResp(r, m, r.members.slotOf(m.from));
			return "ok";
		case "heartbeatResp":
			if (r.role === "leader") onHeartbeatResp(r, m, r.members.slotOf(m.from));
			return "ok";
	}
}

function followLeader(r: Raft, m: Extract<Message, { kind: "append" | "heartbeat" | "snapshot" | "timeoutNow" }>): StepStatus {
	const other = r.role === "leader" || (r.leader !== NO_NODE && r.leader !== m.from);
	if (other) return fail("a term has at most one leader", { term: r.term, leader: r.leader, other: m.from });
	switch (m.kind) {
		case "append":
			hearLeader(r, m.from);
			return onAppend(r, m);
		case "heartbeat":
			hearLeader(r, m.from);
			onHeartbeat(r, m);
			return "ok";
		case "snapshot":
			hearLeader(r, m.from);
			return onSnapshot(r, m);
		case "timeoutNow":
			onTimeoutNow(r);
			return "ok";
	}
}
