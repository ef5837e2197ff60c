/**
 * Committed entries in their order, from the core to the state machine. Holds back while the store has too much unwritten,
 * works in slices of a turn, and keeps what a floor must say of the applied index.
 */
import { assert, fail, type TapSink } from "@flotilla/base";
import {
	type ConfState,
	changedConf,
	confChangeOfEntry,
	type Entry,
	EntryKind,
	type NodeId,
	type RestoredLog,
	type SnapshotMeta,
} from "@flotilla/raft";
import { CommandKind } from "./calls.ts";
import type { DigestWatch } from "./digest-watch.ts";
import { EnvelopeReader } from "./envelope.ts";
import type { LeaseRoom } from "./lease/lease-room.ts";
import type { MembershipRoom } from "./membership-room.ts";
import type { Proposals } from "./proposals.ts";
import type { Reads } from "./reads.ts";
import { SlicedApply } from "./sliced-apply.ts";
import type { ApplyOutcome, StateMachine } from "./state-machine.ts";

export interface ApplierOptions {
	readonly self: NodeId;
	readonly incarnation: number;
	readonly formerLives: ReadonlySet<number>;
	/** Nothing more is applied while the store holds more record bytes that are not written. */
	readonly unstoredBytesMax: number;
}

export interface ApplierParts {
	readonly state: StateMachine;
	readonly proposals: Proposals;
	readonly reads: Reads;
	readonly digests: DigestWatch;
	readonly membership: MembershipRoom;
	readonly leases: LeaseRoom;
	readonly tap: TapSink;
}

export class Applier {
	appliedIndex: number;
	appliedTerm: number;
	/** The configuration of the last configuration entry applied: not the one in force, which follows the commit. */
	confState: ConfState;
	/** This process life's announcement was applied. */
	published = false;
	/** This member announced itself in a process life that it does not know of, by what was restored, applied or installed. */
	ranBefore = false;
	private readonly options: ApplierOptions;
	private readonly parts: ApplierParts;
	private readonly envelope = new EnvelopeReader();
	private queue: Entry[] = [];
	private head = 0;
	/** The entry at `head` is applied in part. */
	private unfinished: SlicedApply | null = null;

	constructor(options: ApplierOptions, parts: ApplierParts, restored: RestoredLog) {
		this.options = options;
		this.parts = parts;
		this.appliedIndex = restored.applied;
		this.appliedTerm = restored.base.term;
		this.confState = restored.base.confState;
		for (const entry of restored.entries) {
			if (entry.index > restored.applied) break;
			this.appliedTerm = entry.term;
			if (entry.kind === EntryKind.config) this.confState = confAfter(this.confState, entry);
		}
	}

	get waiting(): boolean {
		return this.head < this.queue.length;
	}

	/** An entry is applied in part: the state is that of no index. */
	get midway(): boolean {
		return this.unfinished !== null;
	}

	/** Of the proposal of this process life whose entry that is; 0: it is somebody else's, or there is none. */
	get midwaySequence(): number {
		const { envelope, options, unfinished } = this;
		return unfinished !== null && envelope.incarnation === options.incarnation ? envelope.sequence : 0;
	}

	/** There is more to do in a next turn. */
	get mayGoOn(): boolean {
		return this.midway && this.parts.state.store.unstoredBytes <= this.options.unstoredBytesMax;
	}

	/** The state is that of a snapshot: what waited is in it, or was never committed. */
	install({ index, term, confState }: SnapshotMeta): void {
		assert(index > this.appliedIndex && term >= this.appliedTerm, "a snapshot does not take the state back");
		this.queue = [];
		this.head = 0;
		this.unfinished = null;
		this.appliedIndex = index;
		this.appliedTerm = term;
		this.confState = confState;
	}

	/** A life in which this member announced itself, if it has. */
	noteLife(life: number | undefined): void {
		const { incarnation, formerLives } = this.options;
		if (life !== undefined && life !== incarnation && !formerLives.has(life)) this.ranBefore = true;
	}

