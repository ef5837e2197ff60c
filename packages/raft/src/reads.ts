import { marks } from "@flotilla/base";
import { SELF } from "./members.ts";
import type { NodeId, ReadIndexRequest, ReadIndexResponse, ReadToken } from "./message.ts";
import { NO_NODE } from "./message.ts";
import type { StepStatus } from "./output.ts";
import { quorumValue } from "./quorum.ts";
import type { Raft } from "./raft.ts";
import type { PendingRead } from "./read-queue.ts";

/** Linearizable reads (raft thesis §6.4, rules R). */

export type ReadIndexResult =
	| { readonly ok: true; readonly token: ReadToken }
	| { readonly ok: false; readonly reason: "noLeader" | "overloaded" };

/** A read of this node's own: taken at the leader, asked for at a follower. */
export function readIndex(r: Raft): ReadIndexResult {
	if (r.leader === NO_NODE) return { ok: false, reason: "noLeader" };
	if (r.role === "leader") {
		const refusal = refusalOf(r);
		if (refusal !== null) return { ok: false, reason: refusal };
	}
	const token = r.reads.nextToken(r.config.incarnation);
	if (r.role === "leader") takeRead(r, NO_NODE, token);
	else askLeader(r, token);
	return { ok: true, token };
}

export function onReadIndex(r: Raft, m: ReadIndexRequest): StepStatus {
	const known = r.members.isMember(r.members.slotOf(m.from));
	if (r.role === "leader" && known && refusalOf(r) === null) {
		takeRead(r, m.from, m.token);
		return "ok";
	}
	answerRead(r, m.from, m.token, 0);
	if (!known) return "ignored:unknown-peer";
	return r.role === "leader" ? "dropped:overloaded" : "dropped:no-leader";
}

/** A token completes once: one that is no longer asked for is ignored (rule R5). */
export function onReadIndexResp(r: Raft, m: ReadIndexResponse): void {
	if (m.from !== r.leader || m.token.incarnation !== r.config.incarnation) return;
	const at = r.reads.asked.findIndex((token) => token.counter === m.token.counter);
	if (at < 0) return;
	const [token] = r.reads.asked.splice(at, 1) as [ReadToken];
	if (m.index > 0) r.output.reads.push({ token, index: m.index });
	else r.output.readFailures.push({ token, reason: "leaderChanged" });
}

/** The first entry of the term is committed: what waited for it takes its index now (rule R2). */
export function releaseWaitingReads(r: Raft): void {
	if (r.reads.waiting.length === 0 || !r.committedInTerm) return;
	const { waiting } = r.reads;
	r.reads.waiting = [];
	for (const read of waiting) queueRead(r, read.from, read.token);
}

/** Grants what a quorum of the configuration in force has vouched for (rule R3). */
export function confirmReads(r: Raft): void {
	const confirmed = quorumValue(r.members.voters, r.members.outgoing, r.progress.readPosition, r.scratch);
	if (confirmed <= r.reads.confirmedPosition) return;
	r.reads.confirmedPosition = confirmed;
	for (const read of r.reads.takeConfirmed(confirmed)) grant(r, read);
}

/** A round is due when reads wait and none is under way: all reads of a turn, and those of a round's time, share one. */
export function isReadRoundDue(r: Raft): boolean {
	const { reads } = r;
	return r.role === "leader" && reads.openHasReads && reads.confirmedPosition >= reads.closedPosition;
}

function refusalOf(r: Raft): "noLeader" | "overloaded" | null {
	// A leader that was removed counts in no quorum and is about to go.
	if (!r.members.isVoter(SELF)) return "noLeader";
	return r.reads.length < r.config.queuedReadsMax ? null : "overloaded";
}

function takeRead(r: Raft, from: NodeId, token: ReadToken): void {
	// Before that the commit index may lie behind what an earlier leader acknowledged, for a lone voter too: its commit is
	// not synced with each write.
	if (r.committedInTerm) queueRead(r, from, token);
	else {
		marks.readWaitsForTerm++;
		r.reads.waiting.push({ from, token, index: 0, position: 0 });
	}
}

function queueRead(r: Raft, from: NodeId, token: ReadToken): void {
	r.reads.pending.push({ from, token, index: r.log.commit, position: r.reads.openPosition });
}

function askLeader(r: Raft, token: ReadToken): void {
	const { asked } = r.reads;
	// Answers that got lost would pile up here under a leader that stays: the oldest goes, and may be asked for again.
	if (asked.length >= r.config.queuedReadsMax) r.output.readFailures.push({ token: asked.shift() as ReadToken, reason: "overloaded" });
	asked.push(token);
	r.send({ kind: "readIndex", from: r.id, to: r.leader, term: r.term, token });
}

function grant(r: Raft, read: PendingRead): void {
	if (read.from === NO_NODE) r.output.reads.push({ token: read.token, index: read.index });
	else answerRead(r, read.from, read.token, read.index);
}

function answerRead(r: Raft, to: NodeId, token: ReadToken, index: number): void {
	r.send({ kind: "readIndexResp", from: r.id, to, term: r.term, token, index });
}
