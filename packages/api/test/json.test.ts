import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import * as etcdserverpb from "../src/generated/etcdserverpb.ts";
import * as mvccpb from "../src/generated/mvccpb.ts";
import * as election from "../src/generated/v3electionpb.ts";
import { fromBase64, toBase64 } from "../src/message/base64.ts";
import { JsonError } from "../src/message/json-read.ts";
import { MessageType } from "../src/message/message-type.ts";
import { randomBytes, randomMessage, referenceEncode, referenceType, rounds, seed } from "./random-message.ts";

const { RangeRequest, PutRequest, LeaseGrantRequest, AlarmRequest, TxnRequest, WatchRequest, CompactionRequest } = etcdserverpb;

const tables: ReadonlyArray<MessageType<object>> = [etcdserverpb, mvccpb, election].flatMap((proto) =>
	Object.values(proto as Record<string, unknown>).filter((value): value is MessageType<object> => value instanceof MessageType),
);

describe(`random messages against protobufjs (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, () => {
	const jsonRounds = Math.ceil(rounds / 5);
	test(`${jsonRounds} messages are written with the same content and come back the same`, () => {
		const dice = new Dice(`${seed}/json`);
		for (let round = 0; round < jsonRounds; round++) {
			const table = tables[round % tables.length] as MessageType<object>;
			const message = randomMessage(dice, table);
			const type = referenceType(table.typeName);
			const want = type.toObject(type.decode(referenceEncode(table, message)), { longs: String, enums: String, bytes: String });
			const text = table.encodeJson(message);
			expect(JSON.parse(text), text).toEqual(want);
			expect(table.decodeJson(text)).toEqual(table.create(message));
		}
	});

	test("bytes in base64, in either alphabet, padded or not", () => {
		const dice = new Dice(`${seed}/base64`);
		for (let round = 0; round < 2_000; round++) {
			const bytes = Buffer.from(randomBytes(dice));
			const text = toBase64(bytes);
			expect(text).toBe(bytes.toString("base64"));
			for (const form of [text, text.replaceAll("=", ""), bytes.toString("base64url")])
				expect(fromBase64(form)).toEqual(Uint8Array.from(bytes));
		}
	});
});

describe("writing", () => {
	test("defaults are left out, ids and revisions are strings, names are those of the proto", () => {
		const response = etcdserverpb.RangeResponse.create({
			header: { clusterId: 14_841_639_068_965_178_418n, memberId: 1n, revision: 7, raftTerm: 2 },
			kvs: [
				{ ...mvccpb.KeyValue.create(), key: Buffer.from("foo"), createRevision: 7, modRevision: 7, version: 1, value: Buffer.from("bar") },
			],
			count: 1,
		});
		expect(etcdserverpb.RangeResponse.encodeJson(response)).toBe(
			'{"header":{"cluster_id":"14841639068965178418","member_id":"1","revision":"7","raft_term":"2"},' +
				'"kvs":[{"key":"Zm9v","create_revision":"7","mod_revision":"7","version":"1","value":"YmFy"}],"count":"1"}',
		);
		expect(etcdserverpb.RangeResponse.encodeJson(etcdserverpb.RangeResponse.create())).toBe("{}");
	});

	test("a message that is there is written even when it is empty, a member of a union even at its default", () => {
		const txn = etcdserverpb.TxnResponse.create({
			responses: [{ response: { kind: "responsePut", value: etcdserverpb.PutResponse.create() } }],
		});
		expect(etcdserverpb.TxnResponse.encodeJson(txn)).toBe('{"responses":[{"response_put":{}}]}');
		const compare = etcdserverpb.Compare.create({ targetUnion: { kind: "version", value: 0 } });
		expect(etcdserverpb.Compare.encodeJson(compare)).toBe('{"version":"0"}');
	});

	test("enums by name, and by number where there is no name", () => {
		expect(AlarmRequest.encodeJson(AlarmRequest.create({ action: 2, alarm: 1 }))).toBe('{"action":"DEACTIVATE","alarm":"NOSPACE"}');
		expect(AlarmRequest.encodeJson(AlarmRequest.create({ action: 9 }))).toBe('{"action":9}');
	});
});

describe("reading", () => {
	test("an empty body is an empty message", () => {
		for (const text of ["", "  \n", "{}"]) expect(RangeRequest.decodeJson(text)).toEqual(RangeRequest.create());
	});

	test("fields by their proto name and in lowerCamelCase; unknown ones are ignored", () => {
		const want = RangeRequest.create({ rangeEnd: Uint8Array.of(0xfb, 0xff), keysOnly: true });
		expect(RangeRequest.decodeJson('{"range_end":"+/8=","keys_only":true,"nobody":{"knows":[1]},"__proto__":1}')).toEqual(want);
		expect(RangeRequest.decodeJson('{"rangeEnd":"-_8","keysOnly":true}')).toEqual(want);
	});

	test("integers as strings and as numbers, all digits of an id kept", () => {
		expect(RangeRequest.decodeJson('{"limit":"12","revision":13}')).toMatchObject({ limit: 12, revision: 13 });
		for (const text of ['{"ID":7587862094219239425}', '{"ID":"7587862094219239425"}']) {
			expect(LeaseGrantRequest.decodeJson(text).ID).toBe(7_587_862_094_219_239_425n);
		}
		expect(LeaseGrantRequest.decodeJson('{"ID":-9223372036854775808,"TTL":"-1"}')).toEqual({ ID: -(2n ** 63n), TTL: -1 });
		expect(CompactionRequest.decodeJson('{"revision":"9223372036854775807"}').revision).toBe(Number.MAX_SAFE_INTEGER);
	});

	test.each([
		["1.0", 1],
		['"1.0"', 1],
		["2e2", 200],
		['"2E+2"', 200],
		['"-3.000"', -3],
	])("%s is a whole number", (text, limit) => {
		expect(RangeRequest.decodeJson(`{"limit":${text}}`).limit).toBe(limit);
	});

	test("enums by name and by number; null is the default", () => {
		expect(RangeRequest.decodeJson('{"sort_order":"DESCEND","sort_target":3,"key":null,"limit":null}')).toEqual(
			RangeRequest.create({ sortOrder: 2, sortTarget: 3 }),
		);
	});

	test("a field that is null by one of its names counts by the other", () => {
		for (const text of ['{"rangeEnd":"YQ==","range_end":null}', '{"range_end":"YQ==","rangeEnd":null}']) {
			expect(RangeRequest.decodeJson(text).rangeEnd).toEqual(Uint8Array.of(97));
		}
	});

	test("members of a union appear directly", () => {
		const txn = TxnRequest.decodeJson('{"compare":[{"target":"VERSION","version":"3"}],"success":[{"request_put":{"key":"YQ=="}}]}');
		expect(txn.compare[0]?.targetUnion).toEqual({ kind: "version", value: 3 });
		expect(txn.success[0]?.request).toEqual({ kind: "requestPut", value: PutRequest.create({ key: Uint8Array.of(97) }) });
		expect(WatchRequest.decodeJson('{"progress_request":{}}').requestUnion?.kind).toBe("progressRequest");
		expect(WatchRequest.decodeJson('{"progress_request":null}').requestUnion).toBeNull();
	});

	test.each([
		["no JSON", "{", "the body is not valid JSON"],
		["a list", "[]", "etcdserverpb.RangeRequest must be an object"],
		["null", "null", "etcdserverpb.RangeRequest must be an object"],
		["key is a number", '{"key":1}', "key must be base64"],
		["key is no base64", '{"key":"a"}', "key must be base64"],
		["key is of both alphabets", '{"key":"-+__"}', "key must be base64"],
		["limit begins with zeros", '{"limit":"007"}', "limit must be an integer"],
		["limit begins with zeros before a fraction", '{"limit":"01.0"}', "limit must be an integer"],
		["limit has blanks around it", '{"limit":" 7"}', "limit must be an integer"],
		["the range's end is there twice", '{"range_end":"YQ==","rangeEnd":"YQ=="}', "range_end is there by both of its names"],
		["no JSON but blanks of another kind", "\u00a0", "the body is not valid JSON"],
		["a mark of its encoding", "\ufeff", "the body is not valid JSON"],
		["limit has a fraction", '{"limit":1.5}', "limit must be an integer"],
		["limit has a fraction in a string", '{"limit":"1.5"}', "limit must be an integer"],
		["limit has an end that rounding would hide", '{"limit":"9007199254740990.9999999999"}', "limit must be an integer"],
		["limit is far beyond in a string", '{"limit":"1e30"}', "limit must be an integer"],
		["limit is a word", '{"limit":"many"}', "limit must be an integer"],
		["limit is beyond 64 bits", '{"limit":"9223372036854775808"}', "limit is out of range"],
		["limit is far beyond", '{"limit":1e30}', "limit must be an integer"],
		["keys_only is a word", '{"keys_only":"true"}', "keys_only must be true or false"],
		["sort_order has no such name", '{"sort_order":"toString"}', "sort_order is no name and no number of its enum"],
	])("%s is refused", (_name, text, message) => {
		expect(() => RangeRequest.decodeJson(text)).toThrow(new JsonError(message));
	});

	test("two members of one union, a list that is none and endless nesting are refused", () => {
		expect(() => WatchRequest.decodeJson('{"progress_request":{},"cancel_request":{}}')).toThrow("another member of requestUnion is set");
		expect(() => TxnRequest.decodeJson('{"success":{}}')).toThrow("success must be a list");
		const deep = `${'{"success":[{"request_txn":'.repeat(1_000)}{}${"}]}".repeat(1_000)}`;
		expect(() => TxnRequest.decodeJson(deep)).toThrow("messages nested too deep");
	});
});
