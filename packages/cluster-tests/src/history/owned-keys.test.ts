/** A good history of two leases and a lock, and for each check one that it alone rejects. */
import { describe, expect, test } from "vitest";
import { type LeaseRecord, ownerOf } from "./lease-checks.ts";
import { ownerOfTurn } from "./lock-checks.ts";
import type { Change } from "./operation.ts";
import { checkOwned, type Owner } from "./owned-keys.ts";
import { type DatedAnswer, RevisionTimes } from "./revision-times.ts";

const SECOND = 1_000_000;
const put = (key: string, value = key.slice(1, 2)): Change => ({ key, value });
const gone = (key: string): Change => ({ key, value: null });

/** Lease 1 has two keys and runs out; lease 2 has one that nobody was told of, and is given back. */
const CHANGES: ReadonlyMap<number, readonly Change[]> = new Map([
	[2, [put("a1/1")]],
	[3, [put("a1/2")]],
	[4, [put("k", "by somebody else")]],
	[5, [put("a2/1")]],
	[6, [gone("a2/1")]],
	[7, [gone("a1/1"), gone("a1/2")]],
]);
const granted = (at: number, ttl = 2): LeaseRecord => ({ kind: "granted", invoked: at, returned: at + 1, ttl });
const attached = (key: string, revision: number, at: number): LeaseRecord => ({
	...{ kind: "attached", key, revision },
	...{ invoked: at, returned: at + 1 },
});
const FIRST: readonly LeaseRecord[] = [granted(10), attached("a1/1", 2, 20), attached("a1/2", 3, 30)];
const SECOND_LEASE: readonly LeaseRecord[] = [
	granted(40),
	{ kind: "tried", invoked: 50, returned: null, key: "a2/1" },
	{ kind: "revoked", invoked: 60, returned: null },
];
/** What others were told meanwhile: the deletions were there long before the first lease had run out, had it been renewed. */
const ANSWERS: readonly DatedAnswer[] = [
	{ returned: 45, revision: 4 },
	{ returned: 70, revision: 6 },
	{ returned: 2.5 * SECOND, revision: 7 },
];

interface Given {
	readonly changes?: ReadonlyMap<number, readonly Change[]>;
	readonly first?: readonly LeaseRecord[];
	readonly second?: readonly LeaseRecord[];
	readonly answers?: readonly DatedAnswer[];
	readonly finalRevision?: number;
}

function checksOf({ changes = CHANGES, first = FIRST, second = SECOND_LEASE, answers = ANSWERS, finalRevision = 7 }: Given): string[] {
	const owners: Owner[] = [ownerOf(1n, { records: first }), ownerOf(2n, { records: second })];
	return [...checkOwned("a", owners, changes, finalRevision, new RevisionTimes(answers))].map(({ check }) => check);
}

const changed = (revision: number, ...changes: Change[]) => new Map([...CHANGES, [revision, changes] as const]);

test("a good history", () => expect(checksOf({})).toEqual([]));

test("a put without an answer may have happened or not", () => {
	const never = new Map([...CHANGES].filter(([revision]) => revision !== 5 && revision !== 6));
	expect(checksOf({ changes: never })).toEqual([]);
});

test("what nobody saw may be what was acknowledged", () => {
	expect(checksOf({ changes: new Map([...CHANGES].filter(([revision]) => revision !== 3 && revision !== 7)) })).toEqual([]);
});

