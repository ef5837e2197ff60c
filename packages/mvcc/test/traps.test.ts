/** Behaviour that implementations get wrong, one test each; the numbers are those of the API's list of traps. */
import { portableBytes } from "@flotilla/base";
import { expect, test } from "vitest";
import {
	CompareResult,
	CompareTarget,
	isReadOnlyTxn,
	isSerializableTxn,
	type RangeRequest,
	type RequestOp,
	requestValidation,
	SortOrder,
	SortTarget,
	type StoreEvent,
} from "../src/index.ts";
import { deleteOutcome, putOutcome, rangeOutcome, txnOutcome } from "./outcome.ts";
import { bytes, compare, del, op, pair, put, range, txn } from "./requests.ts";
import { leasesOf, storeOf, type Workplace } from "./store-of.ts";

const validation = requestValidation(portableBytes);
const keysOf = (place: Workplace, request: RangeRequest): string[] => {
	const result = place.store.range(request);
	if (!result.ok) throw new Error(result.code);
	return result.kvs.map((kv) => pair(kv).key);
};
const absent = (key: string) => compare(CompareTarget.create, CompareResult.equal, key);

/** Keys 0, a, b with mod revisions 7, 5, 3 (and create revisions 4, 5, 2). */
function mixed(): Workplace {
	const place = storeOf();
	place.store.put(put("b", "1"));
	place.store.put(put("b", "2"));
	place.store.put(put("0", "x"));
	place.store.put(put("a", "y"));
	place.store.put(put("zz", "w"));
	place.store.put(put("0", "z"));
	place.store.deleteRange(del("zz"));
	return place;
}

test("1: the first put of an empty store is revision 2", () => {
	const { store } = storeOf();
	expect(store.revision).toBe(1);
	expect(store.put(put("a", "1"))).toEqual({ ok: true, revision: 2, prevKv: null });
	expect(rangeOutcome(store.range(range("a")))).toEqual({
		revision: 2,
		kvs: [{ key: "a", value: "1", create: 2, mod: 2, version: 1, lease: 0n }],
		more: false,
		count: 1,
	});
});

test("2: what changes nothing uses no revision; putting the same value does", () => {
	const { store } = storeOf();
	store.put(put("a", "1"));
	store.deleteRange(del("b"));
	store.txn(txn({ success: [op.range(range("a")), op.del(del("x", "y"))] }));
	expect(store.revision).toBe(2);
	expect(store.put(put("a", "1"))).toMatchObject({ revision: 3 });
});

test("3: a range at an old revision names the present one", () => {
	const { store } = mixed();
	expect(store.range(range("b", { revision: 2 }))).toMatchObject({ revision: 8, count: 1 });
});

test("7, 8: a deletion of three keys is one revision with events in key order; a new life begins at version 1", () => {
	const { store } = storeOf();
	for (const key of ["c", "a", "b"]) store.put(put(key, "v"));
	store.put(put("b", "v2"));
	store.takeEvents();
	expect(store.deleteRange(del("a", "d"))).toMatchObject({ revision: 6, deleted: 3 });
	const groups = store.takeEvents();
	expect(groups.map(({ revision, events }) => [revision, events?.map(eventOf)])).toEqual([[6, ["delete a 6", "delete b 6", "delete c 6"]]]);
	store.put(put("b", "again"));
	expect(keysOf({ store } as Workplace, range("a", { rangeEnd: "\0" }))).toEqual(["b"]);
	expect(rangeOutcome(store.range(range("b")))).toMatchObject({ kvs: [{ create: 7, mod: 7, version: 1 }] });
});

test("9: a compaction does not move the revision", () => {
	const { store } = mixed();
	expect(store.compact(5)).toEqual({ ok: true, revision: 8 });
	expect(store.revision).toBe(8);
});

test("10: an upper bound at or below the key is an empty range", () => {
	const { store } = mixed();
	expect(store.range(range("b", { rangeEnd: "a" }))).toMatchObject({ kvs: [], count: 0, more: false });
	expect(store.range(range("b", { rangeEnd: "b" }))).toMatchObject({ kvs: [], count: 0 });
	expect(store.deleteRange(del("b", "a"))).toEqual({ ok: true, revision: 8, deleted: 0, prevKvs: [] });
});

