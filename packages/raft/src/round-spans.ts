import type { Raft } from "./raft.ts";

/**
 * Spans that follow the disk (rule H4). A round of votes takes two writes to a log: requests leave behind one of the candidate,
 * and answers come back behind one of the voter. All are in times of such a write.
 */
const PLACE_SYNCS = 4;
const RETRY_SYNCS_MIN = 4;
const RETRY_SYNCS_MAX = 6;

/** How long a write to the log takes here, as far as the election timeout lets the spans grow. */
export function noteSyncTicks(r: Raft, ticks: number): void {
	r.syncTicks = Math.min(ticks, r.config.electionTicks / RETRY_SYNCS_MAX);
}

/** By how much a node lets the one before it in rank go ahead. */
export function placeTicks(r: Raft): number {
	return Math.max(r.config.hintRankTicksMin, Math.ceil(PLACE_SYNCS * r.syncTicks));
}

/** Ticks until a campaign is tried again: not an outage, not equal on two nodes, and not before the round can be over. */
export function drawRetryTicks(r: Raft): number {
	const { retryTicksMin, retryTicksMax } = r.spans;
	const fromTicks = Math.max(retryTicksMin, Math.ceil(RETRY_SYNCS_MIN * r.syncTicks));
	return r.dice.range(fromTicks, Math.max(retryTicksMax, Math.floor(RETRY_SYNCS_MAX * r.syncTicks)));
}

/** The node's part in the last round has not left it yet: what it sends waits for its term and vote to be durable (rule W6). */
export function isRoundUnwritten(r: Raft): boolean {
	const { durable } = r.work;
	return durable.term !== r.term || durable.vote !== r.vote;
}
