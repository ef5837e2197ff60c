/** The verdict must fall when one thing of a good run is changed, and name the promise that was broken. */
import { describe, expect, test } from "vitest";
import type { LeaseRecord } from "../history/lease-checks.ts";
import type { LockTurn } from "../history/lock-checks.ts";
import type { Attempt, Change } from "../history/operation.ts";
import type { StreamEntry, StreamRecord, WatchAnswer, WatchAsk } from "../history/watch-record.ts";
import { WatchTruth } from "../history/watch-truth.ts";
import type { WatchRecord } from "./follower.ts";
import { type CheckName, judge } from "./judge.ts";
import { isKnown, withIssue } from "./known-of-etcd.ts";
import type { LeaseRecords } from "./lease-load.ts";
import type { RunRecord } from "./run.ts";
import type { Scenario } from "./scenario.ts";

const scenario: Scenario = {
	...{
		name: "s",
		title: "t",
		members: 3,
		seconds: 1,
		clients: 1,
		holders: 1,
		lockers: 1,
		keys: 3,
		timeoutMs: 1_000,
		tls: false,
		log: "long",
		flags: [],
	},
	load: { put: 1, get: 1, range: 0, delete: 0, txn: 0, compact: 0, append: 0, bank: 0, lock: 0, set: 0 },
	faults: [
		{ fault: "kill", at: null, every: { minMs: 100, maxMs: 200 }, for: { minMs: 1, maxMs: 1 }, details: {}, given: new Set<string>() },
	],
};

function put(id: number, revision: number, fromMs: number): Attempt {
	const operation = { kind: "put", key: "k", value: `v${revision}` } as const;
	const answer = { kind: "put", revision, previous: null } as const;
	return { id, client: 0, member: "m1#1", operation, invoked: fromMs, outcome: { kind: "ok", returned: fromMs + 1, answer } };
}

function get(id: number, revision: number, fromMs: number): Attempt {
	const operation = { kind: "range", key: "k", end: "", limit: 0, revision: 0, serializable: false, countOnly: false } as const;
	const pair = { key: "k", value: `v${revision}`, create: 2, mod: revision, version: revision - 1 };
	const answer = { kind: "range", revision, count: 1, more: false, pairs: [pair] } as const;
	return { id, client: 0, member: "m1#1", operation, invoked: fromMs, outcome: { kind: "ok", returned: fromMs + 1, answer } };
}

function compaction(id: number, revision: number, fromMs: number): Attempt {
	const operation = { kind: "compact", revision } as const;
	const outcome = { kind: "ok", returned: fromMs + 1, answer: { kind: "compact", revision: 4 } } as const;
	return { id, client: 0, member: "m1#1", operation, invoked: fromMs, outcome };
}

function withOtherPair(entry: StreamEntry, revision: number): StreamEntry {
	if (entry.kind !== "answer") return entry;
	const other = { key: "k", value: "?", create: 2, mod: 2, version: 1 };
	const events = entry.answer.events.map((event) => (event.mod === revision ? { ...event, previous: other } : event));
	return { ...entry, answer: { ...entry.answer, events } };
}

const ASK: WatchAsk = {
	...{ key: "\0", end: "\0", start: 2, id: "0" },
	...{ prevKv: true, noPut: false, noDelete: false, fragment: false, progressNotify: true },
};
const SILENT: WatchAnswer = {
	...{ id: "0", revision: 1, created: false, canceled: false, compactRevision: 0, reason: "" },
	...{ fragment: false, events: [] },
};

