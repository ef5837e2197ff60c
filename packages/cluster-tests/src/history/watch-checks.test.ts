/** Histories with known verdicts: a good one that all checks accept, and for each check one that it alone rejects. */
import { describe, expect, test } from "vitest";
import type { Change } from "./operation.ts";
import { checkWatches, WATCH_CHECKS, type WatchCheck } from "./watch-checks.ts";
import type { HeardEvent, StreamEntry, StreamRecord, WatchAnswer, WatchAsk } from "./watch-record.ts";
import { WatchTruth } from "./watch-truth.ts";

const CHANGES: ReadonlyMap<number, readonly Change[]> = new Map([
	[2, [{ key: "a", value: "1" }]],
	[3, [{ key: "b", value: "2" }]],
	[
		4,
		[
			{ key: "a", value: "3" },
			{ key: "c", value: "4" },
		],
	],
	[5, [{ key: "a", value: null }]],
	[6, [{ key: "a", value: "5" }]],
]);
const truth = new WatchTruth(CHANGES, 6, 0);

const ASK: WatchAsk = {
	...{ key: "a", end: "\0", start: 2, id: "0" },
	...{ prevKv: true, noPut: false, noDelete: false, fragment: false, progressNotify: false },
};
const ANSWER: WatchAnswer = {
	id: "0",
	revision: 6,
	created: false,
	canceled: false,
	compactRevision: 0,
	reason: "",
	fragment: false,
	events: [],
};

const create = (change: Partial<WatchAsk> = {}): StreamEntry => ({ kind: "create", at: 0, ask: { ...ASK, ...change } });
const answer = (change: Partial<WatchAnswer>): StreamEntry => ({ kind: "answer", at: 0, answer: { ...ANSWER, ...change } });
const created = (change: Partial<WatchAnswer> = {}): StreamEntry => answer({ created: true, ...change });
/** The true events of these revisions, as `ask` sees them, each in an answer of its own. */
const live = (from: number, upto: number, ask: Partial<WatchAsk> = {}): StreamEntry[] =>
	Array.from({ length: upto - from + 1 }, (_, at) => from + at).flatMap((revision) => {
		const events = eventsOf(revision, revision, ask);
		return events.length === 0 ? [] : [answer({ revision, events })];
	});
function eventsOf(from: number, upto: number, ask: Partial<WatchAsk> = {}): HeardEvent[] {
	const asked = { ...ASK, ...ask };
	return truth.heard(asked, from, upto).map((event) => (asked.prevKv ? event : { ...event, previous: null }));
}
const stream = (entries: StreamEntry[], change: Partial<StreamRecord> = {}): StreamRecord => ({
	...{ name: "s", member: "m1", entries, endedAt: null },
	...change,
});
const failed = (record: StreamRecord, of = truth): WatchCheck[] =>
	[...new Set(checkWatches([record], of).map(({ check }) => check))].sort();
const first = (entries: StreamEntry[]): HeardEvent => (entries[0] as StreamEntry & { kind: "answer" }).answer.events[0] as HeardEvent;

describe("good histories", () => {
	test.each<[string, StreamEntry[]]>([
		["one answer a revision", [create(), created({ revision: 1 }), ...live(2, 6)]],
		["the past in one answer, the header ahead", [create(), created(), answer({ events: eventsOf(2, 6) })]],
		["from now on", [create({ start: 0 }), created({ revision: 3 }), ...live(4, 6)]],
		["a filter", [create({ noPut: true }), created(), answer({ events: eventsOf(2, 6, { noPut: true }) })]],
		["one key", [create({ key: "b", end: "" }), created(), answer({ events: eventsOf(2, 6, { key: "b", end: "" }) })]],
		["progress for the stream", [create(), created(), ...live(2, 4), answer({ id: "-1", revision: 4 }), ...live(5, 6)]],
		["progress for itself", [create({ progressNotify: true }), created(), ...live(2, 6), answer({ revision: 6 })]],
		["a refusal", [create({ id: "7" }), created({ id: "-1", canceled: true, reason: "mvcc: watcher range is empty" })]],
		["given up", [create(), created(), ...live(2, 3), { kind: "cancel", at: 0, id: "0" }, answer({ canceled: true })]],
		[
			"fragments",
			[
				create({ fragment: true }),
				created(),
				...live(2, 3),
				answer({ fragment: true, revision: 4, events: eventsOf(4, 4).slice(0, 1) }),
				answer({ revision: 4, events: eventsOf(4, 4).slice(1) }),
				...live(5, 6),
			],
		],
	])("%s", (_name, entries) => {
		expect(checkWatches([stream(entries)], truth)).toEqual([]);
	});

	test("a cut stream may lack what came last", () => {
		expect(failed(stream([create(), created(), ...live(2, 3)], { endedAt: 9 }))).toEqual([]);
		expect(failed(stream([create()], { endedAt: 9 }))).toEqual([]);
	});

	test("a compaction: the cancel, and a previous pair that is gone", () => {
		const compacted = new WatchTruth(CHANGES, 6, 5);
		const cancel = answer({ revision: 0, canceled: true, compactRevision: 5 });
		expect(failed(stream([create(), created(), cancel]), compacted)).toEqual([]);
		expect(failed(stream([create(), created(), ...live(2, 3), cancel]), compacted)).toEqual([]);
		const bare = eventsOf(5, 6).map((event) => ({ ...event, previous: null }));
		expect(failed(stream([create({ start: 5 }), created(), answer({ events: bare })]), compacted)).toEqual([]);
	});
});

