import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { KeyTable, NOT_FOUND } from "./key-table.ts";

test("keys are found as in a Map while they come and go", () => {
	const dice = new Dice("key-table");
	const names: string[] = [];
	const table = new KeyTable({ key: (slot) => names[slot] as string });
	const map = new Map<string, number>();
	for (let i = 0; i < 60_000; i++) {
		const key = `k${dice.range(0, 9_000)}`;
		const known = map.get(key);
		expect(table.find(key)).toBe(known ?? NOT_FOUND);
		// In waves: the table grows, empties, grows.
		const growing = Math.floor(i / 15_000) % 2 === 0;
		if (known === undefined && (growing || dice.chance(1, 5))) {
			names.push(key);
			table.insert(key, names.length - 1);
			map.set(key, names.length - 1);
		} else if (known !== undefined && (!growing || dice.chance(1, 5))) {
			table.remove(key);
			map.delete(key);
			expect(table.find(key)).toBe(NOT_FOUND);
		}
	}
	for (const [key, slot] of map) expect(table.find(key)).toBe(slot);
	expect(map.size).toBeGreaterThan(100);
});
