import type { ConfState, Entry, LogIndex, NodeId, Term } from "../../src/index.ts";
import { decodeConfChange, EntryKind } from "../../src/index.ts";
import { confAfter, describeConf, hasQuorum, sameConf } from "../sim/twin.ts";
import { Violation } from "../sim/violation.ts";
import type { View } from "./cell.ts";
import { nameOf } from "./graph.ts";

const FIRST_INDEX = 2;

interface Committed {
	readonly entry: Entry;
	readonly inTerm: Term;
}

/** What a run has shown so far and must not contradict later: who led, and what was committed. Never changed. */
export class History {
	readonly name: string;
	readonly leaders: ReadonlyMap<Term, NodeId>;
	/** What was committed from the first index on, and in which leader's term. */
	readonly committed: readonly Committed[];
	/** Configurations: that of the start, and one after each committed entry. */
	readonly confs: readonly ConfState[];

	constructor(leaders: ReadonlyMap<Term, NodeId>, committed: readonly Committed[], confs: readonly ConfState[]) {
		this.leaders = leaders;
		this.committed = committed;
		this.confs = confs;
		this.name = nameOf([leaders, committed]);
	}

	static start(conf: ConfState): History {
		return new History(new Map(), [], [conf]);
	}

	/** A member went from one view to another; `views` are all of them, afterwards. Throws what is broken. */
	after(before: View, after: View, views: readonly View[]): History {
		const leaders = this.withLeader(after);
		if (after.role === "leader" && (before.role !== "leader" || before.term !== after.term)) this.assertComplete(after);
		const { committed, confs } = this.withCommit(before, after, views);
		const next = leaders === this.leaders && committed === this.committed ? this : new History(leaders, committed, confs);
		next.assertCommitted(after);
		next.assertDurable(views);
		assertOneChange(after);
		for (const other of views) if (other.id !== after.id) assertMatching(after, other);
		return next;
	}

	/** Rule C3: a change is answered when a quorum of its configuration, or of a later one, would know of it after a crash. */
	assertAnswered(index: LogIndex, views: readonly View[]): void {
		const knows = (id: NodeId) => views.some((view) => view.id === id && view.diskCommit >= index);
		if (!this.confs.slice(index - FIRST_INDEX + 1).some((conf) => hasQuorum(conf, knows)))
			throw new Violation(`change ${index} is answered before a quorum of the new configuration knows of it durably`);
	}

	/** Election safety: a term has at most one leader. */
	private withLeader({ id, role, term }: View): ReadonlyMap<Term, NodeId> {
		if (role !== "leader") return this.leaders;
		const known = this.leaders.get(term);
		if (known !== undefined && known !== id) throw new Violation(`term ${term} has two leaders: ${known} and ${id}`);
		return known === undefined ? new Map([...this.leaders, [term, id]]) : this.leaders;
	}

	/** Leader completeness: whatever a leader of an earlier term committed is in its log. */
	private assertComplete({ id, term, log }: View): void {
		this.committed.forEach(({ entry, inTerm }, at) => {
			if (inTerm < term && !isSame(entry, log[at]))
				throw new Violation(`leader ${id} of term ${term} lacks the committed entry ${describe(entry)}`);
		});
	}

	/** The first to commit is a leader, by an entry of its own term that a quorum holds durably. */
	private withCommit(before: View, after: View, views: readonly View[]): { committed: readonly Committed[]; confs: readonly ConfState[] } {
		const count = after.commit - FIRST_INDEX + 1;
		if (count <= this.committed.length) return this;
		const leads = after.role === "leader" || (before.role === "leader" && before.term === after.term);
		if (!leads) throw new Violation(`${after.id} takes ${after.commit} for committed, which no leader has committed`);
		const added = after.log.slice(this.committed.length, count);
		const committed = [...this.committed, ...added.map((entry) => ({ entry, inTerm: after.term }))];
		const confs = [...this.confs];
		for (const entry of added) confs.push(confWith(confs.at(-1) as ConfState, entry));
		const last = added.at(-1) as Entry;
		if (last.term !== after.term) throw new Violation(`leader ${after.id} of term ${after.term} commits ${describe(last)} by counting`);
		const holds = (id: NodeId) => views.some((view) => view.id === id && isSame(last, view.disk[count - 1]));
		// An entry behind a configuration entry may be counted under either: quorums of neighbours meet. And this leader may
		// not have known how far an earlier one had come.
		if (!confs.slice(before.commit - FIRST_INDEX + 1).some((conf) => hasQuorum(conf, holds)))
			throw new Violation(`leader ${after.id} commits ${describe(last)} without a quorum of disks`);
		return { committed, confs };
	}

	/** What a member takes for committed is what was committed, and its configuration follows from it (rule C1). */
	private assertCommitted({ id, commit, log, conf }: View): void {
		const count = commit - FIRST_INDEX + 1;
		for (let at = 0; at < count; at++) {
			if (!isSame((this.committed[at] as Committed).entry, log[at]))
				throw new Violation(`${id} holds another entry than was committed at ${at + FIRST_INDEX}`);
		}
		const want = this.confs[count] as ConfState;
		if (!sameConf(conf, want)) throw new Violation(`${id} is in ${describeConf(conf)} at ${commit}, not in ${describeConf(want)}`);
	}

	/** Those who do not hold what is committed are never enough to elect anybody. */
	private assertDurable(views: readonly View[]): void {
		const conf = this.confs.at(-1) as ConfState;
		this.committed.forEach(({ entry }, at) => {
			const lacks = (id: NodeId) => !views.some((view) => view.id === id && isSame(entry, view.disk[at]));
			if (hasQuorum(conf, lacks)) throw new Violation(`the committed entry ${describe(entry)} is no longer on a quorum of disks`);
		});
	}
}

/** Rule C2: at most one change of the configuration is under way. */
function assertOneChange({ id, role, commit, log }: View): void {
	if (role !== "leader") return;
	const open = log.filter((entry) => entry.kind === EntryKind.config && entry.index > commit);
	if (open.length > 1) throw new Violation(`leader ${id} has two changes under way: ${open.map(describe).join(" and ")}`);
}

/** Log matching: where index and term agree, all before agrees. */
function assertMatching(one: View, other: View): void {
	let at = Math.min(one.log.length, other.log.length) - 1;
	while (at >= 0 && (one.log[at] as Entry).term !== (other.log[at] as Entry).term) at--;
	for (; at >= 0; at--) {
		if (!isSame(one.log[at] as Entry, other.log[at]))
			throw new Violation(`the logs of ${one.id} and ${other.id} differ at ${at + FIRST_INDEX}, below an entry that they share`);
	}
}

function confWith(conf: ConfState, entry: Entry): ConfState {
	const request = entry.kind === EntryKind.config ? decodeConfChange(entry.data) : null;
	return request === null ? conf : confAfter(conf, request);
}

function isSame(entry: Entry, other: Entry | undefined): boolean {
	if (entry === other) return true;
	return other !== undefined && entry.term === other.term && entry.kind === other.kind && entry.data.join() === other.data.join();
}

function describe({ index, term }: Entry): string {
	return `${index}@${term}`;
}
