/** Enough records to fill many chunks of every structure; small runs never leave the first one. */
import { Dice, portableBytes } from "@flotilla/base";
import { expect, test } from "vitest";
import { type MvccStore, StoreRebuild } from "../src/index.ts";
import { del, op, pair, put, range, txn } from "./requests.ts";
import { finish, storeOf, type Workplace } from "./store-of.ts";

const KEYS = 6_000;

function keyOf(n: number): string {
	return `key/${n}`;
}

/** What the store should hold, as a Map. */
type Values = Map<string, string>;

function changeSome(place: Workplace, values: Values, dice: Dice, count: number): void {
	for (let i = 0; i < count; i++) {
		const key = dice.chance(1, 4) ? "hot" : keyOf(dice.range(0, KEYS - 1));
		if (dice.chance(1, 6)) {
			place.store.deleteRange(del(key));
			values.delete(key);
		} else if (dice.chance(1, 50)) {
			const keys = Array.from({ length: 100 }, (_, at) => keyOf((i * 31 + at) % KEYS));
			place.store.txn(txn({ success: keys.map((one) => op.put(put(one, `t${i}`))) }));
			for (const one of keys) values.set(one, `t${i}`);
		} else {
			place.store.put(put(key, `v${i}`));
			values.set(key, `v${i}`);
		}
		if (i % 100 === 99) place.flush();
	}
}

function expectHolds(store: MvccStore | { range: MvccStore["range"]; keyCount: number }, values: Values, revision = 0): void {
	const result = store.range(range("\0", { rangeEnd: "\0", revision }));
	if (!result.ok) throw new Error(result.code);
	const found = result.kvs.map((kv) => pair(kv)).map(({ key, value }) => [key, value]);
	expect(found).toEqual([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
	expect(result.count).toBe(values.size);
}

test("tens of thousands of records through compactions, floors, slices and a rebuild", () => {
	const dice = new Dice("large");
	const place = storeOf(20_000);
	const values: Values = new Map();
	for (let round = 0; round < 6; round++) {
		changeSome(place, values, dice, 4_000);
		const { store } = place;
		const then: Values = new Map(values);
		const thenRevision = store.revision;
		const reading = store.rangeSliced(range("\0", { rangeEnd: "\0", sortTarget: 4, sortOrder: 2 }));
		if ("code" in reading) throw new Error(reading.code);
		changeSome(place, values, dice, 1_000);
		expectHolds(store, then, thenRevision);
		expectHolds(store, values);
		const compactAt = dice.range(store.compactRevision + 1, thenRevision);
		const bytesBefore = store.logicalBytes;
		expect(store.compact(compactAt).ok).toBe(true);
		expect(store.logicalBytes).toBeLessThan(bytesBefore);
		let slices = 0;
		while (!store.compactionStep(500)) slices++;
		expect(slices, "a slice does not do the whole work").toBeGreaterThan(1);
		expectHolds(store, then, thenRevision);
		const sorted = finish(reading).kvs.map((kv) => pair(kv).value);
		expect(sorted).toEqual([...then.values()].sort().reverse());
		const { hash } = finish(store.hashKv(0));
		store.compact(store.revision);
		place.settle();
		expect(finish(store.hashKv(store.revision)), "what was compacted is remembered").toMatchObject({ hash, compactRevision: compactAt });
		// The second compaction's tombstones wait until what the first one took is surely gone.
		for (let floor = 0; floor < 2; floor++) {
			place.floor();
			while (place.flush() !== null);
		}
		expectHolds(store, values);
		expect(place.storage.size).toBe(store.mark().count);
		store.floorWritten();
	}
	const mark = place.floor();
	const rebuild = new StoreRebuild(mark, { keepEvents: false, valueCacheBytes: 0 }, place.storage, portableBytes);
	for (const { key, value } of place.storage.all()) expect(rebuild.record(key, value)).toBe(null);
	const found = finish(rebuild.finish());
	if (!found.ok) throw new Error(found.reason);
	expectHolds(found.store, values);
	expect(found.store.digest()).toBe(place.store.digest());
	expect(found.store.logicalBytes).toBe(place.store.logicalBytes);
});
