/**
 * One member's logic: the consensus core, the state machine and what joins them. Inputs are method calls; `drain` runs the
 * parts until they rest and hands out all effects of the turn in one object.
 */
import { createHotCodec } from "@flotilla/api/hot";
import { fail, type TapSink } from "@flotilla/base";
import type { KeyValueStore, LeaseId, Sliced } from "@flotilla/mvcc";
import {
	type Consensus,
	type CoreOutput,
	DEFAULT_RAFT_CONFIG,
	type Entry,
	EntryKind,
	NO_NODE,
	type NodeId,
	RaftCore,
	type RestoredLog,
	type SnapshotMessage,
	type SoftState,
} from "@flotilla/raft";
import { withAnnounced } from "./announced.ts";
import { Applier } from "./applier.ts";
import type { AuthView } from "./auth/auth-view.ts";
import { type CallFault, type CommandKind, ReadCall, type WriteCall } from "./calls.ts";
import { Connections } from "./connections.ts";
import { DigestWatch } from "./digest-watch.ts";
import { Door } from "./door.ts";
import { DurableTerm } from "./durable-term.ts";
import { EnvelopeEncoder } from "./envelope.ts";
import { Errands } from "./errands.ts";
import { FloorState } from "./floor-state.ts";
import { ForwardGate } from "./forward-gate.ts";
import { Leadership } from "./leadership.ts";
import { LeaseCall } from "./lease/lease-calls.ts";
import type { LeaseCounts } from "./lease/lease-counts.ts";
import { LeaseRoom } from "./lease/lease-room.ts";
import type { AlarmEntry, MemberInfo } from "./members.ts";
import { MembershipCall } from "./membership.ts";
import { MembershipRoom } from "./membership-room.ts";
import type { DigestNote, PeerMessage } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { Proposals } from "./proposals.ts";
import { Reads } from "./reads.ts";
import type {
	FloorImage,
	ReceivedState,
	ReplicaMachine,
	ReplicaOptions,
	ReplicaOutput,
	ReplicaPorts,
	ReplicaStatus,
	TableRow,
} from "./replica-interface.ts";
import { APPLY_SLICE_KEYS } from "./sliced-apply.ts";
import { StateMachine } from "./state-machine.ts";
import { StatusSnapshot } from "./status.ts";
import { Timeouts } from "./timeouts.ts";

const NO_LIVES: ReadonlySet<number> = new Set();
/** Calls are looked through for time-outs at this interval: their patience is coarse, and a look costs all of them. */
const EXPIRY_TICKS = 10;
const READ_RETRY_MS = 500;
const LEASE_RETRY_MS = 500;
const DIGEST_MS = 5_000;
/** A connection that has lasted so long counts when the members are to change. */
const STEADY_MS = 5_000;
/** A request's patience beyond two election timeouts. */
const PATIENCE_MS = 5_000;
/** Life of a simple token since its last use, where no option says otherwise. */
const TOKEN_TTL_MS = 300_000;
/** Payload bytes of writes that wait at this member. */
const PENDING_BYTES_MAX = 128 << 20;
/** Entries applied in one turn: some 10 ms of small puts. */
const TURN_ENTRIES_MAX = 4_096;
/** Rounds of one turn: what the parts have for each other is passed on at once, but not for ever. */
const TURN_ROUNDS_MAX = 16;
/** Records of compaction a turn: some 0.3 ms while nobody waits, little beside calls and appends. */
const COMPACTION_SLICE = 512;
const COMPACTION_SLICE_BUSY = 128;

/** What a member knows at its start. */
export interface ReplicaState {
	readonly restoredLog: RestoredLog;
	/** At the applied index of the log. */
	readonly store: KeyValueStore;
	/** At the same index. */
	readonly tables: readonly TableRow[];
}

