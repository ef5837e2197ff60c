import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { sortByKey } from "./key-sort.ts";
import { sliced } from "./sliced.ts";

function sorted(keys: readonly string[]): string[] {
	const slots = Int32Array.from(keys, (_, i) => i);
	const work = sliced(sortByKey(slots, (slot) => keys[slot] as string));
	while (!work.step(1_000));
	return [...slots].map((slot) => keys[slot] as string);
}

const dice = new Dice("key-sort");
const bytes = (length: number, low: number, high: number): string =>
	String.fromCharCode(...Array.from({ length }, () => dice.range(low, high)));

describe("keys of every kind come out in ascending order", () => {
	for (const [name, make] of [
		["numbers with one prefix", (i: number) => `key/${String((i * 7_919) % 10_007).padStart(12, "0")}`],
		["few characters, many lengths: a key is the beginning of others", () => bytes(dice.range(1, 14), 0, 1)],
		["all byte values", () => bytes(dice.range(1, 6), 0, 255)],
		["differences far behind", (i: number) => `/registry/pods/${"x".repeat(i % 40)}/${i}`],
		["ascending already", (i: number) => String(i).padStart(8, "0")],
	] as Array<[string, (i: number) => string]>) {
		test(name, () => {
			const keys = [...new Set(Array.from({ length: 10_000 }, (_, i) => make(i)))];
			expect(sorted(dice.shuffle([...keys]))).toEqual([...keys].sort());
		});
	}
});

test("nothing, one and two keys", () => {
	expect(sorted([])).toEqual([]);
	expect(sorted(["a"])).toEqual(["a"]);
	expect(sorted(["a\0", "a"])).toEqual(["a", "a\0"]);
});

test("a slice of the work is a small part of it", () => {
	const keys = Array.from({ length: 100_000 }, (_, i) => String((i * 7_919) % 100_003).padStart(16, "0"));
	const work = sliced(
		sortByKey(
			Int32Array.from(keys, (_, i) => i),
			(slot) => keys[slot] as string,
		),
	);
	let slices = 0;
	while (!work.step(2_000)) slices++;
	expect(slices).toBeGreaterThan(100);
});
