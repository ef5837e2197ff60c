/**
 * Multi-version key-value state as a pure state machine over a storage interface: revisions, key index, ranges,
 * transactions, compaction and hashes. It knows no terms, no log indexes, no gRPC and no clock.
 */
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
export { CompareResult, CompareTarget, SortOrder, SortTarget } from "./request.ts";
export type {
	CompactResult,
	DeleteRangeResult,
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
export type { RecordBatch, RecordStorage, StoredRecord, StoreMark } from "./storage.ts";
export type { KeyValueStore, RequestValidation, Sliced, StoreOptions, StoreRestore } from "./store-interface.ts";
export { EMPTY_MARK } from "./store-interface.ts";
