import { expect, test } from "vitest";
import { Dice } from "./dice.ts";
import { highHalf, int64Of, lowHalf, putVarint64, uint64Of, varint64Size } from "./halves.ts";

const EDGES = [0n, 1n, 127n, 128n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 35n - 1n, 2n ** 35n, 2n ** 63n - 1n, -1n, -2n, -(2n ** 63n)];

test("64 bits are cut, joined and written as arithmetic on bigints does it", () => {
	const seed = Math.floor(Math.random() * 2 ** 31);
	const dice = new Dice(seed);
	const random = Array.from({ length: 20_000 }, () =>
		BigInt.asIntN(64, ((BigInt(dice.uint32()) << 32n) | BigInt(dice.uint32())) >> BigInt(dice.range(0, 63))),
	);
	for (const value of [...EDGES, ...random]) {
		const unsigned = BigInt.asUintN(64, value);
		const low = Number(unsigned & 0xffff_ffffn);
		const high = Number(unsigned >> 32n);
		expect([lowHalf(value), highHalf(value), lowHalf(unsigned), highHalf(unsigned)], `seed ${seed}, ${value}`).toEqual([
			low,
			high,
			low,
			high,
		]);
		expect([int64Of(low, high), uint64Of(low, high)], `seed ${seed}, ${value}`).toEqual([value, unsigned]);
		const bytes = new Uint8Array(12);
		const end = putVarint64(bytes, 1, value);
		expect([...bytes.subarray(1, end)], `seed ${seed}, ${value}`).toEqual(varintOf(unsigned));
		expect(varint64Size(value), `seed ${seed}, ${value}`).toBe(end - 1);
	}
});

function varintOf(value: bigint): number[] {
	const bytes: number[] = [];
	for (let rest = value; ; rest >>= 7n) {
		if (rest < 0x80n) return [...bytes, Number(rest)];
		bytes.push(Number(rest & 0x7fn) | 0x80);
	}
}
