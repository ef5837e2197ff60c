import type { StoreHistory } from "./history.ts";
import type { LeaseTable } from "./lease/lease-table.ts";
import type { RangeChunks } from "./range-chunks.ts";
import type { DeleteRangeRequest, LeaseId, PutRequest, RangeRequest, Revision, TxnRequest } from "./request.ts";
import type {
	CompactResult,
	DeleteRangeResult,
	EndLeaseResult,
	EventGroup,
	HashResult,
	PutResult,
	RangeResult,
	Refusal,
	RefusalCode,
	TxnResult,
} from "./result.ts";
import type { RecordBatch, StoreMark } from "./storage.ts";
import type { Unanswered } from "./txn-answer.ts";

/** Checks that need no state (API 2.2, 2.4 to 2.6), made before replication. Null: well formed. */
export interface RequestValidation {
	range(request: RangeRequest): RefusalCode | null;
	put(request: PutRequest): RefusalCode | null;
	deleteRange(request: DeleteRangeRequest): RefusalCode | null;
	/** `opsMax`: the limit of one level; nested levels get what their parent leaves. */
	txn(request: TxnRequest, opsMax: number): RefusalCode | null;
}

/** Work cut into slices so that the event loop is never held: call `step` until it returns true, then take the result. */
export interface Sliced<T> {
	/** Does at most `budget` keys or records of work. True when finished. */
	step(budget: number): boolean;
	result(): T;
	/** Gives up before the end; releases what the work pinned. */
	abandon(): void;
}

/** A read whose answer may be of any length. */
export interface SlicedRead<T> extends Sliced<T> {
	/** What it takes in memory. One step adds little more than a MiB. */
	readonly heldBytes: number;
	/** Bytes of the pairs that are in its result so far. */
	readonly answerBytes: number;
}

/**
 * The key space: every change is a pure function of state and request. Changes are visible at once; their records are
 * handed out by `takeBatch` and stay readable from memory until `batchStored`.
 */
export interface KeyValueStore {
	readonly revision: Revision;
	/** -1 when never compacted. */
	readonly compactRevision: Revision;
	/** Live keys. */
	readonly keyCount: number;
	/** Logical bytes: keys and values of the records held since compaction (decisions 5.2). Alike on all members. */
	readonly logicalBytes: number;
	/** Since this store was opened, for metrics: not replicated. */
	readonly counts: StoreCounts;
	/** Sliced reads that still need records of this store. */
	readonly openReads: number;
	/** Grants and checkpoints are made there; puts, deletes and `endLease` keep the attachments. */
	readonly leases: LeaseTable;
	/** Bytes of records that are applied but not yet reported as stored. */
	readonly unstoredBytes: number;

	range(request: RangeRequest): RangeResult | Refusal;
	/** For ranges that may be large: reads at the revision of this call, whatever is written meanwhile. */
	rangeSliced(request: RangeRequest): SlicedRead<RangeResult> | Refusal;
	/** The same for a request that `isPlain`, piece by piece: however long the range, little of it is in memory. */
	rangeChunks(request: RangeRequest): RangeChunks | Refusal;
	put(request: PutRequest): PutResult | Refusal;
	deleteRange(request: DeleteRangeRequest): DeleteRangeResult | Refusal;
	txn(request: TxnRequest): TxnResult | Refusal;
	/** A transaction that `isReadOnlyTxn`: compares and ranges see the state at this call, whatever is changed meanwhile. */
	readTxn(request: TxnRequest): Sliced<TxnResult | Unanswered<TxnResult> | Refusal>;
	/** Deletes the keys of a lease in one revision, in ascending order, and the lease. */
	endLease(id: LeaseId): EndLeaseResult | Refusal;
	/**
	 * The same, for what may touch very many keys. One at a time, begun with its first step; from there to its end nothing else may
	 * change the store, reads show the revision before, and neither mark nor digest may be asked for.
	 */
	deleteRangeSliced(request: DeleteRangeRequest, told?: boolean): Sliced<DeleteRangeResult | Unanswered<DeleteRangeResult>>;
	/** `told`: to somebody. Otherwise nothing is read for its result, which is then without responses and pairs; the change is the same. */
	txnSliced(request: TxnRequest, told?: boolean): Sliced<TxnResult | Unanswered<TxnResult> | Refusal>;
	/** Closes the answers to changes that nobody has taken on since the last call. */
	dropAnswers(): void;
	endLeaseSliced(id: LeaseId): Sliced<EndLeaseResult | Refusal>;
	/** In the middle of such a change. */
	readonly changing: boolean;
	compact(revision: Revision): CompactResult | Refusal;
	/** etcd's HashKV (API 6.6), over the state at this call. 0: the current revision. */
	hashKv(revision: Revision): Sliced<HashResult> | Refusal;

	/** Some of the pending clean-up after `compact`. True when none is left. */
	compactionStep(budget: number): boolean;
	readonly compactionPending: boolean;
	/** A pass of it is under way. */
	readonly compactionRunning: boolean;
	/** It waits for reads that need what it removes: no step of it does anything before one of them has ended. */
	readonly compactionHeld: boolean;

	/** What watchers read of the past. */
	readonly history: StoreHistory;
	/**
	 * False while nobody watches: a change that ends meanwhile leaves no group of events. Of one that was under way when it turned
	 * true, the events are to be read from the history.
	 */
	eventsWanted: boolean;
	/** Events since the last call, one group a revision. Empty when nobody asked for them (`keepEvents` false). */
	takeEvents(): EventGroup[];
	/** Records of the changes since the last call; null when there are none. */
	takeBatch(): RecordBatch | null;
	/** All batches up to `seq` can be read from the storage. */
	batchStored(seq: number): void;

	/** For a floor. Must not be asked for while `compactionRunning` (rule S3). */
	mark(): StoreMark;
	/** A floor is durable: the removal of records compacted before it may be handed out (rule S4). */
	floorWritten(): void;
	/** Running digest of the whole key-value state, for comparison between members at equal applied index. */
	digest(): number;
}

export interface StoreCounts {
	readonly ranges: number;
	readonly puts: number;
	readonly putBytes: number;
	readonly deletes: number;
	readonly txns: number;
	readonly compactedRecords: number;
}

export type Restored = { readonly ok: true; readonly store: KeyValueStore } | { readonly ok: false; readonly reason: string };

/**
 * Rebuilds a store from its records (rule S5): feed every record at or below the mark's revision in ascending order, then
 * carry out what `finish` returns. Refuses by naming what differs.
 */
export interface StoreRestore {
	/** Null, or what is wrong with this record. */
	record(key: Uint8Array, value: Uint8Array): string | null;
	/** Once, after the last record: orders the keys and compares with the mark. */
	finish(): Sliced<Restored>;
}

export interface StoreOptions {
	/** Events are collected for watchers. */
	readonly keepEvents: boolean;
	/** Bytes of values kept in memory besides unstored ones. */
	readonly valueCacheBytes: number;
	/** Events of one revision that are collected at most: those of a larger one are to be read from the history. */
	readonly eventsKeptMax?: number;
	/** Keys of one change between two places at which it may pause; without it STRIDE. */
	readonly changeStride?: number;
}

/** For `new` stores the mark is EMPTY_MARK. */
export const EMPTY_MARK: StoreMark = { revision: 1, compactRevision: -1, count: 0, digest: 0, digest2: 0 };