export class Replica implements ReplicaMachine {
	private readonly options: ReplicaOptions;
	private readonly tap: TapSink;
	private readonly core: Consensus;
	private readonly outbox = new Outbox();
	private readonly encoder: EnvelopeEncoder;
	private readonly leadership: Leadership;
	private readonly durable: DurableTerm;
	private readonly connections = new Connections();
	private readonly timeouts: Timeouts;
	private readonly state: StateMachine;
	private readonly proposals: Proposals;
	private readonly gate: ForwardGate;
	private readonly reads: Reads;
	private readonly digests: DigestWatch;
	private readonly errands: Errands;
	private readonly membership: MembershipRoom;
	private readonly leases: LeaseRoom;
	private readonly applier: Applier;
	private readonly floors: FloorState;
	private readonly door: Door;
	private readonly patienceTicks: number;
	private readonly digestTicks: number;
	private readonly digestNow = (): number => this.stateDigest() ?? fail("a digest is asked for between two entries", {});
	private readonly submitErrand = (kind: CommandKind, payload: Uint8Array): boolean => this.submit(kind, payload);
	private readonly judgeChange = (sinceTick: number): CallFault => this.timeouts.explain(sinceTick, this.members);
	private readonly judgeTimeout = (call: WriteCall): CallFault => this.explainTimeout(call);
	private tickCount = 0;
	private digestDueTick = 0;
	private stopping = false;

	constructor(options: ReplicaOptions, ports: ReplicaPorts, state: ReplicaState) {
		const { memberId, incarnation, electionTicks, heartbeatTicks, tickMs, pendingCallsMax } = options;
		const { restoredLog } = state;
		this.options = options;
		this.tap = ports.tap;
		this.patienceTicks = Math.ceil(PATIENCE_MS / tickMs) + 2 * electionTicks;
		this.digestTicks = Math.ceil(DIGEST_MS / tickMs);
		const codec = createHotCodec(ports.bytes);
		this.encoder = new EnvelopeEncoder(memberId, incarnation);
		this.leadership = new Leadership(memberId, restoredLog.hardState.term);
		this.durable = new DurableTerm(restoredLog.hardState.term);
		this.timeouts = new Timeouts(electionTicks, this.leadership, this.connections);
		const tokens = { ttlTicks: options.tokenTtlTicks ?? Math.ceil(TOKEN_TTL_MS / tickMs), forgottenUpto: restoredLog.hardState.commit };
		const sliceKeys = options.applySliceKeys ?? APPLY_SLICE_KEYS;
		this.state = new StateMachine(state.store, { codec, tap: ports.tap, bytes: ports.bytes, tokens, sliceKeys }, state.tables);
		const proposalOptions = { incarnation, pendingCallsMax, pendingBytesMax: PENDING_BYTES_MAX, timeoutTicks: this.patienceTicks };
		this.proposals = new Proposals(proposalOptions, this.encoder, this.leadership, this.outbox);
		this.gate = new ForwardGate(this.leadership, this.outbox);
		const readOptions = {
			pendingCallsMax,
			pendingBytesMax: PENDING_BYTES_MAX,
			timeoutTicks: this.patienceTicks,
			retryTicks: Math.ceil(READ_RETRY_MS / tickMs),
		};
		this.reads = new Reads(readOptions, this.leadership, this.outbox);
		this.digests = new DigestWatch(this.leadership, this.outbox, ports.tap);
		this.errands = new Errands({ self: memberId, quotaBytes: options.quotaBytes }, this.state, this.leadership, this.submitErrand);
		const { connections, leadership, outbox } = this;
		this.membership = new MembershipRoom(
			{
				incarnation,
				steadyTicks: Math.ceil((options.steadyMs ?? STEADY_MS) / tickMs),
				confIndex: lastConfIndex(restoredLog),
				strictReconfigCheck: options.strictReconfigCheck,
				maxLearners: options.maxLearners,
			},
			{ leadership, state: this.state, connections, outbox, nextSequence: () => this.proposals.nextSequence() },
		);
		this.leases = new LeaseRoom(
			{ ...{ incarnation, pendingCallsMax, tickMs }, timeoutTicks: this.patienceTicks, retryTicks: Math.ceil(LEASE_RETRY_MS / tickMs) },
			{ leadership, outbox, state: this.state, propose: (kind, payload) => this.append(kind, payload) },
		);
		const parts = {
			state: this.state,
			proposals: this.proposals,
			reads: this.reads,
			digests: this.digests,
			membership: this.membership,
			leases: this.leases,
			tap: ports.tap,
		};
		const { unstoredBytesMax, formerLives = NO_LIVES } = options;
		this.applier = new Applier({ self: memberId, incarnation, formerLives, unstoredBytesMax }, parts, restoredLog);
		this.applier.noteLife(this.state.members.get(memberId)?.life);
		this.floors = new FloorState(ports.bytes, this.state, this.applier);
		const memoryEntriesMax = options.logMemoryEntriesMax ?? DEFAULT_RAFT_CONFIG.memoryEntriesMax;
		const ownConfig = { id: memberId, incarnation, electionTicks, heartbeatTicks, memoryEntriesMax };
		const config = { ...DEFAULT_RAFT_CONFIG, ...options.coreLimits, ...ownConfig };
		this.core = new RaftCore(config, restoredLog, ports.dice.fork("elections"), ports.tap);
		const { applier, core, errands, proposals } = this;
		this.door = new Door(options, { codec, core, state: this.state, applier, proposals, errands });
	}

