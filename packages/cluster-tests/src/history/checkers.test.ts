/** The checkers are under test as well: both must agree, and each planted change must be found by the check meant for it. */
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { checkByRevision, type Verdict } from "./by-revision.ts";
import { checkHistory } from "./holes.ts";
import { SequentialStore } from "./model.ts";
import type { Answer, Attempt, Change, CompareOp, DeleteOp, Operation } from "./operation.ts";
import { searchLinearizable } from "./search.ts";

const range = (key: string, more: Partial<Operation & { kind: "range" }> = {}): Operation => ({
	kind: "range",
	key,
	end: "",
	limit: 0,
	revision: 0,
	serializable: false,
	countOnly: false,
	...more,
});

interface Run {
	readonly history: Attempt[];
	readonly oracle: Map<number, Change[]>;
	readonly finalRevision: number;
}

/** A toy store with overlapping clients: each operation takes effect at a moment inside its call; some answers never arrive. */
function toyRun(dice: Dice, count: number): Run {
	const store = new SequentialStore();
	const calls = Array.from({ length: count }, (_, id) => {
		const invoked = dice.range(0, count * 4);
		return { id, invoked, effect: invoked + dice.range(1, 8), returned: 0, operation: randomOperation(dice, id) };
	});
	const history: Attempt[] = [];
	const oracle = new Map<number, Change[]>();
	for (const call of [...calls].sort((a, b) => a.effect - b.effect || a.id - b.id)) {
		call.returned = call.effect + dice.range(1, 8);
		const lost = dice.chance(1, 6);
		const happens = !lost || dice.chance(1, 2);
		let answer: Answer | null = null;
		if (happens) {
			const done = store.execute(call.operation);
			answer = done.answer;
			if (done.changes.length > 0) oracle.set(store.revision, done.changes);
		}
		history.push({
			id: call.id,
			client: call.id,
			member: "m",
			operation: call.operation,
			invoked: call.invoked,
			outcome: lost || answer === null ? { kind: "unknown" } : { kind: "ok", returned: call.returned, answer },
		});
	}
	return { history, oracle, finalRevision: store.revision };
}

function randomOperation(dice: Dice, id: number): Operation {
	const key = dice.pick(["a", "b", "c"]);
	switch (dice.range(0, 5)) {
		case 0:
		case 1:
			return { kind: "put", key, value: `v${id}` };
		case 2:
			return { kind: "delete", key, end: "" };
		case 3:
			return {
				kind: "txn",
				compare: [{ target: "version", result: "equal", key, operand: dice.range(0, 2) }],
				success: [{ kind: "put", key: dice.pick(["a", "b", "c"]), value: `t${id}` }, range("a") as Operation & { kind: "range" }],
				failure: [range("b") as Operation & { kind: "range" }],
			};
		case 4:
			return range("a", { end: "d" });
		default:
			return range(key);
	}
}

const verdictOf = (run: Run): Verdict => checkByRevision(run.history, run.oracle, run.finalRevision);

