import { expect, test } from "vitest";
import { Inflights } from "./inflights.ts";

test("the window is full by messages or by bytes, and an acknowledgement frees all up to its index", () => {
	const window = new Inflights(3, 100);
	for (let round = 0; round < 5; round++) {
		const start = round * 10;
		window.add(start + 1, 40);
		window.add(start + 3, 40);
		expect(window.full).toBe(false);
		// The limit in bytes is soft: below it one more may go.
		window.add(start + 7, 40);
		expect({ full: window.full, count: window.count, bytes: window.bytes }).toEqual({ full: true, count: 3, bytes: 120 });
		window.freeUpto(start + 2);
		expect({ full: window.full, count: window.count, bytes: window.bytes }).toEqual({ full: false, count: 2, bytes: 80 });
		window.freeUpto(start + 7);
		expect({ count: window.count, bytes: window.bytes }).toEqual({ count: 0, bytes: 0 });
	}
	window.add(100, 1_000);
	expect(window.full).toBe(true);
	window.clear();
	expect(window.full).toBe(false);
});
