import { expect, test } from "vitest";
import { SyncTimes } from "./sync-times.ts";

test("the median is that of the last 64, whatever came before", () => {
	const times = new SyncTimes();
	expect(times.expectedMs).toBe(0);
	for (const ms of [900, 5, 1]) times.note(ms);
	expect(times.expectedMs).toBe(5);
	for (let ms = 64; ms >= 1; ms--) times.note(100 + ms);
	expect(times.expectedMs).toBe(133);
	for (let i = 0; i < 32; i++) times.note(2);
	expect(times.expectedMs).toBe(101);
	times.note(2);
	expect(times.expectedMs).toBe(2);
});

test("a write that took longer than the median counts until the next one", () => {
	const times = new SyncTimes();
	for (let i = 0; i < 64; i++) times.note(2);
	times.note(80);
	expect(times.expectedMs).toBe(80);
	times.note(2);
	expect(times.expectedMs).toBe(2);
});
