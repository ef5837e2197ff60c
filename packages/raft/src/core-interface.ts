import type { Entry, LogIndex, MembershipRequest, Message, NodeId, ReadToken } from "./message.ts";
import type { CoreOutput, CoreStatus, ProposeResult, StepStatus } from "./output.ts";

/**
 * The core as its driver sees it. Synchronous, deterministic, without clock, dice of its own or I/O: the same inputs give
 * the same outputs. `step` never throws for what a peer may send; an exception means a broken invariant and must end the
 * process.
 */
export interface Consensus {
	/** One tick of the monotonic clock (10 ms by default). */
	tick(): void;
	step(message: Message): StepStatus;
	/** Leader only; all or nothing. The core owns the payloads afterwards. */
	propose(payloads: readonly Uint8Array[]): ProposeResult;
	/** Leader only. Answered through `CoreOutput.membershipDone` (rule C3), or never if leadership is lost. */
	proposeMembership(request: MembershipRequest): ProposeResult;
	/** A change proposed now would be judged by a state machine that holds all changes before it. */
	readonly membershipReady: boolean;
	/** Leader only, else 0: changes up to here may be answered (rule C3); also those that an earlier leader appended. */
	readonly settledCommit: LogIndex;
	/** Takes a read index for all reads gathered so far: granted or failed once, under the returned token. */
	readIndex(): { readonly ok: true; readonly token: ReadToken } | { readonly ok: false; readonly reason: "noLeader" | "overloaded" };
	/** Campaigns now (pre-vote first unless switched off). */
	campaign(): void;
	/** Leader only; `false` when refused (unknown, learner, in snapshot state). */
	transferLeadership(to: NodeId): boolean;
	/** Counts the election clock forward, for a quick first election. */
	advanceElection(ticks: number): void;
	/** All lanes to the leader are closed (rules H2, H3): forget it and, by rank, ask for a pre-vote. */
	leaderConnectionLost(leader: NodeId): void;
	/** A peer's stream broke or its queue overflowed: probe it. */
	reportUnreachable(peer: NodeId): void;
	/** Exactly once for each `SnapshotRequest`. */
	reportSnapshot(peer: NodeId, ok: boolean, index: LogIndex): void;
	/** Entries asked for by `CoreOutput.fetch`; empty when the log no longer holds them. */
	onFetched(peer: NodeId, entries: readonly Entry[]): void;
	/** Work up to `seq` is durable. */
	onPersisted(seq: number): void;
	/** The state machine has applied up to `index`. */
	onApplied(index: LogIndex): void;
	/** Log entries below `index` are no longer to be had from the WAL. */
	onCompacted(firstIndex: LogIndex): void;
	/** While true no campaign starts; a leader hands over or steps down (raft.md 2.10, rule W6). */
	setDiskStalled(stalled: boolean): void;
	/** What a write to the log takes until it is durable; may be a part of a tick (rule H4). */
	setSyncTicks(ticks: number): void;
	/** A long pause of this process was noticed: a leader must check its quorum anew (raft.md 2.6). */
	onStall(elapsedTicks: number): void;
	/** Collects everything decided since the last drain. The object is reused. */
	drain(): CoreOutput;
	/** What the state machine has not applied yet, as far as it is in memory. Shared: not to be changed. */
	unapplied(): readonly Entry[];
	status(): CoreStatus;
}
