/** What leaves for the storage, what comes back, and when records may go. */
import { Dice, portableBytes } from "@flotilla/base";
import { expect, test } from "vitest";
import { DoomedRecords } from "../src/doomed-records.ts";
import { decodeRecordKey, describeRecordKey, encodeRecordKey, type RecordBatch, StoreDamageError } from "../src/index.ts";
import { del, op, put, range, txn } from "./requests.ts";
import { storeOf } from "./store-of.ts";

const names = (keys: readonly Uint8Array[]): string[] =>
	keys.map((key) => {
		const place = decodeRecordKey(key);
		return place === null ? "?" : describeRecordKey(place.main, place.sub, place.tombstone);
	});

test("batches are numbered from 1, hold the records in order, and count their bytes", () => {
	const { store } = storeOf();
	expect(store.takeBatch()).toBe(null);
	store.put(put("a", "1"));
	store.txn(txn({ success: [op.put(put("b", "2")), op.put(put("c", "3"))] }));
	store.deleteRange(del("a"));
	const first = store.takeBatch() as RecordBatch;
	expect(first.seq).toBe(1);
	expect(names(first.puts.map(({ key }) => key))).toEqual(["2_0", "3_0", "3_1", "4_0t"]);
	expect(first.bytes).toBe(first.puts.reduce((sum, { key, value }) => sum + key.length + value.length, 0));
	expect(store.unstoredBytes).toBe(first.bytes);
	store.put(put("d", "4"));
	const second = store.takeBatch() as RecordBatch;
	expect(second.seq).toBe(2);
	store.batchStored(1);
	expect(store.unstoredBytes).toBe(second.bytes);
	store.batchStored(2);
	expect(store.unstoredBytes).toBe(0);
});

test("each record carries a checksum over key and value", () => {
	const { store } = storeOf();
	store.put(put("a", "1"));
	const [record] = (store.takeBatch() as RecordBatch).puts;
	if (record === undefined) throw new Error("no record");
	const crc = portableBytes.crc32c(record.value, 0, record.value.length - 4, portableBytes.crc32c(record.key));
	const stored = record.value.subarray(-4);
	expect(((stored[0] as number) | ((stored[1] as number) << 8) | ((stored[2] as number) << 16) | ((stored[3] as number) << 24)) >>> 0).toBe(
		crc,
	);
});

test("logical bytes are keys and values without checksums, and fall at once with a compaction", () => {
	const place = storeOf();
	place.store.put(put("a", "1"));
	place.store.put(put("a", "2"));
	const batch = place.flush() as RecordBatch;
	expect(place.store.logicalBytes).toBe(batch.bytes - 8);
	place.store.compact(3);
	expect(place.store.logicalBytes).toBe((batch.bytes - 8) / 2);
	expect(place.store.compactionPending).toBe(true);
});

test("reads come from memory until records are stored, even those that compaction made the base", () => {
	const { store } = storeOf();
	store.put(put("a", "1"));
	store.put(put("b", "2"));
	store.put(put("b", "3"));
	store.compact(4);
	expect(store.compactionStep(1_000)).toBe(true);
	expect(store.range(range("a", { rangeEnd: "\0" }))).toMatchObject({ ok: true, count: 2 });
});

for (const [name, damage, what] of [
	["lost", () => undefined, "missing"],
	["cut off", (value: Uint8Array) => value.slice(0, 3), "checksum"],
	["flipped in the value", (value: Uint8Array) => flip(value, 5), "checksum"],
	["flipped in the checksum", (value: Uint8Array) => flip(value, value.length - 1), "checksum"],
] as const) {
	test(`a stored record that is ${name} is never answered`, () => {
		const place = storeOf();
		place.store.put(put("a", "value"));
		place.flush();
		const key = encodeRecordKey(2, 0, false);
		place.storage.replace(key, damage(place.storage.get(key) as Uint8Array));
		const error = thrown(() => place.store.range(range("a")));
		expect(error).toBeInstanceOf(StoreDamageError);
		expect(error).toMatchObject({ recordKey: "2_0", what });
	});
}

test("a sound record of another history is told by the checksum in the index", () => {
	const [place, other] = [storeOf(), storeOf()];
	place.store.put(put("a", "mine"));
	other.store.put(put("a", "theirs"));
	place.flush();
	other.flush();
	const key = encodeRecordKey(2, 0, false);
	place.storage.replace(key, other.storage.get(key));
	expect(thrown(() => place.store.range(range("a")))).toMatchObject({ what: "content" });
});

test("compacted records are handed out behind the next floor and not before (rule S4)", () => {
	const place = storeOf();
	for (const value of ["1", "2", "3"]) place.store.put(put("a", value));
	place.flush();
	place.store.compact(4);
	place.settle();
	expect(place.flush()).toBe(null);
	const mark = place.store.mark();
	expect(mark).toMatchObject({ revision: 4, compactRevision: 4, count: 1 });
	expect(place.flush(), "the floor is not durable yet").toBe(null);
	place.store.floorWritten();
	expect(names((place.flush() as RecordBatch).deletes)).toEqual(["3_0", "2_0"]);
	expect(place.storage.size).toBe(1);
});

