import { describe, expect, test } from "vitest";
import { Dice } from "./dice.ts";
import { NumberTable } from "./number-table.ts";

describe("a table of numbers", () => {
	test("does what a Map does, through growth, collisions and gaps", () => {
		const seed = Math.floor(Math.random() * 2 ** 31);
		const dice = new Dice(seed);
		const table = new NumberTable<string>();
		const twin = new Map<number, string>();
		let next = 0;
		for (let step = 0; step < 200_000; step++) {
			const fill = step % 20_000 < 12_000 ? 55 : 40;
			// Neighbours, numbers that share their low bits, and numbers above 2^32.
			const key = dice.pick([next++, dice.range(0, 63) * 65_536, 2 ** 32 + dice.range(0, 299), dice.range(0, 499)]);
			if (dice.chance(fill, 100)) {
				table.set(key, `${key}/${step}`);
				twin.set(key, `${key}/${step}`);
			} else {
				const keys = [...twin.keys()];
				const gone = keys.length > 0 && dice.chance(4, 5) ? dice.pick(keys) : key;
				expect(table.delete(gone), `seed ${seed}, step ${step}`).toBe(twin.delete(gone));
			}
			if (step % 97 === 0) {
				expect(table.size, `seed ${seed}, step ${step}`).toBe(twin.size);
				expect(table.all().sort(), `seed ${seed}, step ${step}`).toEqual([...twin.values()].sort());
			}
			expect(table.get(key), `seed ${seed}, step ${step}`).toBe(twin.get(key));
		}
	});

	test("a burst leaves no large table behind", () => {
		const table = new NumberTable<number>();
		for (let key = 0; key < 100_000; key++) table.set(key, key);
		for (let key = 0; key < 100_000; key++) expect(table.delete(key)).toBe(true);
		expect(table.size).toBe(0);
		expect((table as unknown as { keys: unknown[] }).keys.length).toBeLessThan(32);
		table.set(7, 8);
		expect(table.get(7)).toBe(8);
		expect(table.get(8)).toBeUndefined();
	});
});