describe("history checkers", () => {
	test("good histories pass both, 2,000 seeds", () => {
		for (let seed = 0; seed < 2_000; seed++) {
			const run = toyRun(new Dice(seed), 2 + (seed % 6));
			expect(verdictOf(run).kind, `seed ${seed}`).toBe("ok");
			expect(searchLinearizable(run.history), `seed ${seed}`).toBe("ok");
		}
	});

	test("histories with a planted change: what the search rejects the fast path rejects too, 4,000 seeds", () => {
		let violated = 0;
		for (let seed = 0; seed < 4_000; seed++) {
			const dice = new Dice(`plant/${seed}`);
			const run = toyRun(dice, 2 + (seed % 6));
			const answered = run.history.filter((attempt) => attempt.outcome.kind === "ok");
			if (answered.length === 0) continue;
			const victim = dice.pick(answered);
			const history = run.history.map((attempt) => (attempt === victim ? damage(attempt, dice) : attempt));
			const slow = searchLinearizable(history);
			const fast = checkByRevision(history, run.oracle, run.finalRevision).kind;
			if (slow === "violated") {
				violated++;
				expect(fast, `seed ${seed}`).toBe("violated");
			}
		}
		expect(violated).toBeGreaterThan(1_000);
	});

	/** What a checker may know besides the answers: of every revision, or of those that the dice leave. */
	const seenOf = ({ oracle, finalRevision }: Run, kept: (revision: number) => boolean) => ({
		oracle: new Map([...oracle].filter(([revision]) => kept(revision))),
		finalRevision,
		accounted: new Set<number>(),
		others: false,
	});

	test("good histories are good where nobody saw some of the changes, or any, 2,000 seeds", () => {
		let guesses = 0;
		for (let seed = 0; seed < 2_000; seed++) {
			const dice = new Dice(`holes/${seed}`);
			const run = toyRun(dice, 2 + (seed % 9));
			for (const share of [1, 2, 4]) {
				const verdict = checkHistory(
					run.history,
					seenOf(run, () => dice.range(0, 3) >= share),
				);
				expect(verdict.kind, `seed ${seed}`).toBe("ok");
				if (verdict.kind === "ok" && verdict.filled > 0) guesses++;
			}
		}
		expect(guesses).toBeGreaterThan(1_000);
	});

	test("what the general search rejects is rejected without any oracle too, and nothing else that it can tell, 4,000 seeds", () => {
		let violated = 0;
		for (let seed = 0; seed < 4_000; seed++) {
			const dice = new Dice(`blind/${seed}`);
			const run = toyRun(dice, 2 + (seed % 6));
			const answered = run.history.filter((attempt) => attempt.outcome.kind === "ok");
			if (answered.length === 0) continue;
			const victim = dice.pick(answered);
			const history = run.history.map((attempt) => (attempt === victim ? damage(attempt, dice) : attempt));
			const seen = seenOf(run, () => false);
			const blind = checkHistory(history, seen).kind;
			expect(blind, `seed ${seed}`).not.toBe("unknown");
			if (searchLinearizable(history) === "violated") {
				violated++;
				expect(blind, `seed ${seed}`).toBe("violated");
			} else if (blind === "violated") {
				// It knows the last revision besides, which the search does not.
				expect(checkByRevision(history, run.oracle, run.finalRevision).kind, `seed ${seed}`).toBe("violated");
			}
		}
		expect(violated).toBeGreaterThan(1_000);
	});

	const at = (id: number, operation: Operation, invoked: number, returned: number, answer: Answer): Attempt => ({
		id,
		client: id,
		member: "m",
		operation,
		invoked,
		outcome: { kind: "ok", returned, answer },
	});
	const lost = (id: number, operation: Operation, invoked: number): Attempt => ({
		id,
		client: id,
		member: "m",
		operation,
		invoked,
		outcome: { kind: "unknown" },
	});
	const put = (key: string, value: string): Operation => ({ kind: "put", key, value });
	const putAnswer = (revision: number): Answer => ({ kind: "put", revision, previous: null });
	const pairs = (revision: number, ...list: [string, string, number, number, number][]): Answer => ({
		kind: "range",
		revision,
		count: list.length,
		more: false,
		pairs: list.map(([key, value, create, mod, version]) => ({ key, value, create, mod, version })),
	});
	const oracle = (...changes: [string, string | null][]): Map<number, Change[]> =>
		new Map(changes.map(([key, value], i) => [i + 2, [{ key, value }]]));

	for (const [name, history, changes, check] of [
		[
			"a stale read",
			[
				at(1, put("x", "1"), 0, 10, putAnswer(2)),
				at(2, put("x", "2"), 11, 20, putAnswer(3)),
				at(3, range("x"), 21, 30, pairs(2, ["x", "1", 2, 2, 1])),
			],
			[
				["x", "1"],
				["x", "2"],
			],
			"realTime",
		],
		[
			"a read from the future",
			[at(1, range("x"), 0, 5, pairs(2, ["x", "1", 2, 2, 1])), at(2, put("x", "1"), 10, 20, putAnswer(2))],
			[["x", "1"]],
			"realTime",
		],
		["a lost update", [at(1, put("x", "1"), 0, 10, putAnswer(2)), at(2, put("x", "2"), 0, 10, putAnswer(2))], [["x", "1"]], "placement"],
		[
			"a forgotten acknowledged write",
			[at(1, put("x", "1"), 0, 10, putAnswer(2)), at(2, put("y", "2"), 11, 20, putAnswer(3))],
			[
				["x", "1"],
				["z", "9"],
			],
			"effect",
		],
		[
			"a change that nobody asked for",
			[at(1, put("x", "1"), 0, 10, putAnswer(2))],
			[
				["x", "1"],
				["z", "9"],
			],
			"phantom",
		],
		[
			"a doubled write",
			[lost(1, put("x", "1"), 0)],
			[
				["x", "1"],
				["x", "1"],
			],
			"phantom",
		],
		[
			"a wrong value",
			[at(1, put("x", "1"), 0, 10, putAnswer(2)), at(2, range("x"), 11, 20, pairs(2, ["x", "7", 2, 2, 1]))],
			[["x", "1"]],
			"answer",
		],
		[
			"a wrong version",
			[at(1, put("x", "1"), 0, 10, putAnswer(2)), at(2, range("x"), 11, 20, pairs(2, ["x", "1", 2, 2, 2]))],
			[["x", "1"]],
			"answer",
		],
		[
			"a write that took effect before it was asked for",
			[lost(1, put("x", "1"), 50), at(2, put("y", "2"), 0, 10, putAnswer(3))],
			[
				["x", "1"],
				["y", "2"],
			],
			"phantom",
		],
	] as Array<[string, Attempt[], [string, string | null][], string]>) {
		test(`finds ${name}`, () => {
			const changesByRevision = oracle(...changes);
			const verdict = checkByRevision(history, changesByRevision, 1 + changes.length);
			expect(verdict.kind).toBe("violated");
			if (verdict.kind === "violated" && name !== "a write that took effect before it was asked for")
				expect(verdict.violation.check).toBe(check);
		});
	}

	test("a read at a compacted revision is found", () => {
		const history = [
			at(1, put("x", "1"), 0, 1, putAnswer(2)),
			at(2, put("x", "2"), 2, 3, putAnswer(3)),
			at(3, { kind: "compact", revision: 3 }, 4, 5, { kind: "compact", revision: 3 }),
			at(4, range("x", { revision: 2 }), 6, 7, pairs(3, ["x", "1", 2, 2, 1])),
		];
		const verdict = checkByRevision(history, oracle(["x", "1"], ["x", "2"]), 3);
		expect(verdict.kind === "violated" && verdict.violation.check).toBe("compaction");
	});

	test("a session that goes back on one member is found, a stale serializable read is not", () => {
		const serial = range("x", { serializable: true });
		const history = [
			at(1, put("x", "1"), 0, 1, putAnswer(2)),
			at(2, put("x", "2"), 2, 3, putAnswer(3)),
			{ ...at(3, serial, 4, 5, pairs(2, ["x", "1", 2, 2, 1])), client: 9 },
		];
		expect(checkByRevision(history, oracle(["x", "1"], ["x", "2"]), 3).kind).toBe("ok");
		const back = [...history, { ...at(4, serial, 6, 7, pairs(1)), client: 9 }];
		const verdict = checkByRevision(back, oracle(["x", "1"], ["x", "2"]), 3);
		expect(verdict.kind === "violated" && verdict.violation.check).toBe("session");
	});

	test("whoever fits two revisions is kept for the one that nobody else can have made", () => {
		const gone = (key: string): DeleteOp => ({ kind: "delete", key, end: "" });
		const whileThere = (key: string): CompareOp => ({ key, target: "create", result: "greater", operand: 0 });
		const either: Operation = {
			kind: "txn",
			compare: [],
			success: [
				gone("a"),
				{ kind: "txn", compare: [whileThere("h")], success: [], failure: [{ kind: "put", key: "b", value: "only here" }] },
			],
			failure: [],
		};
		const known = [
			at(1, put("h", "1"), 0, 10, putAnswer(2)),
			at(2, put("a", "1"), 11, 20, putAnswer(3)),
			at(3, gone("h"), 41, 50, {
				kind: "delete",
				revision: 5,
				deleted: 1,
				previous: [{ key: "h", value: "1", create: 2, mod: 2, version: 1 }],
			}),
		];
		const changes = oracle(["h", "1"], ["a", "1"], ["a", null], ["h", null], ["b", "only here"]);
		const both = [...known, lost(4, either, 12), lost(5, gone("a"), 13)];
		expect(checkByRevision(both, changes, 6)).toEqual({ kind: "ok", placed: 3, filled: 2 });
		// Each of them alone cannot have done both.
		for (const alone of [4, 5]) {
			const verdict = checkByRevision(
				both.filter(({ id }) => id !== alone),
				changes,
				6,
			);
			expect(verdict.kind === "violated" && verdict.violation.check).toBe("phantom");
		}
	});

	test("an incomplete oracle is unknown to the fast path, and an answered write fills it", () => {
		const history = [at(1, put("x", "1"), 0, 1, putAnswer(2))];
		expect(checkByRevision(history, new Map(), 2).kind).toBe("unknown");
		expect(checkHistory(history, blind(2))).toEqual({ kind: "ok", placed: 1, filled: 0 });
	});

	const blind = (finalRevision: number, others = false) => ({ oracle: new Map(), finalRevision, accounted: new Set<number>(), others });

	test("of two that may have filled a hole, the one is taken that the reads behind it saw", () => {
		const history = [
			lost(1, put("x", "1"), 0),
			lost(2, put("x", "2"), 1),
			at(3, range("x"), 5, 6, pairs(2, ["x", "2", 2, 2, 1])),
			at(4, range("x"), 7, 8, pairs(3, ["x", "1", 2, 3, 2])),
		];
		expect(checkHistory(history, blind(3))).toEqual({ kind: "ok", placed: 0, filled: 2 });
		const third = at(4, range("x"), 7, 8, pairs(3, ["x", "3", 2, 3, 2]));
		const verdict = checkHistory([...history.slice(0, 3), third], blind(3));
		expect(verdict.kind === "violated" && verdict.violation.text).toContain("(whatever revision 2, 3 changed, which nobody saw)");
	});

	test("a hole that nobody can have made is found, unless others write keys of their own", () => {
		const history = [at(1, put("x", "1"), 0, 1, putAnswer(3))];
		const verdict = checkHistory(history, blind(3));
		expect(verdict.kind === "violated" && verdict.violation).toMatchObject({
			check: "phantom",
			text: "revision 2 exists, and nobody can have asked for its change",
		});
		expect(checkHistory(history, blind(3, true)).kind).toBe("ok");
	});

	test("too many ways to fill the holes are unknown, and it ends", () => {
		// Any order of these leaves one state behind, and the last read contradicts it.
		const history = [
			...Array.from({ length: 40 }, (_, id) => lost(id, put(`k${id}`, "1"), id)),
			at(99, range("x"), 900, 901, pairs(31, ["x", "1", 2, 2, 1])),
		];
		expect(checkHistory(history, blind(31))).toMatchObject({ kind: "unknown" });
		expect(checkHistory(history, blind(1_000))).toEqual({ kind: "unknown", reason: "nobody saw or was told what 999 revisions changed" });
	});
});

