import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { FAULT_NAMES } from "./faults/index.ts";
import { drawMs, parseScenario, spanOf } from "./scenario.ts";

const folder = new URL("../../scenarios/", import.meta.url);
const names = new Set(["kill", "pause"]);
const parse = (text: string) => parseScenario("s", text, names);

describe("the scenarios that are shipped", () => {
	const files = readdirSync(folder);

	test("are 25 or more", () => expect(files.length).toBeGreaterThanOrEqual(25));

	for (const file of files) {
		test(`${file} can be read, and every fault that it names exists`, () => {
			const scenario = parseScenario(basename(file, ".yaml"), readFileSync(new URL(file, folder), "utf8"), FAULT_NAMES);
			expect(scenario.title).not.toBe("");
		});
	}
});

describe("a scenario", () => {
	test("has defaults for all but its title", () => {
		expect(parse("title: t")).toMatchObject({ name: "s", members: 3, seconds: 30, clients: 12, faults: [] });
	});

	test("keeps what a fault line says for the fault itself", () => {
		const [line] = parse("title: t\nfaults:\n  - { fault: kill, who: leader, every: 1s..2s, for: 300ms }").faults;
		expect(line).toEqual({
			fault: "kill",
			at: null,
			every: { minMs: 1_000, maxMs: 2_000 },
			for: { minMs: 300, maxMs: 300 },
			details: { who: "leader" },
		});
	});

	for (const [name, text, reason] of [
		["no title", "members: 3", "it has no title"],
		["an unknown field", "title: t\nmember: 3", "there is no field member"],
		["no list of fields", "- a", "it is no list of fields"],
		["too many members", "title: t\nmembers: 100", "members must be a whole number from 1 to 9"],
		["an unknown fault", "title: t\nfaults: [{ fault: burn, at: 1s }]", "there is no fault burn"],
		["a fault without a time", "title: t\nfaults: [{ fault: kill }]", "kill needs either at or every"],
		["a fault with two times", "title: t\nfaults: [{ fault: kill, at: 1s, every: 1s }]", "kill needs either at or every"],
		["times that are none", "title: t\nfaults: [{ fault: kill, every: soon }]", "the times of kill must be such as 500ms, 2s or 1s..4s"],
		["a storm", "title: t\nfaults: [{ fault: kill, every: 1ms }]", "kill may strike every 50 ms at most"],
		["an unknown operation", "title: t\nload: { puts: 1 }", "load has no operation puts"],
		["a negative weight", "title: t\nload: { put: -1 }", "the weight of put must be a whole number"],
	] as const) {
		test(`is refused for ${name}, by name`, () => expect(() => parse(text)).toThrow(`Scenario s: ${reason}`));
	}
});

describe("times", () => {
	for (const [text, want] of [
		["500ms", { minMs: 500, maxMs: 500 }],
		["0.5s..2m", { minMs: 500, maxMs: 120_000 }],
		[3, { minMs: 3_000, maxMs: 3_000 }],
		["2s..1s", null],
		["1s..2s..3s", null],
		["1 hour", null],
		[-1, null],
		[null, null],
	] as const) {
		test(`${text}`, () => expect(spanOf(text)).toEqual(want));
	}

	test("are drawn from both ends and between", () => {
		const dice = new Dice("times");
		const drawn = Array.from({ length: 500 }, () => drawMs(dice, { minMs: 1, maxMs: 3 }));
		expect(new Set(drawn)).toEqual(new Set([1, 2, 3]));
	});
});
