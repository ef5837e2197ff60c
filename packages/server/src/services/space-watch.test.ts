import { expect, test } from "vitest";
import { watchSpace } from "./space-watch.ts";

test("each share is warned of once, and again when the use has fallen clearly below it", () => {
	const warned: number[] = [];
	const watch = watchSpace(1_000, (percent) => void warned.push(percent));
	const after = (...uses: number[]): number[] => {
		for (const used of uses) watch.look(used);
		return warned.splice(0);
	};
	expect(after(0, 699)).toEqual([]);
	expect(after(700, 750, 849)).toEqual([70]);
	expect(after(850, 1_200)).toEqual([85]);
	expect(after(840, 860)).toEqual([]);
	expect(after(799, 860)).toEqual([85]);
	expect(after(100, 900)).toEqual([70, 85]);
});

test("without a quota there is nothing to warn of", () => {
	watchSpace(0, () => expect.unreachable()).look(Number.MAX_SAFE_INTEGER);
});
