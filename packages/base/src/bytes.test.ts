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

	test("crc32c of the check string, whole and in two steps", () => {
		const bytes = portableBytes.fromLatin1("123456789");
		expect(portableBytes.crc32c(bytes)).toBe(0xe3069283);
		expect(portableBytes.crc32c(bytes, 4, 9, portableBytes.crc32c(bytes, 0, 4))).toBe(0xe3069283);
		expect(portableBytes.crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
	});
});
