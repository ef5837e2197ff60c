import { assert } from "@flotilla/base";
import type { NodeId } from "./message.ts";

/** Options of one core. Times are ticks of 10 ms by default (the driver decides what a tick is). */
export interface RaftConfig {
	readonly id: NodeId;
	/** E: elections start after a draw from [E, 2E - 1] ticks without a leader. */
	readonly electionTicks: number;
	readonly heartbeatTicks: number;
	/** Random 53 bits of this process life; part of read tokens. */
	readonly incarnation: number;
	/** Off only in tests that show what it is for. */
	readonly preVote: boolean;
	readonly checkQuorum: boolean;
	/** Rules H: a lost connection to the leader starts a pre-vote early. */
	readonly connectionHints: boolean;
	/** H4: a node asks so many ticks behind the one before it in rank, more where its disk is slow. */
	readonly hintRankTicksMin: number;
	/** Entries are packed into one append until the next would exceed this; always at least one. */
	readonly appendBytesMax: number;
	readonly inflightMessagesMax: number;
	readonly inflightBytesMax: number;
	/** Payload bytes appended by this leadership and not yet committed. A single larger batch is taken when idle. */
	readonly uncommittedBytesMax: number;
	/** Bytes handed out for apply and not yet acknowledged; at least one entry is always handed out. */
	readonly applyBytesMax: number;
	/** A follower above these drops appends (heartbeats are still answered); a leader above the second takes no proposals. */
	readonly unstableBytesMax: number;
	readonly unappliedBytesMax: number;
	/** Entries kept in memory beyond what is unstable or unapplied; older ones are fetched from the WAL. */
	readonly memoryEntriesMax: number;
	readonly memoryBytesMax: number;
	/** Reads that wait for the first commit of a term, or for a round. */
	readonly queuedReadsMax: number;
	/** A peer in snapshot state without news for so long is probed again. */
	readonly snapshotTimeoutTicks: number;
}

/** What may wait in a core, or be under way from it. */
export type RaftLimits = Pick<
	RaftConfig,
	| "appendBytesMax"
	| "inflightMessagesMax"
	| "inflightBytesMax"
	| "uncommittedBytesMax"
	| "applyBytesMax"
	| "unstableBytesMax"
	| "unappliedBytesMax"
	| "queuedReadsMax"
>;

export const DEFAULT_RAFT_CONFIG: Omit<RaftConfig, "id" | "incarnation"> = {
	electionTicks: 100,
	heartbeatTicks: 10,
	preVote: true,
	checkQuorum: true,
	connectionHints: true,
	hintRankTicksMin: 2,
	appendBytesMax: 1 << 20,
	inflightMessagesMax: 256,
	inflightBytesMax: 16 << 20,
	uncommittedBytesMax: 64 << 20,
	applyBytesMax: 8 << 20,
	unstableBytesMax: 32 << 20,
	unappliedBytesMax: 64 << 20,
	memoryEntriesMax: 5_000,
	memoryBytesMax: 32 << 20,
	queuedReadsMax: 10_000,
	snapshotTimeoutTicks: 6_000,
};

export function validateRaftConfig(config: RaftConfig): void {
	assert(config.id !== 0n, "a node id must not be 0");
	assert(config.heartbeatTicks > 0, "the heartbeat interval must be positive");
	assert(config.electionTicks > config.heartbeatTicks, "the election timeout must exceed the heartbeat interval");
	assert(config.inflightMessagesMax > 0, "the inflight window must hold a message");
}
