/** The hand-written codecs of the hot messages: pure, for the replica and the services alike. */
export { createHotCodec } from "./codec.ts";
export type { HotCodec } from "./codec-interface.ts";
export type { KeyValue, KeyValueEvent } from "./key-value.ts";
export { decodeKeyValue, decodeKeyValueEvent } from "./key-value.ts";
export type {
	CompactionRequest,
	Compare,
	DeleteRangeRequest,
	DeleteRangeResult,
	OpResult,
	PutRequest,
	PutResult,
	RangeRequest,
	RangeResult,
	RequestOp,
	ResponseHeader,
	TxnRequest,
	TxnResult,
	WatchResult,
} from "./types.ts";
