/**
 * Multi-version key-value state as a pure state machine over a storage interface: revisions, key index, ranges,
 * transactions, compaction and hashes. It knows no terms, no log indexes, no gRPC and no clock.
 */
export { CompactedMark } from "./compacted-mark.ts";
export { StoreDamageError } from "./damage.ts";
export type { HistoryBudget, PastChange, StoreHistory } from "./history.ts";
export type { KeyValue } from "./key-value.ts";
export { decodeKeyValue, encodeDeletedPair, encodeKeyValue, valueOfKeyValue, withoutValue } from "./key-value.ts";
export { Lease } from "./lease/lease.ts";
export type { LeaseAttachments, LeaseRow } from "./lease/lease-table.ts";
export { LEASE_ROWS, LEASE_TTL_MAX, LeaseTable } from "./lease/lease-table.ts";
export { MemoryStorage } from "./memory-storage.ts";
export { isPlain, RangeChunks } from "./range-chunks.ts";
export { StoreRebuild } from "./rebuild.ts";
export type { RecordKey } from "./record-key.ts";
export { decodeRecordKey, describeRecordKey, encodeRecordKey } from "./record-key.ts";
export type {
	Compare,
	DeleteRangeRequest,
	LeaseId,
	PutRequest,
	RangeRequest,
	RequestOp,
	Revision,
	TxnRequest,
} from "./request.ts";
export { CompareResult, CompareTarget, PLAIN_RANGE, SortOrder, SortTarget } from "./request.ts";
export type {
	CompactResult,
	DeleteRangeResult,
	EndLeaseResult,
	EventGroup,
	HashResult,
	OpResult,
	PutResult,
	RangeResult,
	Refusal,
	RefusalCode,
	StoreEvent,
	TxnResult,
} from "./result.ts";
export { recordFault } from "./scanned-record.ts";
export { STRIDE, sliced, wholly } from "./sliced.ts";
export { SlicedSort } from "./sliced-sort.ts";
export type { RecordBatch, RecordStorage, StoredRecord, StoreMark } from "./storage.ts";
export { MvccStore } from "./store.ts";
export type {
	KeyValueStore,
	RequestValidation,
	Restored,
	Sliced,
	SlicedRead,
	StoreCounts,
	StoreOptions,
	StoreRestore,
} from "./store-interface.ts";
export { EMPTY_MARK } from "./store-interface.ts";
export type { DeleteDone, OpDone, PathDone, ToRead, TxnDone } from "./txn.ts";
export { Unanswered } from "./txn-answer.ts";
export { isReadOnlyTxn, isSerializableTxn, requestValidation } from "./validation.ts";
export { allEvents, EventBatch, type EventPiece } from "./watch/watch-event.ts";
export { DEFAULT_WATCH_LIMITS, type WatchedStore, WatchHub, type WatchLimits, type WatchPorts } from "./watch/watch-hub.ts";
export type { WatchMessage, WatchRefusal } from "./watch/watch-message.ts";
export type { WatchSink, WatchStream } from "./watch/watch-stream.ts";
export type { Watcher, WatchId, WatchRequest } from "./watch/watcher.ts";
