import type { ByteOps, Dice, TapSink } from "@flotilla/base";
import type { EventGroup, KeyValueStore, LeaseId, RecordBatch, Sliced, StoreMark } from "@flotilla/mvcc";
import type {
	AppendWork,
	ConfState,
	CoreStatus,
	Entry,
	FetchRequest,
	NodeId,
	RaftLimits,
	SnapshotMessage,
	SnapshotRequest,
} from "@flotilla/raft";
import type { AuthView } from "./auth/auth-view.ts";
import type { ReadCall, ReadOutcome, WriteCall, WriteOutcome } from "./calls.ts";
import type { LeaseCall, LeaseOutcome } from "./lease/lease-calls.ts";
import type { LeaseCounts } from "./lease/lease-counts.ts";
import type { AlarmEntry, MemberInfo } from "./members.ts";
import type { MembershipCall, MembershipOutcome } from "./membership.ts";
import type { PeerMessage } from "./messages.ts";

export interface ReplicaOptions {
	readonly memberId: NodeId;
	readonly clusterId: bigint;
	/** Random 53 bits of this process life. */
	readonly incarnation: number;
	/** Process lives before it that its data folder knows of. */
	readonly formerLives?: ReadonlySet<number>;
	readonly electionTicks: number;
	readonly heartbeatTicks: number;
	/** Length of a tick; request time-outs are counted in ticks. */
	readonly tickMs: number;
	readonly maxRequestBytes: number;
	/** Quota in logical bytes; 0 or less: none (the default of 2 GiB is the caller's). */
	readonly quotaBytes: number;
	/** Refuse new writes when commit - applied exceeds this (5,000). */
	readonly applyBacklogMax: number;
	/** Stop applying when so many record bytes wait for the store. */
	readonly unstoredBytesMax: number;
	/** Entries of the log that stay in memory when they are durable and applied; without it the core's default. */
	readonly logMemoryEntriesMax?: number;
	/** What may wait in the core, where it is less than its defaults. */
	readonly coreLimits?: Partial<RaftLimits>;
	/** Client calls waiting at this member, writes and reads each. */
	readonly pendingCallsMax: number;
	/** Refuse changes of the members that may cost the quorum. */
	readonly strictReconfigCheck: boolean;
	readonly maxLearners: number;
	/** A connection counts for the check of a change after so long; 5 s when it is not said. */
	readonly steadyMs?: number;
	/** Keys that one command changes in a turn, at most; without it 1,024. */
	readonly applySliceKeys?: number;
	/** Ticks that a simple token lives at this member since its last use here; without it 300 s. */
	readonly tokenTtlTicks?: number;
}

export interface ReplicaPorts {
	readonly bytes: ByteOps;
	readonly dice: Dice;
	readonly tap: TapSink;
}

/** Replicated tables besides the key space: written with a floor, held in memory (rule S1). */
export interface TableRow {
	/** `members/<hex>`, `removed/<hex>`, `alarms/<hex>/<type>`, `version/cluster`, `leases/<hex>` ... */
	readonly key: string;
	readonly value: Uint8Array;
}

/** Everything a floor at `appliedIndex` must say; captured in one turn, so it is a true state of that index. */
export interface FloorImage {
	readonly appliedIndex: number;
	readonly term: number;
	readonly confState: ConfState;
	readonly mark: StoreMark;
	/** All rows; the store writes those that changed. */
	readonly tables: readonly TableRow[];
	/** CRC-32C over the rows in key order. */
	readonly tableDigest: number;
	/** Every record batch up to this one must be stored before the floor is written. */
	readonly batchSeq: number;
}

/** A state that another member sent: verified, on this member's disk, and at the index that its message names. */
export interface ReceivedState {
	readonly store: KeyValueStore;
	readonly tables: readonly TableRow[];
}

export type Completion =
	| { readonly call: WriteCall; readonly outcome: WriteOutcome }
	| { readonly call: ReadCall; readonly outcome: ReadOutcome }
	| { readonly call: LeaseCall; readonly outcome: LeaseOutcome }
	| { readonly call: MembershipCall; readonly outcome: MembershipOutcome };

