import { bytesEqual, Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { ValueWindow } from "./value-window.ts";

const KIB = 1024;

/** How many values before `stored` the window has, without a gap, and their bytes; each must be what was pushed. */
function countHeld(window: ValueWindow, all: readonly Uint8Array[], first: number, stored: number): { count: number; bytes: number } {
	let count = 0;
	let bytes = 0;
	for (let ordinal = stored - 1; ordinal >= first; ordinal--) {
		const value = window.get(ordinal);
		if (value === null) break;
		if (!bytesEqual(value, all[ordinal - first] as Uint8Array)) throw new Error(`another value than was pushed as ${ordinal}`);
		// What is handed out is the reader's: it must not be what a later value overwrites.
		value.fill(255);
		count++;
		bytes += value.length;
	}
	return { count, bytes };
}

for (const [name, bytesMax, sizes] of [
	["small values", 512 * KIB, [0, 40]],
	["values of all sizes", 512 * KIB, [0, 8 * KIB]],
	["some values too large to be kept", 512 * KIB, [1, 90 * KIB]],
	["hardly any room", 512, [1, 200]],
] as const) {
	test(`a window has what is not stored, and of the stored ones the newest: ${name}`, () => {
		const dice = new Dice(name);
		const first = 7;
		const window = new ValueWindow(first, bytesMax);
		const all: Uint8Array[] = [];
		let stored = first;
		let keptMost = 0;
		for (let round = 0; round < 300; round++) {
			for (let i = dice.range(0, 60); i > 0; i--) {
				const value = new Uint8Array(dice.range(sizes[0], sizes[1])).fill(all.length);
				all.push(value);
				window.push(value);
			}
			const end = first + all.length;
			expect(window.end).toBe(end);
			stored = dice.range(stored, end);
			window.release(stored);
			const unstored = all.slice(stored - first);
			expect(unstored.every((value, i) => window.get(stored + i) === value)).toBe(true);
			const held = countHeld(window, all, first, stored);
			keptMost = Math.max(keptMost, held.bytes);
			expect(held.bytes).toBeLessThanOrEqual(bytesMax);
			// Nothing older turns up again.
			for (let i = 1; i < 50; i++) expect(window.get(stored - held.count - i)).toBeNull();
		}
		expect(window.get(-1)).toBeNull();
		// Some room is lost where a value did not fit before the end.
		if (bytesMax > KIB && sizes[1] <= 8 * KIB) expect(keptMost).toBeGreaterThan(sizes[1] <= 40 ? 20 * KIB : bytesMax * 0.9);
	});
}
