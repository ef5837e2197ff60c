import type { AppendWork, ConfState, CoreStatus, LogIndex, NodeId, RaftLimits, RestoredLog, Term } from "@flotilla/raft";
import type { LaneMessage } from "@flotilla/server/internal";
import { BoundChecks } from "./bound-checks.ts";
import { ConfChain, describeConf, isQuorum, membersIn, misshapen, onlyAddsVoter, quorumsMeet, sameConf } from "./conf-twin.ts";
import type { Damage } from "./damage-budget.ts";
import { LogMirror, type Mark, markOf } from "./log-mirror.ts";
import { MessageChecks } from "./message-checks.ts";
import { OfficeChecks } from "./office-checks.ts";
import { ReadChecks } from "./read-checks.ts";

/** Statements about all members that must hold after every step; docs/simulator.md says which number each has elsewhere. */
export const INVARIANTS = [
	"electionSafety",
	"electedByQuorum",
	"leaderAppendsOnly",
	"logMatching",
	"leaderCompleteness",
	"committedImmutable",
	"committedKept",
	"committedDurable",
	"committedInTerm",
	"noReuse",
	"termMonotone",
	"voteKept",
	"termsOrdered",
	"commitMonotone",
	"appliedMonotone",
	"marksOrdered",
	"durableKept",
	"vouchedKept",
	"voteOnce",
	"voteDurable",
	"voteJustified",
	"acknowledgedDurable",
	"messageSane",
	"matchTrue",
	"progressSane",
	"transferStill",
	"transferBounded",
	"quorumHeard",
	"queuesBounded",
	"readProven",
	"confShape",
	"confOneOpen",
	"confChain",
	"confAgreement",
	"confAppend",
	"candidateKnows",
	"settledKnown",
	"snapshotTrue",
	"equalStates",
] as const;
export type InvariantName = (typeof INVARIANTS)[number];

export interface Breach {
	readonly invariant: InvariantName;
	readonly text: string;
}

/** A turn or two between the tick that ends it and the look at it. */
const TRANSFER_SLACK_TICKS = 3;

interface Made {
	readonly term: Term;
	readonly hash: number;
	/** Of the entry before; null when nobody could tell. */
	prevTerm: Term | null;
}

interface Committed extends Mark {
	/** In which leader's term; its own may be an earlier one. */
	readonly committedIn: Term;
}

/**
 * Watches all members of a run. Its state is never reset by crashes, and it shares no code with the core: own majority, own
 * configurations, own log, own order.
 */
export class Invariants {
	readonly breaches: Breach[] = [];
	private readonly mirrors: LogMirror[] = [];
	private readonly leaders = new Map<Term, NodeId>();
	private readonly canon = new Map<LogIndex, Committed>();
	/** Every entry ever made: those of each index, one a term. */
	private readonly made = new Map<LogIndex, Made[]>();
	/** Entries that were counted under the configuration before the one that then came into force. */
	private readonly countedUnder = new Map<LogIndex, ConfState>();
	private readonly digests = new Map<LogIndex, { readonly digest: number; readonly member: NodeId }>();
	private readonly confs: ConfChain;
	private readonly messages: MessageChecks;
	private readonly reads: ReadChecks;
	private readonly offices: OfficeChecks;
	private readonly bounds: BoundChecks | null;
	private readonly transferTicksMax: number;
	private maxCommit: LogIndex;
	/** Configurations up to here were known, durably, to whoever has to know them (rule C3). */
	private settled: LogIndex = 0;

	/**
	 * `first`: the initial configuration, in force at `index`, which no log holds as an entry. `limits`: of what may wait in members;
	 * null where they are too large for anybody to come near.
	 */
	constructor(first: ConfState, index: LogIndex, electionTicks: number, limits: RaftLimits | null = null) {
		// Twice: one that times out may be asked for anew, to the same member, in the turn in which it ended.
		this.transferTicksMax = 2 * electionTicks + TRANSFER_SLACK_TICKS;
		this.reads = new ReadChecks((name, text) => this.breach(name, text));
		this.offices = new OfficeChecks(electionTicks, (name, text) => this.breach(name, text));
		this.bounds = limits === null ? null : new BoundChecks(limits, (name, text) => this.breach(name, text));
		this.confs = new ConfChain(first);
		this.maxCommit = index;
		this.messages = new MessageChecks(
			(id) => this.mirror(id),
			(name, text) => this.breach(name, text),
		);
	}

