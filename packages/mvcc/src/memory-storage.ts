import { type ByteOps, portableBytes } from "@flotilla/base";
import type { RecordBatch, RecordStorage, StoredRecord } from "./storage.ts";

/** Records in a Map: for tests, and for a world without a disk. */
export class MemoryStorage implements RecordStorage {
	private readonly records = new Map<string, StoredRecord>();
	private readonly ops: ByteOps;

	constructor(ops: ByteOps = portableBytes) {
		this.ops = ops;
	}

	get size(): number {
		return this.records.size;
	}

	get(key: Uint8Array): Uint8Array | undefined {
		return this.records.get(this.ops.latin1(key))?.value;
	}

	write(batch: RecordBatch): void {
		for (const record of batch.puts) this.records.set(this.ops.latin1(record.key), record);
		for (const key of batch.deletes) this.records.delete(this.ops.latin1(key));
	}

	/** In key order. */
	all(): StoredRecord[] {
		return [...this.records.keys()].sort().map((key) => this.records.get(key) as StoredRecord);
	}

	/** For tests that damage what is stored. Undefined: the record is lost. */
	replace(key: Uint8Array, value: Uint8Array | undefined): void {
		if (value === undefined) this.records.delete(this.ops.latin1(key));
		else this.records.set(this.ops.latin1(key), { key, value });
	}
}
