/** What clients get wrong, and the exact code and text they are told (etcd API 0.4, 2 and 9). */
import { etcdserverpb as pb } from "@flotilla/api";
import { WireError } from "@flotilla/base";
import { beforeEach, describe, expect, test } from "vitest";
import { ScriptedCall, ServiceHouse } from "./scripted-member.ts";

const text = (value: string): Uint8Array => Buffer.from(value);
const RANGE = "/etcdserverpb.KV/Range";
const PUT = "/etcdserverpb.KV/Put";
const DELETE = "/etcdserverpb.KV/DeleteRange";
const TXN = "/etcdserverpb.KV/Txn";
const COMPACT = "/etcdserverpb.KV/Compact";

const range = (more: Partial<pb.RangeRequest>): Uint8Array => pb.RangeRequest.encode({ key: text("a"), ...more });
const put = (more: Partial<pb.PutRequest>): Uint8Array => pb.PutRequest.encode({ key: text("a"), value: text("v"), ...more });
const putOp = (key: string, more: Partial<pb.PutRequest> = {}): pb.RequestOp => ({
	request: { kind: "requestPut", value: pb.PutRequest.create({ key: text(key), value: text("v"), ...more }) },
});
const deleteOp = (key: string, end = ""): pb.RequestOp => ({
	request: { kind: "requestDeleteRange", value: pb.DeleteRangeRequest.create({ key: text(key), rangeEnd: text(end) }) },
});
const rangeOp = (key: string, more: Partial<pb.RangeRequest> = {}): pb.RequestOp => ({
	request: { kind: "requestRange", value: pb.RangeRequest.create({ key: text(key), ...more }) },
});
const nested = (...success: pb.RequestOp[]): pb.RequestOp => ({
	request: { kind: "requestTxn", value: pb.TxnRequest.create({ success }) },
});
const txn = (more: Partial<pb.TxnRequest>): Uint8Array => pb.TxnRequest.encode(more);
const success = (...ops: pb.RequestOp[]): Uint8Array => txn({ success: ops });
const compare = (key: string): pb.Compare => pb.Compare.create({ key: text(key) });
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const compact = (revision: number): Uint8Array => pb.CompactionRequest.encode({ revision });

const EMPTY_KEY = [3, "etcdserver: key is not provided"] as const;
const TOO_MANY_OPS = [3, "etcdserver: too many operations in txn request"] as const;
const DUPLICATE = [3, "etcdserver: duplicate key given in txn request"] as const;
const SORT = [3, "etcdserver: invalid sort option"] as const;
const VALUE_PROVIDED = [3, "etcdserver: value is provided"] as const;
const LEASE_PROVIDED = [3, "etcdserver: lease is provided"] as const;
const KEY_NOT_FOUND = [3, "etcdserver: key not found"] as const;
const LEASE_NOT_FOUND = [5, "etcdserver: requested lease not found"] as const;
const COMPACTED = [11, "etcdserver: mvcc: required revision has been compacted"] as const;
const FUTURE = [11, "etcdserver: mvcc: required revision is a future revision"] as const;

/** The store is at revision 6 and compacted at 4. */
const AT_DOOR: ReadonlyArray<readonly [string, string, Uint8Array, readonly [number, string]]> = [
	["a range of an empty key", RANGE, range({ key: text("") }), EMPTY_KEY],
	["an empty key comes before a bad sort order", RANGE, range({ key: text(""), sortOrder: 9 }), EMPTY_KEY],
	["an unknown sort order", RANGE, range({ sortOrder: 3 }), SORT],
	["a negative sort order", RANGE, range({ sortOrder: -1 }), SORT],
	["an unknown sort target", RANGE, range({ sortTarget: 5 }), SORT],
	["a put of an empty key", PUT, put({ key: text("") }), EMPTY_KEY],
	["ignore_value with a value", PUT, put({ ignoreValue: true }), VALUE_PROVIDED],
	["ignore_lease with a lease", PUT, put({ ignoreLease: true, lease: 1n }), LEASE_PROVIDED],
	["both: the value is told first", PUT, put({ ignoreValue: true, ignoreLease: true, lease: 1n }), VALUE_PROVIDED],
	["a delete of an empty key", DELETE, pb.DeleteRangeRequest.encode({ rangeEnd: text("b") }), EMPTY_KEY],
	["a compare of an empty key", TXN, txn({ compare: [compare("")] }), EMPTY_KEY],
	["an empty key in the branch that would not run", TXN, txn({ failure: [putOp("")] }), EMPTY_KEY],
	["an empty key deep inside", TXN, success(nested(nested(deleteOp("")))), EMPTY_KEY],
	["a bad sort order inside", TXN, success(rangeOp("a", { sortOrder: 7 })), SORT],
	["a value with ignore_value inside", TXN, success(putOp("a", { ignoreValue: true })), VALUE_PROVIDED],
	["an operation without content", TXN, success({ request: null }), KEY_NOT_FOUND],
	["129 operations", TXN, success(...many(129, (i) => putOp(`k${i}`))), TOO_MANY_OPS],
	["129 compares", TXN, txn({ compare: many(129, () => compare("a")) }), TOO_MANY_OPS],
	["a nested level beyond what its parent left", TXN, success(nested(...many(128, (i) => deleteOp(`k${i}`)))), TOO_MANY_OPS],
	["too many operations come before empty keys", TXN, success(...many(129, () => putOp(""))), TOO_MANY_OPS],
	[
		"a tree of transactions that is too large as a whole",
		TXN,
		success(...many(100, () => nested(...many(100, (i) => rangeOp(`k${i}`))))),
		TOO_MANY_OPS,
	],
	["one key put twice", TXN, success(putOp("d"), putOp("d")), DUPLICATE],
	["one key put twice in the branch that would not run", TXN, txn({ failure: [putOp("d"), putOp("d")] }), DUPLICATE],
	["a put and a delete that covers it", TXN, success(putOp("d2"), deleteOp("d", "e")), DUPLICATE],
	["a put and a nested put", TXN, success(putOp("d"), nested(putOp("d"))), DUPLICATE],
	["of two siblings the first deletes what the second puts", TXN, success(nested(deleteOp("d")), nested(putOp("d"))), DUPLICATE],
];