	get store(): KeyValueStore {
		return this.state.store;
	}

	get members(): readonly MemberInfo[] {
		return this.state.members.members;
	}

	get ranBefore(): boolean {
		return this.applier.ranBefore;
	}

	get acquaintances(): readonly MemberInfo[] {
		return withAnnounced(this.members, this.core.unapplied());
	}

	get alarms(): readonly AlarmEntry[] {
		return this.state.alarms.entries;
	}

	get auth(): AuthView {
		return this.state.auth.guard;
	}

	get contacts(): readonly MemberInfo[] {
		return this.membership.contacts;
	}

	get removed(): ReadonlySet<NodeId> {
		return this.membership.removed;
	}

	tick(): void {
		this.tickCount++;
		this.leases.tick(this.tickCount);
		this.core.tick();
		this.state.auth.tokens.onTick();
		if (this.tickCount % EXPIRY_TICKS === 0) this.expireCalls();
		if (this.leadership.leading && this.tickCount >= this.digestDueTick && !this.applier.midway) this.announceDigest();
	}

	receive(message: PeerMessage): void {
		if (message.kind === "forward") this.gate.receive(message, this.core);
		else if (message.kind === "forwardRefused") this.proposals.onForwardRefused(message, this.tickCount);
		else if (message.kind === "digest") this.receiveDigest(message);
		else if (message.kind === "membershipAsk" || message.kind === "membershipRefused" || message.kind === "configSettled") {
			this.membership.receive(message);
		} else if (message.kind === "leaseAsk" || message.kind === "leaseTold") this.leases.receive(message);
		// Such a message is this member's own driver's to make, when a verified state lies on the disk: see `installSnapshot`.
		else if (message.kind !== "snapshot") this.core.step(message);
	}

	write(call: WriteCall): void {
		const fault = this.stopping ? "stopped" : this.door.refusalOf(call);
		if (fault === null) this.proposals.add(call, this.tickCount);
		else this.outbox.failWrite(call, fault);
	}

	read(call: ReadCall): void {
		if (this.stopping) this.outbox.failRead(call, "stopped");
		else if (this.reads.isFullFor(call)) this.outbox.failRead(call, "tooManyRequests");
		else this.reads.add(call, this.tickCount);
	}

	changeMembership(call: MembershipCall): void {
		const fault = this.stopping ? "stopped" : this.membership.add(call, this.tickCount);
		if (fault === null) return;
		call.completed = true;
		this.outbox.output.completions.push({ call, outcome: { ok: false, fault } });
	}

