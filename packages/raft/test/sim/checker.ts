import type {
	ConfState,
	CoreOutput,
	CoreStatus,
	Entry,
	LogIndex,
	MembershipDone,
	NodeId,
	ReadToken,
	Role,
	SnapshotMeta,
	Term,
} from "../../src/index.ts";
import { decodeConfChange, EntryKind } from "../../src/index.ts";
import type { Bounds } from "./bounds.ts";
import type { LogImage } from "./disk.ts";
import type { SimMember } from "./member.ts";
import { confAfter, describeConf, hasQuorum, sameConf } from "./twin.ts";
import { Violation } from "./violation.ts";

interface Committed {
	readonly term: Term;
	/** Term of the leader that committed it: this one's or a later one. */
	readonly committedIn: Term;
	readonly data: Uint8Array;
}

/**
 * Sees everything, decides nothing: what must hold of a cluster however its parts were scheduled (raft thesis figure 3.2),
 * judged without the core's own arithmetic.
 */
export class Checker {
	/** Every entry that is committed, and what it says. */
	readonly committed: (Committed | null)[] = [];
	/** Highest index that any member knew to be committed. */
	maxCommit: LogIndex;
	elections = 0;
	readsGranted = 0;
	changesDone = 0;
	/** Where all limits are those of one configuration. */
	bounds: Bounds | null = null;
	private readonly leaders = new Map<Term, NodeId>();
	private readonly created = new Map<string, { readonly data: Uint8Array; readonly prevTerm: Term }>();
	private readonly digests = new Map<LogIndex, number>();
	/** Configurations by the index that brought them, ascending. */
	private readonly confs: { readonly index: LogIndex; readonly conf: ConfState }[];
	private readonly lastSeen = new Map<NodeId, { role: Role; term: Term; conf: ConfState }>();
	/** What leaders believe of their peers, by leader, term and peer; how far their logs reached when a hand-over was under way. */
	private readonly matches = new Map<string, LogIndex>();
	private readonly handingOver = new Map<NodeId, { readonly term: Term; readonly lastIndex: LogIndex }>();
	private readonly durableCommits = new Map<NodeId, LogIndex>();
	private readonly reads = new Map<string, LogIndex>();
	private readonly members: ReadonlyMap<NodeId, SimMember>;

	constructor(start: SnapshotMeta, members: ReadonlyMap<NodeId, SimMember>) {
		this.members = members;
		this.maxCommit = start.index;
		this.confs = [{ index: start.index, conf: start.confState }];
		for (let index = 0; index <= start.index; index++) this.committed.push(null);
	}

	/** After every input of a member. */
	afterInput(member: SimMember): void {
		const status = member.core.status();
		const { id, role, term, commit, confState } = status;
		const before = this.lastSeen.get(id) ?? { role: "follower", term: 0, conf: confState };
		if (term < before.term) throw new Violation(`term of ${id} fell from ${before.term} to ${term}`);
		if (role === "leader") this.onLeader(member, term);
		if (commit > this.maxCommit) {
			// It may commit its own removal and leave in one step.
			const leads = role === "leader" || (before.role === "leader" && before.term === term);
			this.onFirstCommit(member, leads ? term : null, commit, [before.conf, confState]);
		}
		this.lastSeen.set(id, { role, term, conf: confState });
		this.assertLeadership(status);
		this.bounds?.afterInput(member, status);
		this.durableCommits.set(id, member.disk.synced.hardState.commit);
	}

	/** Its disk is gone: what was durable there is nobody's promise any more. */
	afterWipe(member: SimMember): void {
		this.durableCommits.delete(member.id);
	}

	/** After a crash only what was durable is remembered. */
	afterCrash(member: SimMember): void {
		const { term, commit } = member.disk.synced.hardState;
		const durable = this.durableCommits.get(member.id) ?? 0;
		if (commit < durable) throw new Violation(`${member.id} comes back with commit ${commit}, and ${durable} was durable`);
		this.lastSeen.set(member.id, { role: "follower", term, conf: member.disk.synced.base.confState });
		for (const key of this.reads.keys()) if (key.startsWith(`${member.id}/`)) this.reads.delete(key);
		this.bounds?.afterCrash(member.id);
	}

