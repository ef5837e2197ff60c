import { fail, marks } from "@flotilla/base";
import { campaign } from "./campaign.ts";
import { appendToLog, installSnapshot, raiseCommit, truncateLog } from "./configuration.ts";
import type { Append, Entry, Goodbye, Heartbeat, LogIndex, NodeId, SnapshotMessage, Term } from "./message.ts";
import type { StepStatus } from "./output.ts";
import type { Raft } from "./raft.ts";
import { becomeFollower, setLeader } from "./roles.ts";
import { UNKNOWN_TERM } from "./term-runs.ts";

/** What a leader of this term tells (raft thesis §3.5). Every call of these is preceded by `hearLeader`. */

/** The sender leads this term: candidates step back, and the election clock starts anew. */
export function hearLeader(r: Raft, leader: NodeId): void {
	if (r.role !== "follower") {
		becomeFollower(r, r.term, leader, { reason: "leaderHeard", keepTimer: false });
		return;
	}
	r.electionElapsed = 0;
	if (r.leader !== leader) setLeader(r, leader, "leaderHeard");
}

export function onAppend(r: Raft, m: Append): StepStatus {
	const { log } = r;
	const lastOfMessage = m.prevIndex + m.entries.length;
	// Late or repeated. What lies below commit may no longer be known.
	if (lastOfMessage <= log.commit) {
		marks.appendLate++;
		checkHistory(r, m.from, lastOfMessage, m.entries.at(-1)?.term ?? m.prevTerm);
		// Never more than the leader itself holds: one whose disk lost entries must not hear of them from here, and end by it.
		acknowledge(r, m.from, Math.max(lastOfMessage, Math.min(m.commit, log.commit)));
		return "ok";
	}
	if (m.entries.length > 0 && isOverloaded(r)) return "dropped:overloaded";
	if (m.prevIndex >= log.commit && !log.matches(m.prevIndex, m.prevTerm)) {
		refuse(r, m);
		return "ok";
	}
	takeEntries(r, m);
	raiseCommit(r, Math.min(m.commit, lastOfMessage));
	acknowledge(r, m.from, lastOfMessage);
	return "ok";
}

/**
 * What is committed is in the log of every later leader, or a majority has lost it: then there are two histories, and this member
 * holds the one that the cluster does not go on with. It ends; ending the leader would end each one that the others elect.
 */
function checkHistory(r: Raft, leader: NodeId, index: LogIndex, term: Term): void {
	const { log } = r;
	const own = log.termAt(index);
	if (own === term || own === UNKNOWN_TERM) return;
	fail("the leader's log contradicts what this member knows to be committed: were old copies of data folders put back on other members?", {
		leader,
		index,
		term,
		committedTerm: own,
		commit: log.commit,
	});
}

export function onHeartbeat(r: Raft, m: Heartbeat): void {
	takeCommit(r, m);
	r.emit("heartbeatHeard", m.commit, { leader: m.from });
	const { readPosition, sequence } = m;
	r.send({ kind: "heartbeatResp", from: r.id, to: m.from, term: r.term, readPosition, sequence });
}

/**
 * The leader names what this member has acknowledged to it (rule C5). A log that ends before it, or holds another entry there, is not the
 * one that was acknowledged: nothing of it may be taken for committed, and no append would mend it, since none begins below that.
 */
function takeCommit(r: Raft, { commit, commitTerm }: Heartbeat): void {
	const { log } = r;
	if (commit <= log.commit) return;
	const own = log.termAt(commit);
	if (own === UNKNOWN_TERM || (commitTerm !== 0 && commitTerm !== own)) {
		const { lastIndex } = log;
		fail("this member has lost entries that it acknowledged: was an old copy of its data folder put back?", {
			...{ commit, commitTerm, lastIndex },
			term: own,
		});
	}
	// A leader that no longer knows the term has to send the state anyway.
	if (commitTerm !== 0) raiseCommit(r, commit);
}

