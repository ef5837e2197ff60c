/**
 * Where revision records live. A record's key is 8 bytes of main revision (big endian), `_`, 8 bytes of sub revision, and
 * `t` for a tombstone (17 or 18 bytes, the form that HashKV hashes); its value is the encoded mvccpb.KeyValue followed by
 * a CRC-32C (4 bytes, little endian) over key and value.
 */
export interface RecordStorage {
	/** The stored value with its CRC, or undefined. Synchronous: apply and small reads need it. */
	get(key: Uint8Array): Uint8Array | undefined;
}

export interface StoredRecord {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
}

/** Records of some consecutive applies, to be written unsynced and in order. */
export interface RecordBatch {
	/** Rising by 1. */
	readonly seq: number;
	readonly puts: readonly StoredRecord[];
	/** Compacted records whose removal is due (rule S4): only behind a floor. */
	readonly deletes: readonly Uint8Array[];
	readonly bytes: number;
}

/** What a floor must say of the records (rules S2, S3). */
export interface StoreMark {
	readonly revision: number;
	/** -1 when never compacted. */
	readonly compactRevision: number;
	/** Records held (retained ones, tombstones included). */
	readonly count: number;
	/** Sum of record CRCs mod 2^32, and a second, mixed sum. */
	readonly digest: number;
	readonly digest2: number;
}
