import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Backlog, Countdown } from "./progress.ts";

beforeEach(() => {
	vi.useFakeTimers();
});
afterEach(() => {
	vi.useRealTimers();
});

test("in step is who has few revisions left, and nobody else", () => {
	const backlog = new Backlog();
	expect(backlog.describe(100, 100, 7)).toBe("in step up to revision 100 of 100; 7 changes since the copy");
	expect(backlog.describe(100, 164, 7)).toContain("in step");
	expect(backlog.describe(100, 165, 7)).toBe("catching up: revision 100 of 165, 65 left; 7 changes since the copy");
});

test("how long it will take, or that it never ends", () => {
	const backlog = new Backlog();
	const shown = (left: number): string => {
		vi.advanceTimersByTime(1_000);
		return backlog.describe(10_000 - left, 10_000, 1);
	};
	expect([5_000, 4_900, 4_800].map(shown).at(-1)).toContain("4800 left, 48 s at this rate;");
	expect([5_000, 5_200, 5_400, 5_600, 5_800, 6_000].map(shown).at(-1)).toContain("the source writes as fast as this copies, or faster");
});

test("a copy tells its rate when there is one", () => {
	const countdown = new Countdown();
	expect(countdown.describe(100, 1_000)).toBe("");
	vi.advanceTimersByTime(4_000);
	expect(countdown.describe(200, 1_000)).toBe(", 50 a second, 16 s left");
	expect(countdown.describe(100, 10_000)).toBe(", 25 a second, 7 min left");
});