	/** Leaders seen, for the report. */
	get elections(): number {
		return this.leaders.size;
	}

	/** Highest term that was led. */
	get topTerm(): Term {
		return Math.max(0, ...this.leaders.keys());
	}

	/** These voters hold, as a quorum of `voters`, all that `id` holds durably. */
	holdsElsewhere(id: NodeId, others: readonly NodeId[], voters: number): boolean {
		const own = this.mirror(id);
		const copies = others.map((other) => this.mirror(other));
		for (const [index, mark] of own.durable) {
			if (2 * copies.filter((copy) => copy.holds(index, mark.term)).length <= voters) return false;
		}
		return 2 * copies.filter((copy) => copy.durableCommit >= own.durableCommit).length > voters;
	}

	/**
	 * These voters hold, as a quorum of `voters`, an entry of the newest term that `id` knows, or of a later one: who leads that term
	 * is decided, and a vote in it that is forgotten, and given once more, elects nobody.
	 */
	electionsOver(id: NodeId, others: readonly NodeId[], voters: number): boolean {
		const { durableTerm } = this.mirror(id);
		return 2 * others.filter((other) => this.mirror(other).newestDurableTerm >= durableTerm).length > voters;
	}

	/** These voters know, as a quorum of `voters`, that the newest configuration was committed, and know it after a restart. */
	newestConfKnown(others: readonly NodeId[], voters: number): boolean {
		return 2 * others.filter((other) => this.mirror(other).durableCommit >= this.newestConf).length > voters;
	}

	/** It has forgotten its votes, and may give them once more. */
	forgetsVotes(id: NodeId): void {
		this.messages.forgetVotes(id);
	}

	/** Index of the newest configuration that was committed. */
	get newestConf(): LogIndex {
		return this.confs.newestIndex;
	}

	/** That one is joint. */
	get joint(): boolean {
		return this.confs.newest.votersOutgoing.length > 0;
	}

	/** Damage has taken something from its log, and it has not caught up since. */
	owes(id: NodeId): boolean {
		return this.mirror(id).owes;
	}

	/** A message leaves its sender. */
	leaving(from: NodeId, message: LaneMessage): void {
		this.messages.leaving(from, message);
		this.bounds?.leaving(from, message);
		if (message.kind !== "heartbeat" && message.kind !== "readIndexResp") return;
		const { conf, confBefore } = this.mirror(from);
		this.reads.leaving(
			from,
			message,
			[conf, confBefore].filter((each) => each !== null),
		);
	}

	/** A message is handed to its receiver. */
	arriving(to: NodeId, message: LaneMessage): void {
		this.offices.arriving(to, message.from);
		if (message.kind === "heartbeatResp" || message.kind === "readIndex") this.reads.arriving(to, message);
	}

	/** Reads of others that leaders granted and that were judged. */
	get readsJudged(): number {
		return this.reads.judged;
	}

	/** A tick of a member's clock reaches its core. */
	ticked(id: NodeId): void {
		this.offices.ticked(id);
		const mirror = this.mirror(id);
		if (mirror.transferee !== 0n && ++mirror.transferTicks === this.transferTicksMax)
			this.breach("transferBounded", `${hex(id)} hands over to ${hex(mirror.transferee)} for ${mirror.transferTicks} ticks`);
	}

	/** A header to a client names this term: one that its member's disk holds, so it does not fall with a restart. */
	told(id: NodeId, term: Term): void {
		const mirror = this.mirror(id);
		if (term > mirror.durableTerm)
			this.breach("termMonotone", `${hex(id)} tells a client of term ${term}; its disk says ${mirror.durableTerm}`);
		if (term < mirror.toldTerm && !mirror.everDamaged)
			this.breach("termMonotone", `${hex(id)} tells a client of term ${term} after ${mirror.toldTerm}`);
		mirror.toldTerm = Math.max(mirror.toldTerm, term);
	}

