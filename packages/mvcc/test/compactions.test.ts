/** Clean-ups that meet reads under way, and compactions that come faster than they are cleaned up. */
import { marksDuring, portableBytes } from "@flotilla/base";
import { expect, test } from "vitest";
import { type MvccStore, StoreRebuild } from "../src/index.ts";
import { put, range } from "./requests.ts";
import { finish, storeOf, type Workplace, workplace } from "./store-of.ts";

/** Revisions 2 to `last`, of two keys in turn. */
function written(last: number): Workplace {
	const place = storeOf();
	for (let revision = 2; revision <= last; revision++) place.store.put(put(revision % 2 === 0 ? "a" : "b", String(revision)));
	place.flush();
	return place;
}

test("a clean-up waits for a hash that is under way and reads what it would remove", () => {
	const [place, calm] = [written(40), written(40)];
	const work = place.store.hashKv(0);
	if ("code" in work) throw new Error(work.code);
	work.step(1);
	place.store.compact(30);
	const during = marksDuring(() => expect(place.store.compactionStep(10_000)).toBe(false));
	expect(during.compactionPinned).toBeGreaterThan(0);
	expect(finish(work)).toEqual(finish(calm.store.hashKv(0)));
	expect(marksDuring(() => place.settle()).compactionPinned).toBe(0);
	expect(place.store.compactionPending).toBe(false);
});

test("a floor may be taken while a clean-up waits for a read: a start from it finds the same state, and cleans up", () => {
	const place = written(40);
	const read = place.store.rangeChunks(range("a", { rangeEnd: "c" }));
	if ("code" in read) throw new Error(read.code);
	place.store.put(put("a", "41"));
	place.store.compact(41);
	place.store.put(put("b", "42"));
	place.store.compact(42);
	expect([place.store.compactionStep(10_000), place.store.compactionHeld, place.store.compactionRunning]).toEqual([false, true, false]);
	const mark = place.floor();
	expect(mark).toMatchObject({ revision: 42, compactRevision: 42 });
	expect(place.flush()?.deletes ?? [], "nothing is cleaned up before").toEqual([]);
	const restore = new StoreRebuild(mark, { keepEvents: false, valueCacheBytes: 0 }, place.storage, portableBytes);
	for (const { key, value } of place.storage.all()) expect(restore.record(key, value)).toBe(null);
	const restored = finish(restore.finish());
	if (!restored.ok) throw new Error(restored.reason);
	expect(restored.store.digest()).toBe(place.store.digest());
	// What the read goes on to show is still there, in the store that was never closed.
	expect(read.next(10, 1_000).length).toBe(2);
	read.abandon();
	expect(place.store.compactionHeld).toBe(false);
	place.settle();
	place.floor();
	place.flush();
	const cleaned = place.storage.all().map(({ key }) => key);
	const again = workplace(restored.store as MvccStore, place.storage);
	again.flush();
	expect(place.storage.all().map(({ key }) => key)).toEqual(cleaned);
	expect(finish(restored.store.hashKv(0))).toEqual(finish(place.store.hashKv(0)));
});

test("of more compactions than may wait the last ones are cleaned up as one", () => {
	const place = written(200);
	const during = marksDuring(() => {
		for (let revision = 2; revision <= 100; revision++) place.store.compact(revision);
	});
	expect(during.compactionsJoined).toBe(99 - 64);
	place.settle();
	const once = written(200);
	once.store.compact(100);
	once.settle();
	expect(place.store.compactRevision).toBe(100);
	expect(finish(place.store.hashKv(0))).toEqual(finish(once.store.hashKv(0)));
});
