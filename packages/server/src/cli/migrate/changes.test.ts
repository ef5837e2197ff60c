import { expect, test } from "vitest";
import { type Change, transactionsOf } from "./changes.ts";

const put = (key: string, { bytes = 1, lease = 0n, creates = true } = {}): Change => ({
	...{ kind: "put", key: Buffer.from(key), value: Buffer.alloc(bytes), lease, creates },
});
const del = (key: string): Change => ({ kind: "delete", key: Buffer.from(key) });
const many = (count: number): Change[] => Array.from({ length: count }, (_, at) => put(`k${at}`));
const keysOf = (lists: Change[][]): string[][] =>
	transactionsOf(lists).map((changes) => changes.map(({ key }) => Buffer.from(key).toString()));

test.each<[claim: string, lists: Change[][], transactions: string[][]]>([
	["nothing comes of nothing", [], []],
	["lists share a transaction", [[put("a")], [del("b"), put("c")], [del("d")]], [["a", "b", "c", "d"]]],
	[
		"a key stands once in it",
		[[put("a")], [put("b")], [del("a")], [put("c")]],
		[
			["a", "b"],
			["a", "c"],
		],
	],
	["also within a list: put and deleted in one revision", [[put("a"), put("b"), del("a")]], [["a", "b"], ["a"]]],
	[
		"who queues with a lease is created alone",
		[[put("a")], [put("b", { lease: 1n })], [put("c", { lease: 2n })], [put("d")]],
		[["a"], ["b"], ["c"], ["d"]],
	],
	["unless it came with others", [[put("a", { lease: 1n }), put("b", { lease: 1n })]], [["a", "b"]]],
	[
		"a value that is written anew keeps its place",
		[[put("a", { lease: 1n, creates: false })], [put("b", { lease: 2n, creates: false })]],
		[["a", "b"]],
	],
	[
		"what is too large beside others stands alone",
		[[put("a", { bytes: 700_000 })], [put("b", { bytes: 700_000 })], [put("c")]],
		[["a"], ["b", "c"]],
	],
	["and what is too large alone, too", [[put("a")], [put("b", { bytes: 1_500_000 })], [put("c")]], [["a"], ["b"], ["c"]]],
])("%s", (_, lists, transactions) => expect(keysOf(lists)).toEqual(transactions));

test("a list that one transaction holds is not torn; a longer one comes in parts, in its order", () => {
	const sizes = (...lists: Change[][]): number[] => transactionsOf(lists).map(({ length }) => length);
	expect(sizes([put("first")], many(128))).toEqual([1, 128]);
	expect(sizes([put("first")], many(127))).toEqual([128]);
	expect(sizes(many(300), [put("last")])).toEqual([128, 128, 45]);
	expect(keysOf([many(300)]).flat()).toEqual(many(300).map(({ key }) => Buffer.from(key).toString()));
});