	/** A life begins with this log. `damage`: what may have made it shorter than what was once durable. */
	restored(id: NodeId, log: RestoredLog, damage: Damage): void {
		const mirror = this.mirror(id);
		const damaged = damage === "oneBit" || damage === "more";
		mirror.everDamaged ||= damaged;
		if (damage === "store") this.restoredStore(mirror, log);
		if (!damaged) this.checkKept(mirror, log);
		else if (damage === "oneBit") this.checkVouched(mirror, log);
		this.bounds?.restored(id);
		this.offices.restored(id);
		mirror.restored(log, damaged);
		this.checkCommittedKept(id, "came back");
		// What a state that it took knows to be committed it knows as well.
		this.noteSettled();
	}

	/** A store that was lost came back by the log, by a state that the log goes with, or by one that has taken the log's place. */
	private restoredStore(mirror: LogMirror, { base, entries }: RestoredLog): void {
		const { index, term } = base;
		if (index > 0) this.checkSnapshot(mirror.id, base);
		// What was on its way to the disk may have come there.
		if (mirror.holds(index, term) || mirror.termAt(index) === term) return;
		if (entries.length > 0)
			this.breach("logMatching", `${hex(mirror.id)} takes a state of term ${term} at ${index}, which its log has not`);
		mirror.replaced(base);
	}

	/** The core handed this to its log. */
	appended(id: NodeId, work: AppendWork, status: CoreStatus): void {
		const mirror = this.mirror(id);
		const { snapshot, truncateFrom, entries } = work;
		const from = truncateFrom > 0 ? truncateFrom : (entries[0]?.index ?? 0);
		const leads = mirror.role === "leader" && status.role === "leader" && mirror.ledTerm === status.term;
		if (leads && (snapshot !== null || (from > 0 && from <= mirror.lastIndex)))
			this.breach("leaderAppendsOnly", `${hex(id)} leads term ${status.term} and rewrites its log from ${from}`);
		if (from > 0 && from <= mirror.commit && snapshot === null)
			this.breach("committedImmutable", `${hex(id)} rewrites its log from ${from}, below its commit ${mirror.commit}`);
		if (snapshot !== null) this.checkSnapshot(id, snapshot);
		const { term, vote } = work.hardState ?? { term: 0, vote: 0n };
		const voted = vote !== 0n && vote !== id && (term !== mirror.issuedTerm || vote !== mirror.issuedVote);
		// What was cut off in the same turn may have been before the vote or after it.
		if (voted && truncateFrom === 0 && snapshot === null) this.messages.checkJustified(mirror, term, vote);
		this.bounds?.appended(mirror, work, status);
		mirror.append(work);
		for (const entry of entries) {
			const prevTerm = mirror.termAt(entry.index - 1);
			if (prevTerm !== null && prevTerm > entry.term) {
				this.breach("termsOrdered", `${hex(id)} has term ${entry.term} at index ${entry.index} behind term ${prevTerm}`);
			}
			if (entry.term > status.term) this.breach("termsOrdered", `${hex(id)} of term ${status.term} holds an entry of term ${entry.term}`);
			this.created(id, entry.index, mirror.memory.get(entry.index) ?? markOf(entry), prevTerm);
		}
	}

	/** The core was told that everything up to `seq` is durable. */
	persisted(id: NodeId, seq: number): void {
		const mirror = this.mirror(id);
		let cut = false;
		for (const { hardState, entries, truncateFrom, snapshot } of mirror.persist(seq)) {
			const from = truncateFrom > 0 ? truncateFrom : (entries[0]?.index ?? 0);
			cut ||= snapshot !== null || (from > 0 && from <= this.maxCommit);
			for (const { index } of entries) {
				const config = mirror.durable.get(index)?.config;
				if (config != null) this.checkConfAppend(mirror, index, hardState?.commit ?? mirror.durableCommit);
			}
		}
		if (cut) this.checkCommittedKept(id, "wrote");
		this.noteSettled();
	}

