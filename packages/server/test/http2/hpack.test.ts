/** HPACK: the examples of RFC 7541 (appendix C), what must be refused, and both halves against each other. */
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { HpackDecoder } from "../../src/http2/hpack-decoder.ts";
import { type HeaderField, HpackEncoder, PreparedBlock } from "../../src/http2/hpack-encoder.ts";
import { huffmanBytes, huffmanDecode, huffmanEncode } from "../../src/http2/huffman.ts";
import { ConnectionFault } from "../../src/http2/protocol.ts";

const LIMITS = { listBytesMax: 64 << 10, fieldsMax: 256 };

function decodeAll(...blocks: string[]): string[][] {
	const decoder = new HpackDecoder(LIMITS);
	return blocks.map((hex) => {
		const bytes = Buffer.from(hex, "hex");
		const block = decoder.decode(bytes, 0, bytes.length);
		return block.names.map((name, at) => `${name}: ${block.values[at]}`);
	});
}

function decodeBytes(...bytes: number[]): unknown {
	const block = Buffer.from(bytes);
	return new HpackDecoder(LIMITS).decode(block, 0, block.length);
}

const field = (name: string, value: string, repeats = true): HeaderField => ({ name, value, repeats });

const FIRST = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"];
const SECOND = [...FIRST, "cache-control: no-cache"];
const THIRD = [":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com", "custom-key: custom-value"];

describe("decoding", () => {
	test("three requests without Huffman code, one table (C.3)", () => {
		expect(
			decodeAll(
				"828684410f7777772e6578616d706c652e636f6d",
				"828684be58086e6f2d6361636865",
				"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
			),
		).toEqual([FIRST, SECOND, THIRD]);
	});

	test("three requests in Huffman code (C.4)", () => {
		expect(
			decodeAll("828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf", "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"),
		).toEqual([FIRST, SECOND, THIRD]);
	});

	test("literals of every kind (C.2)", () => {
		expect(
			decodeAll(
				"400a637573746f6d2d6b65790d637573746f6d2d686561646572",
				"040c2f73616d706c652f70617468",
				"100870617373776f726406736563726574",
				"82",
			),
		).toEqual([["custom-key: custom-header"], [":path: /sample/path"], ["password: secret"], [":method: GET"]]);
	});

	test("a table that shrinks forgets its oldest, and grows again empty", () => {
		const decoder = new HpackDecoder(LIMITS);
		const decode = (hex: string): readonly string[] => {
			const bytes = Buffer.from(hex, "hex");
			return decoder.decode(bytes, 0, bytes.length).values;
		};
		decode("4001610131"); // a: 1, 34 bytes
		decode("4001620132"); // b: 2
		expect(decode("bebf")).toEqual(["2", "1"]);
		expect(decode("3f03be")).toEqual(["2"]); // 34 bytes
		expect(() => decode("bf")).toThrow(/beyond the table/);
		expect(decode("203fe11f82")).toEqual(["GET"]); // 0, then 4,096
		expect(() => decode("be")).toThrow(/beyond the table/);
	});

	test("an entry larger than the table empties it", () => {
		const decoder = new HpackDecoder(LIMITS);
		const small = Buffer.from("4001610131", "hex");
		decoder.decode(small, 0, small.length);
		const large = Buffer.concat([Buffer.from("400162", "hex"), Buffer.from("7fa11f", "hex"), Buffer.alloc(4_128, "x")]);
		expect(decoder.decode(large, 0, large.length).values[0]).toHaveLength(4_128);
		expect(() => decoder.decode(Buffer.of(0xbe), 0, 1)).toThrow(/beyond the table/);
	});

	test("a block that repeats is the same object, until the table changes", () => {
		const decoder = new HpackDecoder(LIMITS);
		const decode = (hex: string) => decoder.decode(Buffer.from(hex, "hex"), 0, hex.length / 2);
		decode("40016101318286");
		const block = decode("be8286");
		expect(decode("be8286")).toBe(block);
		decode("4001620132");
		const later = decode("be8286");
		expect(later.values).toEqual(["2", "GET", "http"]);
		expect(block.values).toEqual(["1", "GET", "http"]);
	});

	test.each<[string, number[]]>([
		["index 0", [0x80]],
		["an index beyond the table", [0xbe]],
		["an index far beyond the table", [0xff, 0xff, 0xff, 0x7f]],
		["an integer that does not end", [0xff, 0x80, 0x80, 0x80, 0x80, 0x01]],
		["an integer that is cut off", [0xff, 0x80]],
		["a string longer than its block", [0x00, 0x05, 0x61]],
		["a name without a value", [0x00, 0x01, 0x61]],
		["a size update behind a field", [0x82, 0x20]],
		["three size updates", [0x20, 0x20, 0x20]],
		["a table larger than was offered", [0x3f, 0xe2, 0x1f]],
		["Huffman padding of zeros", [0x00, 0x81, 0x18, 0x00]],
		["Huffman padding of eight bits", [0x00, 0x82, 0x1f, 0xff, 0x00]],
		["the end of a string inside it", [0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]],
	])("%s is refused", (_what, bytes) => {
		expect(() => decodeBytes(...bytes)).toThrow(ConnectionFault);
	});

	test("too many fields, and too many bytes of them, are cut off while the table is kept in step", () => {
		const decoder = new HpackDecoder({ listBytesMax: 1_000, fieldsMax: 5 });
		const decode = (bytes: Buffer) => decoder.decode(bytes, 0, bytes.length);
		expect(decode(Buffer.alloc(5, 0x82)).cut).toBe(false);
		const many = decode(Buffer.concat([Buffer.alloc(6, 0x82), Buffer.from("4001610131", "hex")]));
		expect(many).toMatchObject({ cut: true, names: { length: 5 } });
		expect(decode(Buffer.of(0xbe)).values).toEqual(["1"]);
		const large = Buffer.concat([Buffer.from("40016278", "hex"), Buffer.alloc(120, "x")]);
		expect(decode(large).cut).toBe(false);
		expect(decode(Buffer.alloc(30, 0xbe))).toMatchObject({ cut: true, names: { length: 5 } });
	});
});

