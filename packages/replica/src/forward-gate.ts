/**
 * The leader's side of forwarding (rule F2): each forwarded request is taken at most once in a term. A mark per process
 * life of an origin moves over everything that was taken or refused; what lies at or below it is dropped without a word,
 * since nobody can say any more whether it was taken.
 *
 *   origin's sequences   4 5 6 | 7 8        mark = 6: 4..6 are settled, 7 is next
 */
import { assert, marks } from "@flotilla/base";
import type { Consensus, ProposeRefusal } from "@flotilla/raft";
import { CommandKind } from "./calls.ts";
import { EnvelopeReader } from "./envelope.ts";
import type { Leadership } from "./leadership.ts";
import type { Forward, ForwardRefused } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

/** Process lives heard of in one term. Beyond it forwards are dropped: their origins see a time-out. */
const LIVES_MAX = 1_024;

/** What a member may have another one propose: its clients' requests and its own announcements (F6). */
const FORWARDABLE: ReadonlySet<number> = new Set([
	CommandKind.put,
	CommandKind.deleteRange,
	CommandKind.txn,
	CommandKind.compact,
	CommandKind.publish,
	CommandKind.alarm,
	CommandKind.memberUpdate,
	CommandKind.auth,
	CommandKind.leaseGrant,
	CommandKind.leaseRevoke,
]);

export class ForwardGate {
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	private readonly reader = new EnvelopeReader();
	/** The last term that this member led in this process life, and the marks of that term. */
	private ledTerm = 0;
	private readonly marks = new Map<number, number>();

	constructor(leadership: Leadership, outbox: Outbox) {
		this.leadership = leadership;
		this.outbox = outbox;
	}

	onLeading(term: number): void {
		assert(term > this.ledTerm, "a member leads a term once");
		this.ledTerm = term;
		this.marks.clear();
	}

	receive(forward: Forward, core: Consensus): void {
		// Of another term there are no marks: a former process life of this member may have taken these very requests. The
		// origin settles them by what it applies (F4). A term that this life leads is known here before anyone hears of it.
		if (forward.term !== this.ledTerm) marks.forwardOfOtherTerm++;
		if (forward.term !== this.ledTerm || !this.wellFormed(forward)) return;
		const mark = this.marks.get(forward.incarnation) ?? 0;
		if (mark === 0 && this.marks.size >= LIVES_MAX) return;
		let from = 0;
		while (from < forward.sequences.length && (forward.sequences[from] as number) <= mark) from++;
		if (from > 0) marks.forwardRepeated++;
		if (from === forward.sequences.length) return;
		this.marks.set(forward.incarnation, forward.sequences[forward.sequences.length - 1] as number);
		if (!this.leadership.leading) {
			this.refuse(forward, from, "notLeader");
			return;
		}
		const result = core.propose(from === 0 ? forward.envelopes : forward.envelopes.slice(from));
		if (!result.ok) {
			this.refuse(forward, from, refusalOf(result.reason));
			return;
		}
		assert(result.term === forward.term, "between two drains a leader's term does not change");
	}

	/** Definite: nothing from `from` on was taken in this term, and now that the mark has moved nothing will be. */
	private refuse(forward: Forward, from: number, reason: ForwardRefused["reason"]): void {
		marks.forwardRefused++;
		this.outbox.send({
			kind: "forwardRefused",
			from: this.leadership.self,
			to: forward.from,
			term: forward.term,
			incarnation: forward.incarnation,
			sequences: forward.sequences.slice(from),
			reason,
		});
	}

	/** A log entry that cannot be applied would end every member: nothing foreign gets into the log unread. */
	private wellFormed(forward: Forward): boolean {
		const { sequences, envelopes, incarnation, from } = forward;
		if (sequences.length === 0 || sequences.length !== envelopes.length) return false;
		let last = 0;
		for (let i = 0; i < sequences.length; i++) {
			const sequence = sequences[i] as number;
			if (sequence <= last) return false;
			last = sequence;
			if (this.reader.tryOpen(envelopes[i] as Uint8Array) !== null) return false;
			if (!FORWARDABLE.has(this.reader.kind)) return false;
			if (this.reader.incarnation !== incarnation || this.reader.sequence !== sequence) return false;
			if (this.reader.origin !== from) return false;
		}
		return true;
	}
}

function refusalOf(reason: ProposeRefusal): ForwardRefused["reason"] {
	switch (reason) {
		case "tooLarge":
			return "tooLarge";
		case "transferring":
			return "transferring";
		case "overloaded":
			return "overloaded";
		case "noLeader":
		case "notMember":
		case "pendingConfig":
		case "badConfig":
		case "notReady":
			return "notLeader";
	}
}