	/** `id` tells a client that the change of `member` is made, or goes because it is that member and was removed. */
	settledFor(id: NodeId, member: NodeId): void {
		const index = this.confs.lastChangeOf(member);
		if (index <= this.settled) return;
		const does = id === member ? "goes" : `answers for ${hex(member)}`;
		this.breach("settledKnown", `${hex(id)} ${does}, and no quorum knows durably that ${index} is committed`);
	}

	/** What a quorum knows once, each later leader will know, whatever happens to those who made it up. */
	private noteSettled(): void {
		for (const { index, before, conf } of this.confs.newerThan(this.settled)) {
			const knows = (voter: NodeId): boolean => this.mirror(voter).durableCommit >= index;
			if (!isQuorum(conf, knows) && !(onlyAddsVoter(before, conf) && isQuorum(before, knows))) continue;
			this.settled = index;
			return;
		}
	}

	/** After each output of a member. */
	observe(id: NodeId, status: CoreStatus, appliedIndex: LogIndex, digest: number | null): void {
		const mirror = this.mirror(id);
		const { role, term, commit, lastIndex, stable } = status;
		if (term < mirror.term) this.breach("termMonotone", `${hex(id)} fell from term ${mirror.term} to ${term}`);
		if (commit < mirror.commit) this.breach("commitMonotone", `${hex(id)} fell from commit ${mirror.commit} to ${commit}`);
		if (appliedIndex < mirror.applied) this.breach("appliedMonotone", `${hex(id)} fell from applied ${mirror.applied} to ${appliedIndex}`);
		// A state that was sent whole is applied before the log's marker of it is durable.
		const durablyApplied = appliedIndex <= stable || appliedIndex <= mirror.base.index;
		if (!(appliedIndex <= commit && commit <= lastIndex && stable <= lastIndex && durablyApplied)) {
			this.breach("marksOrdered", `${hex(id)}: applied ${appliedIndex}, commit ${commit}, stable ${stable}, last ${lastIndex}`);
		}
		const newTransfer = status.transferee !== 0n && mirror.role === "leader" && mirror.ledTerm === term;
		if (newTransfer && mirror.transferringFrom > 0 && lastIndex > mirror.transferringFrom)
			this.breach("transferStill", `${hex(id)} took entries up to ${lastIndex} while it hands over`);
		mirror.transferringFrom = status.transferee === 0n || role !== "leader" ? 0 : lastIndex;
		const transferee = role === "leader" ? status.transferee : 0n;
		if (transferee !== mirror.transferee) mirror.transferTicks = 0;
		mirror.transferee = transferee;
		this.offices.observe(status);
		this.bounds?.observe(status, mirror.role === "leader" && mirror.ledTerm === term);
		if (commit > mirror.commit) this.commits(status, mirror);
		if (status.confState !== mirror.conf || commit !== mirror.commit) this.checkConf(status);
		if (role === "leader") this.leads(status, mirror);
		else if (role !== "follower" && mirror.role !== role) this.checkCandidate(status);
		mirror.term = term;
		mirror.role = role;
		mirror.commit = commit;
		mirror.applied = appliedIndex;
		if (mirror.conf !== status.confState) mirror.confBefore = mirror.conf;
		mirror.conf = status.confState;
		// A member that joins has no state before it is sent one.
		if (digest !== null && appliedIndex > 0) this.applied(id, appliedIndex, digest);
	}

	private created(id: NodeId, index: LogIndex, { term, hash }: Mark, prevTerm: Term | null): void {
		const there = this.made.get(index);
		if (there === undefined) {
			this.made.set(index, [{ term, hash, prevTerm }]);
			return;
		}
		const known = there.find((one) => one.term === term);
		if (known === undefined) {
			there.push({ term, hash, prevTerm });
			return;
		}
		if (known.hash !== hash) this.breach("noReuse", `index ${index} of term ${term} means two things; seen again on ${hex(id)}`);
		known.prevTerm ??= prevTerm;
		// With this for every entry, two logs that agree at one index agree below it.
		if (prevTerm !== null && known.prevTerm !== prevTerm)
			this.breach("logMatching", `index ${index} of term ${term} follows term ${known.prevTerm} and, on ${hex(id)}, term ${prevTerm}`);
	}

