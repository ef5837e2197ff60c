import { assert, type Dice, type TapSink } from "@flotilla/base";
import { campaign, countOwnVote } from "./campaign.ts";
import { maybeCommit, settleConfigs, settledCommit } from "./commit.ts";
import { type RaftConfig, validateRaftConfig } from "./config.ts";
import { startFrom } from "./configuration.ts";
import type { Consensus } from "./core-interface.ts";
import { broadcastReadRound, startQuorumProbe } from "./heartbeats.ts";
import { onLeaderConnectionLost } from "./lost-leader.ts";
import { SELF } from "./members.ts";
import type { ConfState, Entry, LogIndex, MembershipRequest, Message, NodeId, SnapshotMeta } from "./message.ts";
import { NO_NODE } from "./message.ts";
import type { CoreOutput, CoreStatus, PeerStatus, ProposeResult, RestoredLog, StepStatus } from "./output.ts";
import { isReadyForConfChange, proposeAutoLeave, proposeBatch, proposeConfChange } from "./propose.ts";
import { Raft } from "./raft.ts";
import { isReadRoundDue, type ReadIndexResult, readIndex } from "./reads.ts";
import { endSnapshot, onFetched, sendAppends } from "./replicate.ts";
import { noteSyncTicks } from "./round-spans.ts";
import { step } from "./step.ts";
import { tick } from "./tick.ts";
import { abdicate, maybeHandOver, transferLeadership } from "./transfer.ts";