describe("what must fail", () => {
	const cases: ReadonlyArray<readonly [name: string, given: Given, checks: readonly string[]]> = [
		["an acknowledged put that was made twice", { changes: changed(4, put("a1/2")) }, ["phantom"]],
		["a put without an answer that was made twice", { changes: changed(6, put("a2/1")) }, ["phantom"]],
		["a key that nobody has", { changes: changed(4, put("a3/1")) }, ["phantom"]],
		["a value that nobody wrote", { changes: changed(5, put("a2/1", "?")) }, ["phantom", "whole"]],
		["a put that was refused and is there all the same", { second: [granted(40)] }, ["phantom", "phantom"]],
		["a put beside another one", { changes: changed(5, put("a2/1"), put("k", "1")) }, ["phantom", "whole"]],
		["an acknowledged put whose revision changed something else", { changes: changed(3, put("k", "1")) }, ["whole", "lost"]],
		["an acknowledged put of a revision that never was", { first: [...FIRST, attached("a1/3", 9, 80)] }, ["lost"]],
		["a put that was told an old revision", { first: [granted(10), attached("a1/1", 2, 20), attached("a1/2", 3, 46)] }, ["realTime"]],
		[
			"a put without an answer at an old revision",
			{
				second: [
					granted(40),
					{ kind: "tried", invoked: 75, returned: null, key: "a2/1" },
					{ kind: "revoked", invoked: 60, returned: null },
				],
			},
			["realTime"],
		],
		["an end that leaves a key", { changes: changed(7, gone("a1/1")) }, ["whole"]],
		["an end in another order", { changes: changed(7, gone("a1/2"), gone("a1/1")) }, ["whole"]],
		["an end that takes something along", { changes: changed(7, gone("a1/1"), gone("a1/2"), gone("k")) }, ["whole"]],
		["two leases in one end", { changes: changed(6, gone("a1/1"), gone("a1/2"), gone("a2/1")) }, ["whole", "early", "whole"]],
		["a deletion of what is gone", { changes: changed(8, gone("a2/1")) }, ["whole"]],
		[
			"a key that comes behind the end",
			{ changes: changed(8, put("a1/3")), first: [...FIRST, attached("a1/3", 8, 80)], finalRevision: 8 },
			["outlived"],
		],
		["an end before the time, that nobody asked for", { second: SECOND_LEASE.slice(0, 2) }, ["early"]],
		[
			"one that was asked for later",
			{ second: [...SECOND_LEASE.slice(0, 2), { kind: "revoked", invoked: 71, returned: null }] },
			["early"],
		],
		[
			"an end before the last renewal has run out",
			{ first: [...FIRST, { ...granted(1.9 * SECOND), kind: "renewed" } as LeaseRecord] },
			["early"],
		],
		[
			"a lease that is said to be there when its keys have gone",
			{ first: [...FIRST, { kind: "looked", invoked: 3 * SECOND, returned: 3 * SECOND + 1, grantedTtl: 2, ttl: 1 }] },
			["outlived"],
		],
	];
	test.each(cases)("%s", (_name, given, checks) => expect(checksOf(given)).toEqual(checks));
});

describe("the keys of a lock", () => {
	const turn = { key: "b/1", granted: { invoked: 0, ttl: 2 }, invoked: 10, revision: 2, leftFrom: null };
	const changes = new Map([
		[2, [put("b/1", "")]],
		[3, [gone("b/1")]],
	]);
	const failed = (leftFrom: number | null, goneAt: number, more: ReadonlyArray<readonly [number, readonly Change[]]> = []) =>
		[
			...checkOwned(
				"b/",
				[ownerOfTurn({ ...turn, leftFrom })],
				new Map([...changes, ...more]),
				9,
				new RevisionTimes([{ returned: goneAt, revision: 3 }]),
			),
		].map(({ check }) => check);

	test("go with the lease, or when they are given back", () => {
		expect(failed(null, 2 * SECOND)).toEqual([]);
		expect(failed(50, 60)).toEqual([]);
	});

	test("and not before, and come once", () => {
		expect(failed(null, SECOND)).toEqual(["early"]);
		expect(failed(70, 60)).toEqual(["early"]);
		expect(failed(50, 60, [[4, [put("b/1", "")]]])).toEqual(["phantom"]);
		expect(failed(50, 60, [[4, [gone("b/1")]]])).toEqual(["whole"]);
		expect(failed(50, 60, [[4, [put("b/2", "")]]])).toEqual(["phantom"]);
	});
});

test("of revisions and moments: what was there, and what was not yet", () => {
	const times = new RevisionTimes([
		{ returned: 10, revision: 5 },
		{ returned: 20, revision: 3 },
		{ returned: 30, revision: 8 },
	]);
	expect([10, 10.5, 25, 31].map((moment) => times.toldBefore(moment))).toEqual([1, 5, 5, 8]);
	expect([2, 5, 6, 8, 9].map((revision) => times.thereFrom(revision))).toEqual([10, 10, 30, 30, Number.POSITIVE_INFINITY]);
	expect(new RevisionTimes([]).toldBefore(1)).toBe(1);
});
