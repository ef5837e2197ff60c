/** Configurations as the simulator works them out: the arithmetic of joint consensus a second time, without the core's helpers. */
import { type ConfState, decodeConfChange, type LogIndex, type NodeId } from "@flotilla/raft";

/** `holds` is true of a majority of the voters; of both halves while a change is joint. */
export function isQuorum({ voters, votersOutgoing }: ConfState, holds: (id: NodeId) => boolean): boolean {
	return [voters, votersOutgoing].every((half) => half.length === 0 || 2 * half.filter(holds).length > half.length);
}

export function membersIn({ voters, votersOutgoing, learners, learnersNext }: ConfState): ReadonlySet<NodeId> {
	return new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext]);
}

/** What a configuration looks like behind the entry with these bytes. */
export function confBehind(conf: ConfState, data: Uint8Array): ConfState {
	const request = decodeConfChange(data);
	if (request === null) throw new Error("a committed configuration entry cannot be read");
	if (request.changes.length === 0) return made(conf.voters, [...conf.learners, ...conf.learnersNext]);
	let { voters, learners } = conf;
	for (const { op, node } of request.changes) {
		voters = voters.filter((id) => id !== node);
		learners = learners.filter((id) => id !== node);
		if (op === "addVoter") voters = [...voters, node];
		if (op === "addLearner") learners = [...learners, node];
	}
	const moved = [...voters.filter((id) => !conf.voters.includes(id)), ...conf.voters.filter((id) => !voters.includes(id))];
	if (request.transition === "auto" && moved.length <= 1) return made(voters, learners);
	const next = learners.filter((id) => conf.voters.includes(id));
	const joined = learners.filter((id) => !conf.voters.includes(id));
	return { ...made(voters, joined), votersOutgoing: conf.voters, learnersNext: next, autoLeave: request.transition !== "jointExplicit" };
}

export function describeConf({ voters, learners, votersOutgoing, learnersNext, autoLeave }: ConfState): string {
	const lists = [voters, votersOutgoing, learners, learnersNext].map((ids) =>
		[...ids]
			.map((id) => id.toString(16))
			.sort()
			.join(" "),
	);
	return `{${lists.join(" | ")}${autoLeave ? " | leaves" : ""}}`;
}

/** The same members in the same parts, in any order. */
export function sameConf(a: ConfState, b: ConfState): boolean {
	return (
		a === b ||
		(a.autoLeave === b.autoLeave &&
			sameIds(a.voters, b.voters) &&
			sameIds(a.votersOutgoing, b.votersOutgoing) &&
			sameIds(a.learners, b.learners) &&
			sameIds(a.learnersNext, b.learnersNext))
	);
}

/** An id that stands twice in one of them counts twice. */
function sameIds(a: readonly NodeId[], b: readonly NodeId[]): boolean {
	if (a.length !== b.length) return false;
	const times = (ids: readonly NodeId[], id: NodeId): number => ids.reduce((count, other) => count + (other === id ? 1 : 0), 0);
	return a.every((id) => times(a, id) === times(b, id));
}

/** Null, or what is wrong with its shape. */
export function misshapen({ voters, learners, votersOutgoing, learnersNext, autoLeave }: ConfState): string | null {
	const among = (ids: readonly NodeId[], others: readonly NodeId[]): boolean => ids.some((id) => others.includes(id));
	if (voters.length === 0) return "it has no voters";
	if (among(learners, voters) || among(learners, votersOutgoing)) return "a learner votes";
	if (learnersNext.some((id) => !votersOutgoing.includes(id)) || among(learnersNext, voters)) return "a learner to be is no outgoing voter";
	if (votersOutgoing.length === 0 && (learnersNext.length > 0 || autoLeave)) return "it is half joint";
	return null;
}

/** Every quorum of the one meets every quorum of the other, tried one by one. */
export function quorumsMeet(one: ConfState, other: ConfState): boolean {
	const ids = [...new Set([...membersIn(one), ...membersIn(other)])];
	const subsets = 1 << ids.length;
	for (let subset = 0; subset < subsets; subset++) {
		const inside = (id: NodeId): boolean => (subset & (1 << ids.indexOf(id))) !== 0;
		// A quorum of the one whose complement is a quorum of the other does not meet it.
		if (isQuorum(one, inside) && isQuorum(other, (id) => !inside(id))) return false;
	}
	return true;
}

/** The configurations that were committed, by the index that brought them. */
export class ConfChain {
	private readonly confs: Array<{ readonly index: LogIndex; readonly conf: ConfState }>;

	constructor(first: ConfState) {
		this.confs = [{ index: 0, conf: first }];
	}

	get newest(): ConfState {
		return (this.confs.at(-1) as { conf: ConfState }).conf;
	}

	get newestIndex(): LogIndex {
		return (this.confs.at(-1) as { index: LogIndex }).index;
	}

	/** In force at a commit of `index`. */
	at(index: LogIndex): ConfState {
		return (this.confs.findLast((known) => known.index <= index) as { conf: ConfState }).conf;
	}

	/** Those that came behind `index`, the newest first, each with the one before it. */
	*newerThan(index: LogIndex): Iterable<{ readonly index: LogIndex; readonly before: ConfState; readonly conf: ConfState }> {
		for (let at = this.confs.length - 1; at > 0; at--) {
			const known = this.confs[at] as { readonly index: LogIndex; readonly conf: ConfState };
			if (known.index <= index) return;
			yield { ...known, before: (this.confs[at - 1] as { conf: ConfState }).conf };
		}
	}

	/** Where `id` came, went, or became a voter last; 0: it is what it was at first. */
	lastChangeOf(id: NodeId): LogIndex {
		for (const { index, before, conf } of this.newerThan(0)) if (partIn(before, id) !== partIn(conf, id)) return index;
		return 0;
	}

	/** The entry at `index` was committed; what it brings, and the one before. */
	commit(index: LogIndex, data: Uint8Array): { readonly before: ConfState; readonly conf: ConfState } {
		const before = this.newest;
		const conf = confBehind(before, data);
		this.confs.push({ index, conf });
		return { before, conf };
	}
}

function partIn({ voters, learners, learnersNext }: ConfState, id: NodeId): "voter" | "learner" | "none" {
	if (voters.includes(id)) return "voter";
	return learners.includes(id) || learnersNext.includes(id) ? "learner" : "none";
}

/** A voter more and none less, in one step. */
export function onlyAddsVoter(before: ConfState, conf: ConfState): boolean {
	if (before.votersOutgoing.length > 0 || conf.votersOutgoing.length > 0) return false;
	return conf.voters.length === before.voters.length + 1 && before.voters.every((id) => conf.voters.includes(id));
}

function made(voters: readonly NodeId[], learners: readonly NodeId[]): ConfState {
	return { voters, learners, votersOutgoing: [], learnersNext: [], autoLeave: false };
}
