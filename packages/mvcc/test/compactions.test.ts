/** Clean-ups that meet reads under way, and compactions that come faster than they are cleaned up. */
import { marksDuring } from "@flotilla/base";
import { expect, test } from "vitest";
import { put } from "./requests.ts";
import { finish, storeOf, type Workplace } from "./store-of.ts";

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
