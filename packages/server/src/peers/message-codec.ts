/**
 * Messages between members as an envelope (a tuple of plain values, the kind's number first) and a slab of raw bytes. `from`
 * and `to` do not travel: the handshake bound the connection to both.
 */
import { concatBytes, readBigU64, unreachable, writeBigU64 } from "@flotilla/base";
import type { LeaseId } from "@flotilla/mvcc";
import type { Append, ConfState, Message, NodeId } from "@flotilla/raft";
import {
	ASK_LEASES_MAX,
	type Forward,
	type ForwardRefused,
	type LeaseAsk,
	type LeaseTold,
	MEMBERSHIP_REFUSALS,
	type MembershipRefused,
} from "@flotilla/replica";
import type { LaneMessage, SnapshotAck } from "../ports.ts";
import { decodeEntries, encodeEntries } from "../wal/entry-codec.ts";
import { decodeTuple, encodeTuple, TupleReader, type TupleValue } from "./tuple.ts";

/** On the wire: add, never reuse. */
const KindNumber = {
	append: 1,
	appendResp: 2,
	heartbeat: 3,
	heartbeatResp: 4,
	vote: 5,
	voteResp: 6,
	preVote: 7,
	preVoteResp: 8,
	snapshot: 9,
	timeoutNow: 10,
	readIndex: 11,
	readIndexResp: 12,
	goodbye: 13,
	forward: 32,
	forwardRefused: 33,
	digest: 34,
	membershipAsk: 35,
	membershipRefused: 36,
	configSettled: 37,
	leaseAsk: 38,
	leaseTold: 39,
	snapshotPart: 48,
	snapshotAck: 49,
} as const satisfies Record<LaneMessage["kind"], number>;

const KINDS: ReadonlyMap<number, LaneMessage["kind"]> = new Map(
	Object.entries(KindNumber).map(([kind, number]) => [number, kind as LaneMessage["kind"]]),
);

const ACK_OUTCOMES: readonly SnapshotAck["outcome"][] = ["more", "done", "refused"];
const REFUSAL_REASONS: readonly ForwardRefused["reason"][] = ["notLeader", "overloaded", "transferring", "tooLarge", "overtaken"];

/** Items of one forward, ids of one configuration: far above what is ever sent. */
const FORWARD_ITEMS_MAX = 65_535;
const CONFIG_IDS_MAX = 1_024;

const EMPTY = new Uint8Array(0);
const HAVE_SLABS: ReadonlySet<LaneMessage["kind"]> = new Set(["append", "forward", "membershipAsk", "leaseAsk", "snapshotPart"]);

export interface EncodedMessage {
	readonly envelope: Uint8Array;
	readonly slab: Uint8Array;
}

export function encodeMessage(message: LaneMessage): EncodedMessage {
	return { envelope: encodeTuple([KindNumber[message.kind], message.term, ...messageFields(message)]), slab: messageSlab(message) };
}

/**
 * Null when the bytes are not a sound message of a known kind. Entries and forwarded requests are views of `slab`; `crc`: its CRC-32C,
 * where that is known.
 */
export function decodeMessage(from: NodeId, to: NodeId, envelope: Uint8Array, slab: Uint8Array, crc?: number): LaneMessage | null {
	const tuple = decodeTuple(envelope);
	if (tuple === null) return null;
	const reader = new TupleReader(tuple);
	const kind = KINDS.get(reader.integer());
	if (kind === undefined) return null;
	if (slab.length > 0 && !HAVE_SLABS.has(kind)) return null;
	const base = { from, to, term: reader.integer() };
	const message = kind === "append" ? readAppend(base, reader, slab, crc) : readMessage(kind, base, reader, slab);
	return message !== null && reader.complete ? message : null;
}

