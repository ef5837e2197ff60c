import { describe, expect, test } from "vitest";
import { portableBytes } from "./bytes.ts";

describe("bytes", () => {
	test("latin1 keeps all 256 byte values, in order, both ways", () => {
		const all = Uint8Array.from({ length: 256 }, (_, i) => i);
		const text = portableBytes.latin1(all);
		expect(Array.from(text).map((c) => c.charCodeAt(0))).toEqual([...all]);
		expect(portableBytes.fromLatin1(text)).toEqual(all);
		for (let i = 1; i < 256; i++) expect((text[i - 1] as string) < (text[i] as string), `byte ${i}`).toBe(true);
	});

	for (const [name, a, b, sign] of [
		["equal", [1, 2], [1, 2], 0],
		["a prefix is smaller", [1], [1, 0], -1],
		["bytes are unsigned", [0x80], [0x7f], 1],
		["empty is smallest", [], [0], -1],
	] as Array<[string, number[], number[], number]>) {
		test(`compare: ${name}`, () => {
			expect(Math.sign(portableBytes.compare(Uint8Array.from(a), Uint8Array.from(b)))).toBe(sign);
		});
	}

	test("crc32c equals a model that goes bit by bit, at every length around the borders of its loops", () => {
		const model = (bytes: Uint8Array, seed: number): number => {
			let crc = ~seed;
			for (const byte of bytes) {
				crc ^= byte;
				for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
			}
			return ~crc >>> 0;
		};
		const bytes = Uint8Array.from({ length: 1_100 }, (_, i) => (i * 167 + (i >> 3)) & 255);
		for (const length of [0, 1, 7, 8, 9, 15, 16, 17, 63, 300, 511, 512, 513, 519, 527, 528, 529, 1_031]) {
			for (const start of [0, 3]) {
				const part = bytes.subarray(2, 2 + start + length);
				expect(portableBytes.crc32c(part, start, start + length, 0xdeadbeef), `${start}+${length}`).toBe(
					model(part.subarray(start), 0xdeadbeef),
				);
			}
		}
	});

	test("crc32c of the check string, whole and in two steps", () => {
		const bytes = portableBytes.fromLatin1("123456789");
		expect(portableBytes.crc32c(bytes)).toBe(0xe3069283);
		expect(portableBytes.crc32c(bytes, 4, 9, portableBytes.crc32c(bytes, 0, 4))).toBe(0xe3069283);
		expect(portableBytes.crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
	});
});
