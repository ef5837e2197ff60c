/** From the wire to the hot requests. Unknown fields are skipped; a known field with a foreign wire type is refused, as etcd does. */
import { WireError, WireReader } from "@flotilla/base";
import type { CompactionRequest, Compare, DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from "./types.ts";

/** Levels of transactions in one request; deeper ones are refused before the stack could end. */
const TXN_DEPTH_MAX = 128;

const NO_BYTES = new Uint8Array(0);
const NO_OP: RequestOp = { kind: "none" };

export function decodePutRequest(bytes: Uint8Array, start = 0, end = bytes.length): PutRequest {
	return readPut(bytes, start, end);
}

/** The way of `readPut`, without making anything. */
export function isPlainPut(bytes: Uint8Array): boolean {
	const end = bytes.length;
	let keyBytes = 0;
	let at = 0;
	while (at + 2 < end) {
		const tag = bytes[at] as number;
		if (tag !== 0x0a && tag !== 0x12) return false;
		let length = bytes[at + 1] as number;
		at += 2;
		if (length >= 0x80) {
			const second = bytes[at++] as number;
			if (second >= 0x80) return false;
			length = (length & 0x7f) | (second << 7);
		}
		if (tag === 0x0a) keyBytes = length;
		at += length;
	}
	return at === end && keyBytes > 0;
}

export function decodeRangeRequest(bytes: Uint8Array): RangeRequest {
	return readRange(new WireReader(bytes));
}

export function decodeDeleteRangeRequest(bytes: Uint8Array): DeleteRangeRequest {
	return readDeleteRange(new WireReader(bytes));
}

export function decodeTxnRequest(bytes: Uint8Array): TxnRequest {
	return readTxn(new WireReader(bytes), 1);
}

export function decodeCompactionRequest(bytes: Uint8Array): CompactionRequest {
	const reader = new WireReader(bytes);
	let revision = 0;
	let physical = false;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x08) revision = reader.int64Clamped();
		else if (tag === 0x10) physical = reader.bool();
		else skipUnknown(reader, tag, 2);
	}
	return { revision, physical };
}

export function decodeKeepAliveRequest(bytes: Uint8Array): bigint {
	const reader = new WireReader(bytes);
	let lease = 0n;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x08) lease = reader.int64();
		else skipUnknown(reader, tag, 1);
	}
	return lease;
}

/**
 * Key and value come first, once each and with lengths below 2^14, in nearly every put: read here without a cursor object.
 * Whatever else is there goes through the reader.
 */
function readPut(bytes: Uint8Array, start: number, end: number): PutRequest {
	let key: Uint8Array = NO_BYTES;
	let value: Uint8Array = NO_BYTES;
	let at = start;
	while (at + 2 < end) {
		const tag = bytes[at] as number;
		if (tag !== 0x0a && tag !== 0x12) break;
		let length = bytes[at + 1] as number;
		let content = at + 2;
		if (length >= 0x80) {
			const second = bytes[content++] as number;
			if (second >= 0x80) break;
			length = (length & 0x7f) | (second << 7);
		}
		if (length > end - content) break;
		at = content + length;
		if (tag === 0x0a) key = bytes.subarray(content, at);
		else value = bytes.subarray(content, at);
	}
	if (at === end) return { key, value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
	return readPutRest(new WireReader(bytes, at, end), key, value);
}

function readPutRest(reader: WireReader, keySoFar: Uint8Array, valueSoFar: Uint8Array): PutRequest {
	let key = keySoFar;
	let value = valueSoFar;
	let lease = 0n;
	let prevKv = false;
	let ignoreValue = false;
	let ignoreLease = false;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x0a) key = reader.view();
		else if (tag === 0x12) value = reader.view();
		else if (tag === 0x18) lease = reader.int64();
		else if (tag === 0x20) prevKv = reader.bool();
		else if (tag === 0x28) ignoreValue = reader.bool();
		else if (tag === 0x30) ignoreLease = reader.bool();
		else skipUnknown(reader, tag, 6);
	}
	return { key, value, lease, prevKv, ignoreValue, ignoreLease };
}