	/** When a member's turn is over and its work is with its disk. */
	afterDrain(member: SimMember, output: CoreOutput): void {
		const status = member.core.status();
		const { commit, confState, role, stable, applied } = status;
		for (const entry of output.append?.entries ?? []) this.onCreated(member.disk.issued, entry);
		this.onKnownCommitted(member, commit);
		if (role === "leader") this.onComplete(member);
		for (const entry of output.apply) {
			if (entry.index > commit) throw new Violation(`${member.id} hands out ${entry.index} above its commit ${commit}`);
			if (entry.index > stable) throw new Violation(`${member.id} hands out ${entry.index} above its stable index ${stable}`);
			this.assertCommitted(member.id, entry.index, entry.term, entry.data);
		}
		if (applied > commit) throw new Violation(`${member.id} has applied ${applied} above its commit ${commit}`);
		this.assertConf(member.id, commit, confState);
		for (const done of output.membershipDone) this.onMembershipDone(member.id, done);
		for (const grant of output.reads) this.onGrant(member.id, grant.token, grant.index);
		for (const failure of output.readFailures) this.forgetRead(member.id, failure.token);
		this.bounds?.afterDrain(member, status, output, this.waitingReads(member.id));
	}

	onApplied(member: SimMember): void {
		const { index, digest } = member.machine.state;
		const known = this.digests.get(index);
		if (known !== undefined && known !== digest) throw new Violation(`state of ${member.id} differs after ${index}`);
		this.digests.set(index, digest);
	}

	onRead(id: NodeId, token: ReadToken): void {
		const key = readKey(id, token);
		if (this.reads.has(key)) throw new Violation(`token ${key} was given twice`);
		this.reads.set(key, this.maxCommit);
	}

	/** Configuration in force after `index`. */
	confAt(index: LogIndex): ConfState {
		const found = this.confs.findLast((conf) => conf.index <= index);
		if (found === undefined) throw new Violation(`no configuration is known at ${index}`);
		return found.conf;
	}

	/** What a leader knows of a peer it does not unlearn, and while it hands over its log stands still. */
	private assertLeadership({ id, role, term, lastIndex, transferee, peers, confState }: CoreStatus): void {
		const handing = this.handingOver.get(id);
		if (role !== "leader") {
			if (handing !== undefined) this.handingOver.delete(id);
			return;
		}
		// But for the end of a joint configuration, which waits for nothing.
		const still = confState.votersOutgoing.length === 0 && handing?.term === term && transferee !== 0n;
		if (still && lastIndex > handing.lastIndex) throw new Violation(`leader ${id} takes entry ${lastIndex} while it hands over`);
		if (transferee === 0n) this.handingOver.delete(id);
		else this.handingOver.set(id, { term, lastIndex });
		for (const { id: peer, match } of peers) {
			const key = `${id}/${term}/${peer}`;
			// A peer that left and came anew begins at 0.
			if (match !== 0 && match < (this.matches.get(key) ?? 0)) throw new Violation(`leader ${id} takes match of ${peer} back to ${match}`);
			this.matches.set(key, match);
		}
	}

	private onLeader({ id, disk }: SimMember, term: Term): void {
		const { hardState } = disk.synced;
		if (hardState.term !== term || hardState.vote !== id) throw new Violation(`${id} leads term ${term} before its own vote is durable`);
		const known = this.leaders.get(term);
		if (known !== undefined && known !== id) throw new Violation(`term ${term} has two leaders: ${known} and ${id}`);
		if (known === undefined) this.elections++;
		this.leaders.set(term, id);
	}

	/** The first member ever to commit so far must be a leader that holds an entry of its own term on a quorum of disks. */
	private onFirstCommit(member: SimMember, leaderTerm: Term | null, commit: LogIndex, confs: readonly ConfState[]): void {
		const { issued } = member.disk;
		if (leaderTerm === null) throw new Violation(`${member.id} knows ${commit} as committed before any leader`);
		if (issued.termAt(commit) !== leaderTerm)
			throw new Violation(`leader ${member.id} of term ${leaderTerm} commits ${commit} of term ${issued.termAt(commit)}`);
		this.extendCommitted(issued, commit, leaderTerm);
		const holds = (id: NodeId) => {
			const image = this.members.get(id)?.disk.synced;
			return image !== undefined && (image.base.index >= commit || image.termAt(commit) === leaderTerm);
		};
		// An entry behind a configuration entry may be counted under either, since quorums of neighbours meet.
		if (!confs.some((conf) => hasQuorum(conf, holds)))
			throw new Violation(`leader ${member.id} commits ${commit} without a quorum of disks`);
	}