export function onSnapshot(r: Raft, m: SnapshotMessage): StepStatus {
	const { log } = r;
	const { index, term, confState } = m.meta;
	if (index <= log.commit) checkHistory(r, m.from, index, term);
	else {
		const lists = [confState.voters, confState.votersOutgoing, confState.learners];
		// Some old leader talks to a member that was replaced.
		if (!lists.some((ids) => ids.includes(r.id))) return "ignored:unknown-peer";
		if (log.matches(index, term)) {
			marks.snapshotFastForward++;
			raiseCommit(r, index);
		} else if (log.restoringIndex !== 0) return "dropped:overloaded";
		else installSnapshot(r, m.meta);
	}
	acknowledge(r, m.from, index);
	return "ok";
}

/** The leader hands over: no pre-vote in between. */
export function onTimeoutNow(r: Raft): void {
	if (r.role === "follower") campaign(r, "transfer");
}

/** The leader's streams will close, and somebody else is on the way: their loss is no news for a while (rule H8). */
export function onGoodbye(r: Raft, m: Goodbye): void {
	if (m.from !== r.leader || m.successor === r.id) return;
	r.goodbyeTicksLeft = r.spans.goodbyeTicks;
	r.emit("goodbyeHeard", r.log.lastIndex, { leader: m.from, successor: m.successor });
}

/**
 * Appends what is not yet held. Nothing is removed unless an entry contradicts: a late, shorter copy of an append must not
 * take back what was acknowledged since.
 */
function takeEntries(r: Raft, m: Append): void {
	const { log } = r;
	let at = 0;
	while (at < m.entries.length) {
		const entry = m.entries[at] as Entry;
		if (entry.index > log.lastIndex) break;
		// Below commit terms may be forgotten; where the entry at commit is equal, those before it are.
		if (entry.index >= log.commit && !log.matches(entry.index, entry.term)) {
			if (entry.index === log.commit) checkHistory(r, m.from, entry.index, entry.term);
			marks.appendConflict++;
			truncateLog(r, entry.index);
			break;
		}
		at++;
	}
	if (at < m.entries.length) appendToLog(r, at === 0 ? m.entries : m.entries.slice(at));
}

/**
 * Success up to `index`, when all of it is durable. It carries a commit that is durable by then. What is on the disk already
 * is acknowledged at once: news of a commit, which comes after every lone write, must not cost a second write.
 */
function acknowledge(r: Raft, to: NodeId, index: LogIndex): void {
	const { durable, syncedCommit: commit } = r.work;
	// The commit of a configuration is reported when it is durable (rule C3), so that answer waits for its write.
	const settled = durable.term === r.term && durable.vote === r.vote && r.members.index <= commit;
	if (index <= r.log.stable && settled) {
		r.send({ kind: "appendResp", from: r.id, to, term: r.term, index, reject: false, hintIndex: 0, hintTerm: 0, commit });
		return;
	}
	r.release({ kind: "appendResp", from: r.id, to, term: r.term, index, reject: false, hintIndex: 0, hintTerm: 0, commit: r.log.commit });
}

function refuse(r: Raft, m: Append): void {
	marks.appendRefused++;
	const { log } = r;
	const found = log.lastIndexWithTermAtMost(Math.min(m.prevIndex, log.lastIndex), m.prevTerm);
	const hintIndex = Math.max(found, log.commit);
	const hintTerm = log.termAt(hintIndex);
	const commit = r.work.syncedCommit;
	r.send({ kind: "appendResp", from: r.id, to: m.from, term: r.term, index: m.prevIndex, reject: true, hintIndex, hintTerm, commit });
}

/** Above its own limits a follower lets appends fall: the leader's window closes by itself. */
function isOverloaded(r: Raft): boolean {
	return r.log.unstableBytes > r.config.unstableBytesMax || r.log.unappliedBytes > r.config.unappliedBytesMax;
}