	askLease(call: LeaseCall): void {
		const fault = this.stopping ? "stopped" : this.leases.full ? "tooManyRequests" : null;
		if (fault === null) {
			this.leases.add(call);
			return;
		}
		call.completed = true;
		this.outbox.output.completions.push({ call, outcome: { ok: false, fault } });
	}

	drawLeaseId(): LeaseId {
		return this.leases.drawId();
	}

	get leaseCounts(): LeaseCounts {
		return this.state.leaseCounts;
	}

	listLeases(): Sliced<readonly LeaseId[]> {
		return this.leases.list();
	}

	cancel(call: WriteCall | ReadCall | MembershipCall | LeaseCall): void {
		if (call instanceof ReadCall) this.reads.cancel(call);
		else if (call instanceof LeaseCall) this.leases.cancel(call);
		else if (call instanceof MembershipCall) this.membership.cancel(call);
		else this.proposals.cancel(call);
	}

	onPersisted(seq: number): void {
		this.durable.onPersisted(seq);
		this.core.onPersisted(seq);
	}

	onStored(batchSeq: number): void {
		this.state.store.batchStored(batchSeq);
	}

	onFetched(peer: NodeId, entries: readonly Entry[]): void {
		this.core.onFetched(peer, entries);
	}

	reportSnapshot(peer: NodeId, ok: boolean, index: number): void {
		this.core.reportSnapshot(peer, ok, index);
	}

	installSnapshot(message: SnapshotMessage, { store, tables }: ReceivedState): boolean {
		const { index, term } = message.meta;
		const commitBefore = this.core.status().commit;
		this.core.step(message);
		const { commit, firstIndex } = this.core.status();
		// Where the log held the entry its commit moved, and the log stays: the copy is not needed (rule N4).
		if (commitBefore >= index || commit !== index || firstIndex <= index) return false;
		// Records of the old store that were not handed out yet have nowhere to go.
		this.outbox.output.batches.length = 0;
		this.state.install(store, tables);
		this.applier.install(message.meta);
		this.applier.noteLife(this.state.members.get(this.options.memberId)?.life);
		this.floors.installed();
		this.proposals.onSkipped();
		this.reads.onTermApplied(term);
		this.digests.onSkipped(index);
		this.membership.onInstalled(index);
		this.core.onApplied(index);
		return true;
	}

	onCompacted(firstIndex: number): void {
		this.core.onCompacted(firstIndex);
	}

	peerConnected(peer: NodeId): void {
		this.connections.connected(peer, this.tickCount);
		this.membership.peerConnected(peer);
		if (peer !== this.leadership.remoteLeader) return;
		this.proposals.onLaneRestored();
		this.reads.askAgain();
		this.leases.onReconnected();
		this.errands.onReconnected();
	}

	peerUnreachable(peer: NodeId): void {
		this.connections.unreachable(peer);
		this.core.reportUnreachable(peer);
		if (peer === this.leadership.remoteLeader) this.proposals.onLaneTrouble(this.tickCount);
	}

	leaderConnectionLost(leader: NodeId): void {
		this.core.leaderConnectionLost(leader);
	}

	turnedAway(): void {
		this.membership.turnedAway();
	}

	setDiskStalled(stalled: boolean): void {
		this.core.setDiskStalled(stalled);
	}

	setSyncTicks(ticks: number): void {
		this.core.setSyncTicks(ticks);
	}

	onStall(elapsedTicks: number): void {
		this.core.onStall(elapsedTicks);
	}

	advanceElection(ticks: number): void {
		this.core.advanceElection(ticks);
	}

	publish(name: string, clientUrls: readonly string[]): void {
		this.errands.publish(name, clientUrls);
	}

	transferLeadership(to: NodeId): boolean {
		const target = to === NO_NODE ? this.mostAdvancedVoter() : to;
		return target !== NO_NODE && this.core.transferLeadership(target);
	}

	beginStop(): void {
		this.stopping = true;
		this.proposals.beginStop();
		this.reads.beginStop();
		this.leases.beginStop();
		this.membership.beginStop();
	}

	captureFloor(): FloorImage | null {
		return this.floors.capture(this.outbox.output);
	}

