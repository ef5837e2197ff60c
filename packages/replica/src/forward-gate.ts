/**
 * The leader's side of forwarding (rule F2): each forwarded request is taken at most once in a term. A mark per process
 * life of an origin moves over everything that was taken or refused; what lies at or below it is not taken any more. If it was
 * taken it is dropped without a word; if it surely was not (it was lost on its way, and a later one was not) it is refused, so
 * that its origin asks anew instead of waiting in vain.
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
import { TakenSequences } from "./taken-sequences.ts";

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
	/** The last term that this member led in this process life, and what it took in that term. */
	private ledTerm = 0;
	private readonly lives = new Map<number, TakenSequences>();

	constructor(leadership: Leadership, outbox: Outbox) {
		this.leadership = leadership;
		this.outbox = outbox;
	}

	onLeading(term: number): void {
		assert(term > this.ledTerm, "a member leads a term once");
		this.ledTerm = term;
		this.lives.clear();
	}

	receive(forward: Forward, core: Consensus): void {
		// Of another term there are no marks: a former process life of this member may have taken these very requests. The
		// origin settles them by what it applies (F4). A term that this life leads is known here before anyone hears of it.
		if (forward.term !== this.ledTerm) marks.forwardOfOtherTerm++;
		if (forward.term !== this.ledTerm || !this.wellFormed(forward)) return;
		const life = this.lives.get(forward.incarnation) ?? new TakenSequences();
		if (life.mark === 0 && this.lives.size >= LIVES_MAX) return;
		this.lives.set(forward.incarnation, life);
		const { sequences, envelopes } = forward;
		let from = 0;
		while (from < sequences.length && (sequences[from] as number) <= life.mark) from++;
		if (from > 0) this.repeated(forward, sequences.slice(0, from), life);
		const fresh = sequences.slice(from);
		if (fresh.length === 0) return;
		if (!this.leadership.leading) {
			life.pass(fresh);
			this.refuse(forward, fresh, "notLeader");
			return;
		}
		const result = core.propose(from === 0 ? envelopes : envelopes.slice(from));
		if (!result.ok) {
			life.pass(fresh);
			this.refuse(forward, fresh, refusalOf(result.reason));
			return;
		}
		life.take(fresh);
		assert(result.term === forward.term, "between two drains a leader's term does not change");
	}

	private repeated(forward: Forward, sequences: readonly number[], life: TakenSequences): void {
		marks.forwardRepeated++;
		const lost = sequences.filter((sequence) => life.isLost(sequence));
		if (lost.length > 0) this.refuse(forward, lost, "overtaken");
	}

	/** Definite: none of these was taken in this term, and now that the mark has moved none will be. */
	private refuse(forward: Forward, sequences: readonly number[], reason: ForwardRefused["reason"]): void {
		marks.forwardRefused++;
		const { from: to, term, incarnation } = forward;
		this.outbox.send({ kind: "forwardRefused", from: this.leadership.self, to, term, incarnation, sequences, reason });
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
