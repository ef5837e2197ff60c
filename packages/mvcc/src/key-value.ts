import { type ByteOps, concatBytes, WireReader, WireType, WireWriter } from "@flotilla/base";
import type { LeaseId, Revision } from "./request.ts";

/** One pair as mvccpb.KeyValue. */
export interface KeyValue {
	readonly key: Uint8Array;
	readonly createRevision: Revision;
	readonly modRevision: Revision;
	readonly version: number;
	readonly value: Uint8Array;
	readonly lease: LeaseId;
}

const NO_BYTES = new Uint8Array(0);
/** Fields of mvccpb.KeyValue with their wire types. */
export const PairTag = {
	key: (1 << 3) | WireType.bytes,
	create: (2 << 3) | WireType.varint,
	mod: (3 << 3) | WireType.varint,
	version: (4 << 3) | WireType.varint,
	value: (5 << 3) | WireType.bytes,
	lease: (6 << 3) | WireType.varint,
} as const;

/**
 * Writes mvccpb.KeyValue at `at`, fields in number order, defaults left out: the bytes that are stored, hashed and sent.
 * Returns where they end. The caller made room for `keyValueBytesMax`.
 */
export function writeKeyValue(
	target: Uint8Array,
	at: number,
	key: Uint8Array,
	createRevision: Revision,
	modRevision: Revision,
	version: number,
	value: Uint8Array,
	lease: LeaseId,
): number {
	let end = key.length === 0 ? at : writeBytesField(target, at, PairTag.key, key);
	if (createRevision !== 0) end = writeNumberField(target, end, PairTag.create, createRevision);
	if (modRevision !== 0) end = writeNumberField(target, end, PairTag.mod, modRevision);
	if (version !== 0) end = writeNumberField(target, end, PairTag.version, version);
	if (value.length !== 0) end = writeBytesField(target, end, PairTag.value, value);
	if (lease !== 0n) end = writeLeaseField(target, end, lease);
	return end;
}

/** An upper bound of what `writeKeyValue` needs. */
export function keyValueBytesMax(keyBytes: number, valueBytes: number): number {
	return keyBytes + valueBytes + 56;
}

export function encodeKeyValue(kv: KeyValue): Uint8Array {
	const buffer = new Uint8Array(keyValueBytesMax(kv.key.length, kv.value.length));
	const end = writeKeyValue(buffer, 0, kv.key, kv.createRevision, kv.modRevision, kv.version, kv.value, kv.lease);
	return buffer.slice(0, end);
}

/** Key and value are views of `bytes`. Throws base's `WireError` on malformed bytes; unknown fields are skipped. */
export function decodeKeyValue(bytes: Uint8Array): KeyValue {
	const reader = new WireReader(bytes);
	let key: Uint8Array = NO_BYTES;
	let createRevision = 0;
	let modRevision = 0;
	let version = 0;
	let value: Uint8Array = NO_BYTES;
	let lease = 0n;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === PairTag.key) key = reader.view();
		else if (tag === PairTag.create) createRevision = reader.int64Clamped();
		else if (tag === PairTag.mod) modRevision = reader.int64Clamped();
		else if (tag === PairTag.version) version = reader.int64Clamped();
		else if (tag === PairTag.value) value = reader.view();
		else if (tag === PairTag.lease) lease = reader.int64();
		else reader.skip(tag);
	}
	return { key, createRevision, modRevision, version, value, lease };
}

/** The value of an encoded pair, as a view. */
export function valueOfKeyValue(kv: Uint8Array): Uint8Array {
	const reader = new WireReader(kv);
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === PairTag.value) return reader.view();
		reader.skip(tag);
	}
	return NO_BYTES;
}

/** Whether an encoded pair is the first of its key's life: created by the change that it shows. */
export function isCreation(kv: Uint8Array): boolean {
	const reader = new WireReader(kv);
	let create = 0;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === PairTag.create) create = reader.int64Clamped();
		else if (tag === PairTag.mod) return reader.int64Clamped() === create;
		else reader.skip(tag);
	}
	return false;
}

/** The same pair without its value; the same bytes when it has none. */
export function withoutValue(kv: Uint8Array): Uint8Array {
	const reader = new WireReader(kv);
	while (!reader.done) {
		const start = reader.at;
		const tag = reader.tag();
		reader.skip(tag);
		if (tag === PairTag.value) return concatBytes([kv.subarray(0, start), kv.subarray(reader.at)]);
	}
	return kv;
}

/** The pair of a DELETE event: key and mod_revision only (API 2.10). */
export function encodeDeletedPair(key: string, modRevision: Revision, bytes: ByteOps): Uint8Array {
	return new WireWriter(bytes, key.length + 24).varint(PairTag.key).latin1(key).varint(PairTag.mod).varint(modRevision).finish();
}

/** The pair of a tombstone's record: the key alone, in the index's form. Returns where it ends. */
export function writeKeyAlone(target: Uint8Array, at: number, key: string): number {
	target[at] = PairTag.key;
	let end = writeVarint(target, at + 1, key.length);
	for (let i = 0; i < key.length; i++) target[end++] = key.charCodeAt(i);
	return end;
}

function writeNumberField(target: Uint8Array, at: number, tag: number, value: number): number {
	target[at] = tag;
	return writeVarint(target, at + 1, value);
}

/** Returns where the field ends. */
export function writeBytesField(target: Uint8Array, at: number, tag: number, content: Uint8Array): number {
	target[at] = tag;
	const start = writeVarint(target, at + 1, content.length);
	target.set(content, start);
	return start + content.length;
}

function writeLeaseField(target: Uint8Array, at: number, lease: LeaseId): number {
	target[at] = PairTag.lease;
	let rest = BigInt.asUintN(64, lease);
	let end = at + 1;
	while (rest >= 0x80n) {
		target[end++] = Number(rest & 0x7fn) | 0x80;
		rest >>= 7n;
	}
	target[end++] = Number(rest);
	return end;
}

/** Bytes of a field with a tag of one byte. */
export function bytesFieldSize(contentBytes: number): number {
	let size = 2 + contentBytes;
	for (let rest = contentBytes; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
	return size;
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
	let rest = value;
	let end = at;
	while (rest >= 0x8000_0000) {
		target[end++] = (rest % 0x80) | 0x80;
		rest = Math.floor(rest / 0x80);
	}
	while (rest >= 0x80) {
		target[end++] = (rest & 0x7f) | 0x80;
		rest >>>= 7;
	}
	target[end++] = rest;
	return end;
}
