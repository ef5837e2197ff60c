import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { IntervalTree } from "./interval-tree.ts";

interface Span {
	readonly from: string;
	readonly to: string | null;
}

const POINTS = Array.from({ length: 60 }, (_, at) => String.fromCharCode(33 + at));

function holds({ from, to }: Span, key: string): boolean {
	return key >= from && (to === null || key < to);
}

function stabbed(tree: IntervalTree<Span>, key: string): Span[] {
	const found: Span[] = [];
	tree.stab(key, (span) => found.push(span));
	return found;
}

describe("ranges that hold a key, like a plain list of them", () => {
	for (let seed = 0; seed < 20; seed++) {
		test(`seed ${seed}`, () => {
			const dice = new Dice(`intervals ${seed}`);
			const tree = new IntervalTree<Span>();
			const list = new Map<string, Span>();
			for (let step = 0; step < 400; step++) {
				const from = dice.pick(POINTS);
				const span: Span = { from, to: dice.chance(1, 6) ? null : dice.pick(POINTS) };
				const name = `${from} ${span.to ?? "none"}`;
				if (dice.chance(2, 5)) {
					tree.delete(span.from, span.to);
					list.delete(name);
				} else {
					tree.set(span.from, span.to, span);
					list.set(name, span);
				}
				expect(tree.size).toBe(list.size);
				expect(tree.get(span.from, span.to)).toBe(list.get(name));
				const key = dice.pick(POINTS);
				const want = [...list.values()].filter((each) => holds(each, key));
				expect(new Set(stabbed(tree, key)), `step ${step}, key ${key}`).toEqual(new Set(want));
				expect(stabbed(tree, key)).toHaveLength(want.length);
			}
			const all: Span[] = [];
			tree.forEach((span) => void all.push(span));
			expect(all.map(({ from }) => from)).toEqual(all.map(({ from }) => from).sort());
			expect(all).toHaveLength(list.size);
		});
	}
});

test("a hundred thousand ranges in rising order cost a look some steps, not all of them", () => {
	const tree = new IntervalTree<number>();
	const name = (at: number): string => String(at).padStart(6, "0");
	for (let at = 0; at < 100_000; at++) tree.set(name(at), name(at + 1), at);
	let compared = 0;
	const key = {
		[Symbol.toPrimitive]: () => {
			compared++;
			return name(77_777);
		},
	};
	const found: number[] = [];
	tree.stab(key as unknown as string, (at) => found.push(at));
	expect(found).toEqual([77_777]);
	expect(compared).toBeLessThan(120);
});
