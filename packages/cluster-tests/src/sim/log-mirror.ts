/** A member's log as an outsider puts it together from what the member hands to its disk and is told of it. */
import {
	type AppendWork,
	type ConfState,
	type Entry,
	EntryKind,
	type LogIndex,
	type NodeId,
	type RestoredLog,
	type Role,
	type Term,
} from "@flotilla/raft";

export interface Mark {
	readonly term: Term;
	readonly hash: number;
	/** Bytes of a configuration entry; null for every other. */
	readonly config: Uint8Array | null;
}

export class LogMirror {
	readonly id: NodeId;
	/** What a power cut would surely leave. */
	readonly durable = new Map<LogIndex, Mark>();
	/** What the process believes. */
	readonly memory = new Map<LogIndex, Mark>();
	/** Handed to the disk, not reported yet. */
	readonly pending: AppendWork[] = [];
	/** Everything up to here came with a state that was sent whole, or lies behind the beginning of the log. */
	base: { readonly index: LogIndex; readonly term: Term } = { index: 0, term: 0 };
	durableBase: LogIndex = 0;
	lastIndex: LogIndex = 0;
	term: Term = 0;
	/** A term that was only in memory may be forgotten by a crash: nothing that needs it has left. */
	durableTerm: Term = 0;
	durableVote: NodeId = 0n;
	/** Highest term that its headers named to clients. */
	toldTerm: Term = 0;
	durableCommit: LogIndex = 0;
	/** Reported as written; a crash may still take it back. */
	private writtenCommit: LogIndex = 0;
	/** The vote that is on the disk or on its way there. */
	issuedTerm: Term = 0;
	issuedVote: NodeId = 0n;
	commit: LogIndex = 0;
	applied: LogIndex = 0;
	role: Role = "follower";
	/** Term of which it was seen as the leader last. */
	ledTerm: Term = 0;
	/** Configuration in force, by its own word. */
	conf: ConfState | null = null;
	/** What a leader believes that its peers hold. */
	readonly matches = new Map<NodeId, LogIndex>();
	/** Configuration entries above its commit. */
	openConfigs: LogIndex[] = [];
	/** The one in force before that. */
	confBefore: ConfState | null = null;
	/** To whom it hands over, and for how many ticks by now. */
	transferee: NodeId = 0n;
	transferTicks = 0;
	/** Last index when it was seen to hand over; 0 when it did not. */
	transferringFrom: LogIndex = 0;
	/** The last entry that its disk held before damage took it, and what stands in its place since. */
	private owed: { readonly index: LogIndex; readonly instead: Mark | undefined } = { index: 0, instead: undefined };
	/** Rot has struck its disk: what it once held durably may have been cut off. */
	everDamaged = false;
	/** By which work of this life what is durable came there; what is older is not listed. */
	private readonly writtenBy = new Map<LogIndex, number>();
	/** Each work in `pending` was handed over when so much was reported as durable, and says so in its frame. */
	private readonly saysDurable: number[] = [];
	/** Told in this life. */
	private toldSeq = 0;
	/** Works up to here are on the disk, and so is a later frame that says it. */
	private vouchedSeq = 0;

	constructor(id: NodeId) {
		this.id = id;
	}

	/** Term at an index, as far as it can be told. */
	termAt(index: LogIndex): Term | null {
		if (index === 0) return 0;
		return index === this.base.index ? this.base.term : (this.memory.get(index)?.term ?? null);
	}

	/** Damage took something from the end of its log, and nothing has been written there since. */
	get owes(): boolean {
		const { index, instead } = this.owed;
		return index > this.durableBase && isSame(this.durable.get(index), instead);
	}

	/** Term of the last entry on its disk, as far as it is there by itself. */
	get newestDurableTerm(): Term {
		return this.durable.get(Math.max(0, ...this.durable.keys()))?.term ?? 0;
	}

	get lastTerm(): Term | null {
		return this.termAt(this.lastIndex);
	}

	/** Damage of what is at `index` cannot be taken for a torn write: a frame behind it says that it was durable. */
	isVouchedFor(index: LogIndex): boolean {
		// What is of an earlier life the fence of this one vouches for.
		return (this.writtenBy.get(index) ?? 0) <= this.vouchedSeq;
	}

	/** `damaged`: what was durable may be gone, or have become what it was at an earlier time. */
	restored(log: RestoredLog, damaged: boolean): void {
		const last = Math.max(0, ...this.durable.keys());
		const before = this.durable.get(last);
		this.read(log);
		const after = this.durable.get(last);
		if (damaged && before !== undefined && !isSame(before, after)) this.owed = { index: last, instead: after };
	}