	/** What was once told to be durable is there after a restart, unless it was replaced since. */
	private checkKept(mirror: LogMirror, log: RestoredLog): void {
		const { id } = mirror;
		const { term, vote, commit } = log.hardState;
		if (term < mirror.durableTerm) this.breach("termMonotone", `${hex(id)} fell from term ${mirror.durableTerm} to ${term} by a restart`);
		if (term === mirror.durableTerm && mirror.durableVote !== 0n && vote !== mirror.durableVote)
			this.breach("voteKept", `${hex(id)} voted for ${hex(mirror.durableVote)} in term ${term} and remembers ${hex(vote)} after a restart`);
		if (commit < mirror.durableCommit)
			this.breach("commitMonotone", `${hex(id)} fell from durable commit ${mirror.durableCommit} to ${commit} by a restart`);
		for (const { index, term: lost } of missing(mirror, log)) {
			this.breach("durableKept", `${hex(id)} lost index ${index} of term ${lost}, which was durable`);
			return;
		}
	}

	/**
	 * Whoever finds a damaged frame in the middle of its log refuses to start. One bit can be taken for a torn write only where no
	 * frame behind it says that it was durable; a log that is cut anywhere else has forgotten what it promised, whoever else has it.
	 */
	private checkVouched(mirror: LogMirror, log: RestoredLog): void {
		for (const { index, term } of missing(mirror, log)) {
			if (!mirror.isVouchedFor(index)) continue;
			this.breach("vouchedKept", `${hex(mirror.id)} cut index ${index} of term ${term} off its log, and frames behind it vouched for it`);
			return;
		}
	}

	/**
	 * Behind everything that can take an entry away a quorum of the newest configuration still holds what was committed: a restart,
	 * also of a damaged disk, and work below what was committed. Up to the entry that brought that configuration a quorum of the one
	 * before does, so its holders meet each quorum, and no leader can do without. Only whoever owes what rot took is excused, until it
	 * has caught up.
	 */
	private checkCommittedKept(who: NodeId, did: string): void {
		const { newest, newestIndex } = this.confs;
		for (let index = 1; index <= this.maxCommit; index++) {
			const mark = this.canon.get(index);
			if (mark === undefined) continue;
			const holds = (voter: NodeId): boolean => this.mirror(voter).owes || this.mirror(voter).holds(index, mark.term);
			if (index > newestIndex ? isQuorum(this.countedUnder.get(index) ?? newest, holds) : !isQuorum(newest, (voter) => !holds(voter)))
				continue;
			const lost = index > newestIndex ? "is on no quorum" : "can be done without by a quorum";
			this.breach("committedKept", `index ${index} of term ${mark.term} ${lost} of ${describeConf(newest)} after ${hex(who)} ${did}`);
			return;
		}
	}

	private checkSnapshot(id: NodeId, { index, term, confState }: NonNullable<AppendWork["snapshot"]>): void {
		const canon = this.canon.get(index);
		if (canon !== undefined && canon.term !== term)
			this.breach("snapshotTrue", `${hex(id)} takes a state of term ${term} at ${index}, where term ${canon.term} was committed`);
		if (index > this.maxCommit) this.breach("snapshotTrue", `${hex(id)} takes a state at ${index}, which nobody has committed`);
		const want = this.confs.at(index);
		if (describeConf(confState) !== describeConf(want)) {
			this.breach(
				"snapshotTrue",
				`${hex(id)} takes a state with ${describeConf(confState)} at ${index}, where ${describeConf(want)} was in force`,
			);
		}
	}