	private extendCommitted(issued: LogImage, commit: LogIndex, committedIn: Term): void {
		for (let index = this.maxCommit + 1; index <= commit; index++) {
			const entry = issued.entries[index - issued.walFirst] as Entry;
			this.committed[index] = { term: entry.term, committedIn, data: entry.data };
			const request = entry.kind === EntryKind.config ? decodeConfChange(entry.data) : null;
			if (request !== null) this.confs.push({ index, conf: confAfter(this.confAt(index), request) });
		}
		this.maxCommit = commit;
	}

	private onCreated(image: LogImage, entry: Entry): void {
		const key = `${entry.index}/${entry.term}`;
		const prevTerm = image.termAt(entry.index - 1);
		const known = this.created.get(key);
		if (known === undefined) this.created.set(key, { data: entry.data, prevTerm });
		else if (!sameBytes(known.data, entry.data)) throw new Violation(`entry ${key} exists with two contents`);
		else if (known.prevTerm !== prevTerm && known.prevTerm >= 0 && prevTerm >= 0)
			throw new Violation(`entry ${key} follows two different logs`);
	}

	private onKnownCommitted(member: SimMember, commit: LogIndex): void {
		const { issued } = member.disk;
		for (const entry of issued.entries) {
			if (entry.index <= commit) this.assertCommitted(member.id, entry.index, entry.term, entry.data);
		}
	}

	/** A leader holds every entry that was committed before its term (leader completeness); one that was deposed unheard need not. */
	private onComplete(member: SimMember): void {
		const { issued } = member.disk;
		const { term } = member.core.status();
		for (let index = issued.walFirst; index <= this.maxCommit; index++) {
			const want = this.committed[index];
			if (want == null || want.committedIn >= term) continue;
			if (issued.termAt(index) !== want.term)
				throw new Violation(`leader ${member.id} of term ${term} lacks committed entry ${index} of term ${want.term}`);
		}
	}

	private assertCommitted(id: NodeId, index: LogIndex, term: Term, data: Uint8Array): void {
		const want = this.committed[index];
		if (want == null) {
			if (index > this.maxCommit) throw new Violation(`${id} takes ${index} for committed, which nobody committed`);
			return;
		}
		if (want.term !== term || !sameBytes(want.data, data)) throw new Violation(`${id} holds another entry than was committed at ${index}`);
	}

	private assertConf(id: NodeId, commit: LogIndex, conf: ConfState): void {
		// Nodes that wait for their first snapshot know none.
		if (conf.voters.length === 0) return;
		const want = this.confAt(commit);
		if (!sameConf(conf, want)) throw new Violation(`${id} is in ${describeConf(conf)} at ${commit}, not in ${describeConf(want)}`);
	}

	private onMembershipDone(id: NodeId, done: MembershipDone): void {
		this.changesDone++;
		const { voters, votersOutgoing } = this.confAt(done.index);
		const holds = (peer: NodeId) => {
			const image = this.members.get(peer)?.disk.synced;
			return image !== undefined && Math.max(image.hardState.commit, image.base.index) >= done.index;
		};
		const newer = this.confs.filter((conf) => conf.index >= done.index);
		const reported = newer.some((conf) => hasQuorum(conf.conf, holds));
		if (!reported)
			throw new Violation(`${id} answers change ${done.index} before ${voters.join()}/${votersOutgoing.join()} know it durably`);
	}

	private waitingReads(id: NodeId): number {
		let count = 0;
		for (const key of this.reads.keys()) if (key.startsWith(`${id}/`)) count++;
		return count;
	}

	private onGrant(id: NodeId, token: ReadToken, index: LogIndex): void {
		const asked = this.reads.get(readKey(id, token));
		if (asked === undefined) throw new Violation(`token ${readKey(id, token)} completes twice, or was never given`);
		if (index < asked) throw new Violation(`read ${readKey(id, token)} is granted at ${index}; ${asked} was committed before it was asked`);
		this.readsGranted++;
		this.reads.delete(readKey(id, token));
	}

	private forgetRead(id: NodeId, token: ReadToken): void {
		if (!this.reads.delete(readKey(id, token))) throw new Violation(`token ${readKey(id, token)} fails after it was completed`);
	}
}

function readKey(id: NodeId, token: ReadToken): string {
	return `${id}/${token.incarnation}/${token.counter}`;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
	return a === b || (a.length === b.length && a.every((byte, at) => byte === b[at]));
}
