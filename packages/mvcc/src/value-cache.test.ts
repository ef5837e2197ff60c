import { expect, test } from "vitest";
import { ValueCache } from "./value-cache.ts";

const pair = (length: number): Uint8Array => new Uint8Array(length);

test("an entry is of one record: another revision of the key, or another key in the slot, is not answered", () => {
	const cache = new ValueCache(10_000);
	const value = pair(10);
	cache.set(1, 5, 2, value);
	expect(cache.get(1, 5, 2)).toBe(value);
	expect(cache.get(1, 6, 2)).toBe(null);
	expect(cache.get(1, 5, 1)).toBe(null);
	expect(cache.get(2, 5, 2)).toBe(null);
	cache.set(1, 6, 0, pair(3));
	expect(cache.get(1, 5, 2)).toBe(null);
});

test("what is read stays, what is not goes, and the budget holds", () => {
	const cache = new ValueCache(20 * 200);
	cache.set(0, 1, 0, pair(104));
	for (let slot = 1; slot < 200; slot++) {
		cache.set(slot, 1, 0, pair(104));
		expect(cache.get(0, 1, 0), `after ${slot}`).not.toBe(null);
	}
	let kept = 0;
	for (let slot = 0; slot < 200; slot++) if (cache.get(slot, 1, 0) !== null) kept++;
	expect(kept).toBeGreaterThan(5);
	expect(kept).toBeLessThanOrEqual(20);
});

test("a value larger than a generation is not kept", () => {
	const cache = new ValueCache(1_000);
	cache.set(1, 1, 0, pair(600));
	expect(cache.get(1, 1, 0)).toBe(null);
});
