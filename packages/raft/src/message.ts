/** The vocabulary of the core: entries, states and the messages between peers (raft thesis chapters 3, 4, 6, 9). Imports nothing. */

/** 64-bit member id; 0n means none. Inside the core every known id maps to a small slot. */
export type NodeId = bigint;
/** Position in the log; safe integer, the first entry has 1. Always the raft log's, never a revision. */
export type LogIndex = number;
export type Term = number;

export const NO_NODE: NodeId = 0n;

export const EntryKind = { normal: 0, config: 1 } as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** Immutable once appended. `data` is owned by the log from then on; an empty normal entry marks a new term. */
export class Entry {
	readonly index: LogIndex;
	readonly term: Term;
	readonly kind: EntryKind;
	readonly data: Uint8Array;

	constructor(index: LogIndex, term: Term, kind: EntryKind, data: Uint8Array) {
		this.index = index;
		this.term = term;
		this.kind = kind;
		this.data = data;
	}
}

/** Durable; `vote` is NO_NODE when none was given in `term`. */
export interface HardState {
	readonly term: Term;
	readonly vote: NodeId;
	readonly commit: LogIndex;
}

/** A configuration; not joint when `votersOutgoing` is empty. Every list is in ascending order of id. */
export interface ConfState {
	readonly voters: readonly NodeId[];
	readonly learners: readonly NodeId[];
	readonly votersOutgoing: readonly NodeId[];
	readonly learnersNext: readonly NodeId[];
	readonly autoLeave: boolean;
}

/** A point of the log that stands for everything before it, and the configuration in force there. */
export interface SnapshotMeta {
	readonly index: LogIndex;
	readonly term: Term;
	readonly confState: ConfState;
	/** Names the store generation that holds the state; empty for the bootstrap point. Opaque to the core. */
	readonly generation: string;
}

/** What a voter's answer and request carry so that a known commit is never forgotten by an election (rule C4). */
export interface CommitMark {
	readonly commit: LogIndex;
	readonly commitTerm: Term;
}

interface Base {
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: Term;
}

export interface Append extends Base {
	readonly kind: "append";
	readonly prevIndex: LogIndex;
	readonly prevTerm: Term;
	/** The leader's full commit; may exceed what the receiver holds. */
	readonly commit: LogIndex;
	/** Consecutive from prevIndex + 1. Empty: a probe, or news of the commit. */
	readonly entries: readonly Entry[];
}

export interface AppendResp extends Base {
	readonly kind: "appendResp";
	/** Success: the log equals the leader's up to here, durably. Reject: the refused prevIndex. */
	readonly index: LogIndex;
	readonly reject: boolean;
	readonly hintIndex: LogIndex;
	readonly hintTerm: Term;
	/** The responder's own durable commit (rule C3). Never used for counting. */
	readonly commit: LogIndex;
}

export interface Heartbeat extends Base {
	readonly kind: "heartbeat";
	/** min(match of the receiver, commit of the leader). */
	readonly commit: LogIndex;
	/** Of the entry there (rule C5); 0 where the leader has forgotten it, since the log below was let go. */
	readonly commitTerm: Term;
	/** Read position that this heartbeat carries and thereby closes (rule R1). */
	readonly readPosition: number;
	readonly sequence: number;
}

export interface HeartbeatResp extends Base {
	readonly kind: "heartbeatResp";
	readonly readPosition: number;
	readonly sequence: number;
}

export interface Vote extends Base, CommitMark {
	readonly kind: "vote";
	readonly lastIndex: LogIndex;
	readonly lastTerm: Term;
	/** Set only by a campaign on behalf of a leader that hands over; overrides stickiness. */
	readonly transfer: boolean;
}

export interface VoteResp extends Base, CommitMark {
	readonly kind: "voteResp";
	readonly reject: boolean;
}

export interface PreVote extends Base, CommitMark {
	/** `term` is the asker's term + 1, without its having moved there. */
	readonly kind: "preVote";
	readonly lastIndex: LogIndex;
	readonly lastTerm: Term;
	/** The asker lost the leader's connections (rules H2, H6). */
	readonly leaderLost: boolean;
}

export interface PreVoteResp extends Base, CommitMark {
	readonly kind: "preVoteResp";
	readonly reject: boolean;
	/** Refused because the voter still hears the leader (rule H5): it may answer anew. */
	readonly sticky: boolean;
}

export interface SnapshotMessage extends Base {
	readonly kind: "snapshot";
	/** Handed to the core of the receiver only when the data is complete and verified. */
	readonly meta: SnapshotMeta;
}

export interface TimeoutNow extends Base {
	readonly kind: "timeoutNow";
}

/** A follower asks the leader for a read index. The token names the origin's process life (rule R5). */
export interface ReadIndexRequest extends Base {
	readonly kind: "readIndex";
	readonly token: ReadToken;
}

export interface ReadIndexResponse extends Base {
	readonly kind: "readIndexResp";
	readonly token: ReadToken;
	/** 0 when refused (not leader, or the read failed): ask again with a new token. */
	readonly index: LogIndex;
}

/** A leader that stops cleanly names whom it handed over to (rule H8). */
export interface Goodbye extends Base {
	readonly kind: "goodbye";
	readonly successor: NodeId;
}

export type Message =
	| Append
	| AppendResp
	| Heartbeat
	| HeartbeatResp
	| Vote
	| VoteResp
	| PreVote
	| PreVoteResp
	| SnapshotMessage
	| TimeoutNow
	| ReadIndexRequest
	| ReadIndexResponse
	| Goodbye;

/** `incarnation`: random 53 bits of one process life; `counter` rises by one. Completed once. */
export interface ReadToken {
	readonly incarnation: number;
	readonly counter: number;
}

export type Role = "follower" | "preCandidate" | "candidate" | "leader";

export type MembershipOp = "addVoter" | "addLearner" | "remove";

/** Changes apply in order. No changes: leave the joint configuration. */
export interface MembershipRequest {
	readonly changes: readonly { readonly op: MembershipOp; readonly node: NodeId }[];
	readonly transition: "auto" | "jointImplicit" | "jointExplicit";
	/** Opaque to the core; travels in the entry (the member's attributes). */
	readonly context: Uint8Array;
}
