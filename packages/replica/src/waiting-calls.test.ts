import { describe, expect, test } from "vitest";
import { CommandKind, WriteCall } from "./calls.ts";
import { WaitingCalls } from "./waiting-calls.ts";

const call = (bytes: number): WriteCall => new WriteCall(CommandKind.put, new Uint8Array(bytes), "", 0, 0, () => {});

/** Calls that it keeps alive. */
function held(waiting: WaitingCalls): WriteCall[] {
	return (waiting as unknown as { calls: WriteCall[] }).calls;
}

describe("writes that wait", () => {
	test("come in batches of a megabyte, in their order", () => {
		const waiting = new WaitingCalls(10);
		const calls = Array.from({ length: 40 }, () => call(100_000));
		for (const each of calls) waiting.push(each);
		const batches = [waiting.takeBatch(), waiting.takeBatch(), waiting.takeBatch(), waiting.takeBatch()];
		expect(batches.map(({ length }) => length)).toEqual([10, 10, 10, 10]);
		expect(batches.flat()).toEqual(calls);
		expect([waiting.empty, waiting.takeBatch()]).toEqual([true, []]);
	});

	test("are let go of when they were taken, though there are always others", () => {
		const waiting = new WaitingCalls(10);
		for (let i = 0; i < 100; i++) waiting.push(call(100_000));
		for (let round = 0; round < 1_000; round++) {
			const taken = waiting.takeBatch();
			for (const each of taken) each.state = "completed";
			for (let i = 0; i < taken.length; i++) waiting.push(call(100_000));
			expect(held(waiting).length).toBe(100);
		}
		expect(held(waiting).every(({ state }) => state === "waiting")).toBe(true);
	});

	test("and are given up in their place take no more than some megabytes, however few or many they are", () => {
		const waiting = new WaitingCalls(10_000);
		waiting.push(call(1));
		for (let i = 0; i < 1_000; i++) {
			const given = call(1_500_000);
			waiting.push(given);
			given.state = "completed";
			waiting.noteGone(given);
			expect(held(waiting).reduce((sum, { payload }) => sum + payload.length, 0)).toBeLessThan(16 << 20);
		}
		for (let i = 0; i < 20_001; i++) {
			const given = call(1);
			waiting.push(given);
			given.state = "completed";
			waiting.noteGone(given);
			expect(held(waiting).length).toBeLessThan(10_010);
		}
		expect(waiting.takeBatch().length).toBe(1);
	});
});
