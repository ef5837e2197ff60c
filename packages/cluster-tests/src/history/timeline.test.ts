/** What is printed of a history that contradicts itself: the fewest attempts that show it, drawn as lines of text. */
import { expect, test } from "vitest";
import { checkByRevision, type Violation } from "./by-revision.ts";
import type { Answer, Attempt, Change, Operation } from "./operation.ts";
import { smallestContradiction } from "./smallest.ts";
import { drawTimeline } from "./timeline.ts";

const get: Operation = { kind: "range", key: "a", end: "", limit: 0, revision: 0, serializable: false, countOnly: false };
const put = (value: string): Operation => ({ kind: "put", key: "a", value });

function attempt(id: number, operation: Operation, invoked: number, returned: number | null, answer: Answer | null): Attempt {
	const outcome: Attempt["outcome"] = returned === null || answer === null ? { kind: "unknown" } : { kind: "ok", returned, answer };
	return { id, client: id % 3, member: `m${(id % 2) + 1}`, operation, invoked, outcome };
}

/** Fifty writes one after the other, the tenth without an answer. */
function writes(): { history: Attempt[]; oracle: Map<number, Change[]> } {
	const oracle = new Map<number, Change[]>();
	const history = Array.from({ length: 50 }, (_, at) => {
		const revision = at + 2;
		oracle.set(revision, [{ key: "a", value: `v${at}` }]);
		const answer: Answer | null = at === 10 ? null : { kind: "put", revision, previous: null };
		return attempt(at, put(`v${at}`), at * 1_000, at * 1_000 + 500, answer);
	});
	return { history, oracle };
}

function readOf(revision: number, value: string, mod: number): Answer {
	const pair = { key: "a", value, create: 2, mod, version: mod - 1 };
	return { kind: "range", revision, count: 1, more: false, pairs: [pair] };
}

function violationOf(history: readonly Attempt[], oracle: ReadonlyMap<number, readonly Change[]>, final: number): Violation {
	const verdict = checkByRevision(history, oracle, final);
	if (verdict.kind !== "violated") throw new Error(`the history is ${verdict.kind}`);
	return verdict.violation;
}

test("a stale read: of fifty-one attempts two are left, and each is needed", () => {
	const { history, oracle } = writes();
	const stale = [...history, attempt(60, get, 60_000, 61_250, readOf(30, "v28", 30))];
	const violation = violationOf(stale, oracle, 51);
	expect(violation.check).toBe("realTime");
	const smallest = smallestContradiction(stale, oracle, 51, violation);
	expect(smallest).toHaveLength(2);
	const [write, read] = smallest as [Attempt, Attempt];
	expect(read.id).toBe(60);
	expect(drawTimeline(smallest, oracle, 1_000)).toEqual([
		`client ${write.client}  ${write.member}  ${(write.invoked / 1_000).toFixed(3)} ms - ${((write.invoked + 500) / 1_000).toFixed(3)} ms  ${drawn(write, read)}`,
		`client 0  m1  60.000 ms - 61.250 ms  ${drawn(read, write)}`,
		"members wrote at revision 30: a=v28",
		`members wrote at revision ${write.id + 2}: a=v${write.id}`,
	]);
});

/** Bar, question and answer of one of the two attempts above. */
function drawn(one: Attempt, other: Attempt): string {
	const [first, last] = [Math.min(one.invoked, other.invoked), 61_250];
	const end = one.outcome.kind === "ok" ? one.outcome.returned : last;
	const place = (at: number): number => Math.round(((at - first) / (last - first)) * 29);
	const bar = `${" ".repeat(place(one.invoked))}${"=".repeat(place(end) - place(one.invoked))}|`.padEnd(30);
	return one.id === 60 ? `${bar}  get a      revision 30: a=v28 of 30` : `${bar}  put a=v${one.id}  revision ${one.id + 2}: put`;
}

test("a wrong answer stands alone, beside what the members wrote", () => {
	const { history, oracle } = writes();
	const wrong = [...history, attempt(60, get, 60_000, 61_250, readOf(51, "v3", 5))];
	const smallest = smallestContradiction(wrong, oracle, 51, violationOf(wrong, oracle, 51));
	expect(smallest.map(({ id }) => id)).toEqual([60]);
	expect(drawTimeline(smallest, oracle, 1_000).slice(1)).toEqual([
		"members wrote at revision 5: a=v3",
		"members wrote at revision 51: a=v49",
	]);
});

test("a change that was made twice: who asked for it once, though an answer never came", () => {
	const { history, oracle } = writes();
	oracle.set(52, [{ key: "a", value: "v10" }]);
	const violation = violationOf(history, oracle, 52);
	expect(violation.check).toBe("phantom");
	const smallest = smallestContradiction(history, oracle, 52, violation);
	// Before them the calls on that key that were answered last.
	expect(smallest.map(({ id }) => id)).toEqual([48, 49, 10]);
	expect(drawTimeline(smallest, oracle, 1_000)).toContainEqual(
		expect.stringMatching(/^client 1 {2}m1 {2}10\.000 ms - \? .*put a=v10 +no answer$/),
	);
});

test("many lines are cut short, and it is said how many", () => {
	const { history, oracle } = writes();
	const lines = drawTimeline(history, oracle, 1_000);
	expect(lines).toContain("and 38 more");
	expect(lines.length).toBeLessThan(30);
});
