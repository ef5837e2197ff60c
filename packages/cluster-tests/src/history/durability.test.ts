import { describe, expect, test } from "vitest";
import { checkDurability, type FinalPair, type WriteRecord } from "./durability.ts";

const write = (key: string, revision: number, outcome: WriteRecord["outcome"] = "acknowledged"): WriteRecord => ({
	key,
	value: `v-${key}`,
	outcome,
	revision,
});
const pair = (key: string, revision: number, more: Partial<FinalPair> = {}): FinalPair => ({
	key,
	value: `v-${key}`,
	createRevision: revision,
	modRevision: revision,
	version: 1,
	...more,
});

describe("the durability check", () => {
	test("a clean history passes, unknown writes may or may not be there", () => {
		expect(checkDurability([write("a", 2), write("b", 0, "unknown"), write("c", 0, "unknown")], [pair("a", 2), pair("b", 3)], 3)).toEqual(
			[],
		);
	});

	for (const [name, writes, state, revision, finding] of [
		["a lost write", [write("a", 2), write("b", 3)], [pair("b", 3)], 3, "lost: a"],
		["a write at another revision", [write("a", 2)], [pair("a", 3)], 3, "moved: a"],
		["a write done twice", [write("a", 2)], [pair("a", 2, { modRevision: 3, version: 2 })], 3, "twice: a"],
		["a refused write that took effect", [write("a", 0, "refused")], [pair("a", 2)], 2, "refused yet done"],
		["a value that changed", [write("a", 2)], [pair("a", 2, { value: "x" })], 2, "changed: a"],
		["a key from nowhere", [], [pair("a", 2)], 2, "nobody wrote a"],
		["a revision without a key", [write("a", 3)], [pair("a", 3)], 3, "gap: revision 2"],
		["one revision for two keys", [write("a", 2), write("b", 2)], [pair("a", 2), pair("b", 2)], 2, "one revision for two"],
	] as Array<[string, WriteRecord[], FinalPair[], number, string]>) {
		test(`finds ${name}`, () => {
			expect(checkDurability(writes, state, revision).join("\n")).toContain(finding);
		});
	}
});
