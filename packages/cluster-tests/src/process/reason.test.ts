import { expect, test } from "vitest";
import { reasonOf } from "./reason.ts";

test.each<readonly [error: unknown, text: string]>([
	[new Error("plain"), "plain"],
	[new TypeError("fetch failed", { cause: new Error("other side closed") }), "fetch failed: other side closed"],
	[new AggregateError([new Error("refused by ::1"), new Error("refused by 127.0.0.1")], ""), "refused by ::1; refused by 127.0.0.1"],
	[new Error("outer", { cause: "a text" }), "outer: a text"],
	["a text", "a text"],
	[null, ""],
])("%o is told with its causes", (error, text) => expect(reasonOf(error)).toBe(text));

test("an error that is its own cause ends", () => {
	const error: Error = new Error("again");
	error.cause = error;
	expect(reasonOf(error)).toBe("again: again: again: again: again");
});