/** One object, reused: valid until the next `drain()`. */
export interface ReplicaOutput {
	/** May leave at once, in order per destination and lane. */
	readonly send: PeerMessage[];
	/** In order of `seq`; acknowledge through `onPersisted`. */
	readonly appends: AppendWork[];
	/** To be written unsynced, in order; acknowledge through `onStored`. */
	readonly batches: RecordBatch[];
	/** Call `done` of each, in order, before the next input. */
	readonly completions: Completion[];
	readonly fetch: FetchRequest[];
	readonly snapshots: SnapshotRequest[];
	readonly events: EventGroup[];
	/** Addresses changed: the transport should know `contacts` and `removed` anew. */
	membersChanged: boolean;
	/** This member was removed, and the others can do without it (rule C3): stop for good. */
	removed: boolean;
	/** Entries wait to be applied or records to be compacted, beyond this turn's budget: drain again soon. */
	moreWork: boolean;
}

export interface ReplicaStatus {
	readonly core: CoreStatus;
	readonly appliedIndex: number;
	/** Highest term that is durable here: the `raft_term` of headers. */
	readonly durableTerm: number;
	readonly leader: NodeId;
	/** True once this process life's publish entry was applied: only then may clients be served. */
	readonly published: boolean;
	readonly clusterVersion: string;
}

/** One member's logic. Pure: inputs are method calls, the output is one object a drain; no call is made back from inside. */
export interface ReplicaMachine {
	readonly store: KeyValueStore;
	readonly members: readonly MemberInfo[];
	/** Those, with the names of announcements in the log that are not applied yet: who has none has never run here. */
	readonly acquaintances: readonly MemberInfo[];
	/** Announced itself in a process life that is neither this one nor a former one that it knows of, by its state. */
	readonly ranBefore: boolean;
	readonly alarms: readonly AlarmEntry[];
	/** Users and roles as they are now: the same object for ever. */
	readonly auth: AuthView;
	/** The members, and those removed by a change that is not settled yet (rule C3). */
	readonly contacts: readonly MemberInfo[];
	/** Removed for good: to be told so when they come. */
	readonly removed: ReadonlySet<NodeId>;
	tick(): void;
	receive(message: PeerMessage): void;
	write(call: WriteCall): void;
	read(call: ReadCall): void;
	changeMembership(call: MembershipCall): void;
	askLease(call: LeaseCall): void;
	/** For a grant whose client leaves the choice of the id to the server. */
	drawLeaseId(): LeaseId;
	/** Those that this member knows; at the leader those first that end first. */
	listLeases(): Sliced<readonly LeaseId[]>;
	readonly leaseCounts: LeaseCounts;
	/** The client went away: its slot is freed; what was proposed may still take effect. */
	cancel(call: WriteCall | ReadCall | MembershipCall | LeaseCall): void;
	onPersisted(seq: number): void;
	onStored(batchSeq: number): void;
	onFetched(peer: NodeId, entries: readonly Entry[]): void;
	/** Exactly once for each `SnapshotRequest`; `index` is that of the state sent, 0 when none was. */
	reportSnapshot(peer: NodeId, ok: boolean, index: number): void;
	/**
	 * Takes over a state that lies on the disk (rules N4, N6). False: it is not needed, or not to be had from this leader; then
	 * nothing was changed. True: the next output's append holds the marker, and all batches from now on are the new store's.
	 */
	installSnapshot(message: SnapshotMessage, state: ReceivedState): boolean;
	onCompacted(firstIndex: number): void;
	peerConnected(peer: NodeId): void;
	peerUnreachable(peer: NodeId): void;
	/** Rule H2 was met for the present leader. */
	leaderConnectionLost(leader: NodeId): void;
	/** A peer turned this member away as removed from the cluster. */
	turnedAway(): void;
	setDiskStalled(stalled: boolean): void;
	/** What a write to the log takes until it is durable; may be a part of a tick (rule H4). */
	setSyncTicks(ticks: number): void;
	onStall(elapsedTicks: number): void;
	/** Counts the election clock forward once, for a quick first election after a start. */
	advanceElection(ticks: number): void;
	/** Announces this member (name, client URLs): repeated until applied. */
	publish(name: string, clientUrls: readonly string[]): void;
	/** Hands leadership to the most advanced voter; false when there is nothing to hand over or nobody to take it. */
	transferLeadership(to: NodeId): boolean;
	/** From now on: no new calls; those waiting end with `stopped` unless already proposed. */
	beginStop(): void;
	/** Null while a compaction pass is running (rule S3). */
	captureFloor(): FloorImage | null;
	floorWritten(image: FloorImage): void;
	drain(): ReplicaOutput;
	status(): ReplicaStatus;
	/** Running digest over all replicated effects at the applied index (rule S7). Null while an entry is applied in part. */
	stateDigest(): number | null;
}