	enqueue(entries: readonly Entry[]): void {
		for (const entry of entries) this.queue.push(entry);
	}

	/** Applies up to so many entries; `digest` is asked for the state's digest when a comparison is due. Returns how many were applied. */
	run(entriesMax: number, digest: () => number): number {
		const { store } = this.parts.state;
		const upto = Math.min(this.queue.length, this.head + entriesMax);
		const from = this.head;
		while (this.head < upto && store.unstoredBytes <= this.options.unstoredBytesMax) {
			if (!this.applyEntry(this.queue[this.head] as Entry)) break;
			this.head++;
			if (this.parts.digests.isWanted(this.appliedIndex)) this.parts.digests.applied(this.appliedIndex, digest());
		}
		const count = this.head - from;
		// Not only when all is applied: behind a slow store something always waits. Each entry is moved once a time that as many went.
		if (this.head > 0 && 2 * this.head >= this.queue.length) {
			this.queue = this.queue.slice(this.head);
			this.head = 0;
		}
		if (count > 0) this.parts.tap.emit("applied", this.appliedTerm, this.appliedIndex, { entries: count, revision: store.revision });
		return count;
	}

	/** False when there is more of it to do in another turn. */
	private applyEntry(entry: Entry): boolean {
		if (entry.index !== this.appliedIndex + 1) fail("entries are applied without gaps", { index: entry.index, applied: this.appliedIndex });
		assert(entry.term >= this.appliedTerm, "terms along a log do not fall");
		if (entry.term > this.appliedTerm) this.enterTerm(entry.term);
		if (entry.kind === EntryKind.config) this.applyConfig(entry);
		else if (entry.data.length > 0 && !this.applyCommand(entry)) return false;
		this.appliedIndex = entry.index;
		return true;
	}

	private enterTerm(term: number): void {
		this.appliedTerm = term;
		this.parts.proposals.onTermApplied(term);
		this.parts.reads.onTermApplied(term);
		this.parts.membership.onTermApplied(term);
		this.parts.leases.onTermApplied(term);
	}

	private applyConfig(entry: Entry): void {
		this.confState = confAfter(this.confState, entry);
		const request = confChangeOfEntry(entry.data);
		this.parts.membership.onConfiguration(entry.index, request);
		this.parts.state.applyMembership(request);
	}

	private applyCommand(entry: Entry): boolean {
		const { envelope, parts, unfinished } = this;
		envelope.open(entry.data, entry.index);
		const outcome = unfinished === null ? parts.state.apply(envelope, entry.term, entry.index, this.isAwaited()) : unfinished.step();
		if (outcome === null) return false;
		if (outcome instanceof SlicedApply) {
			this.unfinished = outcome;
			return false;
		}
		this.unfinished = null;
		this.complete(entry, outcome);
		return true;
	}

	/** A client of this member waits for the outcome of the entry in the envelope. */
	private isAwaited(): boolean {
		const { envelope, options, parts } = this;
		return envelope.incarnation === options.incarnation && parts.proposals.isAwaited(envelope.sequence);
	}

	/** Of the entry in the envelope. */
	private complete(entry: Entry, outcome: ApplyOutcome): void {
		const { envelope, parts } = this;
		const ours = envelope.incarnation === this.options.incarnation;
		if (envelope.kind === CommandKind.publish && typeof outcome !== "string") {
			if (ours) this.published = true;
			else if (envelope.origin === this.options.self) this.noteLife(envelope.incarnation);
		}
		if (!ours) return;
		const call = parts.proposals.take(envelope.sequence);
		if (call !== undefined) parts.proposals.complete(call, entry.term, entry.index, outcome);
		else if (envelope.kind === CommandKind.memberUpdate) parts.membership.onUpdated(envelope.sequence, outcome);
	}
}

function confAfter(conf: ConfState, entry: Entry): ConfState {
	return changedConf(conf, confChangeOfEntry(entry.data)) ?? fail("a committed change of the configuration fits", { index: entry.index });
}