/** A watch of these changes, each revision in an answer of its own; what comes behind a revision that is not there, on another stream. */
function watchOf(name: string, changes: ReadonlyMap<number, readonly Change[]>): WatchRecord {
	const last = Math.max(1, ...[...changes.keys()].slice(-1));
	const truth = new WatchTruth(changes, last, 0);
	const streams: StreamRecord[] = [];
	const open = (start: number): StreamRecord => {
		const entries: StreamEntry[] = [
			{ kind: "create", at: 0, ask: { ...ASK, start } },
			{ kind: "answer", at: 0, answer: { ...SILENT, created: true } },
		];
		const stream = { name: `watch of ${name}, stream ${streams.length + 1}`, member: name, entries, endedAt: null };
		streams.push(stream);
		return stream;
	};
	let stream = open(2);
	let events = 0;
	for (let revision = 2; revision <= last; revision++) {
		const heard = truth.heard(ASK, revision, revision);
		if (heard.length === 0) {
			const cancel = { ...SILENT, revision: 0, canceled: true, compactRevision: revision + 1 };
			stream.entries.push({ kind: "answer", at: 0, answer: cancel });
			stream.endedAt = 1;
			stream = open(revision + 1);
			continue;
		}
		events += heard.length;
		stream.entries.push({ kind: "answer", at: 0, answer: { ...SILENT, revision, events: heard } });
	}
	return { member: { name }, streams, events };
}

/** With what leases and a lock wrote. */
function follower(name: string, values: readonly string[]): WatchRecord {
	return watchOf(name, new Map([...plain(values), ...LEASED_CHANGES]));
}

/** The same without. */
function plainFollower(name: string, values: readonly string[]): WatchRecord {
	return watchOf(name, plain(values));
}

function plain(values: readonly string[]): Map<number, readonly Change[]> {
	return new Map(values.map((value, at): [number, readonly Change[]] => [at + 2, [{ key: "k", value }]]));
}

/** The answers of its first stream, changed. */
function spoilt(watch: WatchRecord, change: (answers: StreamEntry[]) => void): WatchRecord {
	const [first, ...rest] = watch.streams as [StreamRecord, ...StreamRecord[]];
	const entries = [...first.entries];
	change(entries);
	return { ...watch, streams: [{ ...first, entries }, ...rest] };
}

/** A lease of two seconds with a key, granted at `fromMs`, that ends when it has run out; its key is written at revision 5 and deleted at 6. */
function leased(change: (records: LeaseRecord[]) => void = () => {}): LeaseRecords {
	const key = "a7/1";
	const records: LeaseRecord[] = [
		{ kind: "granted", invoked: 0, returned: 1_000, ttl: 2 },
		{ kind: "attached", invoked: 2_000, returned: 3_000, key, revision: 5 },
		{ kind: "renewed", invoked: 1_000_000, returned: 1_001_000, ttl: 2 },
		{ kind: "looked", invoked: 3_100_000, returned: 3_101_000, grantedTtl: 0, ttl: -1 },
	];
	change(records);
	return { leases: new Map([[7n, { records }]]), locks: [turn("b/1", 7), turn("b/2", null)], leftOver: [] };
}

/** A try for the lock, answered at this revision or not at all. */
function turn(key: string, revision: number | null): LockTurn {
	return { key, granted: { invoked: 3_000_000, ttl: 2 }, invoked: 3_100_000, revision, leftFrom: revision === null ? 3_100_000 : null };
}

const NOTHING_LEASED: LeaseRecords = { leases: new Map(), locks: [], leftOver: [] };

/** Of leases and a lock, behind those of `follower`. */
const LEASED_CHANGES: ReadonlyArray<readonly [revision: number, changes: readonly Change[]]> = [
	[5, [{ key: "a7/1", value: "7" }]],
	[6, [{ key: "a7/1", value: null }]],
	[7, [{ key: "b/1", value: "" }]],
	[8, [{ key: "b/2", value: "" }]],
];

function settingOf(program: "flotilla" | "etcd"): RunRecord["setting"] {
	return { program, version: "1", place: "processes", flags: [], machine: "m", startedAt: "2026-01-01T00:00:00.000Z" };
}

