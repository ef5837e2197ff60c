import type { TapFields } from "@flotilla/base";
import type { LeaseId, Sliced } from "@flotilla/mvcc";
import { type Entry, NO_NODE, type NodeId } from "@flotilla/raft";
import type {
	AlarmEntry,
	AuthView,
	FloorImage,
	LeaseCall,
	LeaseCounts,
	LeaseOutcome,
	MemberInfo,
	MembershipCall,
	MembershipOutcome,
	PeerMessage,
	ReadCall,
	ReadOutcome,
	ReplicaMachine,
	ReplicaOutput,
	ReplicaStatus,
	WriteCall,
	WriteOutcome,
} from "@flotilla/replica";
import { MemberFigures } from "../metrics/member-figures.ts";
import type { LaneMessage, OpenStore, PeerEvents, PeerTransport, StateExport } from "../ports.ts";
import type { MemberPort } from "../services/member-port.ts";
import { AddressNotes } from "./address-notes.ts";
import { addressesIn, addressRecord } from "./addresses.ts";
import { CommitNews } from "./commit-news.ts";
import { DiskWatch } from "./disk-watch.ts";
import type { DriverOptions, DriverWorld } from "./driver-options.ts";
import { FirstElection } from "./first-election.ts";
import { floorDue } from "./floor.ts";
import { LiveStore, type LiveStoreOwner } from "./live-store.ts";
import { PendingAppends } from "./pending-appends.ts";
import { Snapshots } from "./snapshots.ts";
import { SyncTimes } from "./sync-times.ts";
import { Ticker } from "./ticker.ts";
import type { Watches } from "./watches.ts";

type Call = WriteCall | ReadCall | MembershipCall | LeaseCall;

type PeerInput =
	| { readonly kind: "messages"; readonly messages: readonly LaneMessage[] }
	| { readonly kind: "connected" | "unreachable" | "lost" | "removed"; readonly peer: NodeId };

/** A write that waits longer than this for the disk is worth a line. */
const SLOW_SYNC_MS = 1_000;
/** How often the log notes how far it reaches: it narrows what a restart may take for a torn end. */
const HEAD_MS = 1_000;

/**
 * The only loop that waits. Inputs of one turn of the event loop are gathered, fed to the replica, and its output is
 * carried out once: log, messages, store, answers. No promises: everything that completes later comes back as an input.
 */
export class Driver implements MemberPort, PeerEvents {
	readonly memberId: NodeId;
	readonly clusterId: bigint;
	readonly tickMs: number;
	readonly figures = new MemberFigures();
	private readonly options: DriverOptions;
	private readonly world: DriverWorld;
	private readonly machine: ReplicaMachine;
	private transport: PeerTransport | null = null;
	private readonly ticker: Ticker;
	private readonly snapshots: Snapshots;
	private live: LiveStore;
	private readonly pending = new PendingAppends();
	private readonly syncTimes = new SyncTimes();
	private readonly disk: DiskWatch;
	private readonly news: CommitNews;
	private readonly addresses: AddressNotes;
	private readonly firstElection: FirstElection | null;

	private turnScheduled = false;
	private ended = false;
	private readonly peerInputs: PeerInput[] = [];
	private calls: Call[] = [];
	/** When the first of them came, and when the first of those came that this turn has taken. */
	private callsSinceMs = 0;
	private takenSinceMs = 0;
	private cancels: Call[] = [];
	/** Calls that are marked as open. A set of them would keep the collector busy: they come and go by the ten thousand a second. */
	private openCount = 0;
	/** Beyond what a turn takes: the replica never hears of them. */
	private readonly turnedDown = new Set<Call>();
	private fetched: Array<{ readonly peer: NodeId; readonly entries: readonly Entry[] }> = [];
	private durableSeq = 0;
	private deliveredSeq = 0;
	private cutIndex = 0;
	private floorWanted = false;
	durableTerm: number;
	leaderlessTicks = 0;
	private headNotedMs = 0;
	private wasRemoved = false;
	private compactionWaiters: Array<() => void> = [];
	private readonly turnWatchers = new Set<() => void>();
	private readonly authWatchers: Array<() => void> = [];
	/** Of the users and roles that the watchers were told of: the revision, below 0 while authentication is off. */
	private toldAuth = 0;

