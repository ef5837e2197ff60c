/** Sorted or filtered ranges with a limit keep little of what they come by, and answer as if they had kept it all. */
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { type RangeRequest, SortOrder, SortTarget } from "../src/index.ts";
import { pair, put, range } from "./requests.ts";
import { finish, storeOf, type Workplace } from "./store-of.ts";

const KEYS = 9_000;
const seed = Math.floor(Math.random() * 2 ** 31);
const ALL = range("\0", { rangeEnd: "\0" });

/** Values, versions and revisions in no order, many of them alike. */
function filled(): Workplace {
	const dice = new Dice(seed);
	const place = storeOf();
	const keys = dice.shuffle(Array.from({ length: KEYS }, (_, at) => `k${String(at).padStart(5, "0")}`));
	for (const key of keys) place.store.put(put(key, `value ${dice.range(0, 500)}`));
	for (let again = 0; again < KEYS / 2; again++) place.store.put(put(dice.pick(keys), `value ${dice.range(0, 500)}`));
	return place;
}

const place = filled();

function answer(request: RangeRequest): {
	readonly keys: readonly string[];
	readonly more: boolean;
	readonly count: number;
	readonly mostHeld: number;
} {
	const work = place.store.rangeSliced(request);
	if ("code" in work) throw new Error(work.code);
	let mostHeld = 0;
	while (!work.step(64)) mostHeld = Math.max(mostHeld, work.heldBytes);
	const { kvs, more, count } = finish(work);
	return { keys: kvs.map((each) => String(pair(each).key)), more, count, mostHeld };
}

const targets = Object.entries(SortTarget);
const orders = Object.entries(SortOrder);
const cases = targets.flatMap(([target, sortTarget]) =>
	orders.map(([order, sortOrder]): [string, Partial<RangeRequest>] => [`by ${target}, ${order}`, { sortTarget, sortOrder }]),
);

test.each(cases)(`%s (seed ${seed})`, (_name, sort) => {
	// Without order and filter etcd takes the first ones in key order, and sorts those.
	const filters = sort.sortOrder === SortOrder.none ? [] : [{}];
	for (const filter of [...filters, { minCreateRevision: 1_000 }, { maxCreateRevision: 8_000, minModRevision: 500 }]) {
		const all = answer({ ...ALL, ...sort, ...filter });
		expect(all.keys.length).toBeGreaterThan(KEYS / 4);
		for (const limit of [1, 17, 1_024, 2_000]) {
			const some = answer({ ...ALL, ...sort, ...filter, limit });
			expect([some.keys, some.more, some.count]).toEqual([all.keys.slice(0, limit), true, all.count]);
			if (limit <= 1_024) expect(some.mostHeld).toBeLessThan(2 * (limit + 1_024) * 500);
		}
	}
});
