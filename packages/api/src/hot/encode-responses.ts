/**
 * From results to the wire. Each response is measured first, then written into one array of exactly that size: no growing,
 * no copying. Sizes of nested operations are kept in the order of the measuring walk, which is that of the writing walk.
 */
import { putVarint64, unreachable, varint64Size } from "@flotilla/base";
import type { DeleteRangeResult, OpResult, PutResult, RangeResult, ResponseHeader, TxnResult, WatchResult } from "./types.ts";

const TAG_1 = 0x0a;
const TAG_2 = 0x12;
const TAG_3 = 0x1a;
const TAG_4 = 0x22;
const OP_TAGS = { range: TAG_1, put: TAG_2, deleteRange: TAG_3, txn: TAG_4 } as const;
const TAG_WATCH_REASON = 0x32;
const TAG_WATCH_EVENT = 0x5a;

export class ResponseEncoder {
	/** Fields 1 and 2 of the header as last written: a member answers with the same two ids all its life. */
	private ids: Uint8Array = new Uint8Array(0);
	private idsCluster = 0n;
	private idsMember = 0n;
	/** Sizes of the operations of the transaction being written. */
	private readonly sizes: number[] = [];
	private nextSize = 0;
	private out: Uint8Array = new Uint8Array(0);
	private at = 0;

	range(header: ResponseHeader | null, result: RangeResult): Uint8Array {
		const headerSize = header === null ? 0 : this.headerSize(header);
		this.begin(rangeSize(header, headerSize, result));
		if (header !== null) this.writeHeader(header, headerSize);
		this.writeRangeBody(result);
		return this.out;
	}

	rangeStream(header: ResponseHeader | null, result: RangeResult): Uint8Array {
		const headerSize = header === null ? 0 : this.headerSize(header);
		const size = rangeSize(header, headerSize, result);
		this.begin(nestedSize(size));
		this.writeNested(TAG_1, size);
		if (header !== null) this.writeHeader(header, headerSize);
		this.writeRangeBody(result);
		return this.out;
	}

	put(header: ResponseHeader, result: PutResult): Uint8Array {
		const headerSize = this.headerSize(header);
		this.begin(nestedSize(headerSize) + putBodySize(result));
		this.writeHeader(header, headerSize);
		this.writePutBody(result);
		return this.out;
	}

	deleteRange(header: ResponseHeader | null, result: DeleteRangeResult): Uint8Array {
		const headerSize = header === null ? 0 : this.headerSize(header);
		this.begin((header === null ? 0 : nestedSize(headerSize)) + deleteRangeBodySize(result));
		if (header !== null) this.writeHeader(header, headerSize);
		this.writeDeleteRangeBody(result);
		return this.out;
	}

	txn(header: ResponseHeader | null, result: TxnResult): Uint8Array {
		const headerSize = header === null ? 0 : this.headerSize(header);
		this.sizes.length = 0;
		this.nextSize = 0;
		this.begin((header === null ? 0 : nestedSize(headerSize)) + this.measureTxnBody(result));
		if (header !== null) this.writeHeader(header, headerSize);
		this.writeTxnBody(result);
		return this.out;
	}

	innerHeader(revision: number): Uint8Array {
		this.begin(innerHeaderSize(revision));
		this.writeInnerHeader(revision);
		return this.out;
	}

	opHead(kind: OpResult["kind"], bytes: number): Uint8Array {
		const opSize = nestedSize(bytes);
		this.begin(nestedSize(opSize) - bytes);
		this.writeNested(TAG_3, opSize);
		this.writeNested(OP_TAGS[kind], bytes);
		return this.out;
	}

	compaction(header: ResponseHeader): Uint8Array {
		const headerSize = this.headerSize(header);
		this.begin(nestedSize(headerSize));
		this.writeHeader(header, headerSize);
		return this.out;
	}

