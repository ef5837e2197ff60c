/**
 * One member's logic: the consensus core, the state machine and what joins them. Inputs are method calls; `drain` runs the
 * parts until they rest and hands out all effects of the turn in one object.
 */
import { createHotCodec, type HotCodec } from "@flotilla/api/hot";
import { WireError } from "@flotilla/base";
import type { KeyValueStore } from "@flotilla/mvcc";
import {
	type Consensus,
	type CoreOutput,
	DEFAULT_RAFT_CONFIG,
	type Entry,
	NO_NODE,
	type NodeId,
	RaftCore,
	type RestoredLog,
} from "@flotilla/raft";
import { Applier } from "./applier.ts";
import { type CallFault, CommandKind, type ReadCall, WriteCall } from "./calls.ts";
import { Connections } from "./connections.ts";
import { DigestWatch } from "./digest-watch.ts";
import { DurableTerm } from "./durable-term.ts";
import { EnvelopeEncoder } from "./envelope.ts";
import { Errands } from "./errands.ts";
import { ForwardGate } from "./forward-gate.ts";
import { Leadership } from "./leadership.ts";
import type { AlarmEntry, MemberInfo } from "./members.ts";
import type { PeerMessage } from "./messages.ts";
import { Outbox } from "./outbox.ts";
import { Proposals } from "./proposals.ts";
import { putCost, txnCost } from "./quota.ts";
import { Reads } from "./reads.ts";
import type {
	FloorImage,
	ReplicaMachine,
	ReplicaOptions,
	ReplicaOutput,
	ReplicaPorts,
	ReplicaStatus,
	TableRow,
} from "./replica-interface.ts";
import { proposalBytes } from "./request-size.ts";
import { StateMachine } from "./state-machine.ts";
import { StatusSnapshot } from "./status.ts";
import { tableDigest, tableRows } from "./tables.ts";

