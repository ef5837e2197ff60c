/** What the services need of the member behind them. The driver implements it; tests use a small one over a real store. */
import type { KeyValueStore, LeaseId, Sliced, WatchHub } from "@flotilla/mvcc";
import type { NodeId } from "@flotilla/raft";
import type {
	AlarmEntry,
	AuthView,
	LeaseCall,
	LeaseCounts,
	MemberInfo,
	MembershipCall,
	ReadCall,
	ReplicaStatus,
	WriteCall,
} from "@flotilla/replica";
import type { StateExport } from "../ports.ts";

export interface MemberPort {
	readonly memberId: NodeId;
	readonly clusterId: bigint;
	/** Length of a tick; the time-outs of calls are counted in ticks. */
	readonly tickMs: number;
	/** The present store: fetch it anew for each use, a snapshot install replaces it. */
	readonly store: KeyValueStore;
	/** Shown every revision in the turn that applied it, before any answer of that turn. */
	readonly watches: Pick<WatchHub, "openStream" | "counts" | "queuedBytes">;
	/** Ascending by id. */
	readonly members: readonly MemberInfo[];
	readonly alarms: readonly AlarmEntry[];
	/** Users and roles: the same object for ever, its answers those of the moment. */
	readonly auth: AuthView;
	/** Runs `listener` after each turn in which users, roles or permissions changed, for as long as the member lives. */
	onAuthChange(listener: () => void): void;
	status(): ReplicaStatus;
	/** That of `status()`: every answer names it. */
	readonly durableTerm: number;
	/** Ticks for which no leader was known, up to now; 0 while one is. */
	readonly leaderlessTicks: number;
	/** Bytes the store takes on disk. */
	storeBytes(): number;

	/**
	 * All are completed exactly once, through `done` of the call, never before the method returned. `done` runs before
	 * anything newer is applied, so what it reads of the store belongs to its moment.
	 */
	write(call: WriteCall): void;
	read(call: ReadCall): void;
	changeMembership(call: MembershipCall): void;
	/** Asks the leader, wherever it is. */
	askLease(call: LeaseCall): void;
	/** The client went away: `done` will not be called any more. What was proposed may still take effect. */
	cancel(call: WriteCall | ReadCall | MembershipCall | LeaseCall): void;

	/** An id that no lease has, for a grant that leaves the choice to the server. */
	drawLeaseId(): LeaseId;
	/** The leases that this member knows of; at the leader those first that end first. */
	listLeases(): Sliced<readonly LeaseId[]>;
	/** Since this process began. */
	readonly leaseCounts: LeaseCounts;

	/** The replicated state of one moment as the image of a file, for a client that saves it. Null while another client does. */
	exportState(): StateExport | null;

	/** Runs `done` once no clean-up of a compaction is pending on this member: later, even when there is none now. */
	afterCompaction(done: () => void): void;
	/** Leader only: hands over; false when refused. Watch `status().leader` for the outcome. */
	transferLeadership(to: NodeId): boolean;
}
