/**
 * State digests compared between members at equal applied index (rule S7). All members keep the digests of round indexes;
 * every few seconds the leader sends one of its own, of the last round index, or of its present one when nothing much
 * happens. The others answer with theirs for that index, now or when they get there. Who differs from a quorum is named;
 * only the leader acts on it (F6).
 */
import { assert, type TapSink } from "@flotilla/base";
import { NO_NODE, type NodeId } from "@flotilla/raft";
import type { Leadership } from "./leadership.ts";
import type { MemberInfo } from "./members.ts";
import type { DigestNote } from "./messages.ts";
import type { Outbox } from "./outbox.ts";

/** Entries between two round indexes. */
const ROUND = 4_096;
/** Digests of round indexes that are kept: more entries than one member is ahead of another in ordinary times. */
const SAMPLES_MAX = 64;
/** Notes that a late answer may still refer to: half a minute at the usual pace. */
const NOTES_MAX = 8;

interface Sample {
	readonly index: number;
	readonly digest: number;
}

/** What the leader said of an index, and what the others answered. */
interface Note extends Sample {
	readonly members: number;
	readonly answers: Map<NodeId, number>;
	settled: boolean;
}

export class DigestWatch {
	/** Members whose state was found to differ since the last note but one; NO_NODE when it cannot be said whose. */
	readonly differing = new Set<NodeId>();
	private readonly leadership: Leadership;
	private readonly outbox: Outbox;
	private readonly tap: TapSink;
	private samples: Sample[] = [];
	private awaited: DigestNote | null = null;
	private awaitedIndex = 0;
	private notes: Note[] = [];

	constructor(leadership: Leadership, outbox: Outbox, tap: TapSink) {
		this.leadership = leadership;
		this.outbox = outbox;
		this.tap = tap;
	}

	/** The digest is wanted when this index has been applied: call `applied` then. Asked for every entry. */
	isWanted(index: number): boolean {
		return index % ROUND === 0 || index === this.awaitedIndex;
	}

	applied(index: number, digest: number): void {
		if (index % ROUND === 0) {
			this.samples.push({ index, digest });
			if (this.samples.length > SAMPLES_MAX) this.samples.shift();
		}
		if (index !== this.awaitedIndex || this.awaited === null) return;
		const note = this.awaited;
		this.awaited = null;
		this.awaitedIndex = 0;
		this.answer(note, digest);
	}

	/** At the leader, now and then. */
	announce(appliedIndex: number, digest: () => number, members: readonly MemberInfo[]): void {
		const before = this.notes[this.notes.length - 1];
		// Who still differs will be found again: an alarm that an operator clears is not raised on old grounds.
		this.differing.clear();
		if (before !== undefined) this.judgeUndecided(before);
		const round = this.samples[this.samples.length - 1];
		const fresh = round !== undefined && (before === undefined || round.index > before.index);
		const { index, digest: value } = fresh ? round : { index: appliedIndex, digest: digest() };
		const note: Note = { index, digest: value, members: members.length, answers: new Map(), settled: false };
		this.notes = [...this.notes.slice(1 - NOTES_MAX), note];
		for (const { id } of members) if (id !== this.leadership.self) this.send(id, this.leadership.term, index, value);
	}

	/** `digest`: of the present state. */
	receive(note: DigestNote, appliedIndex: number, digest: () => number): void {
		if (note.term !== this.leadership.term) return;
		if (this.leadership.leading) this.compare(note);
		else if (note.from !== this.leadership.leader) return;
		else if (note.appliedIndex === appliedIndex) this.answer(note, digest());
		else if (note.appliedIndex > appliedIndex) this.awaitIndex(note);
		else {
			const sample = this.samples.find(({ index }) => index === note.appliedIndex);
			if (sample !== undefined) this.answer(note, sample.digest);
		}
	}

	/** A snapshot skipped the entries up to `index`: no digest of them will be made any more, and what was held before is gone. */
	onSkipped(index: number): void {
		this.samples = [];
		if (this.awaitedIndex > index) return;
		this.awaited = null;
		this.awaitedIndex = 0;
	}

	/** A new term: findings of the last one were acted on, or are found again. */
	onTermChanged(): void {
		this.notes = [];
		this.differing.clear();
	}

	/** A member that lags keeps the note that it will reach first. */
	private awaitIndex(note: DigestNote): void {
		if (this.awaited !== null && this.awaited.term === note.term) return;
		this.awaited = note;
		this.awaitedIndex = note.appliedIndex;
	}

	private answer(note: DigestNote, digest: number): void {
		this.send(note.from, note.term, note.appliedIndex, digest);
		if (digest !== note.digest) this.report(note.from, note.appliedIndex, digest, note.digest);
	}

	private compare(answer: DigestNote): void {
		const note = this.notes.find(({ index }) => index === answer.appliedIndex);
		if (note === undefined) return;
		note.answers.set(answer.from, answer.digest);
		if (answer.digest !== note.digest) this.report(answer.from, answer.appliedIndex, note.digest, answer.digest);
		this.judge(note);
	}

	/** The digest that a quorum holds is the right one. */
	private judge(note: Note): void {
		const all = [[this.leadership.self, note.digest] as const, ...note.answers];
		for (const [, right] of all) {
			const holders = all.filter(([, digest]) => digest === right).length;
			if (2 * holders <= note.members) continue;
			note.settled = true;
			for (const [member, digest] of all) if (digest !== right) this.differing.add(member);
			return;
		}
	}

	/** Members differ, and too few have answered to say who is wrong: etcd then names nobody. */
	private judgeUndecided(note: Note): void {
		if (note.settled) return;
		for (const digest of note.answers.values()) if (digest !== note.digest) this.differing.add(NO_NODE);
	}

	private report(member: NodeId, index: number, own: number, theirs: number): void {
		assert(own !== theirs, "equal digests are no finding");
		this.tap.emit("digestMismatch", this.leadership.term, index, { member, own, theirs });
	}

	private send(to: NodeId, term: number, appliedIndex: number, digest: number): void {
		this.outbox.send({ kind: "digest", from: this.leadership.self, to, term, appliedIndex, digest });
	}
}