	floorWritten(_image: FloorImage): void {
		this.floors.written();
	}

	drain(): ReplicaOutput {
		// Whoever was handed one in the last turn has begun with it, or nobody waits for it any more.
		this.store.dropAnswers();
		let entriesLeft = TURN_ENTRIES_MAX;
		let resting = false;
		for (let round = 0; round < TURN_ROUNDS_MAX && !resting; round++) {
			this.submitCalls();
			const applied = this.takeCoreOutput(this.core.drain(), entriesLeft);
			entriesLeft -= applied.entries;
			resting = entriesLeft === 0 || (applied.entries === 0 && !applied.leaderChanged);
		}
		this.reads.release(this.applier.appliedIndex);
		// In the middle of an entry some of a lease's keys may be gone: what is told of leases waits.
		const leasesMoved = !this.applier.midway && this.leases.release(this.applier.appliedIndex);
		if (leasesMoved || this.leases.busy) this.outbox.output.moreWork = true;
		this.membership.settle(this.core, this.tickCount);
		return this.finishOutput(!resting || entriesLeft === 0);
	}

	status(): ReplicaStatus {
		const { applier, durable, leadership, state } = this;
		return new StatusSnapshot(this.core, applier.appliedIndex, durable.term, leadership.leader, applier.published, state.clusterVersion);
	}

	stateDigest(): number | null {
		if (this.applier.midway) return null;
		return (Math.imul(this.state.store.digest(), 0x9e3779b1) ^ this.floors.smallTableDigest) >>> 0;
	}

	/** Hands to the core, or to the leader, what waits for one. */
	private submitCalls(): void {
		if (this.leadership.leading) this.proposals.propose(this.core, this.tickCount);
		else this.proposals.forward(this.tickCount);
		this.errands.run(this.tickCount, this.digests.differing);
		this.membership.submit(this.core, this.tickCount, this.applier.appliedIndex);
		this.leases.submit(this.core, this.applier.appliedIndex);
		this.reads.ask(this.core);
	}

	/** A proposal of the member itself: nobody waits for its outcome, its effect on the state is awaited instead. */
	private submit(kind: CommandKind, payload: Uint8Array): boolean {
		const { leadership, options, proposals } = this;
		const to = leadership.remoteLeader;
		if (!leadership.leading && (to === NO_NODE || proposals.laneUnsettled)) return false;
		if (leadership.leading) return this.append(kind, payload) > 0;
		const sequence = proposals.nextSequence();
		const envelopes = this.encoder.encode([{ kind, sequence, user: "", authRevision: 0, payload }]);
		const { incarnation, memberId } = options;
		this.outbox.send({ kind: "forward", from: memberId, to, term: leadership.term, incarnation, sequences: [sequence], envelopes });
		return true;
	}

	/** Appends such a proposal at the leader: its index, or 0 when none can be appended now. */
	private append(kind: CommandKind, payload: Uint8Array): number {
		const result = this.core.propose(
			this.encoder.encode([{ kind, sequence: this.proposals.nextSequence(), user: "", authRevision: 0, payload }]),
		);
		return result.ok ? result.firstIndex : 0;
	}

	private takeCoreOutput(core: CoreOutput, entriesMax: number): { readonly entries: number; readonly leaderChanged: boolean } {
		const { output } = this.outbox;
		const leaderChanged = core.soft !== null && this.onSoftState(core.soft);
		for (const message of core.send) output.send.push(message);
		if (core.append !== null) {
			this.durable.onAppend(core.append);
			output.appends.push(core.append);
		}
		for (const grant of core.reads) {
			this.reads.onGrant(grant);
			this.leases.onGrant(grant);
		}
		for (const failure of core.readFailures) {
			this.reads.onFailure(failure);
			this.leases.onFailure(failure);
		}
		for (const request of core.fetch) output.fetch.push(request);
		for (const request of core.snapshots) output.snapshots.push(request);
		for (const done of core.membershipDone) this.membership.onDone(done.index);
		this.applier.enqueue(core.apply);
		const bytesBefore = this.store.logicalBytes;
		const entries = this.applier.run(entriesMax, this.digestNow);
		if (entries > 0) {
			this.core.onApplied(this.applier.appliedIndex);
			if (this.store.logicalBytes > bytesBefore) this.errands.onGrown();
			if (this.applier.published) this.errands.published();
		}
		return { entries, leaderChanged };
	}