test("11, 12: count ignores limit and filters; `more` does not, and needs more than the limit", () => {
	const { store } = mixed();
	const all = { rangeEnd: "\0" };
	expect(store.range(range("0", { ...all, limit: 1 }))).toMatchObject({ count: 3, more: true });
	expect(store.range(range("0", { ...all, limit: 3 }))).toMatchObject({ count: 3, more: false });
	expect(store.range(range("0", { ...all, limit: 1, minModRevision: 7 }))).toMatchObject({ count: 3, more: false });
	expect(store.range(range("b", { maxModRevision: 1 }))).toMatchObject({ kvs: [], count: 1 });
});

test("13: without an order a limit cuts in key order before the target sorts", () => {
	const place = mixed();
	const request = { rangeEnd: "\0", limit: 1, sortTarget: SortTarget.mod };
	expect(keysOf(place, range("0", request))).toEqual(["a"]);
	expect(keysOf(place, range("0", { ...request, sortOrder: SortOrder.ascend }))).toEqual(["b"]);
	expect(keysOf(place, range("0", { ...request, limit: 0 }))).toEqual(["b", "a", "0"]);
});

test("14: negative revision and limit mean none in a range; in a transaction the revision may be compacted", () => {
	const place = mixed();
	const negative = range("0", { rangeEnd: "\0", revision: -1, limit: -1 });
	expect(keysOf(place, negative)).toEqual(["0", "a", "b"]);
	const inTxn = txn({ success: [op.range(negative)] });
	expect(place.store.txn(inTxn)).toMatchObject({ ok: true });
	expect(place.store.txn(txn({ success: [op.range({ ...negative, revision: -2 })] }))).toEqual({ ok: false, code: "compacted" });
	place.store.compact(0);
	expect(place.store.txn(inTxn)).toEqual({ ok: false, code: "compacted" });
});

test("15: a filter of -1 is active", () => {
	const place = mixed();
	expect(keysOf(place, range("0", { rangeEnd: "\0", maxModRevision: -1 }))).toEqual([]);
	expect(keysOf(place, range("0", { rangeEnd: "\0", maxCreateRevision: -1 }))).toEqual([]);
	expect(keysOf(place, range("0", { rangeEnd: "\0", minModRevision: -1, minCreateRevision: -1 }))).toEqual(["0", "a", "b"]);
});

test("16: the compact revision is readable, one below is compacted, one above the present is the future", () => {
	const { store } = mixed();
	store.compact(4);
	expect(store.range(range("b", { revision: 4 }))).toMatchObject({ ok: true, count: 1 });
	expect(store.range(range("b", { revision: 3 }))).toEqual({ ok: false, code: "compacted" });
	expect(store.range(range("b", { revision: 9 }))).toEqual({ ok: false, code: "futureRevision" });
	expect(store.rangeSliced(range("b", { revision: 9 }))).toEqual({ ok: false, code: "futureRevision" });
});

test("17: count_only overrides everything else", () => {
	const { store } = mixed();
	const request = range("0", { rangeEnd: "\0", countOnly: true, limit: 1, maxModRevision: -1, sortOrder: 2, sortTarget: 4 });
	expect(store.range(request)).toEqual({ ok: true, revision: 8, kvs: [], more: false, count: 3 });
});

test("18: keys_only sorts by value and then leaves it out; the lease stays", () => {
	const place = storeOf(0, leasesOf([5n]));
	place.store.put(put("a", "2", { lease: 5n }));
	place.store.put(put("b", "1"));
	const result = place.store.range(range("a", { rangeEnd: "\0", keysOnly: true, sortTarget: SortTarget.value }));
	expect(rangeOutcome(result)).toMatchObject({
		kvs: [
			{ key: "b", value: "" },
			{ key: "a", value: "", lease: 5n },
		],
	});
});

test("19: only one zero byte means from the key on", () => {
	const place = mixed();
	expect(keysOf(place, range("a", { rangeEnd: "\0" }))).toEqual(["a", "b"]);
	expect(keysOf(place, range("a", { rangeEnd: "\0\0" }))).toEqual([]);
});

test("21, 22: kept values need a key, leases must exist, and nothing of the transaction is done", () => {
	const { store } = mixed();
	expect(store.put(put("new", "", { ignoreValue: true }))).toEqual({ ok: false, code: "keyNotFound" });
	expect(store.put(put("new", "v", { ignoreLease: true }))).toEqual({ ok: false, code: "keyNotFound" });
	expect(store.put(put("new", "v", { lease: 5n }))).toEqual({ ok: false, code: "leaseNotFound" });
	expect(store.put(put("new", "", { lease: -5n, ignoreValue: true })), "the lease is looked at first").toEqual({
		ok: false,
		code: "leaseNotFound",
	});
	const request = txn({ success: [op.put(put("first", "v")), op.put(put("second", "v", { lease: 5n }))] });
	expect(store.txn(request)).toEqual({ ok: false, code: "leaseNotFound" });
	expect(store.revision).toBe(8);
	expect(store.range(range("first"))).toMatchObject({ count: 0 });
});