	watch(header: ResponseHeader, result: WatchResult): Uint8Array {
		const headerSize = this.headerSize(header);
		this.begin(nestedSize(headerSize) + watchBodySize(result));
		this.writeHeader(header, headerSize);
		if (result.watchId !== 0n) this.writeIdField(0x10, result.watchId);
		if (result.created) this.writeTrue(0x18);
		if (result.canceled) this.writeTrue(0x20);
		this.writeNumberField(0x28, result.compactRevision);
		if (result.cancelReason !== "") this.writeAsciiField(TAG_WATCH_REASON, result.cancelReason);
		if (result.fragment) this.writeTrue(0x38);
		for (const event of result.events) this.writeBytesField(TAG_WATCH_EVENT, event);
		return this.out;
	}

	keepAlive(header: ResponseHeader, lease: bigint, ttl: number): Uint8Array {
		const headerSize = this.headerSize(header);
		this.begin(nestedSize(headerSize) + idFieldSize(lease) + numberFieldSize(ttl));
		this.writeHeader(header, headerSize);
		if (lease !== 0n) this.writeIdField(0x10, lease);
		this.writeNumberField(0x18, ttl);
		return this.out;
	}

	private begin(size: number): void {
		this.out = new Uint8Array(size);
		this.at = 0;
	}

	/** Also brings `ids` up to date, which `writeHeader` then copies. */
	private headerSize(header: ResponseHeader): number {
		if (header.memberId !== this.idsMember || header.clusterId !== this.idsCluster) {
			this.ids = encodeIds(header.clusterId, header.memberId);
			this.idsCluster = header.clusterId;
			this.idsMember = header.memberId;
		}
		return this.ids.length + numberFieldSize(header.revision) + numberFieldSize(header.raftTerm);
	}

	private writeHeader(header: ResponseHeader, size: number): void {
		this.writeNested(TAG_1, size);
		this.out.set(this.ids, this.at);
		this.at += this.ids.length;
		this.writeNumberField(0x18, header.revision);
		this.writeNumberField(0x20, header.raftTerm);
	}

	/** Headers inside a transaction carry the revision alone. */
	private writeInnerHeader(revision: number): void {
		this.writeNested(TAG_1, numberFieldSize(revision));
		this.writeNumberField(0x18, revision);
	}

	private writeRangeBody(result: RangeResult): void {
		for (const kv of result.kvs) this.writeBytesField(TAG_2, kv);
		if (result.more) this.writeTrue(0x18);
		this.writeNumberField(0x20, result.count);
	}

	private writePutBody(result: PutResult): void {
		if (result.prevKv !== null) this.writeBytesField(TAG_2, result.prevKv);
	}

	private writeDeleteRangeBody(result: DeleteRangeResult): void {
		this.writeNumberField(0x10, result.deleted);
		for (const kv of result.prevKvs) this.writeBytesField(TAG_3, kv);
	}

	private measureTxnBody(result: TxnResult): number {
		let size = result.succeeded ? 2 : 0;
		for (const op of result.responses) {
			const slot = this.sizes.length;
			this.sizes.push(0);
			const opSize = this.measureOp(op);
			this.sizes[slot] = opSize;
			size += nestedSize(nestedSize(opSize));
		}
		return size;
	}

	/** Size of the operation's own response message. */
	private measureOp(op: OpResult): number {
		switch (op.kind) {
			case "range":
				return innerHeaderSize(op.range.revision) + rangeBodySize(op.range);
			case "put":
				return innerHeaderSize(op.put.revision) + putBodySize(op.put);
			case "deleteRange":
				return innerHeaderSize(op.deleteRange.revision) + deleteRangeBodySize(op.deleteRange);
			case "txn":
				return innerHeaderSize(0) + this.measureTxnBody(op.txn);
			default:
				return unreachable(op);
		}
	}

	private writeTxnBody(result: TxnResult): void {
		if (result.succeeded) this.writeTrue(0x10);
		for (const op of result.responses) {
			const opSize = this.sizes[this.nextSize++] as number;
			this.writeNested(TAG_3, nestedSize(opSize));
			this.writeOp(op, opSize);
		}
	}

