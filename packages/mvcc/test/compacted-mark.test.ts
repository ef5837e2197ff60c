/** A store whose past is compacted and whose revision was raised, from its records alone: what a restore with a raised revision makes. */
import { Dice, portableBytes } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { CompactedMark, type MemoryStorage, type MvccStore, type StoredRecord, StoreRebuild } from "../src/index.ts";
import { rangeOutcome } from "./outcome.ts";
import { LEASES, RandomRequests } from "./random-requests.ts";
import { put, range } from "./requests.ts";
import { finish, leasesOf, storeOf, workplace } from "./store-of.ts";

const RAISE = 1_000;
const everything = (store: MvccStore, revision = 0): unknown => {
	const outcome = rangeOutcome(store.range(range("\0", { rangeEnd: "\0", revision }))) as { revision?: number };
	return { ...outcome, revision: null };
};

function raised(records: readonly StoredRecord[], revision: number, storage: MemoryStorage) {
	const compacted = new CompactedMark(portableBytes, revision);
	for (const { key, value } of records) expect(compacted.record(key, value)).toBe(null);
	const mark = compacted.at(revision + RAISE);
	const restore = new StoreRebuild(mark, { keepEvents: true, valueCacheBytes: 0 }, storage, portableBytes, leasesOf(LEASES));
	for (const { key, value } of records) expect(restore.record(key, value)).toBe(null);
	return finish(restore.finish());
}

describe("a raised revision", () => {
	test.each(Array.from({ length: 30 }, (_, seed) => seed))("shows the present and nothing of the past, seed %d", (seed) => {
		const dice = new Dice(`raised ${seed}`);
		const requests = new RandomRequests(dice.fork("requests"));
		const place = storeOf(0, leasesOf(LEASES));
		const { store, storage } = place;
		for (let i = 0; i < 80; i++) {
			const kind = dice.range(0, 6);
			if (kind === 0) store.txn(requests.txn());
			else if (kind < 3) store.deleteRange(requests.del());
			else store.put(requests.put());
			if (i === 40 && dice.chance(1, 2)) store.compact(store.revision - 3);
			requests.revision = store.revision;
		}
		// The last of all ends a key: the newest record is a tombstone.
		store.put(put("last"));
		store.deleteRange({ ...requests.del(), key: put("last").key, rangeEnd: new Uint8Array(0) });
		if (dice.chance(1, 2)) place.settle();
		place.flush();
		const found = raised(storage.all(), store.revision, storage);
		if (!found.ok) throw new Error(found.reason);
		const made = found.store as MvccStore;
		expect([made.revision, made.compactRevision]).toEqual([store.revision + RAISE, store.revision + RAISE]);
		expect(everything(made)).toEqual(everything(store));
		expect(made.range(range("last", { revision: store.revision }))).toMatchObject({ ok: false, code: "compacted" });
		// It goes on from there: the next revisions, a floor, and the compaction of what was left over.
		const next = workplace(made, storage);
		made.put(put("next"));
		expect(made.revision).toBe(store.revision + RAISE + 1);
		next.settle();
		const mark = next.floor();
		next.flush();
		const again = new StoreRebuild(mark, { keepEvents: true, valueCacheBytes: 0 }, storage, portableBytes, leasesOf(LEASES));
		for (const { key, value } of storage.all()) expect(again.record(key, value)).toBe(null);
		expect(finish(again.finish()).ok).toBe(true);
	});

	test("and a record that is lost is noticed", () => {
		const place = storeOf(0, leasesOf(LEASES));
		for (const key of ["a", "b", "c"]) place.store.put(put(key));
		place.flush();
		const all = place.storage.all();
		const compacted = new CompactedMark(portableBytes, place.store.revision);
		for (const { key, value } of all) compacted.record(key, value);
		const mark = compacted.at(place.store.revision + RAISE);
		const restore = new StoreRebuild(mark, { keepEvents: true, valueCacheBytes: 0 }, place.storage, portableBytes);
		for (const { key, value } of all.slice(0, -1)) restore.record(key, value);
		expect(finish(restore.finish())).toMatchObject({ ok: false, reason: expect.stringContaining("count of the records is 2") });
	});
});