function damage(attempt: Attempt, dice: Dice): Attempt {
	if (attempt.outcome.kind !== "ok") return attempt;
	const { answer, returned } = attempt.outcome;
	switch (dice.range(0, 2)) {
		case 0:
			return {
				...attempt,
				outcome: { kind: "ok", returned, answer: { ...answer, revision: Math.max(1, answer.revision + dice.pick([-1, 1])) } as Answer },
			};
		case 1:
			return { ...attempt, invoked: attempt.invoked + 40, outcome: { kind: "ok", returned: returned + 40, answer } };
		default:
			if (answer.kind !== "range" || answer.pairs.length === 0)
				return { ...attempt, outcome: { kind: "ok", returned: 0, answer }, invoked: -10 };
			return {
				...attempt,
				outcome: { kind: "ok", returned, answer: { ...answer, pairs: answer.pairs.map((pair) => ({ ...pair, value: `${pair.value}!` })) } },
			};
	}
}

test("changes that another part accounts for need no request, and reads see them", () => {
	const put: Attempt = {
		id: 0,
		client: 0,
		member: "m",
		operation: { kind: "put", key: "a", value: "v" },
		invoked: 0,
		outcome: { kind: "ok", returned: 1, answer: { kind: "put", revision: 2, previous: null } },
	};
	const read: Attempt = {
		id: 1,
		client: 0,
		member: "m",
		operation: range("a"),
		invoked: 2,
		outcome: { kind: "ok", returned: 3, answer: { kind: "range", revision: 3, count: 0, more: false, pairs: [] } },
	};
	const oracle = new Map<number, Change[]>([
		[2, [{ key: "a", value: "v" }]],
		[3, [{ key: "a", value: null }]],
	]);
	expect(checkByRevision([put, read], oracle, 3).kind).toBe("violated");
	expect(checkByRevision([put, read], oracle, 3, new Set([3])).kind).toBe("ok");
});