describe("each check rejects what it is for, and nothing else does", () => {
	const swapped = [...eventsOf(4, 4)].reverse();
	const cases: ReadonlyArray<readonly [WatchCheck, string, StreamRecord]> = [
		["opening", "created twice", stream([create(), created(), created(), ...live(2, 6)])],
		["opening", "an answer under an id that nobody has", stream([create(), created(), ...live(2, 6), answer({ id: "4", events: [] })])],
		["opening", "an id that was not asked for", stream([create({ id: "3" }), created(), ...live(2, 6)])],
		[
			"order",
			"an old revision after a newer one",
			stream([create(), created(), ...live(2, 2), ...live(4, 4), ...live(3, 3), ...live(5, 6)]),
		],
		["once", "an answer told again", stream([create(), created(), answer({ events: [...eventsOf(2, 6), ...eventsOf(6, 6)] })])],
		["complete", "a gap", stream([create(), created(), ...live(2, 3), ...live(5, 6)])],
		["complete", "the first revision is missing", stream([create(), created(), ...live(3, 6)])],
		[
			"complete",
			"half of a revision",
			stream([create(), created(), ...live(2, 3), answer({ revision: 4, events: eventsOf(4, 4).slice(0, 1) }), ...live(5, 6)]),
		],
		[
			"complete",
			"the changes of a revision in another order",
			stream([create(), created(), ...live(2, 3), answer({ revision: 4, events: swapped }), ...live(5, 6)]),
		],
		[
			"complete",
			"what came after the created response is missing (#20655)",
			stream([create({ start: 0 }), created({ revision: 2 }), ...live(4, 6)]),
		],
		[
			"whole",
			"a revision in two answers",
			stream([
				create(),
				created(),
				...live(2, 3),
				answer({ revision: 4, events: eventsOf(4, 4).slice(0, 1) }),
				answer({ revision: 4, events: eventsOf(4, 4).slice(1) }),
				...live(5, 6),
			]),
		],
		[
			"whole",
			"a fragment that nobody asked for",
			stream([create(), created(), answer({ fragment: true, events: eventsOf(2, 3) }), ...live(4, 6)]),
		],
		[
			"future",
			"progress before the first revision (#20221)",
			stream([create({ start: 5 }), created({ revision: 3 }), answer({ revision: 3 }), ...live(5, 6)]),
		],
		["future", "an event from before the start (#20221)", stream([create({ start: 4 }), created(), ...live(3, 6)])],
		[
			"bookmark",
			"progress ahead of events (#15220)",
			stream([create(), created(), ...live(2, 3), answer({ id: "-1", revision: 4 }), ...live(4, 6)]),
		],
		[
			"previous",
			"another pair",
			stream([
				create(),
				created(),
				answer({ events: eventsOf(2, 6).map((event) => ({ ...event, previous: event.previous && { ...event.previous, value: "?" } })) }),
			]),
		],
		[
			"previous",
			"none, though nothing was compacted",
			stream([create(), created(), answer({ events: eventsOf(2, 6).map((event) => ({ ...event, previous: null })) })]),
		],
		["previous", "one that nobody asked for", stream([create({ prevKv: false }), created(), ...live(2, 6)])],
		[
			"content",
			"another value",
			stream([
				create({ key: "b", end: "" }),
				created(),
				answer({ events: [{ ...first(live(3, 3)), pair: { key: "b", value: "?", create: 3, mod: 3, version: 1 } }] }),
			]),
		],
		["header", "an event above the header", stream([create(), created(), answer({ revision: 5, events: eventsOf(2, 6) })])],
		[
			"end",
			"events after the end",
			stream(
				[
					create(),
					created(),
					...live(2, 3),
					{ kind: "cancel", at: 0, id: "9" },
					answer({ revision: 0, canceled: true, compactRevision: 0, reason: "because" }),
				],
				{ endedAt: 9 },
			),
		],
		[
			"compacted",
			"a compaction that nobody made",
			stream([create(), created(), answer({ revision: 0, canceled: true, compactRevision: 4 })]),
		],
		["liveness", "silence at the end", stream([create(), created(), ...live(2, 5)])],
		["liveness", "never created", stream([create()])],
	];

	test.each(cases)("%s: %s", (check, _name, record) => {
		expect(failed(record)).toEqual([check]);
	});

	test("filter: heard what was not asked for", () => {
		const entries = [create({ key: "b", end: "" }), created(), answer({ events: eventsOf(2, 3) })];
		expect(failed(stream(entries))).toContain("filter");
	});

	test("compacted: it had seen all that the compaction took", () => {
		const compactedTruth = new WatchTruth(CHANGES, 6, 4);
		const entries = [create(), created(), ...live(2, 4), answer({ revision: 0, canceled: true, compactRevision: 4 })];
		expect(failed(stream(entries), compactedTruth)).toEqual(["compacted"]);
	});

	test("silently thinned: what a compaction took is neither told nor reported (#17529)", () => {
		const compactedTruth = new WatchTruth(CHANGES, 6, 5);
		expect(failed(stream([create(), created(), ...live(5, 6)]), compactedTruth)).toEqual(["complete"]);
	});

	test("an event after a compaction's cancel", () => {
		const compactedTruth = new WatchTruth(CHANGES, 6, 5);
		const entries = [create(), created(), answer({ revision: 0, canceled: true, compactRevision: 5 }), ...live(5, 6)];
		expect(failed(stream(entries), compactedTruth)).toContain("end");
	});

	test("no check is without a case", () => {
		const covered = new Set<string>([...cases.map(([check]) => check), "filter"]);
		expect(Object.keys(WATCH_CHECKS).filter((check) => !covered.has(check))).toEqual([]);
	});
});
