/** What the core gives and takes: its inputs are method calls of `RaftCore`, its output is one object a drain. */
import type { ConfState, Entry, HardState, LogIndex, Message, NodeId, ReadToken, Role, SnapshotMeta, Term } from "./message.ts";

/** One object, reused: valid until the next `drain()`. Arrays may be taken over by value only. */
export interface CoreOutput {
	/** May leave at once, in this order per destination. */
	readonly send: Message[];
	/** At most one a drain. */
	append: AppendWork | null;
	/** Committed and locally stable entries, consecutive, to be handed to the state machine in this order. */
	apply: readonly Entry[];
	readonly reads: ReadGrant[];
	readonly readFailures: ReadFailure[];
	/** Set when role, leader or term changed. */
	soft: SoftState | null;
	/** Set when another configuration came into force. */
	config: ConfigChange | null;
	/** Entries that a peer needs and memory no longer holds: answer with `onFetched`. At most one outstanding per peer. */
	readonly fetch: FetchRequest[];
	/** A peer needs entries that the log no longer holds: start a transfer, answer with `reportSnapshot`. */
	readonly snapshots: SnapshotRequest[];
	/** A membership change whose answer is due (rule C3). */
	readonly membershipDone: MembershipDone[];
}

/** One frame of the WAL: written atomically, in order of `seq`, acknowledged in order through `onPersisted`. */
export interface AppendWork {
	/** Strictly rising by 1 within a process life. */
	readonly seq: number;
	/** Set on every item that carries entries or changes term, vote or commit. */
	readonly hardState: HardState | null;
	/** 0: nothing to cut. Otherwise entries at or above this index are replaced. */
	readonly truncateFrom: LogIndex;
	readonly entries: readonly Entry[];
	/** Everything before is replaced by this point (snapshot install). */
	readonly snapshot: SnapshotMeta | null;
	/** False: it may ride with the next write (a commit-only change); acknowledged all the same. */
	readonly mustSync: boolean;
	/** Leave only when `seq` is durable. */
	readonly release: readonly Message[];
}

export interface SoftState {
	readonly role: Role;
	readonly leader: NodeId;
	readonly term: Term;
}

export interface ConfigChange {
	readonly index: LogIndex;
	readonly confState: ConfState;
}

/** The read may be served once applied >= index. */
export interface ReadGrant {
	readonly token: ReadToken;
	readonly index: LogIndex;
}

export interface ReadFailure {
	readonly token: ReadToken;
	readonly reason: "noLeader" | "leaderChanged" | "overloaded";
}

export interface FetchRequest {
	readonly peer: NodeId;
	readonly fromIndex: LogIndex;
	/** Last index wanted, included. */
	readonly uptoIndex: LogIndex;
	readonly bytesMax: number;
}

export interface SnapshotRequest {
	readonly peer: NodeId;
	/** The state sent must be at or above this index. */
	readonly minIndex: LogIndex;
}

export interface MembershipDone {
	readonly index: LogIndex;
	readonly term: Term;
}

export type StepStatus =
	| "ok"
	| "ignored:stale-term"
	| "ignored:unknown-peer"
	| "ignored:in-lease"
	| "ignored:incredible-term"
	| "rejected:malformed"
	| "dropped:no-leader"
	| "dropped:overloaded";

export type ProposeRefusal =
	| "noLeader"
	| "transferring"
	| "notMember"
	| "tooLarge"
	| "overloaded"
	| "pendingConfig"
	| "badConfig"
	| "notReady";

export type ProposeResult =
	| { readonly ok: true; readonly firstIndex: LogIndex; readonly term: Term }
	| { readonly ok: false; readonly reason: ProposeRefusal };

/** What a member knows at start, read from its WAL and store (raft.md 2.29, 3.5). */
export interface RestoredLog {
	readonly hardState: HardState;
	/** The point before the first entry kept in memory: the store's floor, or the bootstrap point. */
	readonly base: SnapshotMeta;
	/** Entries after `base`, consecutive, all durable. */
	readonly entries: readonly Entry[];
	/** Lowest index that `fetch` can still be answered for; at most base.index + 1. */
	readonly firstIndex: LogIndex;
	/** Applied index of the state machine; at least base.index. */
	readonly applied: LogIndex;
}

/** A snapshot of progress for status, tests and the tap; never used to decide anything. */
export interface PeerStatus {
	readonly id: NodeId;
	readonly match: LogIndex;
	readonly next: LogIndex;
	readonly state: "probe" | "replicate" | "snapshot";
	readonly recentActive: boolean;
	readonly learner: boolean;
}

export interface CoreStatus {
	readonly id: NodeId;
	readonly role: Role;
	readonly term: Term;
	readonly vote: NodeId;
	readonly leader: NodeId;
	readonly commit: LogIndex;
	readonly applied: LogIndex;
	readonly stable: LogIndex;
	readonly firstIndex: LogIndex;
	readonly lastIndex: LogIndex;
	readonly lastTerm: Term;
	readonly confState: ConfState;
	readonly transferee: NodeId;
	readonly peers: readonly PeerStatus[];
}