function messageFields(m: LaneMessage): readonly TupleValue[] {
	switch (m.kind) {
		case "append":
			return [m.prevIndex, m.prevTerm, m.commit];
		case "appendResp":
			return [m.index, m.reject, m.hintIndex, m.hintTerm, m.commit];
		case "heartbeat":
			return [m.commit, m.commitTerm, m.readPosition, m.sequence];
		case "heartbeatResp":
			return [m.readPosition, m.sequence];
		case "vote":
			return [m.lastIndex, m.lastTerm, m.transfer, m.commit, m.commitTerm];
		case "voteResp":
			return [m.reject, m.commit, m.commitTerm];
		case "preVote":
			return [m.lastIndex, m.lastTerm, m.leaderLost, m.commit, m.commitTerm];
		case "preVoteResp":
			return [m.reject, m.sticky, m.commit, m.commitTerm];
		case "snapshot":
			return [m.meta.index, m.meta.term, m.meta.generation, ...confStateFields(m.meta.confState)];
		case "timeoutNow":
			return [];
		case "readIndex":
			return [m.token.incarnation, m.token.counter];
		case "readIndexResp":
			return [m.token.incarnation, m.token.counter, m.index];
		case "goodbye":
			return [m.successor];
		case "forward":
			return [m.incarnation, m.sequences, m.envelopes.map((envelope) => envelope.length)];
		case "forwardRefused":
			return [m.incarnation, m.sequences, REFUSAL_REASONS.indexOf(m.reason)];
		case "digest":
			return [m.appliedIndex, m.digest];
		case "snapshotPart":
			return [m.transfer, m.sequence, m.last];
		case "snapshotAck":
			return [m.transfer, m.next, ACK_OUTCOMES.indexOf(m.outcome)];
		case "membershipAsk":
			return [m.incarnation, m.sequence];
		case "membershipRefused":
			return [m.incarnation, m.sequence, MEMBERSHIP_REFUSALS.indexOf(m.reason)];
		case "configSettled":
			return [m.index];
		case "leaseAsk":
			return [m.incarnation, m.counter, m.renews.length];
		case "leaseTold":
			return [m.incarnation, m.counter, m.index, m.renewed, m.looked];
		default:
			return unreachable(m);
	}
}

function messageSlab(message: LaneMessage): Uint8Array {
	if (message.kind === "append") return encodeEntries(message.entries);
	if (message.kind === "forward") return concatBytes(message.envelopes);
	if (message.kind === "membershipAsk") return message.change;
	if (message.kind === "leaseAsk") return encodeLeaseIds([...message.renews, ...message.looks]);
	return message.kind === "snapshotPart" ? message.data : EMPTY;
}

interface Base {
	readonly from: NodeId;
	readonly to: NodeId;
	readonly term: number;
}

function readMessage(kind: Exclude<LaneMessage["kind"], "append">, base: Base, r: TupleReader, slab: Uint8Array): LaneMessage | null {
	if (kind === "forward") return readForward(base, r, slab);
	if (kind === "forwardRefused") return readForwardRefused(base, r);
	if (kind === "digest") return { kind, ...base, appliedIndex: r.integer(), digest: r.integer() };
	if (kind === "snapshotPart") {
		return { kind, ...base, transfer: r.integer(), sequence: r.integer(), last: r.flag(), data: slab };
	}
	if (kind === "snapshotAck") return readSnapshotAck(base, r);
	if (kind === "membershipAsk") return { kind, ...base, incarnation: r.integer(), sequence: r.integer(), change: slab };
	if (kind === "membershipRefused") return readMembershipRefused(base, r);
	if (kind === "leaseAsk") return readLeaseAsk(base, r, slab);
	if (kind === "leaseTold") return readLeaseTold(base, r);
	if (kind === "configSettled") return { kind, ...base, index: r.integer() };
	return readCoreMessage(kind, base, r);
}

function readSnapshotAck(base: Base, r: TupleReader): SnapshotAck | null {
	const transfer = r.integer();
	const next = r.integer();
	const outcome = ACK_OUTCOMES[r.integer()];
	return outcome === undefined ? null : { kind: "snapshotAck", ...base, transfer, next, outcome };
}

function readCoreMessage(kind: Exclude<Message["kind"], "append">, base: Base, r: TupleReader): Message {
	switch (kind) {
		case "appendResp":
			return {
				kind,
				...base,
				index: r.integer(),
				reject: r.flag(),
				hintIndex: r.integer(),
				hintTerm: r.integer(),
				commit: r.integer(),
			};
		case "heartbeat":
			return { kind, ...base, ...readCommitMark(r), readPosition: r.integer(), sequence: r.integer() };
		case "heartbeatResp":
			return { kind, ...base, readPosition: r.integer(), sequence: r.integer() };
		case "vote":
			return { kind, ...base, lastIndex: r.integer(), lastTerm: r.integer(), transfer: r.flag(), ...readCommitMark(r) };
		case "voteResp":
			return { kind, ...base, reject: r.flag(), ...readCommitMark(r) };
		case "preVote":
			return { kind, ...base, lastIndex: r.integer(), lastTerm: r.integer(), leaderLost: r.flag(), ...readCommitMark(r) };
		case "preVoteResp":
			return { kind, ...base, reject: r.flag(), sticky: r.flag(), ...readCommitMark(r) };
		case "snapshot":
			return {
				kind,
				...base,
				meta: { index: r.integer(), term: r.integer(), generation: r.text(), confState: readConfState(r) },
			};
		case "timeoutNow":
			return { kind, ...base };
		case "readIndex":
			return { kind, ...base, token: readToken(r) };
		case "readIndexResp":
			return { kind, ...base, token: readToken(r), index: r.integer() };
		case "goodbye":
			return { kind, ...base, successor: r.id() };
		default:
			return unreachable(kind);
	}
}

