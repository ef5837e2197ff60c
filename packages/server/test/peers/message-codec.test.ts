/** Messages between members as bytes: every kind there and back, and no harm from bytes that are no message. */

import { createHash } from "node:crypto";
import { Dice, portableBytes } from "@flotilla/base";
import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { PROTOCOL_VERSION } from "../../src/peers/hello.ts";
import { decodeMessage, encodeMessage } from "../../src/peers/message-codec.ts";
import { decodeTuple, encodeTuple, isPlainTuple } from "../../src/peers/tuple.ts";
import { MESSAGE_KINDS, randomBytes, randomMessage } from "./random-messages.ts";

const FROM = 0xaaaa_bbbb_cccc_ddddn;
const TO = 3n;
const ROUNDS = 200;

describe("messages as bytes", () => {
	test.each(MESSAGE_KINDS)("%s comes back as it was", (kind) => {
		const dice = new Dice(`codec/${kind}`);
		for (let round = 0; round < ROUNDS; round++) {
			const message = randomMessage(dice, kind, FROM, TO);
			const { envelope, slab } = encodeMessage(message);
			expect(decodeMessage(FROM, TO, envelope.slice(), slab.slice())).toEqual(message);
		}
	});

	test("their form is that of the protocol's version: who changes it raises the version, and writes down what comes out here", () => {
		const dice = new Dice("form");
		const sum = createHash("sha256");
		for (const kind of MESSAGE_KINDS) {
			for (let round = 0; round < 20; round++) {
				const { envelope, slab } = encodeMessage(randomMessage(dice, kind, FROM, TO));
				sum.update(envelope).update(slab);
			}
		}
		expect([PROTOCOL_VERSION, sum.digest("hex").slice(0, 16)]).toEqual([2, "fb56a17f1a50c48f"]);
	});

	test.each(MESSAGE_KINDS)("damage to %s gives null or a message that is sound in itself, never an exception", (kind) => {
		const dice = new Dice(`damage/${kind}`);
		for (let round = 0; round < 3 * ROUNDS; round++) {
			const { envelope, slab } = encodeMessage(randomMessage(dice, kind, FROM, TO));
			const bytes = mutate(dice, envelope);
			const message = decodeMessage(FROM, TO, bytes, dice.chance(1, 3) ? mutate(dice, slab) : slab);
			if (message === null) continue;
			expect([message.from, message.to]).toEqual([FROM, TO]);
			expect(Number.isSafeInteger(message.term) && message.term >= 0).toBe(true);
			// Whatever was let in can be told on: encoding checks every number's range.
			const again = encodeMessage(message);
			expect(decodeMessage(FROM, TO, again.envelope, again.slab)).toEqual(message);
		}
	});

	test("SC-096 random bytes are refused or read, never thrown at the caller", () => {
		const dice = new Dice("noise");
		for (let round = 0; round < 5_000; round++) {
			const envelope = randomBytes(dice, dice.range(0, 40));
			if (dice.chance(1, 2)) envelope.set([0x90 | dice.range(0, 9), dice.range(0, 40)].slice(0, envelope.length));
			decodeMessage(FROM, TO, envelope, randomBytes(dice, dice.range(0, 60)));
		}
	});

	test("appends that the core could not trust are refused", () => {
		const dice = new Dice("appends");
		const append = () => {
			for (;;) {
				const message = randomMessage(dice, "append", FROM, TO);
				if (message.kind === "append" && message.entries.length >= 2) return message;
			}
		};
		const message = append();
		const wire = (changed: object) => {
			const { envelope, slab } = encodeMessage({ ...message, ...changed } as typeof message);
			return decodeMessage(FROM, TO, envelope, slab);
		};
		expect(wire({})).toEqual(message);
		expect(wire({ prevIndex: message.prevIndex + 1 })).toBeNull();
		expect(wire({ prevTerm: message.term + 1 })).toBeNull();
		expect(wire({ term: message.term - 1 })).toBeNull();
		expect(wire({ entries: [message.entries[1], message.entries[0]] })).toBeNull();
	});

	test("a forward whose sequences do not rise, or whose lengths do not fit, is refused", () => {
		const base = { kind: "forward", from: FROM, to: TO, term: 4, incarnation: 9 } as const;
		const [a, b] = [Uint8Array.of(1, 2), Uint8Array.of(3)];
		const decode = (tuple: Uint8Array, slab: Uint8Array) => decodeMessage(FROM, TO, tuple, slab);
		const sound = encodeMessage({ ...base, sequences: [5, 6], envelopes: [a, b] });
		expect(decode(sound.envelope, sound.slab)).toEqual({ ...base, sequences: [5, 6], envelopes: [a, b] });
		expect(decode(encodeTuple([32, 4, 9, [6, 5], [2, 1]]), sound.slab)).toBeNull();
		expect(decode(encodeTuple([32, 4, 9, [5, 5], [2, 1]]), sound.slab)).toBeNull();
		expect(decode(encodeTuple([32, 4, 9, [5, 6], [2, 2]]), sound.slab)).toBeNull();
		expect(decode(encodeTuple([32, 4, 9, [5, 6], [2]]), sound.slab)).toBeNull();
		expect(decode(encodeTuple([32, 4, 9, [5], [2]]), sound.slab)).toBeNull();
		expect(decode(encodeTuple([32, 4, 9, [5, 6], [2, 1], 0]), sound.slab)).toBeNull();
	});

	test("only appends and forwards carry a slab", () => {
		const { envelope } = encodeMessage(randomMessage(new Dice(1), "heartbeat", FROM, TO));
		expect(decodeMessage(FROM, TO, envelope, Uint8Array.of(1))).toBeNull();
	});
});

