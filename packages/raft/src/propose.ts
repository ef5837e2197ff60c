import { assert, marks } from "@flotilla/base";
import { changedConf } from "./conf-change.ts";
import { encodeConfChange } from "./conf-codec.ts";
import { appendToLog } from "./configuration.ts";
import type { MembershipRequest } from "./message.ts";
import { Entry, EntryKind, NO_NODE } from "./message.ts";
import type { ProposeRefusal, ProposeResult } from "./output.ts";
import type { Raft } from "./raft.ts";

/** Above this one payload would not fit the largest frame of a peer stream. */
export const PAYLOAD_BYTES_MAX = 15 << 20;

/** Appends a batch in the current term: all of it or nothing. */
export function proposeBatch(r: Raft, payloads: readonly Uint8Array[]): ProposeResult {
	assert(payloads.length > 0, "a proposal must not be empty");
	const refusal = refusalOf(r) ?? sizeRefusalOf(r, payloads);
	if (refusal !== null) return refused(r, refusal, payloads.length);
	const firstIndex = r.log.lastIndex + 1;
	const entries = new Array<Entry>(payloads.length);
	for (let i = 0; i < payloads.length; i++) {
		entries[i] = new Entry(firstIndex + i, r.term, EntryKind.normal, payloads[i] as Uint8Array);
	}
	r.log.append(entries);
	return { ok: true, firstIndex, term: r.term };
}

/** One change at a time (rule C2); whether it fits is decided here, so that applying it never refuses. */
export function proposeConfChange(r: Raft, request: MembershipRequest): ProposeResult {
	const refusal = refusalOf(r) ?? confRefusalOf(r, request);
	return refusal === null ? appendConfChange(r, request) : refused(r, refusal, 1);
}

/**
 * A joint configuration that leaves by itself: its leader proposes the end as soon as rule C2 lets it. Not while it hands over: whoever is
 * to lead has to catch up with something that stands still. Then the next one proposes it, or this one when that came to nothing.
 */
export function proposeAutoLeave(r: Raft): void {
	if (!r.members.joint || !r.members.conf.autoLeave || r.transferee !== NO_NODE) return;
	const leave: MembershipRequest = { changes: [], transition: "auto", context: new Uint8Array(0) };
	if (confRefusalOf(r, leave) !== null) return;
	marks.jointLeftByItself++;
	// Whoever led when it was entered did not get so far.
	if (r.members.index < r.termFirstIndex) marks.jointLeftByNextLeader++;
	appendConfChange(r, leave);
}

/** The entry that opens a term: no limit may refuse it, older entries commit through it (raft thesis §3.6.2). */
export function appendTermOpening(r: Raft): void {
	r.termFirstIndex = r.log.lastIndex + 1;
	r.log.append([new Entry(r.termFirstIndex, r.term, EntryKind.normal, new Uint8Array(0))]);
}

function appendConfChange(r: Raft, request: MembershipRequest): ProposeResult {
	const index = r.log.lastIndex + 1;
	appendToLog(r, [new Entry(index, r.term, EntryKind.config, encodeConfChange(request))]);
	r.pendingConfigIndex = index;
	return { ok: true, firstIndex: index, term: r.term };
}

function refusalOf(r: Raft): ProposeRefusal | null {
	if (r.role !== "leader") return "noLeader";
	if (!r.members.selfIsVoter) return "notMember";
	if (r.transferee === NO_NODE) return null;
	marks.proposalWhileTransferring++;
	return "transferring";
}

function sizeRefusalOf(r: Raft, payloads: readonly Uint8Array[]): ProposeRefusal | null {
	// What is not applied stays in memory. The others commit without this node's state machine, so commits bound nothing here.
	if (r.log.unappliedBytes > r.config.unappliedBytesMax) return "overloaded";
	let bytes = 0;
	for (const payload of payloads) {
		if (payload.length > PAYLOAD_BYTES_MAX) return "tooLarge";
		bytes += payload.length;
	}
	const uncommitted = r.log.bytesBetween(Math.max(r.log.commit + 1, r.termFirstIndex), r.log.lastIndex);
	// A single batch above the limit is taken when nothing else waits: it could never be taken otherwise.
	return uncommitted > 0 && uncommitted + bytes > r.config.uncommittedBytesMax ? "overloaded" : null;
}

/** A change would be judged by a member table that holds all changes before it, and taken if it fits. */
export function isReadyForConfChange(r: Raft): boolean {
	return refusalOf(r) === null && turnRefusalOf(r) === null && r.log.applied >= r.pendingConfigIndex;
}

function turnRefusalOf(r: Raft): ProposeRefusal | null {
	if (!r.committedInTerm) return "notReady";
	return r.pendingConfigIndex > r.log.commit || r.log.applied < r.members.index ? "pendingConfig" : null;
}

function confRefusalOf(r: Raft, request: MembershipRequest): ProposeRefusal | null {
	const refusal = turnRefusalOf(r);
	if (refusal !== null) return refusal;
	const conf = changedConf(r.members.conf, request);
	return conf === null || !r.members.hasRoomFor(conf) ? "badConfig" : null;
}

function refused(r: Raft, reason: ProposeRefusal, count: number): ProposeResult {
	r.droppedProposals += count;
	return { ok: false, reason };
}
