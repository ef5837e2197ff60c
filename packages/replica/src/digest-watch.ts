/**
 * State digests compared between members at equal applied index (rule S7). Every few seconds the leader notes its applied
 * index and digest and tells the others; each of them looks at its own digest when it has applied exactly that index and
 * answers. Whoever differs is reported; only the leader acts on it (F6).
 */
import type { TapSink } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { Leadership } from "./leadership.ts";
import type { MemberInfo } from "./members.ts";
import type { DigestNote } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

/** Notes that a late answer may still refer to: half a minute at the usual pace. */
const NOTES_MAX = 8;

export class DigestWatch {
	/** The state digest is wanted when this index has been applied. 0: it is not. A plain field: apply reads it for every entry. */
	awaitedIndex = 0;
	/** Members whose state was found to differ from this leader's, in this term. */
	readonly differing = new Set<NodeId>();
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	private readonly tap: TapSink;
	private awaited: DigestNote | null = null;
	private notes: { readonly index: number; readonly digest: number }[] = [];

	constructor(leadership: Leadership, outbox: Outbox, tap: TapSink) {
		this.leadership = leadership;
		this.outbox = outbox;
		this.tap = tap;
	}

	/** At the leader, now and then. */
	announce(index: number, digest: number, members: readonly MemberInfo[]): void {
		this.notes = [...this.notes.slice(1 - NOTES_MAX), { index, digest }];
		for (const { id } of members) if (id !== this.leadership.self) this.send(id, this.leadership.term, index, digest);
	}

	/** True when the digest of the present state is asked for: call `reached` with it. */
	receive(note: DigestNote, appliedIndex: number): boolean {
		if (note.term !== this.leadership.term) return false;
		if (this.leadership.leading) {
			this.compare(note);
			return false;
		}
		if (note.from !== this.leadership.leader || note.appliedIndex < appliedIndex) return false;
		// A member that lags keeps the note that it will reach first.
		if (this.awaited === null || this.awaited.term < note.term) {
			this.awaited = note;
			this.awaitedIndex = note.appliedIndex;
		}
		return this.awaitedIndex === appliedIndex;
	}

	/** `digest`: of the state at `awaitedIndex`. */
	reached(digest: number): void {
		const note = this.awaited;
		this.awaited = null;
		this.awaitedIndex = 0;
		if (note === null) return;
		this.send(note.from, note.term, note.appliedIndex, digest);
		if (digest !== note.digest) this.report(note.from, note.appliedIndex, digest, note.digest);
	}

	/** A new term: findings of the last one were acted on, or are found again. */
	onTermChanged(): void {
		this.notes = [];
		this.differing.clear();
	}

	private compare(answer: DigestNote): void {
		const own = this.notes.find((note) => note.index === answer.appliedIndex);
		if (own === undefined || own.digest === answer.digest) return;
		this.differing.add(answer.from);
		this.report(answer.from, answer.appliedIndex, own.digest, answer.digest);
	}

	private report(member: NodeId, index: number, own: number, theirs: number): void {
		this.tap.emit("digestMismatch", this.leadership.term, index, { member, own, theirs });
	}

	private send(to: NodeId, term: number, appliedIndex: number, digest: number): void {
		this.outbox.send({ kind: "digest", from: this.leadership.self, to, term, appliedIndex, digest });
	}
}
