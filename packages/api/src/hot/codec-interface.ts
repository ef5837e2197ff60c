import type {
	CompactionRequest,
	DeleteRangeRequest,
	DeleteRangeResult,
	OpResult,
	PutRequest,
	PutResult,
	RangeRequest,
	RangeResult,
	ResponseHeader,
	TxnRequest,
	TxnResult,
	WatchResult,
} from "./types.ts";

/** Decoders throw base's `WireError` on malformed bytes. Transactions nest at most 128 levels deep. */
export interface HotCodec {
	decodeRangeRequest(bytes: Uint8Array): RangeRequest;
	/** Of bytes[start, end). */
	decodePutRequest(bytes: Uint8Array, start?: number, end?: number): PutRequest;
	/** A put of a key that is not empty, with or without a value, and of nothing else: nearly every one, and no check of fields refuses it. */
	isPlainPut(bytes: Uint8Array): boolean;
	decodeDeleteRangeRequest(bytes: Uint8Array): DeleteRangeRequest;
	decodeTxnRequest(bytes: Uint8Array): TxnRequest;
	decodeCompactionRequest(bytes: Uint8Array): CompactionRequest;
	/** Here and below, without a header: a piece of a response. Pieces of one response joined in order, the first with the header, are the response. */
	encodeRangeResponse(header: ResponseHeader | null, result: RangeResult): Uint8Array;
	/** One message of a stream; only the last one has a header. */
	encodeRangeStreamResponse(header: ResponseHeader | null, result: RangeResult): Uint8Array;
	encodePutResponse(header: ResponseHeader, result: PutResult): Uint8Array;
	encodeDeleteRangeResponse(header: ResponseHeader | null, result: DeleteRangeResult): Uint8Array;
	/** Inner headers carry only the revision; a nested transaction's header is present and empty (API 0.5). */
	encodeTxnResponse(header: ResponseHeader | null, result: TxnResult): Uint8Array;
	/** Pieces of an operation's response: its header, and what stands before a response of so many bytes in that of its transaction. */
	encodeInnerHeader(revision: number): Uint8Array;
	encodeOpHead(kind: OpResult["kind"], bytes: number): Uint8Array;
	encodeCompactionResponse(header: ResponseHeader): Uint8Array;
	encodeWatchResponse(header: ResponseHeader, result: WatchResult): Uint8Array;
	/** The lease that is to be renewed. */
	decodeKeepAliveRequest(bytes: Uint8Array): bigint;
	/** `ttl` in seconds; 0: there is no such lease. */
	encodeKeepAliveResponse(header: ResponseHeader, lease: bigint, ttl: number): Uint8Array;
}
