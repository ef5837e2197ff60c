/** A change of the cluster's members as a client asks for it: made at the edge, completed exactly once through `ReplicaOutput`. */
import { portableBytes, WireError, WireReader, WireType, WireWriter } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { CallFault } from "./calls.ts";
import { decodeMember, encodeMember } from "./member-codec.ts";
import type { MemberInfo } from "./members.ts";

export type MembershipChange =
	/** The id is drawn by whoever asks, once: a request that arrives twice names the same member. */
	| { readonly kind: "add"; readonly member: MemberInfo }
	| { readonly kind: "remove"; readonly id: NodeId }
	| { readonly kind: "promote"; readonly id: NodeId }
	| { readonly kind: "update"; readonly id: NodeId; readonly peerUrls: readonly string[] };

/** What the leader may say: definite, nothing was changed. */
export const MEMBERSHIP_REFUSALS = [
	"memberNotFound",
	"memberExists",
	"peerUrlExists",
	"tooManyLearners",
	"memberNotLearner",
	"learnerNotReady",
	"notEnoughStartedMembers",
	"requestTooLarge",
] as const satisfies readonly CallFault[];
export type MembershipRefusal = (typeof MEMBERSHIP_REFUSALS)[number];

export type MembershipOutcome = { readonly ok: true } | { readonly ok: false; readonly fault: CallFault };

/** Waits for as long as its client does: no time-out but the client's own, however long there is no quorum. */
export class MembershipCall {
	readonly change: MembershipChange;
	/** 0: without end. */
	readonly timeoutTicks: number;
	/** Called by the driver after the turn. The replica's member table then holds the change. */
	readonly done: (outcome: MembershipOutcome) => void;
	/** Owned by the replica. */
	sinceTick = 0;
	completed = false;
	/** Owned by whoever runs the replica: taken and not answered. Nobody answers one that is not open. */
	open = false;

	constructor(change: MembershipChange, timeoutTicks: number, done: (outcome: MembershipOutcome) => void) {
		this.change = change;
		this.timeoutTicks = timeoutTicks;
		this.done = done;
	}
}

/** On the wire: add, never reuse. */
const KindNumber = { add: 1, remove: 2, promote: 3, update: 4 } as const satisfies Record<MembershipChange["kind"], number>;
const Field = { kind: 1, member: 2 } as const;

export function encodeMembershipChange(change: MembershipChange): Uint8Array {
	const writer = new WireWriter(portableBytes);
	writer.varint((Field.kind << 3) | WireType.varint).varint(KindNumber[change.kind]);
	writer.varint((Field.member << 3) | WireType.bytes).bytes(encodeMember(memberOf(change)));
	return writer.finish();
}

/** Null for bytes that say no such thing. */
export function decodeMembershipChange(bytes: Uint8Array): MembershipChange | null {
	try {
		const reader = new WireReader(bytes);
		let kind = 0;
		let member: MemberInfo | null = null;
		while (!reader.done) {
			const tag = reader.tag();
			if (tag === ((Field.kind << 3) | WireType.varint)) kind = reader.int32();
			else if (tag === ((Field.member << 3) | WireType.bytes)) member = decodeMember(reader.view());
			else reader.skip(tag);
		}
		return member === null ? null : changeOf(kind, member);
	} catch (error) {
		if (error instanceof WireError) return null;
		throw error;
	}
}

function memberOf(change: MembershipChange): MemberInfo {
	if (change.kind === "add") return change.member;
	return { id: change.id, name: "", peerUrls: change.kind === "update" ? change.peerUrls : [], clientUrls: [], learner: false };
}

function changeOf(kind: number, member: MemberInfo): MembershipChange | null {
	const { id, peerUrls } = member;
	if (kind === KindNumber.add) return id === 0n ? null : { kind: "add", member };
	if (kind === KindNumber.remove) return { kind: "remove", id };
	if (kind === KindNumber.promote) return { kind: "promote", id };
	return kind === KindNumber.update ? { kind: "update", id, peerUrls } : null;
}
