import { type ByteOps, readU32, WireError, WireReader } from "@flotilla/base";
import { PairTag } from "./key-value.ts";
import { CRC_BYTES } from "./record-encoder.ts";
import { decodeRecordKey, describeRecordKey } from "./record-key.ts";
import type { LeaseId, Revision } from "./request.ts";

/** Null, or what is wrong with a stored record by itself. */
export function recordFault(ops: ByteOps, key: Uint8Array, value: Uint8Array): string | null {
	return new ScannedRecord(ops, Number.MAX_SAFE_INTEGER).read(key, value);
}

/**
 * One stored record as a start reads it, verified: what the index needs of it. The same object is filled again and again,
 * since a start reads them by the million.
 */
export class ScannedRecord {
	main = 0;
	sub = 0;
	tombstone = false;
	crc = 0;
	/** Key and value, without the stored CRC. */
	bytes = 0;
	key = "";
	create = 0;
	version = 0;
	lease: LeaseId = 0n;
	private mod = 0;
	private readonly ops: ByteOps;
	private readonly revisionMax: Revision;

	constructor(ops: ByteOps, revisionMax: Revision) {
		this.ops = ops;
		this.revisionMax = revisionMax;
	}

	/** Null, or what is wrong with this record. */
	read(key: Uint8Array, value: Uint8Array): string | null {
		const place = decodeRecordKey(key);
		if (place === null) return `a key of ${key.length} bytes is no record key`;
		this.main = place.main;
		this.sub = place.sub;
		this.tombstone = place.tombstone;
		const fault = this.readBody(key, value);
		return fault === null ? null : `${this.name} ${fault}`;
	}

	get name(): string {
		return `record ${describeRecordKey(this.main, this.sub, this.tombstone)}`;
	}

	private readBody(key: Uint8Array, value: Uint8Array): string | null {
		if (this.main > this.revisionMax) return `lies above revision ${this.revisionMax}`;
		if (value.length < CRC_BYTES) return "is cut off";
		const end = value.length - CRC_BYTES;
		this.crc = this.ops.crc32c(value, 0, end, this.ops.crc32c(key));
		if (this.crc !== readU32(value, end)) return "does not match its checksum";
		this.bytes = key.length + end;
		return this.readPair(value, end) ? this.pairFault() : "is no pair";
	}

	/** False when the bytes are none. */
	private readPair(value: Uint8Array, end: number): boolean {
		this.key = "";
		this.create = 0;
		this.mod = 0;
		this.version = 0;
		this.lease = 0n;
		try {
			const reader = new WireReader(value, 0, end);
			while (!reader.done) this.readField(reader);
			return true;
		} catch (error) {
			if (error instanceof WireError) return false;
			throw error;
		}
	}

	private readField(reader: WireReader): void {
		const tag = reader.tag();
		if (tag === PairTag.key) {
			const start = reader.lengthPrefix();
			this.key = this.ops.latin1(reader.bytes, start, reader.at);
		} else if (tag === PairTag.create) this.create = reader.int64Clamped();
		else if (tag === PairTag.mod) this.mod = reader.int64Clamped();
		else if (tag === PairTag.version) this.version = reader.int64Clamped();
		else if (tag === PairTag.lease) this.lease = reader.int64();
		else reader.skip(tag);
	}

	private pairFault(): string | null {
		if (this.key.length === 0) return "has no key";
		if (this.tombstone) return this.mod === 0 && this.version === 0 ? null : "is a tombstone with a pair";
		if (this.mod !== this.main) return `holds a pair of revision ${this.mod}`;
		if (this.version < 1 || this.create < 1 || this.create > this.main) return "has no life";
		return null;
	}
}
