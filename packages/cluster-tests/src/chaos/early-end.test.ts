/** Ctrl-C, once and twice. */
import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { EarlyEnd } from "./early-end.ts";

function listening() {
	const signals = new EventEmitter();
	const [said, exits]: [string[], number[]] = [[], []];
	let nowMs = 5_000;
	const early = EarlyEnd.listen((words) => said.push(words), {
		on: (signal, heard) => signals.on(signal, heard),
		off: (signal, heard) => signals.off(signal, heard),
		exit: (status) => exits.push(status),
		nowMs: () => nowMs,
	});
	const press = (signal: "SIGINT" | "SIGTERM", atMs: number): void => {
		nowMs = atMs;
		signals.emit(signal, signal);
	};
	return { signals, said, exits, early, press };
}

test("the first one ends the faults, and a second one the tester", () => {
	const { said, exits, early, press } = listening();
	expect(early.signal.aborted).toBe(false);
	press("SIGINT", 5_000);
	expect([early.signal.aborted, exits]).toEqual([true, []]);
	expect(said).toEqual(["SIGINT: the faults end now; what happened is healed, checked and reported. Once more ends all at once."]);
	press("SIGINT", 6_001);
	expect([said.length, exits]).toEqual([1, [130]]);
});

test("what comes within a second is the same key, passed on by a runner in between", () => {
	const { said, exits, press } = listening();
	for (const atMs of [5_000, 5_000, 5_999, 6_000]) press("SIGINT", atMs);
	expect([said.length, exits]).toEqual([1, []]);
});

test("SIGTERM does the same, with its own status, and may come second", () => {
	const { exits, early, press } = listening();
	press("SIGTERM", 5_000);
	expect(early.signal.aborted).toBe(true);
	press("SIGTERM", 7_000);
	expect(exits).toEqual([143]);
});

test("when the run is over nobody listens any more", () => {
	const { signals, early } = listening();
	early.close();
	expect(signals.eventNames()).toEqual([]);
});
