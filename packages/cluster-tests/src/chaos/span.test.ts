import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { describeMs, drawMs, spanOf } from "./span.ts";

test.each([
	["500ms", { minMs: 500, maxMs: 500 }],
	["0.5s..2m", { minMs: 500, maxMs: 120_000 }],
	[3, { minMs: 3_000, maxMs: 3_000 }],
	["2s..1s", null],
	["1s..2s..3s", null],
	["1 hour", null],
	["-1s", null],
	["", null],
	[-1, null],
	[Number.NaN, null],
	[null, null],
] as const)("the time %j", (text, want) => expect(spanOf(text)).toEqual(want));

test("times are drawn from both ends and between", () => {
	const dice = new Dice("times");
	const drawn = Array.from({ length: 500 }, () => drawMs(dice, { minMs: 1, maxMs: 3 }));
	expect(new Set(drawn)).toEqual(new Set([1, 2, 3]));
});

test.each([
	[0, "0ms"],
	[500, "500ms"],
	[1_500, "1.5s"],
	[60_000, "1m"],
	[90_000, "90s"],
])("%d ms for people", (ms, text) => expect(describeMs(ms)).toBe(text));
