/** A stage for the checker: members that do what a story says, and nothing else. What they hand to disks is durable unless it says so. */
import {
	type AppendWork,
	type ConfState,
	type CoreStatus,
	Entry,
	EntryKind,
	encodeConfChange,
	type LogIndex,
	type MembershipOp,
	type NodeId,
	type PeerStatus,
	type RaftLimits,
	type RestoredLog,
	type SnapshotMeta,
	type Term,
} from "@flotilla/raft";
import type { LaneMessage } from "@flotilla/server/internal";
import { membersIn } from "../conf-twin.ts";
import type { Damage } from "../damage-budget.ts";
import { type InvariantName, Invariants } from "../invariants.ts";

type Without<T, Key extends PropertyKey> = T extends unknown ? Omit<T, Key> : never;
/** A message without what the stage fills in. */
type Line = Without<LaneMessage, "from">;
type Work = Partial<Omit<AppendWork, "seq">> & { readonly durable?: boolean };

const ELECTION_TICKS = 10;

export function confOf(voters: readonly NodeId[], rest: Partial<ConfState> = {}): ConfState {
	return { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false, ...rest };
}

/** An entry that says `text`. */
export function entry(index: LogIndex, term: Term, text = ""): Entry {
	return new Entry(index, term, EntryKind.normal, new TextEncoder().encode(text));
}

export function change(index: LogIndex, term: Term, op: MembershipOp, node: NodeId): Entry {
	const data = encodeConfChange({ changes: [{ op, node }], transition: "auto", context: new Uint8Array() });
	return new Entry(index, term, EntryKind.config, data);
}

export function peer(id: NodeId, match: LogIndex, next: LogIndex): PeerStatus {
	return { id, match, next, state: "probe", recentActive: true, learner: false };
}

/** The members of `first` begin in term 1 with commit 1 and an empty log behind it. */
export class CheckerScene {
	readonly checks: Invariants;
	private readonly first: ConfState;
	private readonly said = new Map<NodeId, CoreStatus>();
	private readonly seqs = new Map<NodeId, number>();

	constructor(first: ConfState = confOf([1n, 2n, 3n]), limits: RaftLimits | null = null) {
		this.first = first;
		this.checks = new Invariants(first, 1, ELECTION_TICKS, limits);
		for (const id of membersIn(first)) this.boots(id, []);
	}

	/** What was broken, each once. */
	get broken(): InvariantName[] {
		return [...new Set(this.checks.breaches.map(({ invariant }) => invariant))].sort();
	}

	/** A life of `id` begins with these entries. */
	boots(id: NodeId, entries: readonly Entry[], hard: Partial<RestoredLog["hardState"]> = {}, damage: Damage = "none"): void {
		const hardState = { term: 1, vote: 0n, commit: 1, ...hard };
		const base = { index: 1, term: 1, confState: this.first, generation: "" };
		this.checks.restored(id, { hardState, base, entries, firstIndex: 2, applied: 1 }, damage);
		this.seqs.delete(id);
		const { term, vote, commit } = hardState;
		const lastIndex = entries.at(-1)?.index ?? 1;
		this.said.set(id, { ...newcomer(id, this.first), term, vote, commit, lastIndex, stable: lastIndex });
	}

	/** It hands a work to its log; durable at once unless it is told later. */
	writes(id: NodeId, { durable = true, ...work }: Work): void {
		const seq = (this.seqs.get(id) ?? 0) + 1;
		this.seqs.set(id, seq);
		const { entries = [], snapshot = null, hardState = null } = work;
		const status = this.statusOf(id);
		const full = { hardState: null, truncateFrom: 0, entries: [], snapshot: null, mustSync: true, release: [], ...work, seq };
		this.checks.appended(id, full, status);
		const lastIndex = entries.at(-1)?.index ?? snapshot?.index ?? status.lastIndex;
		this.said.set(id, { ...status, lastIndex, vote: hardState?.vote ?? status.vote });
		if (durable) this.persists(id);
	}

	/** All that it wrote is durable. */
	persists(id: NodeId): void {
		this.checks.persisted(id, this.seqs.get(id) ?? 0);
		const status = this.statusOf(id);
		this.said.set(id, { ...status, stable: status.lastIndex });
	}

	/** These members, each of the term of the last entry or a later one, take entries. */
	take(ids: readonly NodeId[], ...entries: readonly Entry[]): void {
		const term = entries.at(-1)?.term ?? 0;
		for (const id of ids) {
			if (this.statusOf(id).term < term) this.says(id, { term, vote: 0n });
			const { commit, vote, term: own } = this.statusOf(id);
			this.writes(id, { entries, hardState: { term: own, vote, commit } });
		}
	}

	/** It tells this of itself; the rest is as before. `applied` is 1 until it is said. */
	says(id: NodeId, change: Partial<CoreStatus>, digest: number | null = null): void {
		const status = { ...this.statusOf(id), ...change };
		this.said.set(id, status);
		this.checks.observe(id, status, status.applied, digest);
	}

	sends(from: NodeId, line: Line): void {
		this.checks.leaving(from, { ...line, from } as LaneMessage);
	}

	hears(to: NodeId, message: Without<LaneMessage, "to">): void {
		this.checks.arriving(to, { ...message, to } as LaneMessage);
	}

	/** `id` asks in `term`, and boasts of this log. */
	asks(id: NodeId, term: Term, lastIndex: LogIndex = 1, lastTerm: Term = 1): void {
		this.writes(id, { hardState: { term, vote: id, commit: 1 } });
		this.says(id, { role: "candidate", term });
		this.sends(id, { kind: "vote", to: 0n, term, lastIndex, lastTerm, commit: 1, commitTerm: 1, transfer: false });
	}

	/** The vote goes to the disk and then to the candidate. */
	votes(id: NodeId, term: Term, candidate: NodeId): void {
		this.writes(id, { hardState: { term, vote: candidate, commit: 1 } });
		this.says(id, { term });
		this.sends(id, { kind: "voteResp", to: candidate, term, reject: false, commit: 1, commitTerm: 1 });
	}

	/** Lawful, but for what it may boast of. */
	elects(id: NodeId, term: Term, voters: readonly NodeId[], lastIndex: LogIndex = 1, lastTerm: Term = 1): void {
		this.asks(id, term, lastIndex, lastTerm);
		for (const voter of voters) this.votes(voter, term, id);
		this.says(id, { role: "leader", leader: id, ...this.followed(id) });
	}

	/** A state comes whole. */
	installs(id: NodeId, point: Partial<SnapshotMeta>): void {
		this.writes(id, { snapshot: { index: 2, term: 2, confState: this.first, generation: "g", ...point } });
	}

	/** What a leader knows of its peers at first. */
	private followed(id: NodeId): Pick<CoreStatus, "peers"> {
		const { voters } = this.statusOf(id).confState;
		return { peers: voters.filter((voter) => voter !== id).map((voter) => peer(voter, 0, 2)) };
	}

	private statusOf(id: NodeId): CoreStatus {
		return this.said.get(id) ?? newcomer(id, this.first);
	}
}

function newcomer(id: NodeId, confState: ConfState): CoreStatus {
	const marks = { commit: 1, applied: 1, stable: 1, firstIndex: 2, lastIndex: 1, lastTerm: 1 };
	return { id, role: "follower", term: 1, vote: 0n, leader: 0n, ...marks, confState, transferee: 0n, peers: [] };
}
