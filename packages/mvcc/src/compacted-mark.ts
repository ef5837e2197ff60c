import type { ByteOps } from "@flotilla/base";
import { RecordSums } from "./record-sums.ts";
import type { Revision } from "./request.ts";
import { ScannedRecord } from "./scanned-record.ts";
import type { StoreMark } from "./storage.ts";

/** What a set of records adds up to when everything of the past is compacted: the newest record of each key that lives. */
export class CompactedMark {
	private readonly read: ScannedRecord;
	private readonly living = new Map<string, { readonly crc: number; readonly bytes: number }>();

	constructor(bytes: ByteOps, revisionMax: Revision) {
		this.read = new ScannedRecord(bytes, revisionMax);
	}

	/** In ascending order. Null, or what is wrong with this record. */
	record(key: Uint8Array, value: Uint8Array): string | null {
		const { read, living } = this;
		const fault = read.read(key, value);
		if (fault !== null) return fault;
		if (read.tombstone) living.delete(read.key);
		else living.set(read.key, { crc: read.crc, bytes: read.bytes });
		return null;
	}

	/** `revision`: above that of every record. */
	at(revision: Revision): StoreMark {
		const sums = new RecordSums();
		for (const { crc, bytes } of this.living.values()) sums.add(crc, bytes);
		const { count, digest, digest2 } = sums;
		return { revision, compactRevision: revision, count, digest, digest2 };
	}
}
