import { type ByteOps, readU32, WireError } from "@flotilla/base";
import { decodeKeyValue, type KeyValue } from "./key-value.ts";
import { CRC_BYTES } from "./record-encoder.ts";
import { decodeRecordKey, describeRecordKey } from "./record-key.ts";
import type { LeaseId, Revision } from "./request.ts";

/** Growing one huge Map stops the loop for long; this many small ones do not. */
const KEY_SHARDS = 256;

/**
 * Stored records as a start reads them: verified one by one, their values let go, what the index needs kept in columns.
 * Keys get small numbers. Records may come in any order.
 */
export class ScannedRecords {
	readonly main: number[] = [];
	readonly sub: number[] = [];
	readonly tombstone: boolean[] = [];
	readonly crc: number[] = [];
	readonly bytes: number[] = [];
	readonly keyNumber: number[] = [];
	readonly create: number[] = [];
	readonly version: number[] = [];
	/** By record; most have none. */
	readonly leases = new Map<number, LeaseId>();
	/** By key number. */
	readonly keys: string[] = [];
	private readonly shards: Array<Map<string, number>> = Array.from({ length: KEY_SHARDS }, () => new Map());
	private readonly ops: ByteOps;
	private readonly revisionMax: Revision;

	constructor(ops: ByteOps, revisionMax: Revision) {
		this.ops = ops;
		this.revisionMax = revisionMax;
	}

	get count(): number {
		return this.main.length;
	}

	/** Null, or what is wrong with this record. */
	add(key: Uint8Array, value: Uint8Array): string | null {
		const place = decodeRecordKey(key);
		if (place === null) return `a key of ${key.length} bytes is no record key`;
		const { main, sub, tombstone } = place;
		const name = `record ${describeRecordKey(main, sub, tombstone)}`;
		if (main > this.revisionMax) return `${name} lies above revision ${this.revisionMax}`;
		if (value.length < CRC_BYTES) return `${name} is cut off`;
		const end = value.length - CRC_BYTES;
		const crc = this.ops.crc32c(value, 0, end, this.ops.crc32c(key));
		if (crc !== readU32(value, end)) return `${name} does not match its checksum`;
		const pair = readPair(value.subarray(0, end));
		const fault = pair === null ? "is no pair" : pairFault(pair, main, tombstone);
		if (pair === null || fault !== null) return `${name} ${fault}`;
		if (pair.lease !== 0n) this.leases.set(this.main.length, pair.lease);
		this.main.push(main);
		this.sub.push(sub);
		this.tombstone.push(tombstone);
		this.crc.push(crc);
		this.bytes.push(key.length + end);
		this.keyNumber.push(this.numberOf(this.ops.latin1(pair.key)));
		this.create.push(pair.createRevision);
		this.version.push(pair.version);
		return null;
	}

	/** Numbers of the records in revision order. */
	inOrder(): number[] {
		const { main, sub } = this;
		const order = Array.from(main, (_, i) => i);
		const compare = (a: number, b: number): number => (main[a] as number) - (main[b] as number) || (sub[a] as number) - (sub[b] as number);
		for (let i = 1; i < order.length; i++) if (compare(i - 1, i) > 0) return order.sort(compare);
		return order;
	}

	private numberOf(key: string): number {
		const shard = this.shards[shardOf(key)] as Map<string, number>;
		const known = shard.get(key);
		if (known !== undefined) return known;
		const number = this.keys.push(key) - 1;
		shard.set(key, number);
		return number;
	}
}

function readPair(bytes: Uint8Array): KeyValue | null {
	try {
		return decodeKeyValue(bytes);
	} catch (error) {
		if (error instanceof WireError) return null;
		throw error;
	}
}

function pairFault(pair: KeyValue, main: Revision, tombstone: boolean): string | null {
	if (pair.key.length === 0) return "has no key";
	if (tombstone) return pair.modRevision === 0 && pair.version === 0 ? null : "is a tombstone with a pair";
	if (pair.modRevision !== main) return `holds a pair of revision ${pair.modRevision}`;
	if (pair.version < 1 || pair.createRevision < 1 || pair.createRevision > main) return "has no life";
	return null;
}

function shardOf(key: string): number {
	let hash = key.length;
	for (let i = Math.max(0, key.length - 8); i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
	return (hash ^ (hash >>> 15)) & (KEY_SHARDS - 1);
}
