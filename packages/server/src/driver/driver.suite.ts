/** A driver among scripted parts, in virtual time: the tests say what the replica decides and see what the driver does. */
import { portableBytes, silentTap } from "@flotilla/base";
import { DEFAULT_WATCH_LIMITS, type KeyValueStore, type RecordBatch, type Sliced, type StoreMark } from "@flotilla/mvcc";
import type { AppendWork, CoreStatus, Entry, NodeId } from "@flotilla/raft";
import {
	AuthState,
	type FloorImage,
	type LeaseCall,
	LeaseCounts,
	type MemberInfo,
	type MembershipCall,
	type PeerMessage,
	type ReadCall,
	type ReplicaMachine,
	type ReplicaOutput,
	type ReplicaStatus,
	type WriteCall,
} from "@flotilla/replica";
import type { PeerTransport, Scheduler, StoreCompletion, StoreHouse, StoreOp } from "../ports.ts";
import type { WriteAheadLog } from "../wal/wal-interface.ts";
import { Driver } from "./driver.ts";
import type { DriverOptions } from "./driver-options.ts";
import { Watches } from "./watches.ts";

export class ManualTime {
	nowMs = 1_000;
	private soonWork: Array<() => void> = [];
	private timers: Array<{ readonly atMs: number; readonly work: () => void }> = [];

	readonly clock = { monotonicMs: () => this.nowMs, wallMs: () => 0 };
	readonly scheduler: Scheduler = {
		soon: (work) => void this.soonWork.push(work),
		after: (ms, work) => {
			const timer = { atMs: this.nowMs + ms, work };
			this.timers.push(timer);
			return () => {
				this.timers = this.timers.filter((other) => other !== timer);
			};
		},
	};

	/** Everything that is due, until nothing more is. */
	settle(): void {
		for (let work = this.soonWork.shift(); work !== undefined; work = this.soonWork.shift()) work();
	}

	/** The loop stands still for `ms`, then runs the timers that are due once, and what they ask for. */
	jump(ms: number): void {
		this.nowMs += ms;
		const due = this.timers.filter(({ atMs }) => atMs <= this.nowMs);
		this.timers = this.timers.filter(({ atMs }) => atMs > this.nowMs);
		for (const { work } of due) work();
		this.settle();
	}

	/** Time passes in small steps, as on an idle machine. */
	pass(ms: number): void {
		for (let step = 0; step < ms; step++) this.jump(1);
	}
}

const MARK: StoreMark = { revision: 1, compactRevision: -1, count: 0, digest: 0, digest2: 0 };

/** Notes each input by name; gives out once what the test put into `next`. */
export class ScriptedReplica implements ReplicaMachine {
	readonly inputs: string[] = [];
	readonly store = { compactionPending: false, revision: 1 } as KeyValueStore;
	readonly members = [];
	readonly acquaintances = [];
	readonly ranBefore = false;
	readonly alarms = [];
	readonly auth = new AuthState({ ttlTicks: 100, forgottenUpto: 0 }, portableBytes, () => []).guard;
	next: Partial<ReplicaOutput> = {};
	role: CoreStatus["role"] = "follower";
	appliedIndex = 1;
	batchSeq = 0;
	/** What the driver was given, for later completion. */
	readonly calls: Array<WriteCall | ReadCall | MembershipCall | LeaseCall> = [];

	get contacts(): readonly MemberInfo[] {
		return this.members;
	}
	readonly removed = new Set<NodeId>();