	private leads(status: CoreStatus, mirror: LogMirror): void {
		const { id, term } = status;
		const known = this.leaders.get(term);
		if (known !== undefined && known !== id) this.breach("electionSafety", `term ${term} has two leaders, ${hex(known)} and ${hex(id)}`);
		this.leaders.set(term, id);
		if (mirror.ledTerm !== term) {
			mirror.ledTerm = term;
			mirror.matches.clear();
			this.checkElected(status, mirror);
			this.checkComplete(status, mirror);
		}
		this.checkPeers(status, mirror);
		if (mirror.openConfigs.length > 0) mirror.openConfigs = mirror.openConfigs.filter((index) => index > status.commit);
		if (mirror.openConfigs.length > 1)
			this.breach("confOneOpen", `${hex(id)} leads with two open configurations, at ${mirror.openConfigs.join(" and ")}`);
	}

	private checkElected({ id, term, confState }: CoreStatus, mirror: LogMirror): void {
		const own = mirror.durableTerm === term && mirror.durableVote === id;
		if (!isQuorum(confState, (voter) => (voter === id ? own : this.messages.grantedTo(voter, term) === id)))
			this.breach("electedByQuorum", `${hex(id)} leads term ${term} without the votes of a quorum of ${describeConf(confState)}`);
	}

	private checkComplete({ id, term, lastIndex }: CoreStatus, mirror: LogMirror): void {
		for (const [index, mark] of this.canon) {
			// Whoever was elected before that may learn of its election only now, and needs to hold nothing of it.
			if (mark.committedIn >= term) continue;
			const own = mirror.memory.get(index);
			if (own === undefined ? index <= lastIndex : own.term === mark.term) continue;
			const which = `index ${index} of term ${mark.term}, committed in term ${mark.committedIn}`;
			this.breach("leaderCompleteness", `${hex(id)} leads term ${term} without ${which}`);
			return;
		}
	}

	/** What a leader believes of its peers' logs is so. */
	private checkPeers({ id, term, lastIndex, peers, confState }: CoreStatus, mirror: LogMirror): void {
		for (const { id: peer, match, next, state } of peers) {
			if (next <= match || (state === "replicate" && next > lastIndex + 1))
				this.breach("progressSane", `${hex(id)} holds match ${match}, next ${next} of ${hex(peer)}, its last index being ${lastIndex}`);
			const before = mirror.matches.get(peer) ?? 0;
			if (match === before) continue;
			mirror.matches.set(peer, match);
			// A peer that left and came anew begins at 0.
			if (match < before && match !== 0)
				this.breach("progressSane", `${hex(id)} took match of ${hex(peer)} back from ${before} to ${match}`);
			const other = this.mirror(peer);
			const own = mirror.termAt(match);
			if (own === null || other.everDamaged || other.term > term || other.holds(match, own)) continue;
			this.breach("matchTrue", `${hex(id)} believes that ${hex(peer)} holds ${match} of term ${own}, which is not on its disk`);
		}
		if (confState === mirror.conf) return;
		for (const member of membersIn(confState)) {
			if (member !== id && !peers.some((peer) => peer.id === member))
				this.breach("progressSane", `${hex(id)} leads ${describeConf(confState)} and does not follow ${hex(member)}`);
		}
	}

	private checkCandidate({ id, role, confState }: CoreStatus): void {
		if (![...confState.voters, ...confState.votersOutgoing].includes(id))
			this.breach("candidateKnows", `${hex(id)} is ${role} and no voter of ${describeConf(confState)}`);
	}

	private checkConf({ id, confState, commit }: CoreStatus): void {
		// Nobody has told it any yet.
		if (confState.voters.length === 0 && commit === 0) return;
		const wrong = misshapen(confState);
		if (wrong !== null) this.breach("confShape", `${hex(id)} is in ${describeConf(confState)}: ${wrong}`);
		const want = this.confs.at(commit);
		if (!sameConf(want, confState))
			this.breach("confAgreement", `${hex(id)} with commit ${commit} is in ${describeConf(confState)}, not in ${describeConf(want)}`);
	}

	/**
	 * A second configuration entry is made only when the first is committed, and whoever holds both knows it durably: the frame with the
	 * second says so (rules C1 and C2). Damage may have taken that word; then the first is committed all the same.
	 */
	private checkConfAppend(mirror: LogMirror, index: LogIndex, commit: LogIndex): void {
		const known = mirror.everDamaged ? this.maxCommit : Math.max(commit, mirror.durableBase);
		for (const [before, mark] of mirror.durable) {
			if (before >= index || mark.config === null || before <= known) continue;
			const which = `configurations at ${before} and ${index}`;
			this.breach("confAppend", `${hex(mirror.id)} holds ${which} and does not know durably that the first is committed`);
		}
	}

