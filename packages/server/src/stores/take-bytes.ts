import type { StoredRecord } from "@flotilla/mvcc";

/** Takes records off the front: at least one, if there is any, then as many as fit. */
export function takeBytes(records: StoredRecord[], bytesMax: number): StoredRecord[] {
	let bytes = 0;
	let count = 0;
	for (const { key, value } of records) {
		bytes += key.length + value.length;
		if (count > 0 && bytes > bytesMax) break;
		count++;
	}
	return records.splice(0, count);
}
