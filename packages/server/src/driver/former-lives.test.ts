import { encodeMember } from "@flotilla/replica";
import { describe, expect, test } from "vitest";
import { decodeFormat, encodeFormat, type MemberFormat } from "./format-file.ts";
import { livesWith } from "./former-lives.ts";

const format: MemberFormat = {
	clusterId: 1n,
	memberId: 2n,
	state: "ready",
	generation: "1",
	joined: false,
	lives: [7, 8, 9],
	initialMembers: [],
};
const { lives: _, ...uncounted } = format;
const announced = (id: bigint, life: number) => ({
	key: `members/${id}`,
	value: encodeMember({ id, name: "a", peerUrls: [], clientUrls: [], learner: false, life }),
});

describe("the process lives of a data folder", () => {
	test.each([
		["are counted", format, [], [7, 8, 9, 10]],
		["from that of the floor's announcement on", format, [announced(1n, 9), announced(2n, 8)], [8, 9, 10]],
		["all, where that is none of them: the folder is an old copy", format, [announced(2n, 5)], [7, 8, 9, 10]],
		["not, where nobody counted the former ones", uncounted, [], undefined],
		["no longer, when they are very many", { ...format, lives: Array.from({ length: 1_024 }, (_each, at) => at + 20) }, [], undefined],
	])("%s", (_what, before, rows, after) => {
		expect(livesWith(10, before, rows)).toEqual(after);
	});

	test.each([format, uncounted])("stand in the format file", (each) => {
		expect(decodeFormat(encodeFormat(each))).toEqual({ ok: true, format: each });
	});
});
