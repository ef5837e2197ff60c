import { expect, test } from "vitest";
import { jointVote, majorityValue, majorityVote, quorumValue, VOTE_GRANTED, VOTE_NONE, VOTE_REFUSED } from "./quorum.ts";

const scratch = new Float64Array(64);

for (const [name, values, want] of [
	["a lone voter decides", [5], 5],
	["of two the lower one counts", [7, 3], 3],
	["of three the slowest is left out", [9, 0, 9], 9],
	["of four two are not enough", [9, 9, 3, 1], 3],
	["of five the third", [1, 2, 3, 4, 5], 3],
	["nobody holds nothing back", [], Number.POSITIVE_INFINITY],
] as [string, number[], number][]) {
	test(`majority of ${name}`, () => {
		const slots = values.map((_, slot) => slot);
		expect(majorityValue(slots, Float64Array.from(values), scratch)).toBe(want);
	});
}

test("SC-114 the value of a quorum equals the largest that enough voters have reached, for every small case", () => {
	for (let count = 1; count <= 5; count++) {
		const slots = Array.from({ length: count }, (_, slot) => slot);
		for (let code = 0; code < 4 ** count; code++) {
			const values = Float64Array.from(slots, (slot) => Math.floor(code / 4 ** slot) % 4);
			const reached = (value: number, half: readonly number[]) =>
				half.filter((slot) => (values[slot] as number) >= value).length * 2 > half.length;
			const largest = (halves: readonly (readonly number[])[]) =>
				[3, 2, 1, 0].find((value) => halves.every((half) => reached(value, half)));
			expect(majorityValue(slots, values, scratch)).toBe(largest([slots]));
			const left = slots.slice(0, 3);
			const right = slots.slice(-2);
			expect(quorumValue(left, right, values, scratch)).toBe(largest([left, right]));
		}
	}
});

test("a vote is won, lost or open exactly as the answers that are missing allow, for every small case", () => {
	for (let count = 1; count <= 5; count++) {
		const slots = Array.from({ length: count }, (_, slot) => slot);
		for (let code = 0; code < 3 ** count; code++) {
			const votes = Uint8Array.from(slots, (slot) => Math.floor(code / 3 ** slot) % 3);
			const count1 = (vote: number, half: readonly number[]) => half.filter((slot) => votes[slot] === vote).length;
			const judge = (half: readonly number[]) => {
				if (count1(VOTE_GRANTED, half) * 2 > half.length) return "won";
				return (count1(VOTE_GRANTED, half) + count1(VOTE_NONE, half)) * 2 > half.length ? "pending" : "lost";
			};
			expect(majorityVote(slots, votes)).toBe(judge(slots));
			const halves = [slots.slice(0, 3), slots.slice(-2)].map(judge);
			const joint = halves.includes("lost") ? "lost" : halves.includes("pending") ? "pending" : "won";
			expect(jointVote(slots.slice(0, 3), slots.slice(-2), votes)).toBe(joint);
		}
	}
	expect(VOTE_REFUSED).toBe(2);
});