const AT_STATE: typeof AT_DOOR = [
	["a future revision", RANGE, range({ revision: 7 }), FUTURE],
	["a revision beyond 2^53", RANGE, Uint8Array.of(0x0a, 1, 0x61, 0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), FUTURE],
	["a compacted revision", RANGE, range({ revision: 3 }), COMPACTED],
	["a compacted revision of many keys", RANGE, range({ revision: 3, rangeEnd: text("z") }), COMPACTED],
	["a future revision, serializable", RANGE, range({ revision: 7, serializable: true }), FUTURE],
	["ignore_value on an absent key", PUT, put({ key: text("no"), value: text(""), ignoreValue: true }), KEY_NOT_FOUND],
	["an unknown lease", PUT, put({ lease: 5n }), LEASE_NOT_FOUND],
	["an unknown lease below zero", PUT, put({ lease: -5n }), LEASE_NOT_FOUND],
	["an unknown lease inside a transaction", TXN, success(putOp("x"), putOp("y", { lease: 5n })), LEASE_NOT_FOUND],
	["a future revision inside a transaction that writes", TXN, success(putOp("x"), rangeOp("a", { revision: 7 })), FUTURE],
	["a future revision inside one that reads", TXN, success(rangeOp("a", { revision: 7 })), FUTURE],
	["compaction of the future", COMPACT, compact(7), FUTURE],
	["compaction twice", COMPACT, compact(4), COMPACTED],
	["compaction below zero", COMPACT, compact(-1), COMPACTED],
];

describe("bad input", () => {
	let house: ServiceHouse;

	beforeEach(() => {
		house = new ServiceHouse();
		for (let i = 0; i < 5; i++) house.member.put("a", String(i));
		house.member.store.compact(4);
		while (!house.member.store.compactionStep(100));
		expect([house.member.store.revision, house.member.store.compactRevision]).toEqual([6, 4]);
	});

	test.each(AT_DOOR)("%s is refused at the door", async (_name, path, request, [code, message]) => {
		expect(await house.refusal(path, request)).toEqual({ code, message });
		expect([house.member.writes, house.member.reads]).toEqual([[], []]);
	});

	test.each(AT_DOOR)("%s is told without a leader, too", async (_name, path, request, [code, message]) => {
		house.member.leader = 0n;
		expect(await house.refusal(path, request)).toEqual({ code, message });
	});

	test.each(AT_STATE)("%s", async (_name, path, request, [code, message]) => {
		expect(await house.refusal(path, request)).toEqual({ code, message });
		expect(house.member.store.revision).toBe(6);
	});

	test("what is just allowed passes", async () => {
		await house.ok(TXN, txn({ compare: many(128, () => compare("a")), success: many(128, (i) => putOp(`k${i}`)), failure: [putOp("k0")] }));
		await house.ok(TXN, success(nested(...many(127, (i) => deleteOp(`k${i}`)))));
		await house.ok(TXN, success(...many(64, () => nested(...many(64, (i) => rangeOp(`k${i}`))))));
		await house.ok(TXN, success(deleteOp("a", "z"), deleteOp("b", "c")));
		await house.ok(TXN, success(nested(putOp("d")), nested(deleteOp("d"))));
		await house.ok(RANGE, range({ revision: 4 }));
		await house.ok(RANGE, range({ revision: -9, limit: -1 }));
		await house.ok(RANGE, range({ key: text("z"), rangeEnd: text("a") }));
		await house.ok(COMPACT, compact(5));
	});

	test.each([RANGE, PUT, DELETE, TXN, COMPACT, "/etcdserverpb.Cluster/MemberList", "/etcdserverpb.Maintenance/Alarm"])(
		"bytes that are no request of %s: the front is told by an exception, and nothing was done",
		(path) => {
			for (const bytes of [[0xff], [0x0a, 0x7f, 1], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x0d, 1, 2]]) {
				expect(() => house.start(new ScriptedCall(path, Uint8Array.from(bytes)))).toThrow(WireError);
			}
			expect([house.member.writes, house.member.reads]).toEqual([[], []]);
		},
	);
});

describe("space", () => {
	test("a full store is told before anything else is wrong with a put", async () => {
		const house = new ServiceHouse({ quotaBytesShown: 300 });
		expect(await house.refusal(PUT, put({ key: text("") }))).toEqual({ code: 3, message: "etcdserver: key is not provided" });
		house.member.put("x", "y".repeat(100));
		const noSpace = { code: 8, message: "etcdserver: mvcc: database space exceeded" };
		expect(await house.refusal(PUT, put({ key: text("") }))).toEqual(noSpace);
		expect(await house.refusal(TXN, success(putOp("")))).toEqual(noSpace);
		expect(await house.refusal(TXN, success(deleteOp("")))).toEqual({ code: 3, message: "etcdserver: key is not provided" });
	});

	test("without a quota there is always space", async () => {
		const house = new ServiceHouse({ quotaBytesShown: -1 });
		house.member.put("x");
		expect((await house.refusal(PUT, put({ key: text("") }))).message).toBe("etcdserver: key is not provided");
	});
});