	constructor(options: DriverOptions, world: DriverWorld) {
		this.options = options;
		this.world = world;
		this.machine = world.machine;
		this.memberId = options.identity.memberId;
		this.clusterId = options.identity.clusterId;
		this.tickMs = options.tickMs;
		this.durableTerm = this.machine.status().durableTerm;
		this.figures.callsOpen = () => this.openCount;
		this.ticker = new Ticker(world.clock, world.scheduler, options.tickMs, () => this.schedule());
		this.live = new LiveStore(world.store, options.identity, options.rows, options.floorIndex, this.storeOwner);
		const limitMs = 2 * options.electionTicks * options.tickMs;
		this.disk = new DiskWatch({ tickMs: options.tickMs, limitMs }, this.pending, this.syncTimes, {
			stalled: (stalled) => {
				if (stalled) this.emit("walSlow", { stalled: true, limitMs });
				this.machine.setDiskStalled(stalled);
			},
			syncTicks: (ticks) => this.machine.setSyncTicks(ticks),
		});
		this.addresses = new AddressNotes(options.addresses, {
			write: (record, done) => world.noteAddresses(record, done),
			written: () => this.schedule(),
			failed: (reason) => this.die(reason),
		});
		this.snapshots = new Snapshots(options.snapshots, options.identity, {
			...{ clock: world.clock, scheduler: world.scheduler, stores: world.stores, restore: world.restore },
			machine: this.machine,
			wal: world.wal,
			live: () => this.live,
			send: (message) => this.transport?.send([message]),
			schedule: () => this.schedule(),
			noted: (index, rows) => this.addresses.note(addressesIn(index, rows)),
			goLive: (store, identity, rows, floorIndex) => {
				this.live = new LiveStore(store, identity, rows, floorIndex, this.storeOwner);
			},
			tap: world.tap,
		});
		this.news = new CommitNews(world.clock, world.scheduler, (late) => {
			if (!this.ended && late[0]?.term === this.machine.status().core.term) this.transport?.send(late);
		});
		this.firstElection = options.firstElection && new FirstElection(options.firstElection, world.scheduler, () => this.campaignSoon());
	}

	/** Begins to tick. Messages may arrive before. */
	start(transport: PeerTransport): void {
		this.transport = transport;
		transport.setMembers(this.machine.contacts, this.machine.removed);
		this.ticker.start();
		this.firstElection?.start();
		this.schedule();
	}

	/** From now on nothing is taken, sent or answered. What the disk was given goes on. */
	end(): void {
		this.ended = true;
		this.ticker.stop();
		this.news.stop();
		this.firstElection?.stop();
		this.world.watches.end();
	}

	// ---- what the services use

	get watches(): Watches {
		return this.world.watches;
	}
	get store() {
		return this.machine.store;
	}
	get members(): readonly MemberInfo[] {
		return this.machine.members;
	}
	get acquaintances(): readonly MemberInfo[] {
		return this.machine.acquaintances;
	}
	get ranBefore(): boolean {
		return this.machine.ranBefore;
	}
	get alarms(): readonly AlarmEntry[] {
		return this.machine.alarms;
	}
	get auth(): AuthView {
		return this.machine.auth;
	}
	onAuthChange(listener: () => void): void {
		this.authWatchers.push(listener);
	}
	status(): ReplicaStatus {
		return this.machine.status();
	}
	storeBytes(): number {
		return this.live.disk.sizeBytes();
	}
	write(call: WriteCall): void {
		this.take(call);
	}
	read(call: ReadCall): void {
		this.take(call);
	}
	changeMembership(call: MembershipCall): void {
		this.take(call);
	}
	askLease(call: LeaseCall): void {
		this.take(call);
	}
	drawLeaseId(): LeaseId {
		return this.machine.drawLeaseId();
	}
	listLeases(): Sliced<readonly LeaseId[]> {
		return this.machine.listLeases();
	}
	get leaseCounts(): LeaseCounts {
		return this.machine.leaseCounts;
	}
	cancel(call: Call): void {
		if (this.turnedDown.delete(call) || !this.shut(call)) return;
		this.cancels.push(call);
		this.schedule();
	}
	exportState(): StateExport | null {
		return this.snapshots.export();
	}
	afterCompaction(done: () => void): void {
		this.compactionWaiters.push(done);
		this.schedule();
	}
	transferLeadership(to: NodeId): boolean {
		const accepted = this.machine.transferLeadership(to);
		this.schedule();
		return accepted;
	}

	// ---- what the transport and the log tell

