/** A change of very many keys in one revision, in slices: between two of them nothing of it is to be seen. */
import { describe, expect, test } from "vitest";
import { decodeKeyValue, type RangeRequest } from "../src/index.ts";
import { del, op, put, range, text, txn } from "./requests.ts";
import { finish, leasesOf, storeOf, type Workplace } from "./store-of.ts";

const KEYS = 1_000;
const SLICE = 256;
const key = (n: number): string => `k${String(n).padStart(5, "0")}`;
const ALL = range("\0", { rangeEnd: "\0" });

function filled(): Workplace {
	const place = storeOf(0, leasesOf([7n]));
	for (let n = 0; n < KEYS; n++) place.store.put({ ...put(key(n), `v${n}`), lease: n % 2 === 0 ? 7n : 0n });
	// Some have a past, and some of it is compacted.
	for (let n = 0; n < KEYS; n += 3) place.store.put({ ...put(key(n), `w${n}`), lease: 7n });
	place.store.put(put("other", "stays"));
	place.store.compact(KEYS + 100);
	place.settle();
	place.flush();
	place.store.takeEvents();
	return place;
}

/** What readers of all kinds see. */
function seen({ store }: Workplace): unknown {
	const show = ({ kvs, count, revision }: { kvs: readonly Uint8Array[]; count: number; revision: number }) => ({
		count,
		revision,
		kvs: kvs.map((pair) => {
			const { key: name, value, modRevision } = decodeKeyValue(pair);
			return `${text(name)}=${text(value)}@${modRevision}`;
		}),
	});
	const now = (request: RangeRequest): unknown => {
		const result = store.range(request);
		return result.ok ? show(result) : result.code;
	};
	const chunks = store.rangeChunks(ALL);
	if ("code" in chunks) throw new Error(chunks.code);
	const kvs: Uint8Array[] = [];
	while (!chunks.done) kvs.push(...chunks.next(100, 1_000));
	return {
		all: now(ALL),
		sliced: show(finish(store.rangeSliced(ALL))),
		chunks: { count: chunks.count, revision: chunks.revision, kvs: kvs.length },
		counted: now({ ...ALL, countOnly: true }),
		limited: now({ ...ALL, limit: 3 }),
		one: now(range(key(3))),
		old: now({ ...range(key(3)), revision: store.compactRevision }),
		revision: store.revision,
	};
}

const changes = {
	"a DeleteRange": (place: Workplace) => place.store.deleteRangeSliced(del("k", "l", true)),
	"a transaction": (place: Workplace) =>
		place.store.txnSliced(txn({ success: [op.put(put("k00000", "new")), op.del(del("k", "l")), op.put(put("k00001", "again"))] })),
	"the end of a lease": (place: Workplace) => place.store.endLeaseSliced(7n),
};

describe.each(Object.entries(changes))("%s", (_name, change) => {
	test("in slices is the same as at once, and readers see the revision before until its end", () => {
		const [place, twin] = [filled(), filled()];
		// Its clean-up is under way meanwhile.
		for (const { store } of [place, twin]) store.compact(store.revision - 1);
		const atOnce = change(twin);
		expect(atOnce.step(Number.MAX_SAFE_INTEGER)).toBe(true);
		const before = seen(place);
		const long = place.store.rangeSliced(ALL);
		const work = change(place);
		let slices = 1;
		while (!work.step(SLICE)) {
			slices++;
			expect(place.store.changing).toBe(true);
			expect(seen(place)).toEqual(before);
			expect(() => place.store.digest()).toThrow();
			expect(() => place.store.mark()).toThrow();
			expect(place.store.takeEvents()).toEqual([]);
			// What happens between turns: records go to the disk, and old ones are cleaned up.
			place.store.compactionStep(700);
			place.flush();
		}
		expect(slices).toBeGreaterThan(2);
		expect(work.result()).toEqual(atOnce.result());
		expect(finish(long)).toMatchObject({ count: KEYS + 1 });
		place.settle();
		twin.settle();
		expect(seen(place)).toEqual(seen(twin));
		expect(finish(place.store.hashKv(0))).toEqual(finish(twin.store.hashKv(0)));
		expect(place.store.digest()).toBe(twin.store.digest());
	});
});

describe("events", () => {
	test("of what ends while nobody wants them are not kept, and the next ones are whole again", () => {
		const { store } = storeOf(0);
		store.eventsWanted = false;
		store.put(put("a", "1"));
		store.deleteRange(del("a"));
		expect(store.takeEvents()).toEqual([]);
		store.eventsWanted = true;
		store.put(put("b", "2"));
		const groups = store.takeEvents().map(({ revision, events }) => ({ revision, keys: events?.map((event) => event.key) }));
		expect(groups).toEqual([{ revision: 4, keys: ["b"] }]);
	});

	test.each([
		["began", [false, true]],
		["was under way", [true, false, true]],
	] as const)("of a change that %s while nobody wanted them are left to the history", (_when, wanted) => {
		const { store } = filled();
		const work = store.deleteRangeSliced(del("k", "l"));
		let slice = 0;
		do store.eventsWanted = wanted[Math.min(slice++, wanted.length - 1)] as boolean;
		while (!work.step(SLICE));
		expect(store.takeEvents()).toEqual([{ revision: store.revision, events: null }]);
		store.put(put("after", "x"));
		expect(store.takeEvents()[0]?.events).toHaveLength(1);
	});
});
