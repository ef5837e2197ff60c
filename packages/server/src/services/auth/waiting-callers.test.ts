import { beforeEach, describe, expect, test } from "vitest";
import { WaitingCallers } from "./waiting-callers.ts";

const TICK_MS = 10;
/** As many as may wait. */
const FULL = 1_024;

let applied: number;
let timers: Array<() => void>;
let callers: WaitingCallers;
beforeEach(() => {
	applied = 100;
	timers = [];
	callers = new WaitingCallers({ tickMs: TICK_MS, appliedIndex: () => applied, afterTicks: (_ticks, work) => timers.push(work) });
});

function pass(ticks: number): void {
	for (let tick = 0; tick < ticks; tick++) for (const work of timers.splice(0)) work();
}

type Fate = "waits" | "known" | "lost";
class Call {
	fate: Fate = "waits";
	readonly forget: (() => void) | null;

	constructor(peer: string, index: number, remainingMs = Number.POSITIVE_INFINITY) {
		this.forget = callers.add({
			...{ peer, index, remainingMs },
			known: () => this.settle("known"),
			lost: () => this.settle("lost"),
		});
	}

	private settle(fate: Fate): void {
		expect(this.fate).toBe("waits");
		this.fate = fate;
	}
}

const calls = (count: number, peer: (at: number) => string, index: (at: number) => number): Call[] =>
	Array.from({ length: count }, (_, at) => new Call(peer(at), index(at)));
const waiting = (all: readonly Call[]): number => all.filter(({ fate }) => fate === "waits").length;

describe("calls that wait for their token", () => {
	test("go on when its entry is applied, and no sooner; nothing is looked at when none waits", () => {
		const [soon, later] = [new Call("a:1", 101), new Call("a:2", 102)];
		expect(timers).toHaveLength(1);
		pass(10);
		expect([soon.fate, later.fate]).toEqual(["waits", "waits"]);
		applied = 101;
		pass(1);
		expect([soon.fate, later.fate]).toEqual(["known", "waits"]);
		applied = 102;
		pass(1);
		expect(later.fate).toBe("known");
		expect([timers.length, callers.count]).toEqual([0, 0]);
	});

	test("are lost after three seconds, at their deadline, and at once where it cannot be", () => {
		const [long, short] = [new Call("a:1", 101), new Call("a:1", 101, 50)];
		pass(5);
		expect([long.fate, short.fate]).toEqual(["waits", "lost"]);
		pass(3_000 / TICK_MS - 6);
		expect(long.fate).toBe("waits");
		pass(1);
		expect(long.fate).toBe("lost");
		for (const index of [99, 100, 100 + 1_000_001, Number.MAX_SAFE_INTEGER]) {
			const call = new Call("a:1", index);
			expect([call.fate, call.forget]).toEqual(["lost", null]);
		}
		expect(callers.count).toBe(0);
	});

	test("give their place back when their client leaves", () => {
		const call = new Call("a:1", 101);
		call.forget?.();
		expect(callers.count).toBe(0);
		applied = 101;
		pass(1);
		expect(call.fate).toBe("waits");
	});
});

describe("when there is no room", () => {
	test("one connection full of tokens that were made up crowds nobody out, from another address or its own", () => {
		const forged = calls(
			FULL,
			() => "9.9.9.9:1",
			(at) => 101 + at,
		);
		const honest = [
			...calls(
				50,
				(at) => `1.1.1.${at}:1`,
				() => 101,
			),
			...calls(
				50,
				(at) => `9.9.9.9:${at + 2}`,
				() => 101,
			),
		];
		expect([waiting(honest), waiting(forged), callers.count]).toEqual([100, FULL - 100, FULL]);
		// It is its own that make room for more of it.
		const more = calls(
			5_000,
			() => "9.9.9.9:1",
			() => 101,
		);
		expect([waiting(honest), waiting(forged) + waiting(more), callers.count]).toEqual([100, FULL - 100, FULL]);
		applied = 101;
		pass(1);
		expect(new Set(honest.map(({ fate }) => fate))).toEqual(new Set(["known"]));
	});

	test("a thousand connections of one address crowd nobody out from another one", () => {
		const forged = calls(
			FULL,
			(at) => `9.9.9.9:${at}`,
			() => 101,
		);
		const honest = calls(
			100,
			(at) => `1.1.1.1:${at}`,
			() => 101,
		);
		calls(
			5_000,
			(at) => `9.9.9.9:${at}`,
			() => 101,
		);
		expect([waiting(honest), waiting(forged) > 0]).toEqual([100, false]);
	});

	test("among equals the one that is furthest away goes, and of those the one that has waited longest", () => {
		const far = calls(
			FULL / 2,
			(at) => `9.9.${at >> 8}.${at & 255}:1`,
			() => 5_000,
		);
		const near = calls(
			FULL / 2,
			(at) => `8.8.${at >> 8}.${at & 255}:1`,
			() => 101,
		);
		const honest = calls(
			FULL / 2,
			(at) => `1.1.${at >> 8}.${at & 255}:1`,
			() => 101,
		);
		expect([waiting(far), waiting(near), waiting(honest)]).toEqual([0, FULL / 2, FULL / 2]);
		new Call("1.1.9.9:1", 101);
		expect([near[0]?.fate, near[1]?.fate]).toEqual(["lost", "waits"]);
		// Whoever is furthest is not let in for the others.
		expect(new Call("1.1.9.8:1", 200).fate).toBe("lost");
	});

	test("nothing is kept of whoever has gone", () => {
		for (let round = 0; round < 3; round++) {
			calls(
				3 * FULL,
				(at) => `${round}.1.${at >> 8}.${at & 255}:1`,
				() => 101,
			);
			pass(3_000 / TICK_MS);
			expect(callers.count).toBe(0);
		}
		expect(new Call("a:1", 101).fate).toBe("waits");
	});
});
