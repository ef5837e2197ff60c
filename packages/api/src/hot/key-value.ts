/** mvccpb.KeyValue and mvccpb.Event as clients and tests read them. The encoding side belongs to the store. */
import { WireError, WireReader } from "@flotilla/base";

export interface KeyValue {
	readonly key: Uint8Array;
	readonly createRevision: number;
	readonly modRevision: number;
	readonly version: number;
	readonly value: Uint8Array;
	readonly lease: bigint;
}

export interface KeyValueEvent {
	readonly type: "put" | "delete";
	/** For a delete only `key` and `modRevision` are filled. */
	readonly kv: KeyValue;
	readonly prevKv: KeyValue | null;
}

const NO_BYTES = new Uint8Array(0);
const NO_PAIR: KeyValue = { key: NO_BYTES, createRevision: 0, modRevision: 0, version: 0, value: NO_BYTES, lease: 0n };

/** Views of the input. Throws `WireError` on malformed bytes. */
export function decodeKeyValue(bytes: Uint8Array): KeyValue {
	return readKeyValue(bytes, NO_PAIR);
}

/** Views of the input. Throws `WireError` on malformed bytes. */
export function decodeKeyValueEvent(bytes: Uint8Array): KeyValueEvent {
	const reader = new WireReader(bytes);
	let type = 0;
	let kv = NO_PAIR;
	let prevKv: KeyValue | null = null;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x08) type = reader.int32();
		else if (tag === 0x12) kv = readKeyValue(reader.view(), kv);
		else if (tag === 0x1a) prevKv = readKeyValue(reader.view(), prevKv ?? NO_PAIR);
		else if (tag >>> 3 <= 3) throw new WireError("wrong wire type");
		else reader.skip(tag);
	}
	return { type: type === 1 ? "delete" : "put", kv, prevKv };
}

/** `before`: what an earlier part of the same pair held; protobuf merges the parts of a message that come separately. */
function readKeyValue(bytes: Uint8Array, before: KeyValue): KeyValue {
	const reader = new WireReader(bytes);
	let { key, createRevision, modRevision, version, value, lease } = before;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x0a) key = reader.view();
		else if (tag === 0x10) createRevision = reader.int64Clamped();
		else if (tag === 0x18) modRevision = reader.int64Clamped();
		else if (tag === 0x20) version = reader.int64Clamped();
		else if (tag === 0x2a) value = reader.view();
		else if (tag === 0x30) lease = reader.int64();
		else if (tag >>> 3 <= 6) throw new WireError("wrong wire type");
		else reader.skip(tag);
	}
	return { key, createRevision, modRevision, version, value, lease };
}
