import type { AppendWork, ConfState, CoreStatus, Entry, LogIndex, NodeId, RestoredLog, Term } from "@flotilla/raft";

/** A statement about all members that must hold after every step (raft thesis figure 3.2 and what durability adds). */
export type InvariantName =
	| "electionSafety"
	| "leaderCompleteness"
	| "committedImmutable"
	| "noReuse"
	| "termMonotone"
	| "commitMonotone"
	| "marksOrdered"
	| "committedDurable"
	| "durableKept"
	| "equalStates";

export interface Breach {
	readonly invariant: InvariantName;
	readonly text: string;
}

interface Mark {
	readonly term: Term;
	readonly hash: number;
}

/** A member's log as an outsider reconstructs it from what it hands to its disk. */
interface Mirror {
	/** What a power cut would surely leave. */
	readonly durable: Map<LogIndex, Mark>;
	/** What the process believes. */
	readonly memory: Map<LogIndex, Mark>;
	readonly pending: AppendWork[];
	term: Term;
	/** A term that was only in memory may be forgotten by a crash: nothing that needs it has left. */
	durableTerm: Term;
	durableCommit: LogIndex;
	commit: LogIndex;
	lastIndex: LogIndex;
	wasLeaderOf: Term;
	/** The configuration in force, behind the one that it has just replaced: what is committed now was so under one of them. */
	confs: readonly ConfState[];
}

/**
 * Watches all members of a run. Its state is never reset by crashes, and it shares no code with the core: own majority, own
 * log, own order.
 */
export class Invariants {
	private readonly mirrors = new Map<NodeId, Mirror>();
	private readonly leaders = new Map<Term, NodeId>();
	private readonly canon = new Map<LogIndex, Mark>();
	/** Hash of every entry ever made, by index and term. */
	private readonly made = new Map<string, number>();
	private readonly digests = new Map<LogIndex, { readonly digest: number; readonly member: NodeId }>();
	private maxCommit = 0;
	readonly breaches: Breach[] = [];
	/** Leaders seen, for the report. */
	get elections(): number {
		return this.leaders.size;
	}

	/** These voters hold, as a quorum of `voters`, all that `id` holds durably. */
	holdsElsewhere(id: NodeId, others: readonly NodeId[], voters: number): boolean {
		const copies = others.map((other) => this.mirror(other));
		for (const [index, mark] of this.mirror(id).durable) {
			const holding = copies.filter((copy) => copy.durable.get(index)?.term === mark.term).length;
			if (2 * holding <= voters) return false;
		}
		return 2 * copies.filter((copy) => copy.durableCommit >= this.mirror(id).durableCommit).length > voters;
	}

	/** A life begins with this log. `damaged`: rot may have made it shorter than what was once durable. */
	restored(id: NodeId, log: RestoredLog, damaged: boolean): void {
		const mirror = this.mirror(id);
		const before = mirror.durableTerm;
		if (!damaged) this.checkKept(id, log);
		if (log.hardState.term < before)
			this.breach("termMonotone", `${hex(id)} fell from term ${before} to ${log.hardState.term} by a restart`);
		const kept = new Map([...mirror.durable].filter(([index]) => index <= log.base.index));
		mirror.durable.clear();
		mirror.memory.clear();
		mirror.pending.length = 0;
		mirror.term = log.hardState.term;
		mirror.durableTerm = log.hardState.term;
		mirror.durableCommit = log.hardState.commit;
		mirror.commit = log.hardState.commit;
		mirror.wasLeaderOf = 0;
		mirror.confs = [];
		for (const [index, mark] of kept) {
			mirror.durable.set(index, mark);
			mirror.memory.set(index, mark);
		}
		for (const entry of log.entries) {
			mirror.durable.set(entry.index, markOf(entry));
			mirror.memory.set(entry.index, markOf(entry));
		}
		mirror.lastIndex = log.entries.at(-1)?.index ?? log.base.index;
	}

	/** The core handed this to its log. */
	appended(id: NodeId, work: AppendWork): void {
		const mirror = this.mirror(id);
		mirror.pending.push(work);
		applyWork(mirror.memory, work);
		for (const entry of work.entries) {
			const name = `${entry.index}/${entry.term}`;
			const hash = hashOf(entry);
			const known = this.made.get(name);
			if (known === undefined) this.made.set(name, hash);
			else if (known !== hash)
				this.breach("noReuse", `index ${entry.index} of term ${entry.term} means two things; seen again on ${hex(id)}`);
		}
		if (work.truncateFrom > 0 || work.entries.length > 0) {
			mirror.lastIndex = work.entries.at(-1)?.index ?? work.truncateFrom - 1;
		} else if (work.snapshot !== null) mirror.lastIndex = work.snapshot.index;
	}

	/** The core was told that everything up to `seq` is durable. */
	persisted(id: NodeId, seq: number): void {
		const mirror = this.mirror(id);
		while (mirror.pending[0] !== undefined && mirror.pending[0].seq <= seq) {
			const work = mirror.pending.shift() as AppendWork;
			applyWork(mirror.durable, work);
			if (work.hardState !== null) mirror.durableTerm = work.hardState.term;
			if (work.hardState !== null && work.mustSync) mirror.durableCommit = work.hardState.commit;
		}
	}