	messages(messages: readonly LaneMessage[]): void {
		this.peerInput({ kind: "messages", messages });
	}
	connected(peer: NodeId): void {
		this.peerInput({ kind: "connected", peer });
		this.firstElection?.connected(peer);
	}
	unreachable(peer: NodeId): void {
		this.figures.roundTrips.forget(peer);
		this.peerInput({ kind: "unreachable", peer });
	}
	lost(peer: NodeId): void {
		this.peerInput({ kind: "lost", peer });
	}
	removed(by: NodeId): void {
		this.peerInput({ kind: "removed", peer: by });
	}
	walDurable(seq: number): void {
		this.durableSeq = seq;
		this.schedule();
	}
	walSynced(frames: number, bytes: number): void {
		const tookMs = this.pending.oldestAgeMs(this.world.clock.monotonicMs());
		this.figures.walSyncSeconds.observe(tookMs / 1_000);
		this.figures.walBytes += bytes;
		this.emit("walSynced", { frames, bytes, tookMs }, 0, this.pending.lastIndexUpto(this.durableSeq));
		if (tookMs > SLOW_SYNC_MS) this.emit("walSlow", { frames, bytes, tookMs });
	}
	walCut(firstIndex: number): void {
		this.cutIndex = firstIndex;
		this.schedule();
	}
	walFailed(reason: string): void {
		this.die(reason);
	}

	// ---- what the member uses

	/** The state whole, for a member of the cluster whose own store is lost (rule S6); null while another one fetches it. */
	giveState(): StateExport | null {
		return this.ended ? null : this.snapshots.give();
	}

	/** Runs `watcher` after each turn until the returned function is called. */
	afterTurns(watcher: () => void): () => void {
		this.turnWatchers.add(watcher);
		this.schedule();
		return () => this.turnWatchers.delete(watcher);
	}

	/** Announces this member to the cluster; `status().published` turns true when that was applied. */
	publish(name: string, clientUrls: readonly string[]): void {
		this.machine.publish(name, clientUrls);
		this.schedule();
	}

	/** No new calls; those not yet proposed end as stopped. */
	beginStop(): void {
		this.machine.beginStop();
		this.schedule();
	}

	/** A floor as soon as one can be taken, whatever the policy says. */
	wantFloor(): void {
		this.floorWanted = true;
		this.schedule();
	}

	/** Closes every store of this member. Only after `end`; `done` in a later turn. */
	closeStores(done: () => void): void {
		const next = (stores: readonly OpenStore[]): void => {
			const [store, ...rest] = stores;
			if (store === undefined) done();
			else store.close(() => next(rest));
		};
		next([...this.snapshots.openStores, this.live.disk]);
	}

	/** Calls that were taken and not answered. */
	get callsOpen(): number {
		return this.openCount;
	}
	get floorBusy(): boolean {
		return this.live.floorBusy || this.floorWanted;
	}
	/** All that was handed to the log is durable. */
	get logSettled(): boolean {
		return this.pending.empty;
	}

	// ---- one turn

	private schedule(): void {
		if (this.turnScheduled || this.ended) return;
		this.turnScheduled = true;
		this.world.scheduler.soon(() => this.turn());
	}

	private turn(): void {
		this.turnScheduled = false;
		if (this.ended) return;
		try {
			this.runTurn();
		} catch (error) {
			// A broken invariant: what was half done must not go on, and whoever runs the process must hear of it.
			this.end();
			throw error;
		}
	}

	private runTurn(): void {
		this.stepPeerInputs();
		this.takeCalls();
		this.deliverCompletions();
		this.deliverTicks();
		const { clock, tap } = this.world;
		// Watchers come and go between turns only: what this one applies is kept for those that are here now.
		this.machine.store.eventsWanted = this.world.watches.listening;
		const beganMs = clock.monotonicMs();
		const output = this.machine.drain();
		// It moves with the completions of a turn.
		this.durableTerm = this.machine.status().durableTerm;
		if (output.batches.length > 0) this.figures.applied(clock.monotonicMs() - beganMs, this.options.warningApplyMs, tap);
		this.carryOut(output);
		this.snapshots.turn();
		this.maybeStartFloor();
		this.answerCompactionWaiters();
		this.tellAuthChange();
		for (const watcher of this.turnWatchers) watcher();
	}

	private tellAuthChange(): void {
		const { enabled, revision } = this.machine.auth;
		const now = enabled ? revision : -revision;
		if (now === this.toldAuth) return;
		this.toldAuth = now;
		for (const watcher of this.authWatchers) watcher();
	}

