import { SELF } from "./members.ts";
import { jointVote, VOTE_GRANTED, VOTE_REFUSED } from "./quorum.ts";
import type { Raft } from "./raft.ts";
import { confirmReads } from "./reads.ts";

/** Sequence of heartbeats outside the regular rhythm: their answers never make the leader send an empty append (rule R5). */
export const UNSCHEDULED = 0;

/** The regular round, to every member and departing peer, whatever else is under way. */
export function broadcastHeartbeat(r: Raft): void {
	r.heartbeatElapsed = 0;
	r.lostBy.fill(0);
	r.heartbeatSequence++;
	closeReadPosition(r);
	for (const slot of r.members.targets) send(r, slot, r.heartbeatSequence);
	confirmReads(r);
}

/** A round for the sake of reads, to those whose echo counts. */
export function broadcastReadRound(r: Raft): void {
	closeReadPosition(r);
	for (const slot of r.members.targets) if (r.members.isVoter(slot)) send(r, slot, UNSCHEDULED);
	confirmReads(r);
}

/** One heartbeat out of turn. It carries the last closed position and so closes none: no round depends on it. */
export function sendHeartbeat(r: Raft, slot: number): void {
	send(r, slot, UNSCHEDULED);
}

/** Everybody must show up again within one heartbeat interval, or this leader steps down (rule H6, and after a pause). */
export function startQuorumProbe(r: Raft): void {
	if (r.quorumCheckInTicks > 0 || !r.config.checkQuorum) return;
	r.quorumCheckInTicks = r.config.heartbeatTicks;
	clearActive(r);
	broadcastHeartbeat(r);
}

/** Heard from a quorum of the voters since the flags were cleared. */
export function isQuorumActive(r: Raft): boolean {
	const { members, progress, activeVotes } = r;
	for (const slot of members.targets) activeVotes[slot] = progress.get(slot)?.recentActive === true ? VOTE_GRANTED : VOTE_REFUSED;
	activeVotes[SELF] = VOTE_GRANTED;
	return jointVote(members.voters, members.outgoing, activeVotes) === "won";
}

export function clearActive(r: Raft): void {
	for (const slot of r.members.targets) {
		const peer = r.progress.get(slot);
		if (peer !== null) peer.recentActive = false;
	}
}

function closeReadPosition(r: Raft): void {
	r.progress.readPosition[SELF] = r.reads.closePosition();
}

function send(r: Raft, slot: number, sequence: number): void {
	// Never beyond what the peer has acknowledged: what it then lacks it has lost, and can be told so.
	const commit = Math.min(r.progress.match[slot] as number, r.log.commit);
	const commitTerm = Math.max(0, r.log.termAt(commit));
	const readPosition = r.reads.closedPosition;
	r.send({ kind: "heartbeat", from: r.id, to: r.members.idOf(slot), term: r.term, commit, commitTerm, readPosition, sequence });
}
