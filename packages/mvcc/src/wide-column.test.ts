import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { WideColumn } from "./wide-column.ts";

test("a column holds every safe integer, small ones after large ones too", () => {
	const dice = new Dice("wide");
	const column = new WideColumn(16);
	const want = new Array<number>(16).fill(0);
	const edges = [0, 1, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x1f_ffff_ffff_ffff, 0x1f_ffff_0000_0000];
	for (let i = 0; i < 2_000; i++) {
		// The first ones fit in 32 bits.
		const value = i < 200 ? dice.uint32() : dice.chance(1, 2) ? dice.pick(edges) : dice.uint53();
		const at = dice.range(0, 15);
		column.set(at, value);
		want[at] = value;
		expect(want.map((_, place) => column.get(place))).toEqual(want);
	}
});
