import { expect, test } from "vitest";
import { hasMoreValues } from "./json-values.ts";

/** The text itself is longer than its bound, so that it is looked at. */
const MOST = 4;

test.each([
	["four commas", "[1,2,3,4]", false],
	["five", "[1,2,3,4,5]", true],
	["a long string of them", JSON.stringify(",[{".repeat(1_000)), false],
	["a string that ends with backslashes", JSON.stringify({ a: `${",".repeat(20)}"\\`, b: '\\",,,,,' }), false],
	["one that never ends", `"${",".repeat(100)}`, false],
	["one behind a string", '["a","b\\"",1,2,3]', true],
	["brackets alone", "[".repeat(5), true],
	["messages one after another", "{}".repeat(5), true],
	["blanks", " ".repeat(100), false],
])("%s", (_what, text, more) => {
	expect(hasMoreValues(text, MOST)).toBe(more);
});

test("a text of the bound's length or less is not looked at", () => {
	expect(hasMoreValues("[[[[", MOST)).toBe(false);
});
