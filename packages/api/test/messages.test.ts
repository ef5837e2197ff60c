import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Dice, WireError } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { generate } from "../scripts/generate.ts";
import * as authpb from "../src/generated/authpb.ts";
import * as etcdserverpb from "../src/generated/etcdserverpb.ts";
import * as health from "../src/generated/grpc-health-v1.ts";
import * as mvccpb from "../src/generated/mvccpb.ts";
import * as election from "../src/generated/v3electionpb.ts";
import * as lock from "../src/generated/v3lockpb.ts";
import { MessageType } from "../src/message/message-type.ts";
import type { Shape } from "../src/message/table.ts";
import { randomMessage, reference, referenceEncode, referenceType, rounds, seed } from "./random-message.ts";

const tables: ReadonlyArray<MessageType<object>> = [authpb, etcdserverpb, health, mvccpb, election, lock].flatMap((proto) =>
	Object.values(proto as Record<string, unknown>).filter((value): value is MessageType<object> => value instanceof MessageType),
);

test("the generated files are what the protos give", () => {
	for (const [name, text] of generate(reference)) {
		expect(readFileSync(join(import.meta.dirname, "../src/generated", name), "utf8"), name).toBe(text);
	}
});

test("every message of the API has a table", () => {
	expect(tables).toHaveLength(119);
	for (const table of tables) expect(referenceType(table.typeName).fieldsArray).toHaveLength(table.fields.length);
});

describe(`random messages against protobufjs (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, () => {
	test(`${rounds} messages give the same bytes and come back the same`, () => {
		const dice = new Dice(`${seed}/messages`);
		for (let round = 0; round < rounds; round++) {
			const table = tables[round % tables.length] as MessageType<object>;
			const message = randomMessage(dice, table);
			const bytes = referenceEncode(table, message);
			const ours = table.encode(message);
			if (Buffer.compare(ours, bytes) !== 0) expect({ round, message, bytes: ours }).toEqual({ round, message, bytes });
			const back = table.decode(bytes);
			// Comparing bytes is cheap; the deep comparison is kept for one in ten.
			if (Buffer.compare(table.encode(back), bytes) !== 0 || round % 10 === 0) expect(back).toEqual(table.create(message));
		}
	});
});

describe("reading", () => {
	const { Member, MemberAddResponse, WatchCreateRequest, StatusResponse, RequestOp } = etcdserverpb;

	test("fields that are absent are at their defaults", () => {
		expect(Member.decode(new Uint8Array(0))).toEqual({ ID: 0n, name: "", peerURLs: [], clientURLs: [], isLearner: false });
	});

	test("two parts of one nested message are merged", () => {
		const parts = [Member.encode({ name: "a", peerURLs: ["p"] }), Member.encode({ ID: 7n, peerURLs: ["q"] })];
		const bytes = parts.flatMap((part) => [0x12, part.length, ...part]);
		expect(MemberAddResponse.decode(Uint8Array.from(bytes)).member).toMatchObject({ ID: 7n, name: "a", peerURLs: ["p", "q"] });
	});

	test("the last member of a union wins", () => {
		const put = RequestOp.encode({ request: { kind: "requestPut", value: etcdserverpb.PutRequest.create({ lease: 1n }) } });
		const range = RequestOp.encode({ request: { kind: "requestRange", value: etcdserverpb.RangeRequest.create() } });
		expect(RequestOp.decode(Uint8Array.of(...range, ...put)).request?.kind).toBe("requestPut");
		expect(RequestOp.decode(Uint8Array.of(...put, ...range)).request?.kind).toBe("requestRange");
	});

	test("a list of enum values is read packed and not packed", () => {
		expect(WatchCreateRequest.decode(Uint8Array.of(0x2a, 2, 0, 1)).filters).toEqual([0, 1]);
		expect(WatchCreateRequest.decode(Uint8Array.of(0x28, 0, 0x28, 1)).filters).toEqual([0, 1]);
	});

	test("counting integers beyond 2^53 are clamped, ids keep all 64 bits", () => {
		const allOnes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
		expect(StatusResponse.decode(Uint8Array.of(0x30, ...allOnes)).raftTerm).toBe(Number.MAX_SAFE_INTEGER);
		expect(StatusResponse.decode(Uint8Array.of(0x18, ...allOnes)).dbSize).toBe(-1);
		expect(StatusResponse.decode(Uint8Array.of(0x20, ...allOnes)).leader).toBe(2n ** 64n - 1n);
	});

	for (const [name, bytes] of [
		["a known field of a foreign wire type", [0x0d, 1, 2, 3, 4]],
		["a length beyond the end", [0x12, 5, 1]],
		["field number zero", [0x00, 1]],
		["a varint of eleven bytes", [0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
		["a stray group end", [0x0c]],
	] as Array<[string, number[]]>) {
		test(`${name} is refused`, () => {
			expect(() => Member.decode(Uint8Array.from(bytes))).toThrow(WireError);
		});
	}

	test("transactions nested 128 deep are read, deeper ones refused", () => {
		const nest = (levels: number): Uint8Array => {
			let bytes = new Uint8Array(0);
			for (let level = 1; level < levels; level++) {
				bytes = Uint8Array.from(
					etcdserverpb.TxnRequest.encode({ success: [{ request: { kind: "requestTxn", value: etcdserverpb.TxnRequest.decode(bytes) } }] }),
				);
			}
			return bytes;
		};
		const allowed = nest(128);
		expect(etcdserverpb.TxnRequest.encode(etcdserverpb.TxnRequest.decode(allowed))).toEqual(allowed);
		const op = Uint8Array.of(0x22, ...lengthOf(allowed), ...allowed);
		const deeper = Uint8Array.of(0x12, ...lengthOf(op), ...op);
		expect(() => etcdserverpb.TxnRequest.decode(deeper)).toThrow("nested too deep");
	});
});

describe("writing", () => {
	test("a message that is set but empty is present on the wire", () => {
		const header = etcdserverpb.ResponseHeader.create();
		expect(etcdserverpb.PutResponse.encode({ header })).toEqual(Uint8Array.of(0x0a, 0));
		expect(etcdserverpb.PutResponse.encode({})).toEqual(new Uint8Array(0));
	});

	test("a number in the place of an id and a fraction in the place of an integer are bugs, not bytes", () => {
		expect(() => etcdserverpb.Member.encode({ ID: 5 as unknown as bigint })).toThrow("64-bit ids are bigint");
		expect(() => etcdserverpb.StatusResponse.encode({ dbSize: 1.5 } as Shape)).toThrow("safe integer");
	});
});

function lengthOf(bytes: Uint8Array): number[] {
	return bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
}