test("deletions go a batch at a time: the next ones only when the last are written (rule S4)", () => {
	const place = storeOf();
	for (let n = 0; n < 600; n++) for (const value of ["1", "2"]) place.store.put(put(`k${n}`, value));
	place.flush();
	place.store.compact(place.store.revision);
	place.settle();
	place.store.mark();
	place.store.floorWritten();
	let deleted = 0;
	for (let batch = place.store.takeBatch(); batch !== null; batch = place.store.takeBatch()) {
		expect(batch.deletes.length).toBeGreaterThan(0);
		deleted += batch.deletes.length;
		expect(place.store.takeBatch(), `${batch.deletes.length} are not written yet`).toBe(null);
		// What is written meanwhile goes out, and takes none along.
		place.store.put(put("b", `${deleted}`));
		expect(place.store.takeBatch()).toMatchObject({ deletes: [] });
		place.store.batchStored(batch.seq);
		place.store.batchStored(batch.seq + 1);
	}
	expect(deleted).toBe(600);
});

test("what is compacted after the mark waits for the floor after", () => {
	const place = storeOf();
	for (const value of ["1", "2", "3"]) place.store.put(put("a", value));
	place.store.compact(3);
	place.settle();
	place.store.mark();
	place.store.compact(4);
	place.settle();
	place.store.floorWritten();
	place.flush();
	expect(place.storage.all().map(({ key }) => names([key])[0])).toEqual(["3_0", "4_0"]);
	place.floor();
	place.flush();
	expect(place.storage.all().map(({ key }) => names([key])[0])).toEqual(["4_0"]);
});

test("no floor is taken in the middle of a compaction's pass; one that has not begun is not in the way (rule S3)", () => {
	const place = storeOf();
	for (let n = 0; n < 10; n++) for (const value of ["1", "2"]) place.store.put(put(`k${n}`, value));
	place.store.compact(place.store.revision);
	const mark = place.store.mark();
	expect(mark).toMatchObject({ compactRevision: 21, count: 10 });
	expect(place.store.compactionStep(1)).toBe(false);
	expect(() => place.store.mark()).toThrow("rule S3");
	place.settle();
	expect(place.store.mark()).toEqual(mark);
});

test("a pass takes all records of a key in one batch, whatever the batch holds already", () => {
	const doomed = new DoomedRecords();
	for (let key = 0; key < 3; key++) {
		for (let main = 2; main < 5; main++) doomed.add(key * 10 + main, 0, false);
		doomed.endGroup(false);
	}
	doomed.endPass();
	doomed.mark();
	doomed.floorWritten();
	expect(names(doomed.take(4))).toHaveLength(6);
	expect(names(doomed.take(4))).toHaveLength(3);
	expect(doomed.take(4)).toEqual([]);
});

test("a key's tombstone waits until what earlier passes took of the key is surely gone", () => {
	const doomed = new DoomedRecords();
	const floor = (): void => {
		doomed.mark();
		doomed.floorWritten();
	};
	doomed.add(2, 0, false);
	doomed.endGroup(false);
	doomed.endPass();
	doomed.add(9, 0, true);
	doomed.endGroup(true);
	doomed.endPass();
	floor();
	expect(names(doomed.take(100)), "the old value only").toEqual(["2_0"]);
	floor();
	expect(names(doomed.take(100))).toEqual(["9_0t"]);
});

test("a floor written while another is under way covers no more than that one did", () => {
	const doomed = new DoomedRecords();
	doomed.mark();
	doomed.add(2, 0, false);
	doomed.endGroup(false);
	doomed.endPass();
	doomed.mark();
	doomed.floorWritten();
	expect(doomed.take(10)).toEqual([]);
	doomed.floorWritten();
	expect(doomed.take(10), "no mark, no floor").toEqual([]);
	doomed.mark();
	doomed.floorWritten();
	expect(names(doomed.take(10))).toEqual(["2_0"]);
});

test("record keys keep the order of revisions and come back as they were", () => {
	const dice = new Dice("keys");
	const places = Array.from({ length: 300 }, () => ({
		main: dice.pick([dice.range(1, 300), dice.uint53(), 2 ** 32 + dice.range(-2, 2)]),
		sub: dice.pick([0, dice.range(0, 300), 0x7fff_ffff]),
		tombstone: dice.chance(1, 2),
	}));
	for (const place of places) expect(decodeRecordKey(encodeRecordKey(place.main, place.sub, place.tombstone))).toEqual(place);
	for (const [i, x] of places.entries()) {
		const y = places[(i + 1) % places.length] as typeof x;
		const byBytes = portableBytes.compare(encodeRecordKey(x.main, x.sub, false), encodeRecordKey(y.main, y.sub, false));
		expect(Math.sign(byBytes)).toBe(Math.sign(x.main - y.main || x.sub - y.sub));
	}
});

test("only the one form of a record key is read", () => {
	const good = encodeRecordKey(5, 1, false);
	const bad = [good.slice(1), new Uint8Array([...good, 0x75]), flip(good, 8), flip(good, 0), flip(good, 9), new Uint8Array(0)];
	for (const key of bad) expect(decodeRecordKey(key)).toBe(null);
});

function flip(bytes: Uint8Array, at: number): Uint8Array {
	const flipped = bytes.slice();
	flipped[at] = (flipped[at] as number) ^ 0xff;
	return flipped;
}

function thrown(work: () => unknown): unknown {
	try {
		work();
	} catch (error) {
		return error;
	}
	throw new Error("nothing was thrown");
}