describe("tuples", () => {
	const pack = (value: unknown): Uint8Array => new Packr({ useRecords: false, structuredClone: true }).pack(value);

	test.each([
		["a map", pack([1, { a: 1 }])],
		["nil", pack([null])],
		["binary", pack([Uint8Array.of(1)])],
		["a date (extension)", pack([new Date(0)])],
		["a set (extension)", pack([new Set([1])])],
		["a list in a list", pack([[[1]]])],
		["no list at all", pack(5)],
		["nothing", new Uint8Array(0)],
		["bytes behind the end", Uint8Array.of(0x91, 1, 1)],
		["a count above what is there", Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)],
		["a text longer than what is there", Uint8Array.of(0x91, 0xd9, 0xff, 0x61)],
		["a record definition", Uint8Array.of(0x91, 0xd4, 0x72, 0x40)],
		["a pointer to itself", Uint8Array.of(0x91, 0xd6, 0x70, 0, 0, 0, 1)],
	])("%s is no plain tuple", (_name, bytes) => {
		expect(isPlainTuple(bytes)).toBe(false);
		expect(decodeTuple(bytes)).toBeNull();
	});

	test("a thousand nested lists cost nothing", () => {
		expect(decodeTuple(new Uint8Array(1_000).fill(0x91))).toBeNull();
	});

	test("texts and numbers of every width", () => {
		const values = [
			0,
			127,
			128,
			255,
			256,
			65_535,
			65_536,
			2 ** 32,
			2 ** 53 - 1,
			true,
			false,
			"",
			"a".repeat(300),
			[1, 2 ** 40],
			[1n, 2n ** 64n - 1n],
		];
		expect(decodeTuple(encodeTuple(values))).toEqual(values);
		expect(portableBytes.latin1(encodeTuple(["x"]))).toContain("x");
	});
});

/** One to four bytes changed, cut off, doubled or put in. */
function mutate(dice: Dice, bytes: Uint8Array): Uint8Array {
	let out = [...bytes];
	for (let n = dice.range(1, 4); n > 0; n--) {
		const at = dice.range(0, Math.max(0, out.length - 1));
		const way = dice.range(0, 3);
		if (way === 0 && out.length > 0) out[at] = dice.range(0, 255);
		else if (way === 1) out = out.slice(0, at);
		else if (way === 2) out.splice(at, 0, dice.pick([0x00, 0x7f, 0x80, 0x90, 0xc0, 0xcf, 0xd3, 0xdc, 0xff]));
		else out = [...out, ...out.slice(at)];
	}
	return Uint8Array.from(out);
}
