import { Dice, portableBytes } from "@flotilla/base";
import { expect, test } from "vitest";
import {
	decodeKeyValue,
	encodeDeletedPair,
	encodeKeyValue,
	type KeyValue,
	keyValueBytesMax,
	valueOfKeyValue,
	withoutValue,
} from "./key-value.ts";

const dice = new Dice("key-value");
const number = (): number => dice.pick([0, 1, 127, 128, 0x7fff_ffff, 0x8000_0000, 2 ** 40 + 3, Number.MAX_SAFE_INTEGER]);
const content = (): Uint8Array => Uint8Array.from({ length: dice.pick([0, 1, 127, 128, 300]) }, () => dice.range(0, 255));
const pairs = Array.from(
	{ length: 300 },
	(): KeyValue => ({
		key: content(),
		createRevision: number(),
		modRevision: number(),
		version: number(),
		value: content(),
		lease: dice.pick([0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), BigInt(dice.uint53())]),
	}),
);

test("pairs come back as they were, within the bytes announced", () => {
	for (const pair of pairs) {
		const encoded = encodeKeyValue(pair);
		expect(encoded.length).toBeLessThanOrEqual(keyValueBytesMax(pair.key.length, pair.value.length));
		expect(decodeKeyValue(encoded)).toEqual(pair);
		expect(valueOfKeyValue(encoded)).toEqual(pair.value);
		expect(decodeKeyValue(withoutValue(encoded))).toEqual({ ...pair, value: new Uint8Array(0) });
	}
});

test("an empty pair is no bytes at all", () => {
	expect(
		encodeKeyValue({ key: content().subarray(0, 0), createRevision: 0, modRevision: 0, version: 0, value: new Uint8Array(0), lease: 0n }),
	).toHaveLength(0);
});

test("the pair of a deletion holds key and revision only", () => {
	const pair = decodeKeyValue(encodeDeletedPair("k\xff\0", 2 ** 33, portableBytes));
	expect(pair).toEqual({
		key: Uint8Array.of(107, 255, 0),
		createRevision: 0,
		modRevision: 2 ** 33,
		version: 0,
		value: new Uint8Array(0),
		lease: 0n,
	});
});
