/** What a client's request is to the replica: an object made at the edge, completed exactly once through `ReplicaOutput`. */
import type { CompactResult, DeleteRangeResult, LeaseId, PutResult, RefusalCode, TxnResult, Unanswered } from "@flotilla/mvcc";
import type { AuthFault } from "./auth/caller.ts";
import type { AlarmEntry, MemberInfo } from "./members.ts";

/**
 * Kinds of log entries (decisions 2.1). Put, DeleteRange, Txn and Compact carry the client's raw request bytes; every
 * other kind is encoded afresh with all drawn values in it. Numbers are on disk: add, never reuse.
 */
export const CommandKind = {
	put: 1,
	deleteRange: 2,
	txn: 3,
	compact: 4,
	/** A member announces name and client URLs, once in each process life. */
	publish: 5,
	clusterVersion: 6,
	alarm: 7,
	/** New peer URLs of a member; the configuration stays as it is. */
	memberUpdate: 8,
	leaseGrant: 16,
	leaseRevoke: 17,
	leaseCheckpoint: 18,
	/** Leases whose time is up, by the leader alone. */
	leaseEnd: 19,
	auth: 32,
} as const;
export type CommandKind = (typeof CommandKind)[keyof typeof CommandKind];

/** Why a call was not carried out. `definite` codes promise that nothing was changed; the others mean "unknown". */
export type CallFault =
	| RefusalCode
	/** The payload is not a request of its kind: definite, nothing was changed. */
	| "malformed"
	| "memberNotFound"
	| "memberExists"
	| "peerUrlExists"
	| "tooManyLearners"
	| "memberNotLearner"
	| "learnerNotReady"
	| "notEnoughStartedMembers"
	| "unhealthyCluster"
	| "noLeader"
	/** No leader was known until the deadline: definite, it was never proposed (`context deadline exceeded` to the client). */
	| "noLeaderDeadline"
	| "leaderChanged"
	| "timeout"
	| "timeoutLeaderFailed"
	| "timeoutConnectionLost"
	/** The leader has not applied for a second what a question about a lease must see. */
	| "timeoutWaitAppliedIndex"
	| "tooManyRequests"
	/** What is committed and not applied is too much to take more: definite. */
	| "applyBacklog"
	| "requestTooLarge"
	| AuthFault
	| "stopped"
	| "canceled"
	| "outcomeUnknown";

export type CommandResult =
	| { readonly kind: "put"; readonly result: PutResult }
	| { readonly kind: "deleteRange"; readonly result: DeleteRangeResult | Unanswered<DeleteRangeResult> }
	/** `Unanswered`: the answer is to be begun in `done`, or it is given up. */
	| { readonly kind: "txn"; readonly result: TxnResult | Unanswered<TxnResult> }
	| { readonly kind: "compact"; readonly result: CompactResult }
	| { readonly kind: "alarm"; readonly alarms: readonly AlarmEntry[]; readonly revision: number }
	| { readonly kind: "publish"; readonly member: MemberInfo }
	| { readonly kind: "leaseGranted"; readonly id: LeaseId; readonly ttl: number; readonly revision: number }
	| { readonly kind: "done"; readonly revision: number };

export type WriteOutcome =
	| { readonly ok: true; readonly index: number; readonly term: number; readonly command: CommandResult }
	| { readonly ok: false; readonly fault: CallFault };

/** A proposal of this member's clients. One class, so that the hot path sees one shape. */
export class WriteCall {
	readonly kind: CommandKind;
	/** For the KV kinds the client's raw request; must not be changed afterwards. */
	readonly payload: Uint8Array;
	readonly user: string;
	readonly authRevision: number;
	/** Ticks of patience; at the end the outcome is a time-out (unknown to the client). 0: the replica's default. */
	readonly timeoutTicks: number;
	/** Called by the driver after the turn, never from inside the replica. */
	readonly done: (outcome: WriteOutcome) => void;
	/** Owned by the replica. */
	sequence = 0;
	proposedTerm = 0;
	deadlineTick = 0;
	state: "waiting" | "forwarded" | "proposed" | "completed" = "waiting";
	/** Owned by whoever runs the replica: taken and not answered. Nobody answers one that is not open. */
	open = false;

	constructor(
		kind: CommandKind,
		payload: Uint8Array,
		user: string,
		authRevision: number,
		timeoutTicks: number,
		done: (outcome: WriteOutcome) => void,
	) {
		this.kind = kind;
		this.payload = payload;
		this.user = user;
		this.authRevision = authRevision;
		this.timeoutTicks = timeoutTicks;
		this.done = done;
	}
}

export type ReadOutcome = { readonly ok: true } | { readonly ok: false; readonly fault: CallFault };

/** A linearizable barrier: completed when the state of this member is at least as new as all that was acknowledged at its arrival. */
export class ReadCall {
	readonly timeoutTicks: number;
	/** What its request takes in memory meanwhile. */
	readonly bytes: number;
	/** Called by the driver after the turn, before anything newer is applied: read the replica's state synchronously. */
	readonly done: (outcome: ReadOutcome) => void;
	/** Owned by the replica. */
	deadlineTick = 0;
	completed = false;
	/** Owned by whoever runs the replica: taken and not answered. Nobody answers one that is not open. */
	open = false;

	constructor(timeoutTicks: number, done: (outcome: ReadOutcome) => void, bytes = 0) {
		this.timeoutTicks = timeoutTicks;
		this.done = done;
		this.bytes = bytes;
	}
}
