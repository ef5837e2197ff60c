/** A change of very many keys in one revision, in slices: between two of them nothing of it is to be seen. */
import { describe, expect, test, vi } from "vitest";
import { CompareResult, CompareTarget, decodeKeyValue, type RangeRequest, type TxnRequest, Unanswered } from "../src/index.ts";
import { compare, del, op, put, range, text, txn } from "./requests.ts";
import { finish, leasesOf, storeOf, type Workplace } from "./store-of.ts";

const KEYS = 1_000;
const SLICE = 256;
const key = (n: number): string => `k${String(n).padStart(5, "0")}`;
const ALL = range("\0", { rangeEnd: "\0" });
/** Reads alone, behind compares that a half of the changes below would decide otherwise. */
const LOOK: TxnRequest = txn({
	compare: [
		compare(CompareTarget.version, CompareResult.greater, "k", { rangeEnd: "l", number: 0 }),
		compare(CompareTarget.version, CompareResult.equal, key(3), { number: 2 }),
		compare(CompareTarget.create, CompareResult.greater, key(0), { number: 1 }),
		compare(CompareTarget.mod, CompareResult.greater, key(0), { number: KEYS }),
		compare(CompareTarget.value, CompareResult.equal, key(0), { value: "w0" }),
		compare(CompareTarget.lease, CompareResult.equal, key(0), { lease: 7n }),
	],
	success: [op.range(range(key(0))), op.range(range(key(KEYS - 1))), op.range(ALL), op.range(range("k", { rangeEnd: "l", limit: 2 }))],
	failure: [op.range(range("other"))],
});

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

/** The answer without its revisions. */
function looked(result: ReturnType<Workplace["store"]["txn"]>): unknown {
	if (!result.ok) return result.code;
	return {
		succeeded: result.succeeded,
		ranges: result.responses.map((each) => each.kind === "range" && [each.range.count, each.range.kvs]),
	};
}

function whole<T extends object>(result: T | Unanswered<T>): T {
	return result instanceof Unanswered ? result.whole() : result;
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
		transaction: looked(whole(finish(store.readTxn(LOOK)))),
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
		const longTxn = place.store.readTxn(LOOK);
		const work = change(place);
		let slices = 1;
		while (!work.step(SLICE)) {
			expect(seen(place)).toEqual(before);
			// What is looked at before the first change is whole.
			if (place.store.changing) {
				slices++;
				const { store } = place;
				for (const other of [
					() => store.digest(),
					() => store.mark(),
					() => store.put(put("x")),
					() => store.txn(txn()),
					() => store.compact(2),
				])
					expect(other).toThrow();
			}
			expect(place.store.takeEvents()).toEqual([]);
			// What happens between turns: records go to the disk, and old ones are cleaned up.
			place.store.compactionStep(700);
			place.flush();
		}
		expect(slices).toBeGreaterThan(2);
		// Former pairs are read behind the change, and may be while others follow it.
		const answer = whole(work.result());
		expect(answer).toEqual(whole(atOnce.result()));
		expect(finish(long)).toMatchObject({ count: KEYS + 1 });
		// Asked for before, read to its end behind: all of it is of the moment at which it was asked for.
		expect(looked(whole(finish(longTxn)))).toEqual((before as { transaction: unknown }).transaction);
		place.settle();
		twin.settle();
		expect(seen(place)).toEqual(seen(twin));
		expect(finish(place.store.hashKv(0))).toEqual(finish(twin.store.hashKv(0)));
		expect(place.store.digest()).toBe(twin.store.digest());
	});
});

test("a transaction whose result nobody is told changes the same, refuses the same and reads nothing", () => {
	const [place, twin] = [filled(), filled()];
	const inner = txn({ success: [op.del(del(key(10), key(500), true)), op.range(ALL), op.put({ ...put("inner", "i"), prevKv: true })] });
	const request = txn({
		success: [
			op.put({ ...put(key(0), "new"), prevKv: true }),
			op.range(ALL),
			op.txn(inner),
			op.range(ALL),
			op.put({ ...put(key(499), "again"), ignoreLease: false, prevKv: true }),
		],
	});
	const refused = txn({ success: [op.put(put("x", "y")), op.range({ ...ALL, revision: 1 })] });
	for (const each of [refused, request]) {
		const told = twin.store.txn(each);
		const reads = vi.spyOn(place.storage, "get");
		const untold = finish(place.store.txnSliced(each, false));
		expect(reads).not.toHaveBeenCalled();
		expect(untold).toEqual(told.ok ? { ...told, responses: [] } : told);
	}
	expect(place.store.digest()).toBe(twin.store.digest());
	expect(place.store.takeEvents()).toEqual(twin.store.takeEvents());
	expect(place.flush()).toEqual(twin.flush());
	expect(seen(place)).toEqual(seen(twin));
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

test("dead keys count, too: a range of nothing but them does not hold the loop", () => {
	const place = filled();
	finish(place.store.deleteRangeSliced(del("k", "l")));
	const again = place.store.deleteRangeSliced(del("k", "l"));
	let slices = 1;
	while (!again.step(SLICE)) slices++;
	expect(slices).toBeGreaterThan(2);
	expect(again.result()).toMatchObject({ deleted: 0, revision: place.store.revision });
});

test("many small ranges count together: reads, compares and deletes of one transaction give way as one large range does", () => {
	const { store } = filled();
	const tenth = (n: number) => ({ from: key(100 * n), to: key(100 * (n + 1)) });
	const tenths = Array.from({ length: 10 }, (_, n) => tenth(n));
	const ranges = tenths.map(({ from, to }) => op.range(range(from, { rangeEnd: to })));
	const steps = (work: { step(budget: number): boolean }): number => {
		let count = 1;
		while (!work.step(1)) count++;
		return count;
	};
	const told = finish(store.readTxn(txn({ success: ranges })));
	expect(told.ok && told instanceof Unanswered && steps(told.sliced())).toBeGreaterThan(2);
	const compares = tenths.map(({ from, to }) => compare(CompareTarget.version, CompareResult.greater, from, { rangeEnd: to, number: 0 }));
	expect(steps(store.readTxn(txn({ compare: compares })))).toBeGreaterThan(2);
	expect(steps(store.txnSliced(txn({ success: tenths.map(({ from, to }) => op.del(del(from, to))) })))).toBeGreaterThan(2);
	expect(store.keyCount).toBe(1);
});

test("a transaction that only reads holds a clean-up back as long as it is under way, and no longer", () => {
	const place = filled();
	const { store } = place;
	const cleansUp = (): boolean => store.compactionStep(100_000);
	const [read, abandoned] = [store.readTxn(LOOK), store.readTxn(LOOK)];
	expect(read.step(SLICE)).toBe(false);
	store.compact(store.revision);
	expect(cleansUp()).toBe(false);
	const answer = finish(read);
	expect(cleansUp()).toBe(false);
	abandoned.abandon();
	expect(cleansUp()).toBe(false);
	expect(answer.ok && whole(answer)).toMatchObject({ ok: true, succeeded: true });
	expect(cleansUp()).toBe(true);
	expect(store.openReads).toBe(0);
});