	private writeOp(op: OpResult, opSize: number): void {
		switch (op.kind) {
			case "range":
				this.writeNested(TAG_1, opSize);
				this.writeInnerHeader(op.range.revision);
				this.writeRangeBody(op.range);
				break;
			case "put":
				this.writeNested(TAG_2, opSize);
				this.writeInnerHeader(op.put.revision);
				this.writePutBody(op.put);
				break;
			case "deleteRange":
				this.writeNested(TAG_3, opSize);
				this.writeInnerHeader(op.deleteRange.revision);
				this.writeDeleteRangeBody(op.deleteRange);
				break;
			case "txn":
				// The header of a nested transaction is present and wholly zero (API 0.5).
				this.writeNested(TAG_4, opSize);
				this.writeInnerHeader(0);
				this.writeTxnBody(op.txn);
				break;
			default:
				unreachable(op);
		}
	}

	private writeNested(tag: number, size: number): void {
		this.out[this.at++] = tag;
		this.writeVarint(size);
	}

	private writeBytesField(tag: number, content: Uint8Array): void {
		this.out[this.at++] = tag;
		this.writeVarint(content.length);
		this.out.set(content, this.at);
		this.at += content.length;
	}

	private writeNumberField(tag: number, value: number): void {
		if (value === 0) return;
		this.out[this.at++] = tag;
		this.writeVarint(value);
	}

	private writeIdField(tag: number, id: bigint): void {
		this.out[this.at++] = tag;
		this.at = putVarint64(this.out, this.at, id);
	}

	private writeAsciiField(tag: number, text: string): void {
		this.writeNested(tag, text.length);
		for (let at = 0; at < text.length; at++) this.out[this.at++] = text.charCodeAt(at);
	}

	private writeTrue(tag: number): void {
		this.out[this.at++] = tag;
		this.out[this.at++] = 1;
	}

	private writeVarint(value: number): void {
		let rest = value;
		while (rest >= 0x80) {
			this.out[this.at++] = (rest % 0x80) | 0x80;
			rest = rest < 0x8000_0000 ? rest >>> 7 : Math.floor(rest / 0x80);
		}
		this.out[this.at++] = rest;
	}
}

function rangeSize(header: ResponseHeader | null, headerSize: number, result: RangeResult): number {
	return (header === null ? 0 : nestedSize(headerSize)) + rangeBodySize(result);
}

function rangeBodySize(result: RangeResult): number {
	let size = (result.more ? 2 : 0) + numberFieldSize(result.count);
	for (const kv of result.kvs) size += nestedSize(kv.length);
	return size;
}

function putBodySize(result: PutResult): number {
	return result.prevKv === null ? 0 : nestedSize(result.prevKv.length);
}

function deleteRangeBodySize(result: DeleteRangeResult): number {
	let size = numberFieldSize(result.deleted);
	for (const kv of result.prevKvs) size += nestedSize(kv.length);
	return size;
}

function watchBodySize({ watchId, created, canceled, compactRevision, cancelReason, fragment, events }: WatchResult): number {
	let size = (created ? 2 : 0) + (canceled ? 2 : 0) + (fragment ? 2 : 0) + numberFieldSize(compactRevision) + idFieldSize(watchId);
	if (cancelReason !== "") size += nestedSize(cancelReason.length);
	for (const event of events) size += nestedSize(event.length);
	return size;
}

function idFieldSize(id: bigint): number {
	return id === 0n ? 0 : 1 + varint64Size(id);
}

function innerHeaderSize(revision: number): number {
	return nestedSize(numberFieldSize(revision));
}

/** Tag of one byte, length, content. */
function nestedSize(contentSize: number): number {
	return 1 + varintSize(contentSize) + contentSize;
}

function numberFieldSize(value: number): number {
	return value === 0 ? 0 : 1 + varintSize(value);
}

/** Of a safe integer that is not negative. */
function varintSize(value: number): number {
	let size = 1;
	for (let bound = 0x80; value >= bound; bound *= 0x80) size++;
	return size;
}

function encodeIds(clusterId: bigint, memberId: bigint): Uint8Array {
	const bytes = new Uint8Array(idFieldSize(clusterId) + idFieldSize(memberId));
	let at = 0;
	for (const [tag, id] of [
		[0x08, clusterId],
		[0x10, memberId],
	] as const) {
		if (id === 0n) continue;
		bytes[at++] = tag;
		at = putVarint64(bytes, at, id);
	}
	return bytes;
}
