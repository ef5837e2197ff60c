import { Dice, portableBytes } from "@flotilla/base";
import { expect, test } from "vitest";
import { nodeBytes } from "./node-bytes.ts";

test("Node's byte operations agree with the portable ones on all byte values", () => {
	const all = Uint8Array.from({ length: 256 }, (_, value) => value);
	expect(nodeBytes.latin1(all)).toBe(portableBytes.latin1(all));
	expect(nodeBytes.latin1(all, 17, 200)).toBe(portableBytes.latin1(all, 17, 200));
	expect([...nodeBytes.fromLatin1(portableBytes.latin1(all))]).toEqual([...all]);
});

test("and on random strings, in order and sum", () => {
	const dice = new Dice("node bytes");
	const draw = () => Uint8Array.from({ length: dice.range(0, 12) }, () => dice.pick([0, 1, 127, 128, 255]));
	for (let round = 0; round < 2_000; round++) {
		const [a, b] = [draw(), draw()];
		expect(Math.sign(nodeBytes.compare(a, b)), `${a.join()} and ${b.join()}`).toBe(Math.sign(portableBytes.compare(a, b)));
		expect(nodeBytes.crc32c(a, 0, a.length, 7)).toBe(portableBytes.crc32c(a, 0, a.length, 7));
		expect(nodeBytes.latin1(a) < nodeBytes.latin1(b)).toBe(portableBytes.compare(a, b) < 0);
	}
});
