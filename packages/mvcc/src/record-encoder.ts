import { type ByteOps, writeU32 } from "@flotilla/base";
import { keyValueBytesMax, writeKeyAlone, writeKeyValue } from "./key-value.ts";
import { assertSub, RECORD_KEY_BYTES, writeRecordKey } from "./record-key.ts";
import type { LeaseId, Revision } from "./request.ts";

/** Bytes behind a stored value. */
export const CRC_BYTES = 4;
const SLAB_BYTES = 64 * 1024;
/** Larger records get a buffer of their own, so that a slab never wastes more than this. */
const SLAB_SHARE_MAX = SLAB_BYTES / 8;
const NO_BYTES = new Uint8Array(0);

/**
 * Makes records: key and value lie side by side in a slab, so that one CRC call covers both and a record costs no
 * allocation but its two views. The fields hold the record made last.
 */
export class RecordEncoder {
	key = NO_BYTES;
	/** With the CRC. */
	value = NO_BYTES;
	crc = 0;
	/** Key and value, without the CRC. */
	recordBytes = 0;
	private readonly ops: ByteOps;
	private slab = NO_BYTES;
	private target = NO_BYTES;
	private used = 0;

	constructor(ops: ByteOps) {
		this.ops = ops;
	}

	put(main: Revision, sub: number, key: Uint8Array, create: Revision, version: number, value: Uint8Array, lease: LeaseId): void {
		assertSub(sub);
		const start = this.reserve(keyValueBytesMax(key.length, value.length));
		const valueStart = writeRecordKey(this.target, start, main, sub, false);
		this.seal(start, valueStart, writeKeyValue(this.target, valueStart, key, create, main, version, value, lease));
	}

	/** The record of a deletion holds the key alone: in the index's form, since very many of them may go at once. */
	tombstone(main: Revision, sub: number, key: string): void {
		assertSub(sub);
		const start = this.reserve(keyValueBytesMax(key.length, 0));
		const valueStart = writeRecordKey(this.target, start, main, sub, true);
		this.seal(start, valueStart, writeKeyAlone(this.target, valueStart, key));
	}

	/** Makes `target` a buffer with room for a record and returns where it begins. */
	private reserve(valueBytesMax: number): number {
		const needed = valueBytesMax + RECORD_KEY_BYTES + 1 + CRC_BYTES;
		if (needed > SLAB_SHARE_MAX) {
			this.target = new Uint8Array(needed);
			return 0;
		}
		if (this.used + needed > this.slab.length) {
			this.slab = new Uint8Array(SLAB_BYTES);
			this.used = 0;
		}
		this.target = this.slab;
		return this.used;
	}

	private seal(start: number, valueStart: number, end: number): void {
		const { target } = this;
		this.crc = this.ops.crc32c(target, start, end);
		writeU32(target, end, this.crc);
		this.key = target.subarray(start, valueStart);
		this.value = target.subarray(valueStart, end + CRC_BYTES);
		this.recordBytes = end - start;
		if (target === this.slab) this.used = end + CRC_BYTES;
	}
}
