import type { ByteOps } from "@flotilla/base";
import type { HotCodec } from "./codec-interface.ts";
import {
	decodeCompactionRequest,
	decodeDeleteRangeRequest,
	decodeKeepAliveRequest,
	decodePutRequest,
	decodeRangeRequest,
	decodeTxnRequest,
	isPlainPut,
} from "./decode-requests.ts";
import { ResponseEncoder } from "./encode-responses.ts";

/**
 * One codec a member: it remembers the encoded ids of the header. Keys stay byte views, so no operation of `ByteOps` is
 * needed to read or write these messages; the parameter keeps the construction alike to that of the other pure parts.
 */
export function createHotCodec(_bytes?: ByteOps): HotCodec {
	const encoder = new ResponseEncoder();
	return {
		decodeRangeRequest,
		decodePutRequest,
		isPlainPut,
		decodeDeleteRangeRequest,
		decodeTxnRequest,
		decodeCompactionRequest,
		encodeRangeResponse: (header, result) => encoder.range(header, result),
		encodeRangeStreamResponse: (header, result) => encoder.rangeStream(header, result),
		encodePutResponse: (header, result) => encoder.put(header, result),
		encodeDeleteRangeResponse: (header, result) => encoder.deleteRange(header, result),
		encodeTxnResponse: (header, result) => encoder.txn(header, result),
		encodeInnerHeader: (revision) => encoder.innerHeader(revision),
		encodeOpHead: (kind, bytes) => encoder.opHead(kind, bytes),
		encodeCompactionResponse: (header) => encoder.compaction(header),
		encodeWatchResponse: (header, result) => encoder.watch(header, result),
		decodeKeepAliveRequest,
		encodeKeepAliveResponse: (header, lease, ttl) => encoder.keepAlive(header, lease, ttl),
	};
}