	/** After each output of a member. */
	observe(id: NodeId, status: CoreStatus, appliedIndex: LogIndex, digest: number | null): void {
		const mirror = this.mirror(id);
		if (status.term < mirror.term) this.breach("termMonotone", `${hex(id)} fell from term ${mirror.term} to ${status.term}`);
		if (status.commit < mirror.commit) this.breach("commitMonotone", `${hex(id)} fell from commit ${mirror.commit} to ${status.commit}`);
		if (!(appliedIndex <= status.commit && status.commit <= status.lastIndex)) {
			this.breach("marksOrdered", `${hex(id)}: applied ${appliedIndex}, commit ${status.commit}, last ${status.lastIndex}`);
		}
		mirror.term = status.term;
		if (status.role === "leader") this.leads(id, status, mirror);
		const conf = mirror.confs.at(-1);
		mirror.confs = conf === undefined || conf === status.confState ? [status.confState] : [conf, status.confState];
		if (status.commit > mirror.commit) this.commits(id, status, mirror);
		mirror.commit = status.commit;
		// A member that joins has no state before it is sent one.
		if (digest !== null && appliedIndex > 0) this.applied(id, appliedIndex, digest);
	}

	/** What was once told to be durable is there after a restart, unless it was cut behind a floor or replaced since. */
	private checkKept(id: NodeId, log: RestoredLog): void {
		const found = new Map(log.entries.map((entry) => [entry.index, entry.term]));
		for (const [index, mark] of this.mirror(id).durable) {
			if (index <= log.base.index) continue;
			const term = found.get(index);
			// What was to be cut off or written over when it died may be gone already.
			if (term === mark.term || this.mirror(id).pending.some((work) => work.snapshot !== null || isCutBy(work, index))) continue;
			this.breach("durableKept", `${hex(id)} lost index ${index} of term ${mark.term}, which was durable`);
			return;
		}
	}

	private leads(id: NodeId, status: CoreStatus, mirror: Mirror): void {
		const known = this.leaders.get(status.term);
		if (known !== undefined && known !== id)
			this.breach("electionSafety", `term ${status.term} has two leaders, ${hex(known)} and ${hex(id)}`);
		this.leaders.set(status.term, id);
		if (mirror.wasLeaderOf === status.term) return;
		mirror.wasLeaderOf = status.term;
		for (const [index, mark] of this.canon) {
			if (mark.term >= status.term) continue;
			const own = mirror.memory.get(index);
			if (own === undefined ? index > status.lastIndex : own.term !== mark.term) {
				this.breach("leaderCompleteness", `${hex(id)} leads term ${status.term} without index ${index} of term ${mark.term}`);
				return;
			}
		}
	}

	private commits(id: NodeId, status: CoreStatus, mirror: Mirror): void {
		for (let index = mirror.commit + 1; index <= status.commit; index++) {
			const own = mirror.memory.get(index);
			if (own === undefined) continue;
			const known = this.canon.get(index);
			if (known === undefined) this.canon.set(index, own);
			else if (known.term !== own.term || known.hash !== own.hash) {
				this.breach("committedImmutable", `index ${index} was committed in term ${known.term}; ${hex(id)} commits term ${own.term}`);
			}
			if (index > this.maxCommit) {
				this.maxCommit = index;
				this.checkDurable(index, own, mirror.confs);
			}
		}
	}

	private checkDurable(index: LogIndex, mark: Mark, confs: readonly ConfState[]): void {
		const holds = (voter: NodeId): boolean => this.mirrors.get(voter)?.durable.get(index)?.term === mark.term;
		const isQuorum = (half: readonly NodeId[]): boolean => half.length === 0 || 2 * half.filter(holds).length > half.length;
		if (confs.some(({ voters, votersOutgoing }) => isQuorum(voters) && isQuorum(votersOutgoing))) return;
		const voters = confs.map((conf) => conf.voters.map((id) => `${hex(id)}${holds(id) ? "+" : "-"}`).join(" "));
		this.breach(
			"committedDurable",
			`index ${index} of term ${mark.term} was committed without a quorum of durable copies: ${voters.join(" | ")}`,
		);
	}

	private applied(id: NodeId, index: LogIndex, digest: number): void {
		const known = this.digests.get(index);
		if (known === undefined) this.digests.set(index, { digest, member: id });
		else if (known.digest !== digest) {
			this.breach("equalStates", `after index ${index} ${hex(id)} has digest ${digest}, ${hex(known.member)} had ${known.digest}`);
		}
	}

	private mirror(id: NodeId): Mirror {
		let mirror = this.mirrors.get(id);
		if (mirror === undefined) {
			mirror = {
				durable: new Map(),
				memory: new Map(),
				pending: [],
				term: 0,
				durableTerm: 0,
				durableCommit: 0,
				commit: 0,
				lastIndex: 0,
				wasLeaderOf: 0,
				confs: [],
			};
			this.mirrors.set(id, mirror);
		}
		return mirror;
	}

	private breach(invariant: InvariantName, text: string): void {
		if (this.breaches.length < 20) this.breaches.push({ invariant, text });
	}
}

function applyWork(log: Map<LogIndex, Mark>, work: AppendWork): void {
	if (work.snapshot !== null) log.clear();
	if (work.truncateFrom > 0) for (const index of Array.from(log.keys())) if (index >= work.truncateFrom) log.delete(index);
	for (const entry of work.entries) log.set(entry.index, markOf(entry));
}

function isCutBy({ truncateFrom, entries }: AppendWork, index: LogIndex): boolean {
	return (truncateFrom > 0 && truncateFrom <= index) || (entries[0] !== undefined && entries[0].index <= index);
}

function markOf(entry: Entry): Mark {
	return { term: entry.term, hash: hashOf(entry) };
}

/** FNV-1a; tells entries apart, nothing more. */
function hashOf(entry: Entry): number {
	let hash = 0x811c9dc5 ^ entry.kind;
	for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193);
	return hash | 0;
}

function hex(id: NodeId): string {
	return id.toString(16);
}