	private stepPeerInputs(): void {
		for (const input of this.peerInputs.splice(0)) {
			if (input.kind === "messages") for (const message of input.messages) this.receive(message);
			else if (input.kind === "connected") this.machine.peerConnected(input.peer);
			else if (input.kind === "unreachable") this.machine.peerUnreachable(input.peer);
			else if (input.kind === "removed") this.machine.turnedAway();
			else this.machine.leaderConnectionLost(input.peer);
		}
	}

	private receive(message: LaneMessage): void {
		if (message.kind === "snapshotPart" || message.kind === "snapshotAck") this.snapshots.receive(message);
		else {
			this.news.heard(message);
			if (message.kind === "heartbeatResp") this.figures.roundTrips.answered(message.from, this.world.clock.monotonicMs());
			this.machine.receive(message);
		}
	}

	private takeCalls(): void {
		const { calls, cancels } = this;
		this.takenSinceMs = calls.length === 0 ? 0 : this.callsSinceMs;
		this.calls = [];
		this.cancels = [];
		for (const call of calls) {
			if ("payload" in call) this.machine.write(call);
			else if ("change" in call) this.machine.changeMembership(call);
			else if ("lease" in call) this.machine.askLease(call);
			else this.machine.read(call);
		}
		for (const call of cancels) this.machine.cancel(call);
	}

	private deliverCompletions(): void {
		if (this.durableSeq > this.deliveredSeq) {
			this.deliveredSeq = this.durableSeq;
			const release: PeerMessage[] = [];
			this.pending.takeUpto(this.durableSeq, release, this.world.clock.monotonicMs(), this.syncTimes);
			if (release.length > 0) this.transport?.send(release);
			this.machine.onPersisted(this.durableSeq);
		}
		const storedSeq = this.live.takeStored();
		if (storedSeq > 0) this.machine.onStored(storedSeq);
		const { fetched } = this;
		this.fetched = [];
		for (const { peer, entries } of fetched) this.machine.onFetched(peer, entries);
		const floor = this.live.takeFloor();
		if (floor !== null) this.machine.floorWritten(floor);
		if (this.cutIndex > 0) {
			this.machine.onCompacted(this.cutIndex);
			this.cutIndex = 0;
		}
		this.snapshots.deliver(this.deliveredSeq);
	}

	private deliverTicks(): void {
		const { ticks, passed } = this.ticker.take();
		if (passed >= this.options.electionTicks) this.machine.onStall(passed);
		if (ticks === 0) return;
		for (let tick = 0; tick < ticks; tick++) this.machine.tick();
		this.leaderlessTicks = this.machine.status().leader === NO_NODE ? this.leaderlessTicks + passed : 0;
		const nowMs = this.world.clock.monotonicMs();
		this.disk.look(nowMs);
		if (nowMs < this.headNotedMs + HEAD_MS) return;
		this.headNotedMs = nowMs;
		this.world.wal.noteHead();
	}

	/** The log first: its write runs in another thread while the messages leave from this one. */
	private carryOut(output: ReplicaOutput): void {
		const { wal, watches } = this.world;
		if (output.appends.length > 0) {
			const nowMs = this.world.clock.monotonicMs();
			for (const work of output.appends) {
				this.pending.add(work, nowMs);
				wal.append(work);
				if (work.snapshot !== null) this.snapshots.marked(work.seq);
			}
			wal.flush();
			this.tellAppended(output.appends, nowMs);
		}
		if (output.send.length > 0) this.send(output.send);
		watches.publish(this.machine.store, output.events);
		// Before the store's writes: those cost the loop some time, and nobody waits for them.
		this.answer(output);
		watches.deliver();
		for (const batch of output.batches) this.live.write(batch);
		this.fetch(output);
		for (const request of output.snapshots) this.snapshots.want(request);
		if (output.membersChanged) {
			// Who was removed or moved hears of the commit that did it over the connection that is left.
			this.news.release();
			this.transport?.setMembers(this.machine.contacts, this.machine.removed);
			this.addresses.note(addressRecord(this.machine.status().appliedIndex, this.machine.members));
		}
		if (output.moreWork) this.schedule();
		if (output.removed) this.leaveForGood();
	}

	private send(messages: readonly PeerMessage[]): void {
		const nowMs = this.world.clock.monotonicMs();
		for (const message of messages) if (message.kind === "heartbeat") this.figures.roundTrips.sent(message.to, nowMs);
		this.transport?.send(this.news.sift(messages));
	}

