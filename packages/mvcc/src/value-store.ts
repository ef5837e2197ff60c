import { assert, type ByteOps, readU32 } from "@flotilla/base";
import { StoreDamageError } from "./damage.ts";
import type { KeyIndex } from "./key-index.ts";
import { CRC_BYTES } from "./record-encoder.ts";
import { RECORD_KEY_BYTES, writeRecordKey } from "./record-key.ts";
import type { RecordBatch, RecordStorage, StoredRecord } from "./storage.ts";
import { ValueCache } from "./value-cache.ts";
import { ValueWindow } from "./value-window.ts";

interface BatchOut {
	readonly seq: number;
	/** Ordinal behind the last record of the batch. */
	readonly end: number;
	readonly bytes: number;
}

/**
 * The encoded pairs by record: those not stored yet and the newest stored ones from memory, others read often from a
 * bounded cache, the rest from the storage. Each value that comes from the storage is verified.
 */
export class ValueStore {
	/** Bytes of records that are not yet reported as stored. */
	unstoredBytes = 0;
	private readonly index: KeyIndex;
	private readonly storage: RecordStorage;
	private readonly ops: ByteOps;
	private readonly window: ValueWindow;
	private readonly cache: ValueCache;
	private pending: StoredRecord[] = [];
	private pendingBytes = 0;
	private batches: BatchOut[] = [];
	private nextSeq = 1;
	private readonly lookupKey = new Uint8Array(RECORD_KEY_BYTES);

	/** Half of the budget keeps values just written, half those that are read. `firstOrdinal`: of the next record. */
	constructor(index: KeyIndex, storage: RecordStorage, ops: ByteOps, cacheBytes: number) {
		this.index = index;
		this.storage = storage;
		this.ops = ops;
		this.window = new ValueWindow(index.log.end, cacheBytes / 2);
		this.cache = new ValueCache(cacheBytes / 2);
	}

	/** Keeps a record that was just appended to the index. */
	add(key: Uint8Array, value: Uint8Array): void {
		this.window.push(value);
		this.pending.push({ key, value });
		this.pendingBytes += key.length + value.length;
		this.unstoredBytes += key.length + value.length;
	}

	/** The encoded pair of a record that is a put. `keep`: worth caching. */
	read(slot: number, ordinal: number, keep: boolean): Uint8Array {
		const recent = this.window.get(ordinal);
		if (recent !== null) return withoutCrc(recent);
		const main = this.index.main(slot, ordinal);
		const sub = this.index.sub(slot, ordinal);
		const cached = this.cache.get(slot, main, sub);
		if (cached !== null) return cached;
		const pair = withoutCrc(this.load(slot, ordinal, main, sub));
		if (keep) this.cache.set(slot, main, sub, pair);
		return pair;
	}

	/** Hands out what was added since the last call, together with `deletes`; null when there is neither. */
	takeBatch(deletes: readonly Uint8Array[]): RecordBatch | null {
		if (this.pending.length === 0 && deletes.length === 0) return null;
		const seq = this.nextSeq++;
		const puts = this.pending;
		let bytes = this.pendingBytes;
		this.batches.push({ seq, end: this.window.end, bytes });
		this.pending = [];
		this.pendingBytes = 0;
		for (const key of deletes) bytes += key.length;
		return { seq, puts, deletes, bytes };
	}

	/** All batches up to `seq` are stored. */
	storedUpto(seq: number): boolean {
		const oldest = this.batches[0];
		return oldest === undefined || oldest.seq > seq;
	}

	batchStored(seq: number): void {
		assert(seq < this.nextSeq, "only batches that were handed out are stored");
		let done = 0;
		for (const batch of this.batches) {
			if (batch.seq > seq) break;
			this.unstoredBytes -= batch.bytes;
			this.window.release(batch.end);
			done++;
		}
		if (done > 0) this.batches = this.batches.slice(done);
	}

	private load(slot: number, ordinal: number, main: number, sub: number): Uint8Array {
		writeRecordKey(this.lookupKey, 0, main, sub, false);
		const value = this.storage.get(this.lookupKey);
		if (value === undefined) throw new StoreDamageError(main, sub, false, "missing");
		if (value.length < CRC_BYTES) throw new StoreDamageError(main, sub, false, "checksum");
		const end = value.length - CRC_BYTES;
		const crc = this.ops.crc32c(value, 0, end, this.ops.crc32c(this.lookupKey));
		if (crc !== readU32(value, end)) throw new StoreDamageError(main, sub, false, "checksum");
		// A record of another history at the same revision is sound in itself.
		if (crc !== this.index.crc(slot, ordinal)) throw new StoreDamageError(main, sub, false, "content");
		return value;
	}
}

function withoutCrc(value: Uint8Array): Uint8Array {
	return value.subarray(0, value.length - CRC_BYTES);
}
