/** When a member that says it leads is believed. */
import { expect, test } from "vitest";
import { Claims } from "./observer.ts";

test("at once, where leader and term are of one moment", () => {
	const claims = new Claims(true);
	expect(claims.stands("m1", 2, 0, 1)).toBe(true);
	expect(claims.stands("m1", null, 2, 3)).toBe(false);
	expect(claims.stands("m2", 2, 2, 3)).toBe(true);
});

test("otherwise when it says so again, in an answer that was asked for later", () => {
	const claims = new Claims(false);
	expect(claims.stands("m1", 2, 0, 10)).toBe(false);
	// Asked for before the first answer had come.
	expect(claims.stands("m1", 2, 5, 11)).toBe(false);
	expect(claims.stands("m1", 2, 12, 13)).toBe(true);
	// It loses its office and names the term of the next one.
	expect(claims.stands("m1", 3, 20, 21)).toBe(false);
	expect(claims.stands("m1", null, 30, 31)).toBe(false);
	expect(claims.stands("m1", 3, 40, 41)).toBe(false);
	expect(claims.stands("m2", 3, 40, 41)).toBe(false);
	expect(claims.stands("m2", 3, 50, 51)).toBe(true);
});
