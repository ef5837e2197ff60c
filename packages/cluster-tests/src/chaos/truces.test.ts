/** Who asks for peace has it, for as long as it takes and no longer. */
import { expect, test } from "vitest";
import { inPeaceIfNeedBe, Truces } from "./truces.ts";

/** Somebody who would strike: `looks` counts how often he saw that it is not his time yet. */
function striker(truces: Truces) {
	const seen = { looks: 0, struck: false, ending: false };
	const wake: Array<() => void> = [];
	const sleep = (): Promise<void> => {
		seen.looks++;
		return new Promise((resolve) => wake.push(resolve));
	};
	void truces.wait(sleep, () => seen.ending).then(() => (seen.struck = true));
	const look = async (): Promise<boolean> => {
		for (const resume of wake.splice(0)) resume();
		await settled();
		return seen.struck;
	};
	return { seen, look };
}

/** Everything that is ready to go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("without a truce everybody strikes at once", async () => {
	const { seen, look } = striker(new Truces());
	expect(await look()).toBe(true);
	expect(seen.looks).toBe(0);
});

test("nobody strikes until the last of those who asked for peace is done", async () => {
	const truces = new Truces();
	const [first, second] = [truces.ask(), truces.ask()];
	const { look } = striker(truces);
	expect(await look()).toBe(false);
	first();
	// It may say so twice.
	first();
	expect(await look()).toBe(false);
	second();
	expect(await look()).toBe(true);
});

test("the end of the faults ends the waiting as well", async () => {
	const truces = new Truces();
	truces.ask();
	const { seen, look } = striker(truces);
	expect(await look()).toBe(false);
	seen.ending = true;
	expect(await look()).toBe(true);
});

/** A call that is refused so often before it succeeds, and a world in which each truce leaves a trace. */
function refused(times: number) {
	const trace: string[] = [];
	let left = times;
	const attempt = async (): Promise<string> => {
		if (left-- > 0) {
			trace.push("refused");
			throw new Error("somebody was away");
		}
		trace.push("done");
		return "m2";
	};
	const ask = (): (() => void) => {
		trace.push("truce");
		return () => void trace.push("over");
	};
	return { trace, attempt, ask };
}

test("what is done at once, or refused for a moment, asks for no peace", async () => {
	const { trace, attempt, ask } = refused(1);
	expect(await inPeaceIfNeedBe("m2 added", attempt, { ask, patienceMs: 100_000, timeoutMs: 200_000 })).toBe("m2");
	expect(trace).toEqual(["refused", "done"]);
});

test("what is refused for too long asks for it once, and gives it back when it is done", async () => {
	const { trace, attempt, ask } = refused(3);
	expect(await inPeaceIfNeedBe("m2 added", attempt, { ask, patienceMs: 0, timeoutMs: 200_000 })).toBe("m2");
	expect(trace).toEqual(["refused", "truce", "refused", "refused", "done", "over"]);
});

test("and gives it back when time is up", async () => {
	const { trace, attempt, ask } = refused(Number.POSITIVE_INFINITY);
	const words = "not within 1 ms: m2 added: somebody was away";
	await expect(inPeaceIfNeedBe("m2 added", attempt, { ask, patienceMs: 0, timeoutMs: 1 })).rejects.toThrow(words);
	expect(trace.slice(0, 2)).toEqual(["refused", "truce"]);
	expect(trace.filter((what) => what === "truce")).toHaveLength(1);
	expect(trace.at(-1)).toBe("over");
});
