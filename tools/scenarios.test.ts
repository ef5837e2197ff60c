import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { CATALOGUE } from "./scenario-catalogue.ts";
import { collectTests, numberedTests, scenarioPage } from "./scenarios.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

describe("scenarios", () => {
	test("the catalogue counts from 1 to 124 without a gap", () => {
		const numbers = CATALOGUE.flatMap(({ scenarios }) => scenarios.map(({ number }) => number));
		expect(numbers).toEqual(Array.from({ length: 124 }, (_, at) => at + 1));
	});

	test("each has a test or a reason, and docs/scenarios.md says which (otherwise: npm run fix)", () => {
		const { page, problems } = scenarioPage(collectTests(root));
		expect(problems).toEqual([]);
		expect(readFileSync(`${root}docs/scenarios.md`, "utf8")).toBe(page);
	});

	test("one without a test is a problem, and so is a number that does not exist", () => {
		const all = collectTests(root);
		expect(scenarioPage(all.filter(({ number }) => number !== 15)).problems).toEqual(["SC-015 has neither a test nor a reason"]);
		const stray = numberedTests("a.test.ts", 'test("SC-125 a claim", () => {});');
		expect(scenarioPage([...all, ...stray]).problems).toEqual(["a.test.ts names SC-125, which is not in the catalogue"]);
	});

	test("titles are found in tests, tables, suites and transcripts, with several numbers, and nowhere else", () => {
		const text = [
			'test("SC-001 SC-002 a \\"claim\\"", () => {});',
			"it(`SC-003 with ${name}`, () => {});",
			'describe("SC-004 a suite", () => {});',
			'it.each(KINDS)("SC-005 %s", () => {});',
			'for (const [name] of [["SC-006 a row"]]) test(name, () => {});',
			'// "SC-007 a comment"',
			'const text = "not SC-008";',
		].join("\n");
		expect(numberedTests("a.test.ts", text).map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6]);
		expect(numberedTests("transcripts/a.txt", "# SC-009 a story\n#\n# SC-010 prose\n")).toEqual([
			{ number: 9, file: "transcripts/a.txt", title: "a story" },
		]);
	});
});