/** Calls are looked through for time-outs at this interval: their patience is coarse, and a look costs all of them. */
const EXPIRY_TICKS = 10;
const READ_RETRY_MS = 500;
const DIGEST_MS = 5_000;
/** A request's patience beyond two election timeouts. */
const PATIENCE_MS = 5_000;
/** Keys or records of compaction a turn. */
const COMPACTION_SLICE = 1_000;
/** The core and the state machine feed each other at most so often in a turn; the rest comes in the next. */
const ROUNDS_A_TURN_MAX = 8;
/** Requests below this distance from the quota are decoded at the door, to know their exact cost. */
const QUOTA_MARGIN_BYTES = 1 << 20;

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
	private readonly ports: ReplicaPorts;
	private readonly codec: HotCodec;
	private readonly core: Consensus;
	private readonly state: StateMachine;
	private readonly leadership: Leadership;
	private readonly outbox = new Outbox();
	private readonly encoder: EnvelopeEncoder;
	private readonly proposals: Proposals;
	private readonly reads: Reads;
	private readonly gate: ForwardGate;
	private readonly digests: DigestWatch;
	private readonly errands: Errands;
	private readonly applier: Applier;
	private readonly connections = new Connections();
	private readonly durableTerm: DurableTerm;
	private readonly patienceTicks: number;
	private ticks = 0;
	private stopping = false;
	private lastBatchSeq = 0;
	private digestedTables = -1;
	private tablesDigest = 0;
	private announcedTick = 0;
	/** Entries committed and not applied, after the last turn. */
	private backlog = 0;

	constructor(options: ReplicaOptions, ports: ReplicaPorts, { restoredLog, store, tables }: ReplicaState) {
		this.options = options;
		this.ports = ports;
		this.codec = createHotCodec(ports.bytes);
		this.patienceTicks = Math.ceil(PATIENCE_MS / options.tickMs) + 2 * options.electionTicks;
		const { memberId, incarnation, electionTicks, heartbeatTicks, pendingCallsMax, unstoredBytesMax, quotaBytes } = options;
		this.core = new RaftCore(
			{ ...DEFAULT_RAFT_CONFIG, id: memberId, incarnation, electionTicks, heartbeatTicks },
			restoredLog,
			ports.dice,
			ports.tap,
		);
		this.state = new StateMachine(store, this.codec, ports.tap, tables);
		this.leadership = new Leadership(memberId, restoredLog.hardState.term);
		this.durableTerm = new DurableTerm(restoredLog.hardState.term);
		this.encoder = new EnvelopeEncoder(memberId, incarnation);
		this.proposals = new Proposals(
			{ incarnation, pendingCallsMax, timeoutTicks: this.patienceTicks },
			this.encoder,
			this.leadership,
			this.outbox,
		);
		this.reads = new Reads(
			{ pendingCallsMax, timeoutTicks: this.patienceTicks, retryTicks: Math.ceil(READ_RETRY_MS / options.tickMs) },
			this.leadership,
			this.outbox,
		);
		this.gate = new ForwardGate(this.leadership, this.outbox);
		this.digests = new DigestWatch(this.leadership, this.outbox, ports.tap);
		this.errands = new Errands({ self: memberId, quotaBytes }, this.state, this.leadership, (kind, payload) => this.submit(kind, payload));
		this.applier = new Applier(
			{ incarnation, unstoredBytesMax },
			{ state: this.state, proposals: this.proposals, reads: this.reads, digests: this.digests, tap: ports.tap },
			restoredLog,
		);
	}

	get store(): KeyValueStore {
		return this.state.store;
	}
	get members(): readonly MemberInfo[] {
		return this.state.members.members;
	}
	get alarms(): readonly AlarmEntry[] {
		return this.state.alarms.entries;
	}

	tick(): void {
		this.ticks++;
		this.core.tick();
		if (this.ticks % EXPIRY_TICKS !== 0) return;
		this.proposals.expire(this.ticks, (call, leaderKnown) => this.judgeTimeout(call, leaderKnown));
		this.reads.expire(this.ticks);
	}

	receive(message: PeerMessage): void {
		switch (message.kind) {
			case "forward":
				this.gate.receive(message, this.core);
				return;
			case "forwardRefused":
				this.proposals.onForwardRefused(message, this.ticks);
				return;
			case "digest":
				if (this.digests.receive(message, this.applier.appliedIndex)) this.digests.reached(this.comparableDigest());
				return;
			default:
				this.core.step(message);
		}
	}

	write(call: WriteCall): void {
		const refusal = this.refusalAtDoor(call);
		if (refusal === null) this.proposals.add(call, this.ticks);
		else this.outbox.failWrite(call, refusal);
	}

	read(call: ReadCall): void {
		if (this.stopping) this.outbox.failRead(call, "stopped");
		else if (this.reads.full) this.outbox.failRead(call, "tooManyRequests");
		else this.reads.add(call, this.ticks);
	}

	cancel(call: WriteCall | ReadCall): void {
		if (call instanceof WriteCall) this.proposals.cancel(call);
		else this.reads.cancel(call);
	}

	onPersisted(seq: number): void {
		this.durableTerm.onPersisted(seq);
		this.core.onPersisted(seq);
	}
	onStored(batchSeq: number): void {
		this.store.batchStored(batchSeq);
	}
	onFetched(peer: NodeId, entries: readonly Entry[]): void {
		this.core.onFetched(peer, entries);
	}
	reportSnapshot(peer: NodeId, ok: boolean, index: number): void {
		this.core.reportSnapshot(peer, ok, index);
	}
	onCompacted(firstIndex: number): void {
		this.core.onCompacted(firstIndex);
	}

	peerConnected(peer: NodeId): void {
		this.connections.connected(peer, this.ticks);
		if (peer !== this.leadership.leader) return;
		this.proposals.resend();
		this.errands.onReconnected();
	}

	peerUnreachable(peer: NodeId): void {
		this.connections.unreachable(peer);
		this.core.reportUnreachable(peer);
	}

	leaderConnectionLost(leader: NodeId): void {
		this.core.leaderConnectionLost(leader);
	}
	setDiskStalled(stalled: boolean): void {
		this.core.setDiskStalled(stalled);
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
	}

	captureFloor(): FloorImage | null {
		if (this.store.compactionPending) return null;
		const tables = tableRows(this.state);
		return {
			appliedIndex: this.applier.appliedIndex,
			term: this.applier.appliedTerm,
			confState: this.applier.confState,
			mark: this.store.mark(),
			tables,
			tableDigest: tableDigest(this.ports.bytes, tables),
			batchSeq: this.lastBatchSeq,
		};
	}

	floorWritten(_image: FloorImage): void {
		this.store.floorWritten();
	}

	status(): ReplicaStatus {
		const { appliedIndex, published } = this.applier;
		return new StatusSnapshot(this.core, appliedIndex, this.durableTerm.term, this.leadership.leader, published, this.state.clusterVersion);
	}

	stateDigest(): number {
		return (this.store.digest() ^ this.digestOfTables()) >>> 0;
	}

	drain(): ReplicaOutput {
		this.errands.run(this.ticks, this.digests.differing);
		let rounds = 0;
		while (this.runRound() && ++rounds < ROUNDS_A_TURN_MAX);
		if (this.store.compactionPending) this.store.compactionStep(COMPACTION_SLICE);
		this.announceDigest();
		this.backlog = this.core.status().commit - this.applier.appliedIndex;
		const batch = this.store.takeBatch();
		const output = this.outbox.take();
		if (batch !== null) {
			output.batches.push(batch);
			this.lastBatchSeq = batch.seq;
		}
		for (const group of this.store.takeEvents()) output.events.push(group);
		output.membersChanged = this.state.addressesChanged;
		this.state.addressesChanged = false;
		output.removed = this.state.members.removed.has(this.options.memberId);
		output.moreWork = rounds === ROUNDS_A_TURN_MAX || this.store.compactionPending || this.applierCanGoOn;
		return output;
	}

	/** One exchange between the core and the state machine. True when another may find something to do. */
	private runRound(): boolean {
		if (this.leadership.leading) this.proposals.propose(this.core, this.ticks);
		else this.proposals.forward(this.ticks);
		this.reads.ask(this.core);
		const output = this.core.drain();
		const changed = this.takeCoreOutput(output);
		const keysBefore = this.store.logicalBytes;
		const applied = this.applier.run(() => this.comparableDigest());
		if (applied > 0) {
			this.core.onApplied(this.applier.appliedIndex);
			if (this.applier.published) this.errands.published();
			if (this.store.logicalBytes > keysBefore) this.errands.onGrown();
		}
		this.reads.release(this.applier.appliedIndex);
		return changed || applied > 0;
	}

	/** True when the core has to be asked again: roles changed, or its output made more of it. */
	private takeCoreOutput(output: CoreOutput): boolean {
		const { output: out } = this.outbox;
		for (const message of output.send) out.send.push(message);
		if (output.append !== null) {
			out.appends.push(output.append);
			this.durableTerm.onAppend(output.append);
		}
		for (const request of output.fetch) out.fetch.push(request);
		for (const request of output.snapshots) out.snapshots.push(request);
		for (const grant of output.reads) this.reads.onGrant(grant);
		for (const failure of output.readFailures) this.reads.onFailure(failure);
		this.applier.enqueue(output.apply);
		return this.takeSoftState(output);
	}

	private takeSoftState({ soft }: CoreOutput): boolean {
		if (soft === null) return false;
		const { leading, term } = this.leadership;
		const elected = this.leadership.update(soft, this.ticks);
		if (this.leadership.term !== term) this.digests.onTermChanged();
		if (this.leadership.leading && (!leading || this.leadership.term !== term)) this.gate.onLeading(this.leadership.term);
		if (elected) {
			this.proposals.onLeaderChanged();
			this.reads.onLeaderChanged();
		}
		return true;
	}

	private get applierCanGoOn(): boolean {
		return this.applier.waiting && this.store.unstoredBytes <= this.options.unstoredBytesMax;
	}

	/** Checks that need no agreement, in etcd's order: space, backlog, size. */
	private refusalAtDoor(call: WriteCall): CallFault | null {
		if (this.stopping) return "stopped";
		if (this.exceedsQuota(call)) {
			this.errands.onRefusedForSpace();
			return "noSpace";
		}
		if (this.proposals.full || this.backlog > this.options.applyBacklogMax) return "tooManyRequests";
		return proposalBytes(call.payload.length, call.user, call.authRevision) > this.options.maxRequestBytes ? "requestTooLarge" : null;
	}

	private exceedsQuota(call: WriteCall): boolean {
		const { quotaBytes } = this.options;
		if (quotaBytes <= 0 || this.store.logicalBytes + call.payload.length + QUOTA_MARGIN_BYTES < quotaBytes) return false;
		const cost = this.costOf(call);
		return cost > 0 && this.store.logicalBytes + cost >= quotaBytes;
	}

	private costOf({ kind, payload }: WriteCall): number {
		try {
			if (kind === CommandKind.put) return putCost(this.codec.decodePutRequest(payload));
			if (kind === CommandKind.txn) return txnCost(this.codec.decodeTxnRequest(payload));
		} catch (error) {
			if (!(error instanceof WireError)) throw error;
		}
		return 0;
	}

	/** For errands: in the log here, or on its way to the leader. */
	private submit(kind: CommandKind, payload: Uint8Array): boolean {
		const { leadership } = this;
		if (leadership.leader === NO_NODE) return false;
		const sequence = this.proposals.nextSequence();
		const envelopes = this.encoder.encode([{ kind, sequence, user: "", authRevision: 0, payload }]);
		if (leadership.leading) return this.core.propose(envelopes).ok;
		this.outbox.send({
			kind: "forward",
			from: leadership.self,
			to: leadership.leader,
			term: leadership.term,
			incarnation: this.options.incarnation,
			sequences: [sequence],
			envelopes,
		});
		return true;
	}

	/** What a client is told whose time is over: its request may have taken effect or may still. */
	private judgeTimeout(call: WriteCall, leaderKnown: boolean): CallFault {
		const sinceTick = call.deadlineTick - this.patienceTicks;
		if (!leaderKnown || this.leadership.electedTick >= sinceTick) return "timeoutLeaderFailed";
		const { leader, self } = this.leadership;
		const needed = leader === self ? this.members.map(({ id }) => id).filter((id) => id !== self) : [leader];
		const held = needed.filter((id) => this.connections.heldSince(id, sinceTick)).length;
		return 2 * held < needed.length ? "timeoutConnectionLost" : "timeout";
	}

	private announceDigest(): void {
		if (!this.leadership.leading || this.ticks - this.announcedTick < DIGEST_MS / this.options.tickMs) return;
		const digest = this.comparableDigest();
		if (digest < 0) return;
		this.announcedTick = this.ticks;
		this.digests.announce(this.applier.appliedIndex, digest, this.members);
	}

	/** -1 while a compaction pass runs: its progress is a member's own. */
	private comparableDigest(): number {
		return this.store.compactionPending ? -1 : this.stateDigest();
	}

	private digestOfTables(): number {
		if (this.digestedTables !== this.state.tableChanges) {
			this.digestedTables = this.state.tableChanges;
			this.tablesDigest = tableDigest(this.ports.bytes, tableRows(this.state));
		}
		return this.tablesDigest;
	}

	private mostAdvancedVoter(): NodeId {
		const { peers, id } = this.core.status();
		let best: NodeId = NO_NODE;
		let bestMatch = -1;
		for (const peer of peers) {
			if (peer.id === id || peer.learner || !peer.recentActive || peer.match <= bestMatch) continue;
			best = peer.id;
			bestMatch = peer.match;
		}
		return best;
	}
}

export function createReplica(options: ReplicaOptions, ports: ReplicaPorts, state: ReplicaState): ReplicaMachine {
	return new Replica(options, ports, state);
}