function record(change: Partial<RunRecord> = {}): RunRecord {
	const state = { revision: 8, hash: "1", contents: "b/1=@7/7/1\nb/2=@8/8/1\nk=v4@2/4/3" };
	return {
		...{
			scenario,
			setting: settingOf("flotilla"),
			endedEarly: false,
			seed: "1",
			startedMs: 0,
			faultsFromMs: 0,
			faultsUntilMs: 1_000,
			endedMs: 1_000,
		},
		attempts: [put(0, 2, 0), put(1, 3, 2), get(2, 3, 4), put(3, 4, 6)],
		followers: ["m1", "m2", "m3"].map((name) => follower(name, ["v2", "v3", "v4"])),
		leased: leased(),
		...{ tenures: [], leaderFindings: [], timeline: [], troubles: [] },
		faults: [{ fault: "kill", members: ["m1"], fromMs: 100, untilMs: 200, notes: [] }],
		finalRevision: 8,
		finalStates: ["m1", "m2", "m3"].map((member) => ({ member, ...state })),
		...change,
	};
}

test("a good run keeps every promise", () => {
	const { verdict, checks } = judge(record());
	expect(checks.filter((check) => check.verdict !== "ok")).toEqual([]);
	expect(verdict).toBe("ok");
});

test("a run of a quarter of a million writes is judged like any other", () => {
	const writes = 250_000;
	const values = Array.from({ length: writes }, (_, at) => `v${at + 2}`);
	const attempts = values.map((_value, at) => put(at, at + 2, 2 * at));
	const followers = ["m1", "m2"].map((name) => plainFollower(name, values));
	for (const finalRevision of [writes + 1, null]) {
		const { checks, checked } = judge(record({ attempts, followers, leased: NOTHING_LEASED, finalRevision }));
		expect(checks.find(({ name }) => name === "linearizable")).toMatchObject({ verdict: "ok" });
		expect(checked).toBe(writes);
	}
});