	/** `queuedMs`: how long the first client call of this turn had waited for it; 0 without one. */
	private tellAppended(appends: ReplicaOutput["appends"], nowMs: number): void {
		let entries = 0;
		for (const work of appends) entries += work.entries.length;
		const last = appends.at(-1)?.entries.at(-1);
		if (last === undefined) return;
		const queuedMs = this.takenSinceMs === 0 ? 0 : nowMs - this.takenSinceMs;
		const appendMs = this.world.clock.monotonicMs() - nowMs;
		this.emit("logAppended", { entries, queuedMs, appendMs }, last.term, last.index);
	}

	private answer(output: ReplicaOutput): void {
		let calls = 0;
		for (const { call, outcome } of output.completions) {
			if (!outcome.ok) this.figures.failed("payload" in call ? "write" : "read", outcome.fault);
			if (!this.shut(call)) continue;
			calls++;
			// The two are typed together: a write's call comes with a write's outcome.
			(call.done as (outcome: WriteOutcome | ReadOutcome | MembershipOutcome | LeaseOutcome) => void)(outcome);
		}
		if (calls > 0) this.emit("answered", { calls });
	}

	private fetch(output: ReplicaOutput): void {
		for (const { peer, fromIndex, uptoIndex, bytesMax } of output.fetch) {
			this.world.wal.read(fromIndex, uptoIndex, bytesMax, (entries) => {
				this.fetched.push({ peer, entries });
				this.schedule();
			});
		}
	}

	private maybeStartFloor(): void {
		const { floor } = this.options;
		if (this.live.floorBusy || this.snapshots.holdsFloors || (!this.floorWanted && this.world.wal.bytesSinceFloor < floor.bytes)) return;
		const entries = this.machine.status().appliedIndex - this.live.floorIndex;
		if (entries === 0) this.floorWanted = false;
		if (!this.floorWanted && !floorDue(floor, this.world.wal.bytesSinceFloor, entries)) return;
		const image = this.machine.captureFloor();
		if (image === null) return;
		this.floorWanted = false;
		this.live.startFloor(image);
	}

	private readonly storeOwner: LiveStoreOwner = {
		nowMs: () => this.world.clock.monotonicMs(),
		batchTook: (ms) => this.figures.batchSeconds.observe(ms / 1_000),
		floorTook: (ms) => this.figures.floorSeconds.observe(ms / 1_000),
		returned: () => this.schedule(),
		floorDurable: (image) => this.floorDurable(image),
		failed: (reason) => this.die(reason),
		recordFault: (record) => this.world.recordFault(record),
	};

	private floorDurable(image: FloorImage): void {
		this.emit("floorWritten", { revision: image.mark.revision, records: image.mark.count }, image.term, image.appliedIndex);
		// What the log tells of the members is noted before it goes: who loses the store knows whom to ask (rule S6).
		const cut = (): void => void (this.ended || this.world.wal.cutBehind(image.appliedIndex));
		this.addresses.noteThen(addressesIn(image.appliedIndex, image.tables), cut);
		this.schedule();
	}

	// ---- small parts

	private take(call: Call): void {
		if (this.calls.length < this.options.callsATurnMax) {
			call.open = true;
			this.openCount++;
			if (this.calls.length === 0) this.callsSinceMs = this.world.clock.monotonicMs();
			this.calls.push(call);
			this.schedule();
			return;
		}
		this.turnedDown.add(call);
		this.world.scheduler.soon(() => {
			if (this.turnedDown.delete(call)) call.done({ ok: false, fault: "tooManyRequests" });
		});
	}

	/** False when it is not open: then nobody waits for it. */
	private shut(call: Call): boolean {
		if (!call.open) return false;
		call.open = false;
		this.openCount--;
		return true;
	}

	private peerInput(input: PeerInput): void {
		if (this.ended) return;
		this.peerInputs.push(input);
		this.schedule();
	}

	private answerCompactionWaiters(): void {
		if (this.compactionWaiters.length === 0 || this.machine.store.compactionPending) return;
		const waiters = this.compactionWaiters;
		this.compactionWaiters = [];
		for (const done of waiters) done();
	}

	private campaignSoon(): void {
		this.machine.advanceElection(2 * this.options.electionTicks);
		this.schedule();
	}

	private leaveForGood(): void {
		if (this.wasRemoved) return;
		this.wasRemoved = true;
		this.world.removed();
	}

	private die(reason: string): void {
		if (this.ended) return;
		this.end();
		this.world.die(reason);
	}

	private emit(name: "walSynced" | "walSlow" | "floorWritten" | "logAppended" | "answered", fields: TapFields, term = 0, index = 0): void {
		this.world.tap.emit(name, term, index, fields);
	}
}
