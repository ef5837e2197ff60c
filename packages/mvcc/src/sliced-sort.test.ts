import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { SlicedSort } from "./sliced-sort.ts";

test("the sort is stable and the same in slices of any size", () => {
	const dice = new Dice("sort");
	for (const length of [0, 1, 2, 2_047, 2_048, 2_049, 4_096, 4_097, 25_000]) {
		const values = Array.from({ length }, () => dice.range(0, 500));
		const compare = (a: number, b: number): number => (values[a] as number) - (values[b] as number);
		const items = values.map((_, i) => i);
		const want = [...items].sort(compare);
		for (const budget of [1_000, 3_000, Number.POSITIVE_INFINITY]) {
			const sort = new SlicedSort([...items], compare);
			let steps = 0;
			while (!sort.step(budget)) expect(steps++).toBeLessThan(1_000);
			expect(sort.result(), `${length} items, ${budget} a step`).toEqual(want);
		}
	}
});

test("a slice does not do the whole work", () => {
	const items = Array.from({ length: 10_000 }, (_, i) => (i * 7_919) % 10_000);
	const sort = new SlicedSort(items, (a, b) => a - b);
	let steps = 1;
	while (!sort.step(500)) steps++;
	expect(steps).toBeGreaterThan(40);
});