	private commits(status: CoreStatus, mirror: LogMirror): void {
		const { id, role, term, commit } = status;
		if (commit > this.maxCommit) {
			// In one turn it may have committed as the leader that it was, and then have heard of another term.
			const ledTerms = [role === "leader" ? term : null, mirror.role === "leader" ? mirror.ledTerm : null];
			if (!ledTerms.includes(mirror.termAt(commit)))
				this.breach(
					"committedInTerm",
					`${hex(id)}, ${role} of term ${term}, is the first to commit ${commit} of term ${mirror.termAt(commit)}`,
				);
		}
		// An entry of an earlier term is committed by the first one of the leader's own that is (thesis 3.6.2).
		const committedIn = mirror.termAt(commit) ?? term;
		for (let index = mirror.commit + 1; index <= commit; index++) {
			const own = mirror.memory.get(index);
			if (own === undefined) continue;
			const known = this.canon.get(index);
			if (known === undefined) this.canon.set(index, { ...own, committedIn });
			else if (known.term !== own.term || known.hash !== own.hash) {
				this.breach("committedImmutable", `index ${index} was committed in term ${known.term}; ${hex(id)} commits term ${own.term}`);
			}
			if (index > this.maxCommit) this.firstCommitted(index, own, mirror.conf);
		}
	}

	/**
	 * `before`: what its leader had in force until now. A configuration comes into force by the commit of its entry, so what
	 * is committed in the same step was counted under the one before; quorums of neighbours meet.
	 */
	private firstCommitted(index: LogIndex, mark: Mark, before: ConfState | null): void {
		this.maxCommit = index;
		const confs = before === null ? [this.confs.newest] : [this.confs.newest, before];
		if (mark.config !== null) {
			const step = this.confs.commit(index, mark.config);
			if (!quorumsMeet(step.before, step.conf))
				this.breach("confChain", `${describeConf(step.before)} was followed by ${describeConf(step.conf)}`);
			confs.push(step.conf);
		}
		const holds = (voter: NodeId): boolean => this.mirror(voter).holds(index, mark.term);
		const counted = confs.find((conf) => isQuorum(conf, holds));
		if (counted !== undefined) {
			if (counted !== this.confs.newest) this.countedUnder.set(index, counted);
			return;
		}
		const text = `index ${index} of term ${mark.term} was committed without a quorum of durable copies in`;
		this.breach("committedDurable", `${text} ${confs.map(describeConf).join(" or ")}`);
	}

	private applied(id: NodeId, index: LogIndex, digest: number): void {
		const known = this.digests.get(index);
		if (known === undefined) this.digests.set(index, { digest, member: id });
		else if (known.digest !== digest) {
			this.breach("equalStates", `after index ${index} ${hex(id)} has digest ${digest}, ${hex(known.member)} had ${known.digest}`);
		}
	}

	/** Looked for one by one: they are few, and a map keyed by bigints costs more. */
	private mirror(id: NodeId): LogMirror {
		for (const mirror of this.mirrors) if (mirror.id === id) return mirror;
		const mirror = new LogMirror(id);
		this.mirrors.push(mirror);
		return mirror;
	}

	private breach(invariant: InvariantName, text: string): void {
		if (this.breaches.length < 20) this.breaches.push({ invariant, text });
	}
}

/** What was durable and is not in that log, unless something was under way that took it away. */
function* missing(mirror: LogMirror, log: RestoredLog): Generator<{ readonly index: LogIndex; readonly term: Term }> {
	const found = new Map(log.entries.map((entry) => [entry.index, entry.term]));
	for (const [index, { term }] of mirror.durable) {
		if (index > log.base.index && found.get(index) !== term && !mirror.isBeingReplaced(index)) yield { index, term };
	}
}

function hex(id: NodeId): string {
	return id.toString(16);
}
