/** What travels between members besides the core's own messages (rules F1 to F6, S7). */
import type { LeaseId } from "@flotilla/mvcc";
import type { Message, NodeId } from "@flotilla/raft";
import type { MembershipRefusal } from "./membership.ts";

/** A follower's client requests for the leader of `term` (F1). Sent on the log lane, first in first out. */
export interface Forward {
	readonly kind: "forward";
	readonly from: NodeId;
	readonly to: NodeId;
	/** The leader term that the origin believes in. */
	readonly term: number;
	readonly incarnation: number;
	/** Sequence of each item, rising. */
	readonly sequences: readonly number[];
	/** Encoded envelopes, ready to be log payloads. */
	readonly envelopes: readonly Uint8Array[];
}

/** Definite: none of these will ever commit through that forward (F3). */
export interface ForwardRefused {
	readonly kind: "forwardRefused";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly incarnation: number;
	readonly sequences: readonly number[];
	/** `overtaken`: a later one came before, this one only now. */
	readonly reason: "notLeader" | "overloaded" | "transferring" | "tooLarge" | "overtaken";
}

/** State digest at an applied index, compared at equal index (S7). */
export interface DigestNote {
	readonly kind: "digest";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly appliedIndex: number;
	readonly digest: number;
}

/** A change of the members that a client asked `from` for: a request, for the leader of `term` to judge. */
export interface MembershipAsk {
	readonly kind: "membershipAsk";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly incarnation: number;
	readonly sequence: number;
	/** As `encodeMembershipChange` writes it. */
	readonly change: Uint8Array;
}

/** Definite: that change was not made in this term, and will not be. */
export interface MembershipRefused {
	readonly kind: "membershipRefused";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly incarnation: number;
	readonly sequence: number;
	readonly reason: MembershipRefusal;
}

/** A quorum knows durably that all is committed up to `index`: changes of the configuration may be answered (rule C3). */
export interface ConfigSettled {
	readonly kind: "configSettled";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly index: number;
}

/**
 * Renewals and questions about the time left, for the leader of `term`; each lease once. On the lane of the heartbeats: what was
 * sent before the answer to one has arrived before it (decisions 5.1, L6).
 */
export interface LeaseAsk {
	readonly kind: "leaseAsk";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly incarnation: number;
	readonly counter: number;
	readonly renews: readonly LeaseId[];
	readonly looks: readonly LeaseId[];
}

/** The leader's answer: seconds for each renewal (0: no such lease), seconds granted and milliseconds left for each look. */
export interface LeaseTold {
	readonly kind: "leaseTold";
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
	readonly incarnation: number;
	readonly counter: number;
	readonly renewed: readonly number[];
	readonly looked: readonly number[];
	readonly index: number;
}

export type PeerMessage =
	| Message
	| Forward
	| ForwardRefused
	| DigestNote
	| MembershipAsk
	| MembershipRefused
	| ConfigSettled
	| LeaseAsk
	| LeaseTold;
