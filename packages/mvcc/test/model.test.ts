import { randomInt } from "node:crypto";
import { marks } from "@flotilla/base";
import { expect, test } from "vitest";
import { compareTwins } from "./twins.ts";

test.each(Array.from({ length: 40 }, (_, seed) => `mvcc-${seed}`))("the store answers like a plain list of all changes: %s", (seed) => {
	expect(compareTwins(seed, 250)).toBe(null);
});

test("many answers to changes were read while other changes followed", () => {
	expect(marks.answeredLater).toBeGreaterThan(100);
});

/** `npm run twin -- --seed S --steps 250 --operations 1` goes through the same again. */
const fresh = Array.from({ length: 20 }, () => `fresh-${randomInt(2 ** 40)}`);
test.each(fresh)("... and with seeds that nobody has seen: %s", (seed) => {
	expect(compareTwins(seed, 250)).toBe(null);
});
