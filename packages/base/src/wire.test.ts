import { describe, expect, test } from "vitest";
import { portableBytes } from "./bytes.ts";
import { Dice } from "./dice.ts";
import { WireError, WireReader, WireWriter } from "./wire.ts";

describe("wire", () => {
	for (const value of [0, 1, 127, 128, 16_383, 16_384, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 35 + 5, 2 ** 49, Number.MAX_SAFE_INTEGER, -1, -5]) {
		test(`int64 ${value} survives as number and as bigint`, () => {
			const bytes = new WireWriter(portableBytes).int64(value).finish();
			expect(new WireReader(bytes).int64Clamped()).toBe(value);
			expect(new WireReader(bytes).int64()).toBe(BigInt(value));
		});
	}

	test("random 64-bit values survive (seed 7)", () => {
		const dice = new Dice(7);
		for (let i = 0; i < 10_000; i++) {
			const value = BigInt.asIntN(64, (BigInt(dice.uint32()) << 32n) | BigInt(dice.uint32())) >> BigInt(dice.range(0, 63));
			const bytes = new WireWriter(portableBytes).varintBig(value).finish();
			const reader = new WireReader(bytes);
			expect(reader.int64()).toBe(value);
			expect(reader.done).toBe(true);
			expect(new WireReader(bytes).uint64()).toBe(BigInt.asUintN(64, value));
		}
	});

	for (const [name, bytes] of [
		["truncated varint", [0x80]],
		["eleven bytes", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
	] as Array<[string, number[]]>) {
		test(`${name} is refused`, () => {
			expect(() => new WireReader(Uint8Array.from(bytes)).int64()).toThrow(WireError);
		});
	}

	test("a length beyond the message is refused before anything is taken", () => {
		expect(() => new WireReader(Uint8Array.from([0x05, 1, 2])).view()).toThrow(WireError);
		expect(() => new WireReader(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])).view()).toThrow(WireError);
	});

	test("field number 0 and unmatched groups are refused, groups are skipped", () => {
		expect(() => new WireReader(Uint8Array.from([0x02])).tag()).toThrow(WireError);
		const group = new WireReader(Uint8Array.from([0x0b, 0x10, 0x01, 0x0c, 0x08]));
		group.skip(group.tag());
		expect(group.at).toBe(4);
	});
});
