import { expect, test } from "vitest";
import { Dice } from "./dice.ts";

test("a range is the remainder of 53 bits, whichever way it is worked out", () => {
	const spans = [1, 2, 3, 36, 1_000, 0x7fff, 0x8000, 0x8001, 1_000_000, 0xffff_ffff, Number.MAX_SAFE_INTEGER];
	for (const span of spans) {
		const [dice, twin] = [new Dice(`span ${span}`), new Dice(`span ${span}`)];
		for (let n = 0; n < 500; n++) expect(dice.range(-3, span - 4)).toBe(-3 + (twin.uint53() % span));
	}
});

test("a range may have ends that are no integers, as the times of a network model", () => {
	const [dice, twin] = [new Dice("parts"), new Dice("parts")];
	for (let n = 0; n < 100; n++) expect(dice.range(0.5, 10.25)).toBe(0.5 + (twin.uint53() % 10.75));
});