test("23: the value of an absent key compares with nothing; its numbers are 0", () => {
	const { store } = mixed();
	const succeeds = (target: number, result: number): boolean => {
		const outcome = store.txn(txn({ compare: [compare(target, result, "absent")] }));
		return outcome.ok && outcome.succeeded;
	};
	for (const result of [0, 1, 2, 3]) expect(succeeds(CompareTarget.value, result), `value, result ${result}`).toBe(false);
	for (const target of [CompareTarget.version, CompareTarget.create, CompareTarget.mod, CompareTarget.lease]) {
		expect([0, 1, 2, 3].map((result) => succeeds(target, result))).toEqual([true, false, false, false]);
	}
	expect(succeeds(CompareTarget.version, 9), "an unknown result is true").toBe(true);
	expect(succeeds(77, CompareResult.equal), "an unknown target is equal").toBe(true);
});

test("24: a compare over an empty range is one absent key; over others it holds for each", () => {
	const { store } = mixed();
	const outcomes = [
		compare(CompareTarget.create, CompareResult.equal, "x", { rangeEnd: "y" }),
		compare(CompareTarget.value, CompareResult.notEqual, "x", { rangeEnd: "y", value: "v" }),
		compare(CompareTarget.create, CompareResult.greater, "0", { rangeEnd: "\0", number: 1 }),
		compare(CompareTarget.create, CompareResult.greater, "0", { rangeEnd: "\0", number: 2 }),
	].map((one) => store.txn(txn({ compare: [one] })));
	expect(outcomes.map((outcome) => outcome.ok && outcome.succeeded)).toEqual([true, false, true, false]);
});

test("25: nested compares see the state before the whole transaction", () => {
	const { store } = storeOf();
	const nested = txn({ compare: [absent("k")], success: [op.range(range("k"))], failure: [op.del(del("k"))] });
	const result = store.txn(txn({ success: [op.put(put("k", "v")), op.txn(nested)] }));
	expect(txnOutcome(result)).toMatchObject({
		responses: [{ revision: 2 }, { succeeded: true, responses: [{ revision: 2, count: 1 }] }],
	});
});

test("26: a range sees earlier puts with their new revision; the new revision itself is the future", () => {
	const { store } = storeOf();
	const result = store.txn(txn({ success: [op.put(put("k", "v")), op.range(range("k")), op.range(range("k", { revision: 1 }))] }));
	expect(txnOutcome(result)).toEqual({
		revision: 2,
		succeeded: true,
		responses: [
			{ revision: 2, prevKv: null },
			{ revision: 2, kvs: [{ key: "k", value: "v", create: 2, mod: 2, version: 1, lease: 0n }], more: false, count: 1 },
			{ revision: 2, kvs: [], more: false, count: 0 },
		],
	});
	const future = txn({ success: [op.put(put("k", "w")), op.range(range("k", { revision: 3 }))] });
	expect(store.txn(future)).toEqual({ ok: false, code: "futureRevision" });
	expect(store.revision).toBe(2);
});