	private read(log: RestoredLog): void {
		this.writtenBy.clear();
		this.saysDurable.length = 0;
		this.toldSeq = 0;
		this.vouchedSeq = 0;
		const kept = [...this.durable].filter(([index]) => index <= log.base.index);
		for (const marks of [this.durable, this.memory]) {
			marks.clear();
			for (const [index, mark] of kept) marks.set(index, mark);
			for (const entry of log.entries) marks.set(entry.index, markOf(entry));
		}
		this.pending.length = 0;
		this.base = log.base;
		this.durableBase = log.base.index;
		const { term, vote, commit } = log.hardState;
		this.term = term;
		this.durableTerm = term;
		this.durableVote = vote;
		this.issuedTerm = term;
		this.issuedVote = vote;
		this.durableCommit = commit;
		this.writtenCommit = commit;
		this.commit = commit;
		this.applied = log.applied;
		this.role = "follower";
		this.ledTerm = 0;
		this.conf = null;
		this.matches.clear();
		this.transferringFrom = 0;
		this.transferee = 0n;
		this.confBefore = null;
		this.openConfigs = log.entries.filter(({ kind }) => kind === EntryKind.config).map(({ index }) => index);
		this.lastIndex = log.entries.at(-1)?.index ?? log.base.index;
	}

	/** Before a start: a state has taken the place of the log. */
	replaced({ index }: { readonly index: LogIndex }): void {
		this.durable.clear();
		this.durableBase = index;
	}

	append(work: AppendWork): void {
		this.pending.push(work);
		this.saysDurable.push(this.toldSeq);
		if (work.hardState !== null) {
			this.issuedTerm = work.hardState.term;
			this.issuedVote = work.hardState.vote;
		}
		applyWork(this.memory, work);
		const { snapshot, truncateFrom, entries } = work;
		if (snapshot !== null) {
			this.base = snapshot;
			this.openConfigs = [];
			this.lastIndex = snapshot.index;
		}
		const from = truncateFrom > 0 ? truncateFrom : (entries[0]?.index ?? 0);
		if (from > 0) {
			this.openConfigs = this.openConfigs.filter((index) => index < from);
			this.lastIndex = entries.at(-1)?.index ?? from - 1;
		}
		for (const entry of entries) if (entry.kind === EntryKind.config) this.openConfigs.push(entry.index);
	}

	/** Returns the works that became durable. */
	persist(seq: number): readonly AppendWork[] {
		const done: AppendWork[] = [];
		while (this.pending[0] !== undefined && this.pending[0].seq <= seq) {
			const work = this.pending.shift() as AppendWork;
			const said = this.saysDurable.shift() as number;
			// Work without entries may take no frame.
			if (work.entries.length > 0) this.vouchedSeq = Math.max(this.vouchedSeq, said);
			done.push(work);
			applyWork(this.durable, work);
			for (const { index } of work.entries) this.writtenBy.set(index, work.seq);
			if (work.snapshot !== null) this.durableBase = work.snapshot.index;
			if (work.hardState !== null) {
				this.durableTerm = work.hardState.term;
				this.durableVote = work.hardState.vote;
				this.writtenCommit = work.hardState.commit;
			}
			// What rides goes with the next write that must be synced, at the latest.
			if (work.mustSync) this.durableCommit = this.writtenCommit;
		}
		this.toldSeq = Math.max(this.toldSeq, seq);
		return done;
	}

	/** Whether the entry of `term` at `index` is on its disk, by itself or inside a state that stands for it. */
	holds(index: LogIndex, term: Term): boolean {
		const own = this.durable.get(index);
		return own === undefined ? index <= this.durableBase : own.term === term;
	}

	/** Whether something under way to the disk takes away what is at `index`. */
	isBeingReplaced(index: LogIndex): boolean {
		return this.pending.some(
			({ snapshot, truncateFrom, entries }) =>
				snapshot !== null || (truncateFrom > 0 && truncateFrom <= index) || (entries[0] !== undefined && entries[0].index <= index),
		);
	}
}

function isSame(one: Mark | undefined, other: Mark | undefined): boolean {
	return one?.term === other?.term && one?.hash === other?.hash;
}

export function markOf(entry: Entry): Mark {
	return { term: entry.term, hash: hashOf(entry), config: entry.kind === EntryKind.config ? entry.data : null };
}

function applyWork(log: Map<LogIndex, Mark>, { snapshot, truncateFrom, entries }: AppendWork): void {
	if (snapshot !== null) log.clear();
	// A later entry at an index replaces everything from there on.
	const from = truncateFrom > 0 ? truncateFrom : (entries[0]?.index ?? 0);
	if (from > 0 && log.has(from)) for (const index of Array.from(log.keys())) if (index >= from) log.delete(index);
	for (const entry of entries) log.set(entry.index, markOf(entry));
}

/** FNV-1a; tells entries apart, nothing more. */
function hashOf(entry: Entry): number {
	let hash = 0x811c9dc5 ^ entry.kind;
	const { data } = entry;
	for (let at = 0; at < data.length; at++) hash = Math.imul(hash ^ (data[at] as number), 0x01000193);
	return hash | 0;
}