/** What every initial member starts from: a point in place of the configuration entries that nobody ever proposed. */
export function bootstrapPoint(voters: readonly NodeId[]): SnapshotMeta {
	assert(voters.length > 0, "a cluster needs a voter");
	const sorted = [...voters].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
	const confState: ConfState = { voters: sorted, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
	return { index: 1, term: 1, confState, generation: "" };
}

/** One node's consensus. The methods are its inputs; the rules are in the files that it imports. */
export class RaftCore implements Consensus {
	private readonly r: Raft;
	private toldRole = "";
	private toldLeader: NodeId = NO_NODE;
	private toldTerm = 0;
	private toldCommit: LogIndex;

	/** `restored`: everything that is durable here. The first drain tells the role and, if any came into force, a configuration. */
	constructor(config: RaftConfig, restored: RestoredLog, dice: Dice, tap: TapSink) {
		validateRaftConfig(config);
		this.r = new Raft(config, restored, dice, tap);
		startFrom(this.r, restored);
		this.toldCommit = this.r.log.commit;
		this.r.assertPointers();
	}

	tick(): void {
		tick(this.r);
	}

	step(message: Message): StepStatus {
		const status = step(this.r, message);
		this.r.assertPointers();
		return status;
	}

	propose(payloads: readonly Uint8Array[]): ProposeResult {
		return proposeBatch(this.r, payloads);
	}

	proposeMembership(request: MembershipRequest): ProposeResult {
		return proposeConfChange(this.r, request);
	}

	get membershipReady(): boolean {
		return isReadyForConfChange(this.r);
	}

	get settledCommit(): LogIndex {
		return settledCommit(this.r);
	}

	readIndex(): ReadIndexResult {
		return readIndex(this.r);
	}

	campaign(): void {
		campaign(this.r, "operator");
	}

	transferLeadership(to: NodeId): boolean {
		return transferLeadership(this.r, to);
	}

	advanceElection(ticks: number): void {
		const { r } = this;
		if (r.role === "follower" && r.leader === NO_NODE) r.electionElapsed += ticks;
	}

	leaderConnectionLost(leader: NodeId): void {
		onLeaderConnectionLost(this.r, leader);
	}

	reportUnreachable(peer: NodeId): void {
		const { progress, members } = this.r;
		const slot = members.slotOf(peer);
		const known = progress.get(slot);
		if (known?.state === "replicate") known.becomeProbe((progress.match[slot] as number) + 1, false);
	}

	reportSnapshot(peer: NodeId, ok: boolean, index: LogIndex): void {
		const { progress, members } = this.r;
		const slot = members.slotOf(peer);
		const known = progress.get(slot);
		if (known !== null) endSnapshot(known, progress.match[slot] as number, ok ? index : 0);
	}

	onFetched(peer: NodeId, entries: readonly Entry[]): void {
		onFetched(this.r, peer, entries);
	}

	onPersisted(seq: number): void {
		const { r } = this;
		r.work.acknowledge(seq, r.log);
		countOwnVote(r);
		if (r.role !== "leader") return;
		r.progress.match[SELF] = r.log.stable;
		r.progress.durableCommit[SELF] = r.work.syncedCommit;
		maybeCommit(r);
		if (r.unreportedConfigs.length > 0) settleConfigs(r);
	}

	onApplied(index: LogIndex): void {
		this.r.log.appliedTo(index);
	}

	onCompacted(firstIndex: LogIndex): void {
		this.r.log.compactedTo(firstIndex);
	}

	setDiskStalled(stalled: boolean): void {
		const { r } = this;
		if (r.diskStalled === stalled) return;
		r.diskStalled = stalled;
		if (stalled) abdicate(r);
	}

	setSyncTicks(ticks: number): void {
		noteSyncTicks(this.r, ticks);
	}

	onStall(elapsedTicks: number): void {
		const { r } = this;
		if (r.role === "leader" && elapsedTicks >= r.config.electionTicks) startQuorumProbe(r);
	}

	drain(): CoreOutput {
		const { r } = this;
		if (r.role === "leader") {
			proposeAutoLeave(r);
			sendAppends(r);
			maybeHandOver(r);
			if (isReadRoundDue(r)) broadcastReadRound(r);
		}
		r.output.append = r.work.take(r.log, r.hardState);
		this.handOutApply();
		this.tellChanges();
		r.log.shrinkMemory(r.config.memoryEntriesMax, r.config.memoryBytesMax);
		r.assertPointers();
		return r.swapOutput();
	}

	status(): CoreStatus {
		const { id, role, term, vote, leader, log, confState, transferee } = this.r;
		const { commit, applied, stable, firstIndex, lastIndex, lastTerm } = log;
		const peers = this.peerStatus();
		return { id, role, term, vote, leader, commit, applied, stable, firstIndex, lastIndex, lastTerm, confState, transferee, peers };
	}

	unapplied(): readonly Entry[] {
		const { log } = this.r;
		return log.slice(Math.max(log.applied + 1, log.memoryFrom), log.lastIndex);
	}

	/** Committed, locally stable, and not more than the limit beyond what the state machine has acknowledged. */
	private handOutApply(): void {
		const { log, config, output } = this.r;
		if (log.restoringIndex !== 0) return;
		const uptoIndex = Math.min(log.commit, log.stable);
		if (log.applying >= uptoIndex) return;
		const room = config.applyBytesMax - log.bytesBetween(log.applied + 1, log.applying);
		if (room <= 0 && log.applying > log.applied) return;
		const fromIndex = log.applying + 1;
		log.applying = log.packUpto(fromIndex, uptoIndex, room);
		output.apply = log.slice(fromIndex, log.applying);
	}

	private tellChanges(): void {
		const { r } = this;
		const { role, leader, term, log } = r;
		if (role !== this.toldRole || leader !== this.toldLeader || term !== this.toldTerm) {
			this.toldRole = role;
			this.toldLeader = leader;
			this.toldTerm = term;
			r.output.soft = { role, leader, term };
		}
		if (log.commit !== this.toldCommit) {
			this.toldCommit = log.commit;
			r.emit("commitAdvanced", log.commit);
		}
		if (r.droppedProposals > 0) {
			r.emit("proposalDropped", log.lastIndex, { count: r.droppedProposals });
			r.droppedProposals = 0;
		}
	}

	private peerStatus(): PeerStatus[] {
		const { members, progress } = this.r;
		const peers: PeerStatus[] = [];
		for (const slot of members.targets) {
			const peer = progress.get(slot);
			if (peer === null) continue;
			const { id, next, state, recentActive } = peer;
			const learner = members.isMember(slot) && !members.isVoter(slot);
			peers.push({ id, match: progress.match[slot] as number, next, state, recentActive, learner });
		}
		return peers;
	}
}