const [a, b] = [op.put(put("a", "1")), op.put(put("b", "1"))];
const nest = (...success: RequestOp[]): RequestOp => op.txn(txn({ success }));
for (const [name, request, want] of [
	["27: a key put in both branches is fine", txn({ success: [a], failure: [a] }), null],
	["27: a key put twice", txn({ success: [a, a] }), "duplicateKey"],
	["27: a put and a delete that covers it", txn({ success: [a, op.del(del("a", "b"))] }), "duplicateKey"],
	["27: the same the other way round", txn({ success: [op.del(del("a")), a] }), "duplicateKey"],
	["27: the same in the other branch", txn({ failure: [op.del(del("a")), a] }), "duplicateKey"],
	["27: two deletes of one key", txn({ success: [op.del(del("a")), op.del(del("a", "c"))] }), null],
	["27: a put just behind a delete", txn({ success: [op.put(put("c")), op.del(del("a", "c"))] }), null],
	["28: a sibling deletes, the next one puts", txn({ success: [nest(op.del(del("a"))), nest(a)] }), "duplicateKey"],
	["28: a sibling puts, the next one deletes", txn({ success: [nest(a), nest(op.del(del("a")))] }), null],
	["28: parent puts, child deletes", txn({ success: [a, nest(op.del(del("a")))] }), "duplicateKey"],
	["28: parent deletes, child puts", txn({ success: [nest(a), op.del(del("a"))] }), "duplicateKey"],
	["28: a child puts a key in both of its branches", txn({ success: [op.txn(txn({ success: [a], failure: [a] }))] }), null],
	["28: two children put a key", txn({ success: [nest(a), op.txn(txn({ failure: [a] }))] }), "duplicateKey"],
	["29: a delete up to the zero byte escapes", txn({ success: [op.put(put("zz")), op.del(del("a", "\0"))] }), null],
	["31: an operation without content", txn({ success: [op.none] }), "keyNotFound"],
	["32: faults of form count in the branch not taken", txn({ compare: [absent("a")], failure: [op.put(put(""))] }), "emptyKey"],
	["compares come before operations", txn({ compare: [absent("")], success: [op.none] }), "emptyKey"],
	["the order of checks of a put", txn({ success: [op.put(put("", "v", { ignoreValue: true }))] }), "emptyKey"],
	[
		"a value that was to be kept",
		txn({ success: [op.put(put("a", "v", { ignoreValue: true, ignoreLease: true, lease: 1n }))] }),
		"valueProvided",
	],
	["a lease that was to be kept", txn({ success: [op.put(put("a", "v", { ignoreLease: true, lease: 1n }))] }), "leaseProvided"],
	["an unknown sort order", txn({ success: [op.range(range("a", { sortOrder: 3 }))] }), "invalidSortOption"],
	["a negative sort target", txn({ success: [op.range(range("a", { sortTarget: -1 }))] }), "invalidSortOption"],
	["30: as many of each list as are allowed", txn({ compare: many(128, absent("a")), success: many(128, op.del(del("a"))) }), null],
	["30: one more", txn({ failure: many(129, op.del(del("a"))) }), "tooManyOps"],
	["30: a nested transaction with what is left", txn({ success: [nest(...many(127, op.del(del("a"))))] }), null],
	["30: one more than is left", txn({ success: [nest(...many(128, op.del(del("a"))))] }), "tooManyOps"],
	["30: siblings do not add up", txn({ success: many(64, nest(...many(64, op.range(range("a"))))) }), null],
	["30: 127 reads leave one for the nested", txn({ success: [...many(127, op.range(range("a"))), nest(a, b)] }), "tooManyOps"],
] as const) {
	test(name, () => expect(validation.txn(request, 128)).toBe(want));
}

test("29: what escaped runs in order and leaves both events at one revision", () => {
	const place = storeOf();
	place.store.put(put("zz", "old"));
	place.store.takeEvents();
	const result = place.store.txn(txn({ success: [op.put(put("zz", "new")), op.del(del("a", "\0", true))] }));
	expect(txnOutcome(result)).toMatchObject({
		revision: 3,
		responses: [{ revision: 3 }, { deleted: 1, prevKvs: [{ value: "new", version: 2 }] }],
	});
	expect(place.store.takeEvents().map(({ events }) => events?.map((event) => `${eventOf(event)}.${event.sub}`))).toEqual([
		["put zz 3.0", "delete zz 3.1"],
	]);
	expect(place.store.range(range("zz"))).toMatchObject({ count: 0 });
});

test("keeping the value of a key that an earlier operation deletes is refused before anything is done", () => {
	const { store } = mixed();
	const request = txn({ success: [op.del(del("0", "\0")), op.put(put("a", "", { ignoreValue: true }))] });
	expect(validation.txn(request, 128)).toBe(null);
	expect(store.txn(request)).toEqual({ ok: false, code: "keyNotFound" });
	expect(store.revision).toBe(8);
});

test("32: faults of state do not count in the branch not taken", () => {
	const { store } = mixed();
	store.compact(5);
	const failure = [
		op.put(put("k", "v", { lease: 9n })),
		op.range(range("a", { revision: 2 })),
		op.put(put("k2", "", { ignoreValue: true })),
	];
	expect(store.txn(txn({ compare: [absent("absent")], failure }))).toMatchObject({ ok: true, succeeded: true, responses: [] });
	for (const one of failure) expect(store.txn(txn({ success: [one] })).ok).toBe(false);
});