function readRange(reader: WireReader): RangeRequest {
	let key: Uint8Array = NO_BYTES;
	let rangeEnd: Uint8Array = NO_BYTES;
	let limit = 0;
	let revision = 0;
	let sortOrder = 0;
	let sortTarget = 0;
	let serializable = false;
	let keysOnly = false;
	let countOnly = false;
	let minModRevision = 0;
	let maxModRevision = 0;
	let minCreateRevision = 0;
	let maxCreateRevision = 0;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x0a) key = reader.view();
		else if (tag === 0x12) rangeEnd = reader.view();
		else if (tag === 0x18) limit = reader.int64Clamped();
		else if (tag === 0x20) revision = reader.int64Clamped();
		else if (tag === 0x28) sortOrder = reader.int32();
		else if (tag === 0x30) sortTarget = reader.int32();
		else if (tag === 0x38) serializable = reader.bool();
		else if (tag === 0x40) keysOnly = reader.bool();
		else if (tag === 0x48) countOnly = reader.bool();
		else if (tag === 0x50) minModRevision = reader.int64Clamped();
		else if (tag === 0x58) maxModRevision = reader.int64Clamped();
		else if (tag === 0x60) minCreateRevision = reader.int64Clamped();
		else if (tag === 0x68) maxCreateRevision = reader.int64Clamped();
		else skipUnknown(reader, tag, 13);
	}
	return {
		key,
		rangeEnd,
		limit,
		revision,
		sortOrder,
		sortTarget,
		serializable,
		keysOnly,
		countOnly,
		minModRevision,
		maxModRevision,
		minCreateRevision,
		maxCreateRevision,
	};
}

function readDeleteRange(reader: WireReader): DeleteRangeRequest {
	let key: Uint8Array = NO_BYTES;
	let rangeEnd: Uint8Array = NO_BYTES;
	let prevKv = false;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x0a) key = reader.view();
		else if (tag === 0x12) rangeEnd = reader.view();
		else if (tag === 0x18) prevKv = reader.bool();
		else skipUnknown(reader, tag, 3);
	}
	return { key, rangeEnd, prevKv };
}

function readTxn(reader: WireReader, level: number): TxnRequest {
	if (level > TXN_DEPTH_MAX) throw new WireError("transactions nested too deep");
	const compare: Compare[] = [];
	const success: RequestOp[] = [];
	const failure: RequestOp[] = [];
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x0a) compare.push(readCompare(subReader(reader)));
		else if (tag === 0x12) success.push(readRequestOp(subReader(reader), level));
		else if (tag === 0x1a) failure.push(readRequestOp(subReader(reader), level));
		else skipUnknown(reader, tag, 3);
	}
	return { compare, success, failure };
}

/** The last member of the union wins, whatever came before (API 1.15). */
function readRequestOp(reader: WireReader, level: number): RequestOp {
	let op: RequestOp = NO_OP;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x0a) op = { kind: "range", range: readRange(subReader(reader)) };
		else if (tag === 0x12) {
			const start = reader.lengthPrefix();
			op = { kind: "put", put: readPut(reader.bytes, start, reader.at) };
		} else if (tag === 0x1a) op = { kind: "deleteRange", deleteRange: readDeleteRange(subReader(reader)) };
		else if (tag === 0x22) op = { kind: "txn", txn: readTxn(subReader(reader), level + 1) };
		else skipUnknown(reader, tag, 4);
	}
	return op;
}

/** Field number of the union member that belongs to a target: VERSION 4, CREATE 5, MOD 6, VALUE 7, LEASE 8. */
const UNION_OF_TARGET = 4;

function readCompare(reader: WireReader): Compare {
	let result = 0;
	let target = 0;
	let key: Uint8Array = NO_BYTES;
	let rangeEnd: Uint8Array = NO_BYTES;
	let member = 0;
	let number = 0;
	let value: Uint8Array = NO_BYTES;
	let lease = 0n;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x08) result = reader.int32();
		else if (tag === 0x10) target = reader.int32();
		else if (tag === 0x1a) key = reader.view();
		else if (tag === 0x20 || tag === 0x28 || tag === 0x30) {
			member = tag >>> 3;
			number = reader.int64Clamped();
		} else if (tag === 0x3a) {
			member = 7;
			value = reader.view();
		} else if (tag === 0x40) {
			member = 8;
			lease = reader.int64();
		} else if (tag === 0x202) rangeEnd = reader.view();
		else if (tag >>> 3 === 64) throw new WireError("wrong wire type");
		else skipUnknown(reader, tag, 8);
	}
	// Only the operand of the target's own member counts; another one reads as the default of the type.
	const held = member === target + UNION_OF_TARGET ? member : 0;
	return {
		result,
		target,
		key,
		rangeEnd,
		number: held >= 4 && held <= 6 ? number : 0,
		value: held === 7 ? value : NO_BYTES,
		lease: held === 8 ? lease : 0n,
	};
}

function subReader(reader: WireReader): WireReader {
	const start = reader.lengthPrefix();
	return new WireReader(reader.bytes, start, reader.at);
}

function skipUnknown(reader: WireReader, tag: number, highestField: number): void {
	if (tag >>> 3 <= highestField) throw new WireError("wrong wire type");
	reader.skip(tag);
}
