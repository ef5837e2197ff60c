/** Locks and elections under every fault, and what is said of them. */
import { describe, expect, it, test } from "vitest";
import { checkElection, type ElectionBreach, type ElectionRecord, type Observation } from "../history/election-checks.ts";
import { checkLocks } from "../history/lock-checks.ts";
import type { Change } from "../history/operation.ts";
import { drawPlan } from "./plan.ts";
import { simulate } from "./run.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));
const limits = { faultyMs: 8_000, operationsMin: 100 };
describe(`locks and elections under every fault (FLOTILLA_SEED=${from})`, () => {
	it("have one holder and one leader at a time, by revisions, and leave nothing behind", () => {
		let acknowledged = 0;
		for (let seed = from; seed < from + 4; seed++) {
			const plan = drawPlan(`contests ${seed}`, limits);
			const lock = { ...plan.parts.lock, lockers: 3 };
			const election = { ...plan.parts.election, candidates: 3, observers: 2 };
			const result = simulate({ ...plan, parts: { ...plan.parts, lock, election } });
			expect(result.verdict, `seed "contests ${seed}"\n${result.findings.join("\n")}`).toBe("ok");
			acknowledged += result.counts.acknowledged;
		}
		expect(acknowledged).toBeGreaterThan(100);
	});
});

const put = (key: string, value = "") => [{ key, value }];
const gone = (key: string) => [{ key, value: null }];

describe("what is said of a lock", () => {
	const changes = new Map<number, readonly Change[]>([
		[2, put("b/1")],
		[3, put("b/2")],
		[4, put("x")],
		[5, gone("b/1")],
	]);
	const told = (key: string, revision: number) => [...checkLocks("b/", changes, [{ key, revision }])].length;

	test.each([
		["b/1", 2],
		["b/1", 4],
		["b/2", 5],
	] as const)("%s has it at %i", (key, revision) => expect(told(key, revision)).toBe(0));

	test.each([
		["who jumped the queue", "b/2", 3],
		["whose key is gone", "b/1", 5],
		["who never had one", "b/3", 4],
		["who was not there yet", "b/2", 2],
	] as const)("but not %s", (_who, key, revision) => expect(told(key, revision)).toBe(1));
});

describe("what is said of an election", () => {
	/** 1 leads from revision 2 to 6 and 2 from there on. */
	const changes = new Map<number, readonly Change[]>([
		[2, put("c/1", "a")],
		[3, put("c/2", "b")],
		[4, put("c/1", "c")],
		[5, put("c/1", "d")],
		[6, gone("c/1")],
		[7, put("c/2", "e")],
	]);
	const one = { key: "c/1", create: 2 };
	const two = { key: "c/2", create: 3 };
	const checks = (breaches: Iterable<ElectionBreach>): string[] => [...breaches].map(({ check }) => check);

	const records: ReadonlyArray<readonly [what: string, record: ElectionRecord, breach: string | undefined]> = [
		["a candidate stands with its key", { kind: "campaigned", ...two, revision: 3 }, undefined],
		["a candidate that has no key", { kind: "campaigned", key: "c/2", create: 2, revision: 3 }, "candidate"],
		["the leader proclaims", { kind: "proclaimed", ...one, value: "c", revision: 4 }, undefined],
		["who waits proclaims", { kind: "proclaimed", ...two, value: "b", revision: 3 }, "oneLeader"],
		["a word that was not written", { kind: "proclaimed", ...one, value: "x", revision: 4 }, "oneLeader"],
		["who has left proclaims", { kind: "proclaimed", ...one, value: "e", revision: 7 }, "fence"],
		["who leads is known", { kind: "led", ...one, value: "a", revision: 3 }, undefined],
		["who leads with an old word", { kind: "led", ...one, value: "a", revision: 5 }, "leader"],
		["who does not lead any more", { kind: "led", ...one, value: "d", revision: 6 }, "leader"],
		["whoever resigns is gone", { kind: "resigned", ...one, revision: 6 }, undefined],
		["whoever resigns and stays", { kind: "resigned", ...two, revision: 7 }, "resign"],
	];
	test.each(records)("%s", (_what, record, breach) => {
		expect(checks(checkElection("c/", changes, [record], []))).toEqual(breach === undefined ? [] : [breach]);
	});

	const first: Observation = { ...one, revision: 3, mod: 2, value: "a", compacted: 0 };
	const second: Observation = { ...one, revision: 4, mod: 4, value: "c", compacted: 0 };
	const third: Observation = { ...one, revision: 5, mod: 5, value: "d", compacted: 0 };
	const next: Observation = { ...two, revision: 6, mod: 3, value: "b", compacted: 0 };
	const last: Observation = { ...two, revision: 7, mod: 7, value: "e", compacted: 0 };
	const streams: ReadonlyArray<readonly [what: string, seen: Observation[], breach: string | undefined]> = [
		["everything", [first, second, third, next, last], undefined],
		["from the middle on", [third, next, last], undefined],
		["without a word", [first, third, next, last], "gap"],
		["without the last word of a leader", [first, second, next, last], "gap"],
		["without the newest word", [first, second, third, next], "gap"],
		["a gap that a compaction explains", [first, { ...third, compacted: 4 }, next, last], undefined],
		["a gap behind a compaction of what it had heard", [first, { ...third, compacted: 3 }, next, last], "gap"],
		["backwards", [third, second], "order"],
		["a word twice", [last, last], "order"],
		["who does not lead yet", [{ ...two, revision: 4, mod: 3, value: "b", compacted: 0 }], "observed"],
		["another word", [{ ...first, value: "z" }, second, third], "observed"],
	];
	test.each(streams)("an observer sees %s", (_what, seen, breach) => {
		const found = checks(checkElection("c/", changes, [], [{ name: "o", seen, open: true, compacted: 0 }]));
		expect(found[0]).toBe(breach);
	});

	test("at the end a compaction explains a gap only when nobody leads any more, or the leader was heard", () => {
		const ended = (seen: Observation[], over: boolean): string[] => {
			const history = over ? new Map([...changes, [8, gone("c/2")] as const]) : changes;
			return checks(checkElection("c/", history, [], [{ name: "o", seen, open: true, compacted: 7 }]));
		};
		expect(ended([first, second, third], false)).toEqual(["gap"]);
		expect(ended([first, second, third, next], false)).toEqual(["gap"]);
		expect(ended([first, second, third, next, last], false)).toEqual([]);
		expect(ended([first, second, third], true)).toEqual([]);
	});
});