	tick(): void {
		this.inputs.push("tick");
	}
	receive(message: PeerMessage): void {
		this.inputs.push(`receive ${message.kind}`);
	}
	write(call: WriteCall): void {
		this.inputs.push("write");
		this.calls.push(call);
	}
	read(call: ReadCall): void {
		this.inputs.push("read");
		this.calls.push(call);
	}
	changeMembership(call: MembershipCall): void {
		this.inputs.push("membership");
		this.calls.push(call);
	}
	askLease(call: LeaseCall): void {
		this.inputs.push("lease");
		this.calls.push(call);
	}
	drawLeaseId(): bigint {
		return 1n;
	}
	readonly leaseCounts = new LeaseCounts();
	listLeases(): Sliced<readonly bigint[]> {
		return { step: () => true, result: () => [], abandon() {} };
	}
	cancel(): void {
		this.inputs.push("cancel");
	}
	onPersisted(seq: number): void {
		this.inputs.push(`persisted ${seq}`);
	}
	onStored(seq: number): void {
		this.inputs.push(`stored ${seq}`);
	}
	onFetched(peer: NodeId, entries: readonly Entry[]): void {
		this.inputs.push(`fetched ${peer} ${entries.length}`);
	}
	reportSnapshot(peer: NodeId, ok: boolean): void {
		this.inputs.push(`snapshot ${peer} ${ok}`);
	}
	installSnapshot(): boolean {
		this.inputs.push("install");
		return false;
	}
	onCompacted(firstIndex: number): void {
		this.inputs.push(`compacted ${firstIndex}`);
	}
	peerConnected(peer: NodeId): void {
		this.inputs.push(`connected ${peer}`);
	}
	peerUnreachable(peer: NodeId): void {
		this.inputs.push(`unreachable ${peer}`);
	}
	leaderConnectionLost(peer: NodeId): void {
		this.inputs.push(`lost ${peer}`);
	}
	turnedAway(): void {
		this.inputs.push("turned away");
		this.next = { ...this.next, removed: true };
	}
	setDiskStalled(stalled: boolean): void {
		this.inputs.push(`stalled ${stalled}`);
	}
	setSyncTicks(ticks: number): void {
		this.inputs.push(`sync ${ticks}`);
	}
	onStall(ticks: number): void {
		this.inputs.push(`stall ${ticks}`);
	}
	advanceElection(ticks: number): void {
		this.inputs.push(`advance ${ticks}`);
	}
	publish(name: string): void {
		this.inputs.push(`publish ${name}`);
	}
	transferLeadership(): boolean {
		return false;
	}
	beginStop(): void {
		this.inputs.push("stop");
	}
	captureFloor(): FloorImage | null {
		if (this.store.compactionPending) return null;
		const { appliedIndex, batchSeq } = this;
		const confState = { voters: [1n], learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
		return { appliedIndex, term: 1, confState, mark: MARK, tables: [], tableDigest: 0, batchSeq };
	}
	floorWritten(image: FloorImage): void {
		this.inputs.push(`floor ${image.appliedIndex}`);
	}
	drain(): ReplicaOutput {
		const output: ReplicaOutput = {
			send: [],
			appends: [],
			batches: [],
			completions: [],
			fetch: [],
			snapshots: [],
			events: [],
			membersChanged: false,
			removed: false,
			moreWork: false,
			...this.next,
		};
		this.next = {};
		return output;
	}
	status(): ReplicaStatus {
		const { appliedIndex } = this;
		return {
			core: { role: this.role, term: 1, commit: 0 } as CoreStatus,
			appliedIndex,
			durableTerm: 1,
			leader: 1n,
			published: true,
			clusterVersion: "",
		};
	}
	stateDigest(): number {
		return 0;
	}
}

export function driverHarness(change: Partial<DriverOptions> = {}) {
	const time = new ManualTime();
	const machine = new ScriptedReplica();
	/** What left the driver, in order: the log, messages, the store. */
	const effects: string[] = [];
	const storeOps: StoreOp[] = [];
	const deaths: string[] = [];
	const removals: string[] = [];
	const log = { bytesSinceFloor: 0, heldFrom: 0, reads: [] as Array<(entries: readonly Entry[]) => void> };
	const wal: WriteAheadLog = {
		append: (work) => void effects.push(`append ${work.seq}`),
		amend: (_change, done) => done(),
		flush: () => void effects.push("flush"),
		complete() {},
		holdFrom: (index) => {
			log.heldFrom = index;
		},
		cutBehind: (index) => void effects.push(`cut ${index}`),
		read: (_from, _upto, _bytes, done) => void log.reads.push(done),
		noteHead: () => void effects.push("head"),
		close: (done) => done(),
		firstIndex: 1,
		durableSeq: 0,
		get bytesSinceFloor() {
			return log.bytesSinceFloor;
		},
		oldestPendingSeq: 0,
	};
	const store = {
		onCompletion: (_completion: StoreCompletion) => {},
		submit: (op: StoreOp) => {
			effects.push(`store ${op.kind}`);
			storeOps.push(op);
		},
		get: () => undefined,
		sizeBytes: () => 0,
		close: (done: () => void) => done(),
	};
	const stores: StoreHouse = { list: (done) => done([]), open: () => {}, remove: (_name, done) => done(null), sync: (done) => done(null) };
	const driver = new Driver(
		{
			tickMs: 10,
			electionTicks: 100,
			floor: { bytes: 1_000, entries: 10 },
			warningApplyMs: 100,
			callsATurnMax: 3,
			identity: { clusterId: 7n, memberId: 1n, generation: "1" },
			rows: [],
			floorIndex: 1,
			addresses: { index: 0, members: [] },
			firstElection: null,
			snapshots: { partBytes: 1_000, partPauseMs: 0, incarnation: 1 },
			...change,
		},
		{
			clock: time.clock,
			scheduler: time.scheduler,
			tap: silentTap,
			machine,
			wal,
			watches: new Watches(DEFAULT_WATCH_LIMITS, machine.store, portableBytes, time.scheduler),
			store,
			stores,
			restore: () => {
				throw new Error("this driver receives no snapshot");
			},
			noteAddresses: (_record, done) => done(null),
			// Records are made up here.
			recordFault: () => null,
			die: (reason) => void deaths.push(reason),
			removed: () => void removals.push("removed"),
		},
	);
	const transport: PeerTransport = {
		send: (messages) => void effects.push(...messages.map(({ kind }) => `send ${kind}`)),
		setMembers: () => void effects.push("members"),
		close: () => Promise.resolve(),
	};
	const completeStore = (error: string | null = null, records: StoreCompletion["records"] = null) => {
		const op = storeOps.shift();
		if (op === undefined) throw new Error("no operation of the store waits");
		store.onCompletion({ id: op.id, error, rows: null, records });
	};
	return { time, machine, driver, transport, effects, storeOps, deaths, removals, log, completeStore };
}

export function append(seq: number, release: readonly PeerMessage[] = [], mustSync = true): AppendWork {
	const hardState = { term: 1, vote: 0n, commit: 0 };
	// The core's messages are a part of what members exchange.
	return { seq, hardState, truncateFrom: 0, entries: [], snapshot: null, mustSync, release: release as AppendWork["release"] };
}

export function batch(seq: number): RecordBatch {
	return { seq, puts: [], deletes: [], bytes: 10 };
}

export function message(kind: "heartbeat" | "appendResp" | "voteResp"): PeerMessage {
	return { kind, from: 2n, to: 1n, term: 1 } as PeerMessage;
}
