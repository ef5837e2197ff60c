/** What a message promises, held against its sender's disk at the moment when it leaves. */
import type { LogIndex, NodeId, Term } from "@flotilla/raft";
import type { LaneMessage } from "@flotilla/server/internal";
import type { InvariantName } from "./invariants.ts";
import type { LogMirror } from "./log-mirror.ts";

type MessageOf<Kind extends LaneMessage["kind"]> = Extract<LaneMessage, { kind: Kind }>;

interface Candidacy {
	readonly lastIndex: LogIndex;
	readonly lastTerm: Term;
}

export class MessageChecks {
	private readonly mirror: (id: NodeId) => LogMirror;
	private readonly breach: (name: InvariantName, text: string) => void;
	/** Whom a voter gave its vote of a term, by `voter/term`. */
	private readonly votes = new Map<string, NodeId>();
	private readonly candidacies = new Map<string, Candidacy>();

	constructor(mirror: (id: NodeId) => LogMirror, breach: (name: InvariantName, text: string) => void) {
		this.mirror = mirror;
		this.breach = breach;
	}

	forgetVotes(voter: NodeId): void {
		for (const name of Array.from(this.votes.keys())) if (name.startsWith(`${voter}/`)) this.votes.delete(name);
	}

	grantedTo(voter: NodeId, term: Term): NodeId | undefined {
		return this.votes.get(`${voter}/${term}`);
	}

	leaving(from: NodeId, message: LaneMessage): void {
		if (message.kind === "vote") this.asksForVote(from, message);
		else if (message.kind === "voteResp" && !message.reject) this.gives(from, message);
		else if (message.kind === "appendResp" && !message.reject) this.acknowledges(from, message);
		else if (message.kind === "append") this.feeds(from, message);
		else if (message.kind === "heartbeat") this.beats(from, message);
	}

	private asksForVote(from: NodeId, { term, lastIndex, lastTerm }: MessageOf<"vote">): void {
		const mirror = this.mirror(from);
		this.vote(from, term, from);
		this.candidacies.set(`${from}/${term}`, { lastIndex, lastTerm });
		this.checkVoteDurable(mirror, term, from);
		// The request boasts of what a crash would leave; what another leader of the term has had replaced since is another matter.
		const boasted = mirror.memory.get(lastIndex)?.term === lastTerm;
		if (mirror.durableTerm === term && boasted && !mirror.holds(lastIndex, lastTerm))
			this.breach("voteDurable", `${hex(from)} asks for votes with index ${lastIndex} of term ${lastTerm}, which is not on its disk`);
	}

	private gives(from: NodeId, { term, to }: MessageOf<"voteResp">): void {
		const mirror = this.mirror(from);
		this.vote(from, term, to);
		this.checkVoteDurable(mirror, term, to);
	}

	/** `mirror` has just voted, and its log is as it was before the turn in which it did. */
	checkJustified({ id, lastIndex, lastTerm }: LogMirror, term: Term, candidate: NodeId): void {
		const candidacy = this.candidacies.get(`${candidate}/${term}`);
		if (candidacy === undefined) {
			this.breach("voteJustified", `${hex(id)} votes in term ${term} for ${hex(candidate)}, which has not asked`);
			return;
		}
		const own = lastTerm ?? 0;
		if (own < candidacy.lastTerm || (own === candidacy.lastTerm && lastIndex <= candidacy.lastIndex)) return;
		const has = `${candidacy.lastIndex} of term ${candidacy.lastTerm}`;
		this.breach("voteJustified", `${hex(id)} holds ${lastIndex} of term ${own} and votes for ${hex(candidate)} with ${has}`);
	}

	private vote(voter: NodeId, term: Term, candidate: NodeId): void {
		const name = `${voter}/${term}`;
		const known = this.votes.get(name);
		if (known !== undefined && known !== candidate)
			this.breach("voteOnce", `${hex(voter)} votes in term ${term} for ${hex(known)} and for ${hex(candidate)}`);
		this.votes.set(name, candidate);
	}

	private checkVoteDurable({ id, durableTerm, durableVote }: LogMirror, term: Term, candidate: NodeId): void {
		if (durableTerm > term || (durableTerm === term && durableVote === candidate)) return;
		this.breach(
			"voteDurable",
			`${hex(id)} votes in term ${term} for ${hex(candidate)}; its disk says term ${durableTerm}, ${hex(durableVote)}`,
		);
	}

	private acknowledges(from: NodeId, { term, index, commit }: MessageOf<"appendResp">): void {
		const mirror = this.mirror(from);
		// An answer to a leader of an earlier term acknowledges nothing: it only tells of the term.
		if (index > 0 && mirror.durableTerm < term)
			this.breach("acknowledgedDurable", `${hex(from)} answers in term ${term}; its disk says ${mirror.durableTerm}`);
		// A later term may have replaced it since.
		const replaced = mirror.durableTerm > term || mirror.term > term;
		const own = mirror.memory.get(index)?.term;
		if (!replaced && index > 0 && own !== undefined && !mirror.holds(index, own))
			this.breach("acknowledgedDurable", `${hex(from)} acknowledges ${index} of term ${own}, which is not on its disk`);
		if (commit > mirror.durableCommit && commit > mirror.durableBase)
			this.breach("acknowledgedDurable", `${hex(from)} reports commit ${commit} as durable; its disk says ${mirror.durableCommit}`);
	}

	private feeds(from: NodeId, { term, prevIndex, prevTerm, commit, entries }: MessageOf<"append">): void {
		const mirror = this.mirror(from);
		const known = mirror.termAt(prevIndex);
		if (known !== null && known !== prevTerm && mirror.term === term)
			this.breach("messageSane", `${hex(from)} anchors an append on term ${prevTerm} at ${prevIndex}, where it holds term ${known}`);
		if (commit > mirror.commit) this.breach("messageSane", `${hex(from)} of commit ${mirror.commit} tells of commit ${commit}`);
		// With less a follower may hold two configurations and not know that the first is committed (rule C2).
		if (entries.length > 0 && mirror.term === term && commit < mirror.commit)
			this.breach("messageSane", `${hex(from)} of commit ${mirror.commit} sends entries with commit ${commit}`);
		for (const [at, entry] of entries.entries()) {
			if (entry.index !== prevIndex + 1 + at) this.breach("messageSane", `${hex(from)} sends ${entry.index} behind ${prevIndex + at}`);
		}
	}

	private beats(from: NodeId, { term, to, commit, commitTerm }: MessageOf<"heartbeat">): void {
		const mirror = this.mirror(from);
		const known = mirror.termAt(commit);
		// 0: it has forgotten the term.
		if (mirror.term === term && commitTerm !== 0 && known !== null && known !== commitTerm)
			this.breach("messageSane", `${hex(from)} says that ${commit} is of term ${commitTerm}, where it holds term ${known}`);
		const match = mirror.matches.get(to) ?? 0;
		// One that leaves after the end of its leadership was made before, and what was known then is not known here.
		if (mirror.role === "leader" && commit > match)
			this.breach("messageSane", `${hex(from)} lets ${hex(to)} commit ${commit}, beyond its match ${match}`);
	}
}

function hex(id: NodeId): string {
	return id.toString(16);
}