	/** True when another leader is known from now on. */
	private onSoftState(soft: SoftState): boolean {
		const sameTerm = soft.term === this.leadership.term;
		const changed = this.leadership.update(soft, this.tickCount);
		this.membership.onLeadership();
		this.leases.onLeadership(changed);
		if (!sameTerm) this.digests.onTermChanged();
		if (!changed) return false;
		if (this.leadership.leading) this.gate.onLeading(soft.term);
		this.digestDueTick = this.tickCount + this.digestTicks;
		const { waitingCount } = this.proposals;
		if (waitingCount > 0) this.tap.emit("writesReleased", soft.term, this.applier.appliedIndex, { count: waitingCount });
		this.proposals.onLeaderChanged(sameTerm);
		this.reads.askAgain();
		return true;
	}

	private finishOutput(moreWork: boolean): ReplicaOutput {
		const { output } = this.outbox;
		const { store } = this.state;
		this.door.turnEnded();
		const busy = output.completions.length > 0 || output.appends.length > 0;
		if (store.compactionPending && !store.compactionStep(busy ? COMPACTION_SLICE_BUSY : COMPACTION_SLICE)) {
			// Where reads hold it back, the ticks are soon enough to look again: the slowest client sets the end of a read.
			if (!store.compactionHeld) output.moreWork = true;
		}
		for (const group of store.takeEvents()) output.events.push(group);
		this.floors.takeBatch(output);
		if (moreWork || this.applier.mayGoOn) output.moreWork = true;
		output.membersChanged = this.state.addressesChanged;
		this.state.addressesChanged = false;
		output.removed = this.membership.selfRemoved;
		return this.outbox.take();
	}

	/** There is none in the middle of an entry: the comparison then has to wait for the next one. */
	private receiveDigest(message: DigestNote): void {
		if (!this.applier.midway) this.digests.receive(message, this.applier.appliedIndex, this.digestNow);
	}

	private expireCalls(): void {
		const writes = this.proposals.expire(this.tickCount, this.applier.midwaySequence, this.judgeTimeout);
		const reads = this.reads.expire(this.tickCount);
		const leases = this.leases.expire();
		this.membership.expire(this.tickCount, this.judgeChange);
		if (writes + reads + leases === 0) return;
		const { leader, term } = this.leadership;
		this.tap.emit("requestTimedOut", term, this.applier.appliedIndex, { writes, reads, leases, leader });
	}

	private announceDigest(): void {
		this.digestDueTick = this.tickCount + this.digestTicks;
		this.digests.announce(this.applier.appliedIndex, this.digestNow, this.members);
	}

	private explainTimeout(call: WriteCall): CallFault {
		const patienceTicks = call.timeoutTicks > 0 ? Math.min(call.timeoutTicks, this.patienceTicks) : this.patienceTicks;
		return this.timeouts.explain(call.deadlineTick - patienceTicks, this.members);
	}

	private mostAdvancedVoter(): NodeId {
		const { peers, confState } = this.core.status();
		let best: NodeId = NO_NODE;
		let bestMatch = -1;
		for (const { id, match, recentActive } of peers) {
			if (!recentActive || match <= bestMatch || !confState.voters.includes(id)) continue;
			best = id;
			bestMatch = match;
		}
		return best;
	}
}

/** Of the last configuration entry below the applied index; of the floor, where it may be anywhere, when there is none above. */
function lastConfIndex({ applied, base, entries }: RestoredLog): number {
	return entries.findLast(({ index, kind }) => kind === EntryKind.config && index <= applied)?.index ?? base.index;
}
