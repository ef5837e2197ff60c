/** When a peer counts as lost (rules H2, H7), told as stories on a clock of numbers. */
import { marksDuring } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { type LaneName, LossWatch } from "../../src/peers/loss-watch.ts";

const LANES: readonly LaneName[] = ["out0", "out1", "in0", "in1"];
const options = { graceMs: 30, graceMaxMs: 1_000 };

function connected(nowMs = 0): LossWatch {
	const watch = new LossWatch(options);
	for (const lane of LANES) watch.opened(lane, nowMs);
	return watch;
}

function closeAll(watch: LossWatch, nowMs: number): boolean[] {
	return LANES.map((lane) => watch.closed(lane, "peer", nowMs));
}

describe("the loss of a peer", () => {
	test("a killed process: all lanes close, the redial is refused, lost at once", () => {
		const watch = connected();
		expect(closeAll(watch, 100)).toEqual([false, false, false, false]);
		expect(watch.deadlineMs).toBe(130);
		expect(watch.redialRefused()).toBe(true);
		expect(watch.deadlineMs).toBe(Number.POSITIVE_INFINITY);
	});

	test("the refusal may come before the last lane's end", () => {
		const watch = connected();
		expect(LANES.slice(0, 3).map((lane) => watch.closed(lane, "peer", 5))).toEqual([false, false, false]);
		expect(watch.redialRefused()).toBe(false);
		expect(watch.closed("in1", "peer", 6)).toBe(true);
	});

	test("no answer to the redial: lost when the grace is over, not before, and once", () => {
		const watch = connected();
		closeAll(watch, 100);
		expect(watch.graceOver(129)).toBe(false);
		expect(watch.graceOver(130)).toBe(true);
		expect(watch.graceOver(131)).toBe(false);
		expect(watch.redialRefused()).toBe(false);
	});

	test("one lane that stays keeps the peer", () => {
		const watch = connected();
		for (const lane of LANES.slice(0, 3)) expect(watch.closed(lane, "peer", 10)).toBe(false);
		expect(watch.redialRefused()).toBe(false);
		expect(watch.graceOver(10_000)).toBe(false);
	});

	test("a lane that comes back within the grace keeps the peer", () => {
		const watch = connected();
		closeAll(watch, 100);
		watch.opened("out0", 110);
		expect(watch.graceOver(1_000)).toBe(false);
	});

	test("never when one of the lanes was closed by us", () => {
		const watch = connected();
		expect(watch.closed("out0", "us", 10)).toBe(false);
		for (const lane of LANES.slice(1)) expect(watch.closed(lane, "peer", 20)).toBe(false);
		expect(watch.redialRefused()).toBe(false);
		expect(watch.graceOver(10_000)).toBe(false);
		// Nor when another process life is there then: this side took its leave of the one before.
		expect(watch.replaced()).toBe(false);
	});

	test("never at the start, before anything was open", () => {
		const watch = new LossWatch(options);
		expect(watch.redialRefused()).toBe(false);
		expect(watch.closed("out0", "peer", 0)).toBe(false);
		expect(watch.replaced()).toBe(false);
		expect(watch.graceOver(10_000)).toBe(false);
	});

	test("another process life in its place: lost, even without a refusal", () => {
		const watch = connected();
		closeAll(watch, 100);
		expect(watch.replaced()).toBe(true);
		watch.opened("out0", 120);
		expect(watch.graceOver(10_000)).toBe(false);
	});

	test("a peer that was called lost and is back in the same life doubles the grace, and a refusal does not end it any more", () => {
		const watch = connected();
		closeAll(watch, 100);
		expect(watch.redialRefused()).toBe(true);
		const during = marksDuring(() => {
			for (const lane of LANES) watch.opened(lane, 200);
		});
		expect(during.lossGraceDoubled).toBe(1);
		closeAll(watch, 300);
		expect(watch.deadlineMs).toBe(360);
		expect(watch.redialRefused()).toBe(false);
		expect(watch.graceOver(360)).toBe(true);
		for (const lane of LANES) watch.opened(lane, 400);
		closeAll(watch, 500);
		expect(watch.deadlineMs).toBe(620);
	});

	test("the grace grows to the election timeout at most, and falls back after ten of those of calm", () => {
		const watch = connected();
		let nowMs = 0;
		for (let round = 0; round < 10; round++) {
			nowMs += 2_000;
			closeAll(watch, nowMs);
			expect(watch.deadlineMs - nowMs).toBe(Math.min(30 * 2 ** round, 1_000));
			watch.graceOver(watch.deadlineMs);
			for (const lane of LANES) watch.opened(lane, nowMs + 1_000);
		}
		nowMs += 1_000;
		watch.opened("out0", nowMs + 10_001);
		closeAll(watch, nowMs + 20_000);
		expect(watch.deadlineMs).toBe(nowMs + 20_030);
	});
});