function readCommitMark(r: TupleReader): { commit: number; commitTerm: number } {
	return { commit: r.integer(), commitTerm: r.integer() };
}

function readToken(r: TupleReader): { incarnation: number; counter: number } {
	return { incarnation: r.integer(), counter: r.integer() };
}

function confStateFields(c: ConfState): readonly TupleValue[] {
	return [c.voters, c.learners, c.votersOutgoing, c.learnersNext, c.autoLeave];
}

function readConfState(r: TupleReader): ConfState {
	return {
		voters: r.ids(CONFIG_IDS_MAX),
		learners: r.ids(CONFIG_IDS_MAX),
		votersOutgoing: r.ids(CONFIG_IDS_MAX),
		learnersNext: r.ids(CONFIG_IDS_MAX),
		autoLeave: r.flag(),
	};
}

/** The core trusts that entries follow prevIndex, that their terms do not fall and that none is above the message's term. */
function readAppend(base: Base, r: TupleReader, slab: Uint8Array, crc: number | undefined): Append | null {
	const prevIndex = r.integer();
	const prevTerm = r.integer();
	const commit = r.integer();
	const entries = decodeEntries(slab, 0, slab.length, true, crc);
	if (entries === null) return null;
	const first = entries[0];
	const last = entries.at(-1);
	if (first !== undefined && (first.index !== prevIndex + 1 || first.term < prevTerm)) return null;
	if (last !== undefined && last.term > base.term) return null;
	return { kind: "append", ...base, prevIndex, prevTerm, commit, entries };
}

function readForward(base: Base, r: TupleReader, slab: Uint8Array): Forward | null {
	const incarnation = r.integer();
	const sequences = r.integers(FORWARD_ITEMS_MAX);
	const lengths = r.integers(FORWARD_ITEMS_MAX);
	if (lengths.length !== sequences.length) return null;
	const envelopes: Uint8Array[] = [];
	let at = 0;
	for (let i = 0; i < lengths.length; i++) {
		if (i > 0 && (sequences[i] as number) <= (sequences[i - 1] as number)) return null;
		const end = at + (lengths[i] as number);
		if (end > slab.length) return null;
		envelopes.push(slab.subarray(at, end));
		at = end;
	}
	return at === slab.length ? { kind: "forward", ...base, incarnation, sequences, envelopes } : null;
}

function readForwardRefused(base: Base, r: TupleReader): ForwardRefused | null {
	const incarnation = r.integer();
	const sequences = r.integers(FORWARD_ITEMS_MAX);
	const reason = REFUSAL_REASONS[r.integer()];
	return reason === undefined ? null : { kind: "forwardRefused", ...base, incarnation, sequences, reason };
}

function readMembershipRefused(base: Base, r: TupleReader): MembershipRefused | null {
	const incarnation = r.integer();
	const sequence = r.integer();
	const reason = MEMBERSHIP_REFUSALS[r.integer()];
	return reason === undefined ? null : { kind: "membershipRefused", ...base, incarnation, sequence, reason };
}

const LEASE_ID_BYTES = 8;

function encodeLeaseIds(ids: readonly LeaseId[]): Uint8Array {
	const bytes = new Uint8Array(ids.length * LEASE_ID_BYTES);
	for (const [i, id] of ids.entries()) writeBigU64(bytes, i * LEASE_ID_BYTES, BigInt.asUintN(64, id));
	return bytes;
}

function readLeaseAsk(base: Base, r: TupleReader, slab: Uint8Array): LeaseAsk | null {
	const incarnation = r.integer();
	const counter = r.integer();
	const renews = r.integer();
	const count = slab.length / LEASE_ID_BYTES;
	if (!Number.isInteger(count) || count > ASK_LEASES_MAX || renews > count) return null;
	const ids: LeaseId[] = [];
	for (let i = 0; i < count; i++) ids.push(BigInt.asIntN(64, readBigU64(slab, i * LEASE_ID_BYTES)));
	return { kind: "leaseAsk", ...base, incarnation, counter, renews: ids.slice(0, renews), looks: ids.slice(renews) };
}

function readLeaseTold(base: Base, r: TupleReader): LeaseTold {
	const incarnation = r.integer();
	const counter = r.integer();
	const index = r.integer();
	const renewed = r.integers(ASK_LEASES_MAX);
	return { kind: "leaseTold", ...base, incarnation, counter, index, renewed, looked: r.integers(2 * ASK_LEASES_MAX) };
}