describe("Huffman code", () => {
	const coded = (text: string): Buffer => {
		const bytes = Buffer.alloc(huffmanBytes(text));
		expect(huffmanEncode(text, bytes, 0)).toBe(bytes.length);
		return bytes;
	};

	test("every byte, alone and among others, and back", () => {
		for (let byte = 0; byte < 256; byte++) {
			const character = String.fromCharCode(byte);
			for (const text of [character, `${character}${character}`, `a${character}zz`, `${character}/etcdserverpb.KV/Put${character}`]) {
				const bytes = coded(text);
				expect(huffmanDecode(bytes, 0, bytes.length)).toBe(text);
			}
		}
	});

	test("the example of the RFC", () => {
		expect(coded("www.example.com").toString("hex")).toBe("f1e3c2e5f23a6ba0ab90f4ff");
		expect(coded("Mon, 21 Oct 2013 20:13:21 GMT").toString("hex")).toBe("d07abe941054d444a8200595040b8166e082a62d1bff");
		expect(coded("foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1").toString("hex")).toBe(
			"94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
		);
	});
});

describe("encoding", () => {
	const both = () => {
		const encoder = new HpackEncoder();
		const decoder = new HpackDecoder(LIMITS);
		const pass = (bytes: Uint8Array): string[][] => {
			const copy = Buffer.from(bytes);
			const block = decoder.decode(copy, 0, copy.length);
			return block.names.map((name, at) => [name, block.values[at] as string]);
		};
		return { encoder, pass };
	};

	test("what repeats is one byte from the second time on", () => {
		const { encoder, pass } = both();
		const fields = [field(":status", "200"), field("content-type", "application/grpc")];
		const pairs = fields.map(({ name, value }) => [name, value]);
		expect(pass(encoder.encode(fields))).toEqual(pairs);
		const bytes = encoder.encode(fields);
		expect(bytes).toHaveLength(2);
		expect(pass(bytes)).toEqual(pairs);
	});

	test("a prepared block follows the table", () => {
		const { encoder, pass } = both();
		const prepared = new PreparedBlock([field(":status", "200"), field("content-type", "application/grpc")]);
		const pairs = prepared.fields.map(({ name, value }) => [name, value]);
		for (let round = 0; round < 3; round++) expect(pass(encoder.encodePrepared(prepared))).toEqual(pairs);
		expect(encoder.encodePrepared(prepared)).toBe(encoder.encodePrepared(prepared));
		pass(encoder.encode([field("other", "x")]));
		expect(pass(encoder.encodePrepared(prepared))).toEqual(pairs);
		encoder.setLimit(0);
		for (let round = 0; round < 3; round++) expect(pass(encoder.encodePrepared(prepared))).toEqual(pairs);
		encoder.setLimit(100);
		encoder.setLimit(4_096);
		for (let round = 0; round < 3; round++) expect(pass(encoder.encodePrepared(prepared))).toEqual(pairs);
	});

	test("random fields and changes of the table come out as they went in", () => {
		const dice = new Dice(7);
		const { encoder, pass } = both();
		const text = (): string =>
			Array.from({ length: dice.range(0, dice.chance(1, 10) ? 300 : 12) }, () => String.fromCharCode(dice.range(0, 255))).join("");
		for (let round = 0; round < 5_000; round++) {
			if (dice.chance(1, 50)) encoder.setLimit(dice.range(0, 5_000));
			const fields = Array.from({ length: dice.range(0, 6) }, () => {
				const name = dice.chance(1, 3) ? dice.pick(["grpc-status", "content-type", ":path"]) : `n${dice.range(0, 40)}`;
				return field(name, dice.chance(1, 2) ? String(dice.range(0, 5)) : text(), dice.chance(1, 2));
			});
			expect(pass(encoder.encode(fields))).toEqual(fields.map(({ name, value }) => [name, value]));
		}
	});
});