test("of a stale read in a long run the two calls are shown that contradict each other, as a drawing too", () => {
	const writes = 60_000;
	const values = Array.from({ length: writes }, (_, at) => `v${at + 2}`);
	const attempts = [...values.map((_value, at) => put(at, at + 2, 2 * at)), get(writes, 700, 2 * writes)];
	const { checks } = judge(
		record({ attempts, followers: [plainFollower("m1", values)], leased: NOTHING_LEASED, finalRevision: writes + 1, startedMs: -1_000 }),
	);
	const check = checks.find(({ name }) => name === "linearizable");
	expect(check).toMatchObject({ verdict: "violated", findings: ["realTime: revision 700 was answered after 60001 had been"] });
	expect(check?.attempts.map(({ id }) => id)).toEqual([writes - 1, writes]);
	expect(check?.drawing).toEqual([
		expect.stringMatching(/^client 0 {2}m1#1 {2}120998\.000 ms - 120999\.000 ms .*put k=v60001 +revision 60001: put$/),
		expect.stringMatching(/^client 0 {2}m1#1 {2}121000\.000 ms - 121001\.000 ms .*get k +revision 700: k=v700 of 700$/),
		"members wrote at revision 700: k=v700",
		"members wrote at revision 60001: k=v60001",
	]);
});

test("half a transfer that a read saw is drawn", () => {
	const pairs = [["zb0", "90"] as const, ["zb1", "400"] as const].map(([key, value]) => ({ key, value, create: 2, mod: 4, version: 3 }));
	const operation = { kind: "range", key: "zb", end: "zc", limit: 0, revision: 0, serializable: false, countOnly: false } as const;
	const answer = { kind: "range", revision: 4, count: 2, more: false, pairs } as const;
	const half: Attempt = { id: 9, client: 0, member: "m1#1", operation, invoked: 8, outcome: { kind: "ok", returned: 9, answer } };
	const { checks } = judge(record({ attempts: [...record().attempts, half] }));
	expect(checks.find(({ name }) => name === "bank")).toMatchObject({
		verdict: "violated",
		findings: ["a read at revision 4 found 490"],
		attempts: [half],
		drawing: [expect.stringContaining("get zb..zc"), "members wrote at revision 4: k=v4"],
	});
});

describe("revisions that no watch told", () => {
	const unseen = { followers: [follower("m1", ["v2", "v3"])] };
	const linearizable = (change: Partial<RunRecord>) =>
		judge(record({ ...unseen, ...change })).checks.find(({ name }) => name === "linearizable");
	const lost: Attempt = { ...put(3, 4, 6), outcome: { kind: "unknown" } };

	test("the answered write fills its own", () => {
		expect(linearizable({})?.verdict).toBe("ok");
	});

	test("one without an outcome is tried", () => {
		const read = get(4, 4, 20);
		expect(linearizable({ attempts: [...record().attempts.slice(0, 3), lost, read] })?.verdict).toBe("ok");
		const other = { ...read, operation: { ...read.operation, key: "zb" } } as Attempt;
		expect(linearizable({ attempts: [...record().attempts.slice(0, 3), lost, other] })?.verdict).toBe("violated");
	});

	test("where there are too many ways, nobody can tell", () => {
		const many = Array.from({ length: 40 }, (_, id): Attempt => ({ ...lost, id, operation: { kind: "put", key: `q${id}`, value: "1" } }));
		const last = get(50, 38, 30);
		const check = linearizable({ attempts: [...record().attempts.slice(0, 3), ...many, last], finalRevision: 38, leased: NOTHING_LEASED });
		expect(check).toMatchObject({
			verdict: "unknown",
			findings: ["nobody saw all changes, and there are too many ways to explain those left"],
		});
	});
});

describe("one thing changed", () => {
	const cases: ReadonlyArray<readonly [name: string, change: Partial<RunRecord>, check: CheckName, verdict: "violated" | "unknown"]> = [
		["a stale read", { attempts: [put(0, 2, 0), put(1, 3, 2), get(2, 2, 4), put(3, 4, 6)] }, "linearizable", "violated"],
		[
			"an acknowledged write that is nowhere",
			{ attempts: [put(0, 2, 0), put(1, 3, 2), put(2, 4, 4), put(3, 5, 6)] },
			"linearizable",
			"violated",
		],
		["a change that nobody asked for", { attempts: [put(0, 2, 0), put(3, 4, 6)] }, "linearizable", "violated"],
		[
			"a watch that tells something else",
			{ followers: [follower("m1", ["v2", "v3", "v4"]), follower("m2", ["v2", "x", "v4"])] },
			"watches",
			"violated",
		],
		[
			"a watch that goes back",
			{ followers: [spoilt(follower("m1", ["v2", "v3", "v4"]), (all) => all.splice(5, 0, all[3] as StreamEntry))] },
			"watches",
			"violated",
		],
		[
			"a watch that says that it is complete when it is not",
			{
				followers: [
					spoilt(follower("m1", ["v2", "v3", "v4"]), (all) =>
						all.splice(3, 0, { kind: "answer", at: 0, answer: { ...SILENT, revision: 4 } }),
					),
				],
			},
			"watches",
			"violated",
		],
		[
			"a watch that is silent at the end",
			{ followers: [follower("m2", ["v2", "v3", "v4"]), spoilt(follower("m1", ["v2", "v3", "v4"]), (all) => all.pop())] },
			"watches",
			"violated",
		],
		[
			"a member with another hash",
			{
				finalStates: [
					{ member: "m1", revision: 4, hash: "1", contents: "" },
					{ member: "m2", revision: 4, hash: "2", contents: "" },
				],
			},
			"agreement",
			"violated",
		],
		[
			"a member with another value",
			{
				finalStates: [
					{ member: "m1", revision: 4, hash: "1", contents: "a" },
					{ member: "m2", revision: 4, hash: "1", contents: "b" },
				],
			},
			"agreement",
			"violated",
		],
		["no rest at the end", { finalRevision: null, finalStates: [] }, "recovery", "violated"],
		["a member that does not come back", { troubles: ["m1 does not start"] }, "recovery", "violated"],
		[
			"a lease that ends before its last renewal has run out",
			{ leased: leased((records) => records.push({ kind: "renewed", invoked: 2_500_000, returned: 2_501_000, ttl: 0 })) },
			"leases",
			"violated",
		],
		[
			"a lease that is heard of after its end",
			{ leased: leased((records) => records.push({ kind: "renewed", invoked: 4_000_000, returned: 4_001_000, ttl: 2 })) },
			"leases",
			"violated",
		],
		[
			"a key that outlives its lease",
			{ leased: leased((records) => records.push({ kind: "read", invoked: 4_000_000, returned: 4_001_000, key: "a7/1", present: true })) },
			"leases",
			"violated",
		],
		[
			"a lease that never ends",
			{
				leased: leased((records) =>
					records.splice(-1, 1, { kind: "looked", invoked: 90_000_000, returned: 90_001_000, grantedTtl: 2, ttl: 0 }),
				),
			},
			"leases",
			"violated",
		],
		[
			"a key of a lease that goes without its sister",
			{
				leased: leased((records) => records.push({ kind: "attached", invoked: 4_000, returned: 5_000, key: "a7/2", revision: 4 })),
			},
			"leases",
			"violated",
		],
		["a key of a lease that nobody wrote", { leased: leased((records) => records.splice(1, 1)) }, "leases", "violated"],
		[
			"a put of a lease that was made twice",
			{ leased: leased((records) => records.splice(1, 1, { ...(records[1] as LeaseRecord), revision: 4 } as LeaseRecord)) },
			"leases",
			"violated",
		],
		[
			"a key of a lease that goes before its time, as an answer tells",
			{ attempts: [...record().attempts, get(9, 6, 1_500)] },
			"leases",
			"violated",
		],
		["a key of a lock that nobody queued with", { leased: { ...leased(), locks: [turn("b/1", 7)] } }, "locks", "violated"],
		["a lock of which something outlives its lease", { leased: { ...leased(), leftOver: ["b/1 is left over"] } }, "locks", "violated"],
		["two holders of one lock", { leased: { ...leased(), locks: [turn("b/1", null), turn("b/2", 8)] } }, "locks", "violated"],
		[
			"a lock without its key",
			{ leased: { ...leased(), locks: [turn("b/1", 7), turn("b/2", null), turn("b/3", 8)] } },
			"locks",
			"violated",
		],
		["no lease at all", { leased: { leases: new Map(), locks: [], leftOver: [] }, scenario: { ...scenario } }, "enough", "unknown"],
		["two leaders of one term", { leaderFindings: ["two leaders of term 3"] }, "leaders", "violated"],
		["no fault at all", { faults: [] }, "enough", "unknown"],
		["hardly a call", { attempts: [], followers: [], finalRevision: 1 }, "enough", "unknown"],
	];
	for (const [name, change, check, verdict] of cases) {
		test(`${name}: ${check} is ${verdict}`, () => {
			const judgement = judge(record(change));
			expect(judgement.checks.find((one) => one.name === check)?.verdict).toBe(verdict);
			expect(judgement.verdict).not.toBe("ok");
		});
	}

	test("a change that nobody asked for is drawn with the calls on its key around it, and with what was written", () => {
		const check = judge(record({ attempts: [put(0, 2, 0), get(2, 3, 4), put(3, 4, 6)] })).checks.find(
			({ name }) => name === "linearizable",
		);
		expect(check?.findings).toEqual(["phantom: revision 3 changed k=v3, and nobody can have asked for that"]);
		expect(check?.attempts.map(({ id }) => id)).toEqual([0, 2, 3]);
		expect(check?.drawing).toEqual([
			expect.stringContaining("put k=v2"),
			expect.stringContaining("get k"),
			expect.stringContaining("put k=v4"),
			"members wrote at revision 2: k=v2",
			"members wrote at revision 3: k=v3",
			"members wrote at revision 4: k=v4",
		]);
	});

	test("what all members have lost alike: agreement", () => {
		const without = record().finalStates.map((state) => ({ ...state, contents: "b/1=@7/7/1\nb/2=@8/8/1" }));
		const agreement = judge(record({ finalStates: without })).checks.find(({ name }) => name === "agreement");
		expect(agreement?.verdict).toBe("violated");
		expect(agreement?.findings[0]).toBe("at revision 8 m1 holds nothing more where its changes lead to k=v4@2/4/3");
	});

	test("a watch that came to the end and was not told of a revision: watches", () => {
		const deaf = spoilt(follower("m3", ["v2", "v3", "v4"]), (all) => all.splice(2, 1));
		const check = judge(record({ followers: [follower("m1", ["v2", "v3", "v4"]), deaf] })).checks.find(({ name }) => name === "watches");
		expect(check?.verdict).toBe("violated");
		expect(check?.findings[0]).toMatch(/^complete: watch of m3, stream 1 at m3, .*: lacks 2 put k$/);
	});

	test("a pair before a change that never was: watches, but not behind a change that nobody saw", () => {
		const lying = (watch: WatchRecord, revision: number): WatchRecord => ({
			...watch,
			streams: watch.streams.map((stream) => ({ ...stream, entries: stream.entries.map((entry) => withOtherPair(entry, revision)) })),
		});
		const verdictOf = (followers: readonly WatchRecord[], compacted: number) =>
			judge(record({ followers, attempts: [...record().attempts, compaction(9, compacted, 20)] })).checks.find(
				({ name }) => name === "watches",
			)?.verdict;
		expect(verdictOf([lying(follower("m1", ["v2", "v3", "v4"]), 4)], 1)).toBe("violated");
		const values = ["v2", "v3"];
		expect(verdictOf([follower("m1", values)], 5)).toBe("ok");
		expect(verdictOf([lying(follower("m1", values), 6)], 5)).toBe("ok");
		expect(verdictOf([lying(follower("m1", values), 3)], 5)).toBe("violated");
	});

	test("where the members came to no rest, no watch has to have come to the end", () => {
		const followers = [follower("m1", ["v2", "v3", "v4"]), spoilt(follower("m2", ["v2", "v3", "v4"]), (all) => all.pop())];
		const check = judge(record({ followers, finalRevision: null, finalStates: [] })).checks.find(({ name }) => name === "watches");
		expect(check?.verdict).toBe("ok");
	});

	test("a serializable read of what nobody had asked for yet: linearizable", () => {
		const early = get(9, 4, 3);
		const read = { ...early, client: 7, operation: { ...early.operation, serializable: true } } as Attempt;
		const check = judge(record({ attempts: [...record().attempts, read] })).checks.find(({ name }) => name === "linearizable");
		expect(check).toMatchObject({
			verdict: "violated",
			findings: ["realTime: revision 4 was answered before a change up to it was asked for"],
		});
		expect(check?.attempts.map(({ id }) => id)).toEqual([3, 9]);
	});

	test("a lock whose change no watch saw: nobody can tell", () => {
		const blind = ["m1", "m2"].map((name) =>
			watchOf(name, new Map([...plain(["v2", "v3", "v4"]), ...LEASED_CHANGES].filter(([revision]) => revision !== 7))),
		);
		const check = judge(record({ followers: blind })).checks.find(({ name }) => name === "locks");
		expect(check?.verdict).toBe("unknown");
		expect(check?.findings[0]).toBe("no watch saw revision 7, without which nobody can tell");
	});

	test("each fault that was due must have struck; of a run that was ended early those that were due until then", () => {
		const line = { fault: "pause", at: { minMs: 500, maxMs: 800 }, every: null, for: { minMs: 1, maxMs: 1 }, details: {} };
		const two = {
			scenario: { ...scenario, faults: [...scenario.faults, { ...scenario.faults[0], ...line } as (typeof scenario.faults)[0]] },
		};
		const lacking = (change: Partial<RunRecord>) =>
			judge(record({ ...two, ...change })).checks.find(({ name }) => name === "enough")?.findings;
		expect(lacking({})).toEqual(["pause was due and struck nobody"]);
		expect(lacking({ endedEarly: true, faultsUntilMs: 700 })).toEqual([]);
		expect(lacking({ endedEarly: true, faultsUntilMs: 700, faults: [] })).toEqual(["no fault was struck"]);
	});

	test("a long run need not have more calls than one of thirty seconds", () => {
		const findings = judge(record({ scenario: { ...scenario, seconds: 3_600 } })).checks.find(({ name }) => name === "enough")?.findings;
		expect(findings).toEqual(["4 calls were answered, 60 are the least"]);
	});

	test("what etcd is known to break is told with the number of its issue, and still is broken", () => {
		const lost = { leased: { ...leased(), locks: [turn("b/1", 7), turn("b/2", null), turn("b/3", 8)] } };
		const told = (program: "flotilla" | "etcd") =>
			judge(record({ ...lost, setting: settingOf(program) })).checks.find(({ name }) => name === "locks");
		const finding = "at revision 8 b/3 has the lock and is not there";
		expect(told("flotilla")).toMatchObject({ verdict: "violated", findings: [finding] });
		expect(told("etcd")).toMatchObject({ verdict: "violated", findings: [`${finding} (known: etcd #9921)`] });
	});

	test.each([
		['timeLeft: lease 3: {"kind":"looked","invoked":1,"returned":2,"grantedTtl":2,"ttl":-1}', 12260],
		['timeLeft: lease 3: {"kind":"looked","invoked":1,"returned":2,"grantedTtl":2,"ttl":9223372036}', 17642],
		['deadIsDead: lease 3: {}, but later {"kind":"renewed","invoked":1,"returned":2,"ttl":2}', 15247],
		["early: revision 6 changed a7/1=(deleted) by 70, and lease 7 was given {}", 15247],
		['timeLeft: lease 3: {"kind":"looked","invoked":1,"returned":2,"grantedTtl":2,"ttl":3}', null],
		['deadIsDead: lease 3: {}, but later {"kind":"read","invoked":1,"returned":2,"key":"a3/1","present":true}', null],
		["phantom: revision 6 changed a7/1=7, and lease 7 did not ask for that", null],
		["complete: watch of m3, stream 1: lacks 2 put k", null],
	] as const)("of etcd is known or not: %s", (finding, issue) => {
		expect(withIssue("etcd", finding)).toBe(issue === null ? finding : `${finding} (known: etcd #${issue})`);
		expect(isKnown(withIssue("etcd", finding))).toBe(issue !== null);
		expect(withIssue("flotilla", finding)).toBe(finding);
	});

	test("a read that finds money made or lost: bank", () => {
		const pairs = [0, 1, 2, 3, 4].map((n) => ({ key: `zb${n}`, value: n === 0 ? "101" : "100", create: 2, mod: 2, version: 1 }));
		const operation = { kind: "range", key: "zb", end: "zc", limit: 0, revision: 0, serializable: false, countOnly: false } as const;
		const answer = { kind: "range", revision: 2, count: 5, more: false, pairs } as const;
		const read: Attempt = { id: 9, client: 0, member: "m1#1", operation, invoked: 8, outcome: { kind: "ok", returned: 9, answer } };
		const { checks } = judge(record({ attempts: [...record().attempts, read] }));
		expect(checks.find(({ name }) => name === "bank")).toMatchObject({ verdict: "violated", findings: ["a read at revision 2 found 501"] });
	});
});