test("33, 34: which transactions are read only, and which serializable", () => {
	const read = op.range(range("a"));
	const local = op.range(range("a", { serializable: true }));
	for (const [request, readOnly, serializable] of [
		[txn(), true, true],
		[txn({ compare: [absent("a")] }), true, true],
		[txn({ success: [read], failure: [local] }), true, false],
		[txn({ success: [local], failure: [local] }), true, true],
		[txn({ success: [local], failure: [a] }), false, false],
		[txn({ success: [nest(local)] }), false, false],
		[txn({ success: [op.none] }), false, false],
	] as const) {
		expect([isReadOnlyTxn(request), isSerializableTxn(request)]).toEqual([readOnly, serializable]);
	}
});

test("36, 37: compaction at 0 succeeds once; twice at one revision, and below zero, never", () => {
	const { store } = storeOf();
	expect(store.compact(-1)).toEqual({ ok: false, code: "compacted" });
	expect(store.compact(0)).toEqual({ ok: true, revision: 1 });
	expect(store.compact(0)).toEqual({ ok: false, code: "compacted" });
	expect(store.compact(1)).toEqual({ ok: true, revision: 1 });
	expect(store.compact(2)).toEqual({ ok: false, code: "futureRevision" });
	store.put(put("a"));
	expect(store.compact(2)).toEqual({ ok: true, revision: 2 });
	expect(store.compact(2)).toEqual({ ok: false, code: "compacted" });
});

test("prev_kv is the whole pair before; ignore_value stores it again", () => {
	const { store } = storeOf();
	store.put(put("a", "1"));
	expect(putOutcome(store.put(put("a", "", { ignoreValue: true, prevKv: true })))).toEqual({
		revision: 3,
		prevKv: { key: "a", value: "1", create: 2, mod: 2, version: 1, lease: 0n },
	});
	expect(deleteOutcome(store.deleteRange(del("a", "", true)))).toEqual({
		revision: 4,
		deleted: 1,
		prevKvs: [{ key: "a", value: "1", create: 2, mod: 3, version: 2, lease: 0n }],
	});
});

test("a key hangs on one lease: moved, kept, taken away by puts, and let go by a delete", () => {
	const leases = leasesOf([7n, -8n]);
	const { store } = storeOf(0, leases);
	const attached = () => [leases.get(7n)?.keys(), leases.get(-8n)?.keys()];
	store.put(put("k", "1", { lease: 7n }));
	expect(attached()).toEqual([["k"], []]);
	store.put(put("k", "2", { lease: -8n }));
	store.put(put("k", "3", { ignoreLease: true }));
	expect(attached()).toEqual([[], ["k"]]);
	expect(rangeOutcome(store.range(range("k")))).toMatchObject({ kvs: [{ lease: -8n }] });
	store.put(put("k", "4"));
	expect(attached()).toEqual([[], []]);
	store.put(put("k", "5", { lease: 7n }));
	expect(attached()).toEqual([["k"], []]);
	store.deleteRange(del("k"));
	store.put(put("k", "6"));
	expect(attached()).toEqual([[], []]);
});

test("a lease that was not granted is unknown, and nobody who asks for no events gets any", () => {
	const { store } = storeOf();
	expect(store.put(put("k", "1", { lease: 1n }))).toEqual({ ok: false, code: "leaseNotFound" });
	expect(store.takeEvents()).toEqual([]);
});

test("stand-alone requests are checked in etcd's order", () => {
	expect(validation.range(range("", { sortOrder: 9 }))).toBe("emptyKey");
	expect(validation.range(range("a", { sortOrder: 9 }))).toBe("invalidSortOption");
	expect(validation.range(range("a", { sortTarget: 5 }))).toBe("invalidSortOption");
	expect(validation.range(range("a", { rangeEnd: "\0" }))).toBe(null);
	expect(validation.put(put("", "v", { ignoreValue: true }))).toBe("emptyKey");
	expect(validation.put(put("a", "v", { ignoreValue: true, ignoreLease: true, lease: 1n }))).toBe("valueProvided");
	expect(validation.put(put("a", "v", { ignoreLease: true, lease: 1n }))).toBe("leaseProvided");
	expect(validation.put(put("a", "", { ignoreValue: true, ignoreLease: true }))).toBe(null);
	expect(validation.deleteRange(del("", "z"))).toBe("emptyKey");
	expect(validation.deleteRange({ ...del("a"), key: bytes("a") })).toBe(null);
});

function eventOf(event: StoreEvent): string {
	return `${event.type} ${event.key} ${pair(event.kv).mod}`;
}

function many<T>(count: number, item: T): T[] {
	return new Array<T>(count).fill(item);
}
