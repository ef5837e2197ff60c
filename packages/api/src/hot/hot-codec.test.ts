import { Dice, portableBytes, WireError } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { damage, randomBytes, randomMessage, rounds, seed } from "../../test/random-message.ts";
import * as pb from "../generated/etcdserverpb.ts";
import * as mvccpb from "../generated/mvccpb.ts";
import { createHotCodec } from "./codec.ts";
import { decodeKeyValue, decodeKeyValueEvent } from "./key-value.ts";
import type { Compare, OpResult, RangeResult, RequestOp, ResponseHeader, TxnRequest, TxnResult } from "./types.ts";

const codec = createHotCodec(portableBytes);

/** The table-driven codecs agree with protobufjs (test/messages.test.ts), so they may stand for it here. */
describe(`random hot messages (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, () => {
	test(`${rounds} requests are read as the tables read them, damaged ones too`, () => {
		const dice = new Dice(`${seed}/requests`);
		for (let round = 0; round < rounds; round++) {
			const reader = dice.pick(READERS);
			const bytes = reader.table.encode(randomMessage(dice, reader.table, 6));
			const input = dice.chance(1, 3) ? damage(dice, bytes) : bytes;
			const want = outcome(() => reader.expected(input));
			const got = outcome(() => reader.hot(input));
			expect(got, `round ${round}, ${Buffer.from(input).toString("hex").slice(0, 2000)}`).toEqual(want);
		}
	});

	test(`of ${rounds} puts those are plain that have a key and at most a value, and then no field is anything else`, () => {
		const dice = new Dice(`${seed}/plain`);
		let plain = 0;
		for (let round = 0; round < rounds; round++) {
			const made = randomMessage(dice, pb.PutRequest, 6) as unknown as pb.PutRequest;
			const { key, value } = made;
			const message = dice.chance(1, 2) ? { ...pb.PutRequest.decode(new Uint8Array(0)), key, value } : made;
			const bytes = pb.PutRequest.encode(message);
			const input = dice.chance(1, 3) ? damage(dice, bytes) : bytes;
			const read = outcome(() => codec.decodePutRequest(input)) as pb.PutRequest | "refused";
			const others = read === "refused" || read.lease !== 0n || read.prevKv || read.ignoreValue || read.ignoreLease;
			const label = `round ${round}, ${Buffer.from(input).toString("hex").slice(0, 2000)}`;
			if (codec.isPlainPut(input)) {
				plain++;
				expect(others, label).toBe(false);
				expect((read as pb.PutRequest).key.length, label).toBeGreaterThan(0);
			} else if (input === bytes && bytes.length < 0x4000) expect(others || key.length === 0, label).toBe(true);
			const behind = new Uint8Array(input.length + 5).fill(0xff);
			behind.set(input, 5);
			expect(
				outcome(() => codec.decodePutRequest(behind, 5)),
				label,
			).toEqual(read);
		}
		expect(plain).toBeGreaterThan(rounds / 10);
	});

	test("a put whose second key is empty is not plain", () => {
		expect(codec.isPlainPut(Uint8Array.of(0x0a, 1, 0x61, 0x12, 1, 0x62))).toBe(true);
		expect(codec.isPlainPut(Uint8Array.of(0x0a, 1, 0x61, 0x12, 1, 0x62, 0x0a, 0))).toBe(false);
		expect(codec.isPlainPut(Uint8Array.of(0x12, 1, 0x62))).toBe(false);
		expect(codec.isPlainPut(new Uint8Array(0))).toBe(false);
	});

	test(`${rounds} responses are written as the tables write them`, () => {
		const dice = new Dice(`${seed}/responses`);
		for (let round = 0; round < rounds; round++) {
			const header = randomHeader(dice);
			const { got, want } = dice.pick(RESPONSES)(dice, header);
			if (Buffer.compare(got, want) !== 0) expect(got, `round ${round}`).toEqual(want);
		}
	});
});

interface Reader {
	readonly table:
		| typeof pb.PutRequest
		| typeof pb.RangeRequest
		| typeof pb.DeleteRangeRequest
		| typeof pb.TxnRequest
		| typeof pb.LeaseKeepAliveRequest
		| typeof mvccpb.Event;
	readonly hot: (bytes: Uint8Array) => unknown;
	readonly expected: (bytes: Uint8Array) => unknown;
}

const READERS: readonly Reader[] = [
	{ table: pb.PutRequest, hot: (bytes) => codec.decodePutRequest(bytes), expected: (bytes) => pb.PutRequest.decode(bytes) },
	{ table: pb.RangeRequest, hot: (bytes) => codec.decodeRangeRequest(bytes), expected: (bytes) => pb.RangeRequest.decode(bytes) },
	{
		table: pb.DeleteRangeRequest,
		hot: (bytes) => codec.decodeDeleteRangeRequest(bytes),
		expected: (bytes) => pb.DeleteRangeRequest.decode(bytes),
	},
	{ table: pb.TxnRequest, hot: (bytes) => codec.decodeTxnRequest(bytes), expected: (bytes) => hotTxn(pb.TxnRequest.decode(bytes)) },
	{
		table: pb.LeaseKeepAliveRequest,
		hot: (bytes) => codec.decodeKeepAliveRequest(bytes),
		expected: (bytes) => pb.LeaseKeepAliveRequest.decode(bytes).ID,
	},
	{ table: mvccpb.Event, hot: decodeKeyValueEvent, expected: (bytes) => hotEvent(mvccpb.Event.decode(bytes)) },
];

function outcome(read: () => unknown): unknown {
	try {
		return read();
	} catch (error) {
		if (error instanceof WireError) return "refused";
		throw error;
	}
}

function hotTxn(txn: pb.TxnRequest): TxnRequest {
	return { compare: txn.compare.map(hotCompare), success: txn.success.map(hotOp), failure: txn.failure.map(hotOp) };
}

function hotCompare(compare: pb.Compare): Compare {
	const { result, target, key, rangeEnd, targetUnion } = compare;
	const belongs = ["version", "createRevision", "modRevision", "value", "lease"].indexOf(targetUnion?.kind ?? "") === target;
	const held = belongs ? targetUnion : null;
	return {
		result,
		target,
		key,
		rangeEnd,
		number: held !== null && held.kind !== "value" && held.kind !== "lease" ? held.value : 0,
		value: held?.kind === "value" ? held.value : new Uint8Array(0),
		lease: held?.kind === "lease" ? held.value : 0n,
	};
}

function hotOp({ request }: pb.RequestOp): RequestOp {
	if (request === null) return { kind: "none" };
	switch (request.kind) {
		case "requestRange":
			return { kind: "range", range: request.value };
		case "requestPut":
			return { kind: "put", put: request.value };
		case "requestDeleteRange":
			return { kind: "deleteRange", deleteRange: request.value };
		case "requestTxn":
			return { kind: "txn", txn: hotTxn(request.value) };
	}
}

function hotEvent(event: mvccpb.Event): unknown {
	return { type: event.type === 1 ? "delete" : "put", kv: event.kv ?? mvccpb.KeyValue.create(), prevKv: event.prevKv };
}

function randomHeader(dice: Dice): ResponseHeader {
	const id = (): bigint => dice.pick([0n, 1n, 0x8e9e05c52164694dn, 2n ** 64n - 1n]);
	return { clusterId: id(), memberId: id(), revision: randomCount(dice), raftTerm: randomCount(dice) };
}

function randomCount(dice: Dice): number {
	return dice.pick([0, 1, 127, 128, 16_384, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, dice.range(0, 1e6)]);
}

function randomPair(dice: Dice): Uint8Array {
	return mvccpb.KeyValue.encode({ key: randomBytes(dice), value: randomBytes(dice), version: randomCount(dice) });
}

function randomOp(dice: Dice, depth: number): OpResult {
	switch (dice.range(0, depth > 0 ? 3 : 2)) {
		case 0:
			return { kind: "range", range: randomRange(dice) };
		case 1:
			return { kind: "put", put: { revision: randomCount(dice), prevKv: dice.chance(1, 2) ? randomPair(dice) : null } };
		case 2:
			return { kind: "deleteRange", deleteRange: { revision: randomCount(dice), deleted: randomCount(dice), prevKvs: randomPairs(dice) } };
		default:
			return { kind: "txn", txn: randomTxn(dice, depth - 1) };
	}
}

function randomPairs(dice: Dice): Uint8Array[] {
	return Array.from({ length: dice.range(0, 3) }, () => randomPair(dice));
}

function randomRange(dice: Dice): RangeResult {
	return { revision: randomCount(dice), kvs: randomPairs(dice), more: dice.chance(1, 2), count: randomCount(dice) };
}

function randomTxn(dice: Dice, depth: number): TxnResult {
	const responses = Array.from({ length: dice.range(0, 4) }, () => randomOp(dice, depth));
	return { revision: randomCount(dice), succeeded: dice.chance(1, 2), responses };
}

const pairs = (kvs: readonly Uint8Array[]): mvccpb.KeyValue[] => kvs.map((kv) => mvccpb.KeyValue.decode(kv));
const inner = (revision: number): pb.ResponseHeader => pb.ResponseHeader.create({ revision });

function tableRange(header: pb.ResponseHeader, range: RangeResult): pb.RangeResponse {
	return { header, kvs: pairs(range.kvs), more: range.more, count: range.count };
}

function tableOp(op: OpResult): pb.ResponseOp {
	switch (op.kind) {
		case "range":
			return { response: { kind: "responseRange", value: tableRange(inner(op.range.revision), op.range) } };
		case "put": {
			const { revision, prevKv } = op.put;
			return {
				response: { kind: "responsePut", value: { header: inner(revision), prevKv: prevKv && mvccpb.KeyValue.decode(prevKv) } },
			};
		}
		case "deleteRange": {
			const { revision, deleted, prevKvs } = op.deleteRange;
			return { response: { kind: "responseDeleteRange", value: { header: inner(revision), deleted, prevKvs: pairs(prevKvs) } } };
		}
		case "txn":
			return { response: { kind: "responseTxn", value: tableTxn(inner(0), op.txn) } };
		default:
			throw new Error("no other operation");
	}
}

function tableTxn(header: pb.ResponseHeader, txn: TxnResult): pb.TxnResponse {
	return { header, succeeded: txn.succeeded, responses: txn.responses.map(tableOp) };
}

const RESPONSES: ReadonlyArray<(dice: Dice, header: ResponseHeader) => { got: Uint8Array; want: Uint8Array }> = [
	(dice, header) => {
		const result = randomRange(dice);
		return { got: codec.encodeRangeResponse(header, result), want: pb.RangeResponse.encode(tableRange(header, result)) };
	},
	(dice, header) => {
		const prevKv = dice.chance(1, 2) ? randomPair(dice) : null;
		const want = pb.PutResponse.encode({ header, prevKv: prevKv && mvccpb.KeyValue.decode(prevKv) });
		return { got: codec.encodePutResponse(header, { revision: 9, prevKv }), want };
	},
	(dice, header) => {
		const result = { revision: 9, deleted: randomCount(dice), prevKvs: randomPairs(dice) };
		const want = pb.DeleteRangeResponse.encode({ header, deleted: result.deleted, prevKvs: pairs(result.prevKvs) });
		return { got: codec.encodeDeleteRangeResponse(header, result), want };
	},
	(dice, header) => {
		const result = randomTxn(dice, 3);
		return { got: codec.encodeTxnResponse(header, result), want: pb.TxnResponse.encode(tableTxn(header, result)) };
	},
	(dice, header) => {
		const lease = dice.pick([0n, 1n, 127n, 128n, -1n, 2n ** 31n, 2n ** 32n, 0x694d8e9e05c52164n, -(2n ** 63n), 2n ** 63n - 1n]);
		const ttl = randomCount(dice);
		const want = pb.LeaseKeepAliveResponse.encode({ header, ID: lease, TTL: ttl });
		return { got: codec.encodeKeepAliveResponse(header, lease, ttl), want };
	},
	(dice, header) => {
		const id = dice.pick([0n, 1n, 127n, 128n, -1n, 2n ** 40n, 2n ** 63n - 1n]);
		const [created, canceled, fragment] = [dice.chance(1, 2), dice.chance(1, 2), dice.chance(1, 2)];
		const compactRevision = randomCount(dice);
		const cancelReason = dice.pick(["", "etcdserver: mvcc: required revision has been compacted"]);
		const events = Array.from({ length: dice.range(0, 3) }, () => randomMessage(dice, mvccpb.Event, 4) as unknown as mvccpb.Event);
		const encoded = events.map((event) => mvccpb.Event.encode(event));
		const got = codec.encodeWatchResponse(header, {
			watchId: id,
			created,
			canceled,
			compactRevision,
			cancelReason,
			fragment,
			events: encoded,
		});
		const want = pb.WatchResponse.encode({ header, watchId: id, created, canceled, compactRevision, cancelReason, fragment, events });
		return { got, want };
	},
	(_dice, header) => ({ got: codec.encodeCompactionResponse(header), want: pb.CompactionResponse.encode({ header }) }),
];

describe("hot requests", () => {
	test("a range_end that is present but empty equals an absent one", () => {
		expect(codec.decodeRangeRequest(Uint8Array.of(0x0a, 1, 97, 0x12, 0))).toEqual(codec.decodeRangeRequest(Uint8Array.of(0x0a, 1, 97)));
	});

	test("an operand counts only when its union member belongs to the target", () => {
		const compare = (...bytes: number[]): Compare | undefined =>
			codec.decodeTxnRequest(Uint8Array.of(0x0a, bytes.length, ...bytes)).compare[0];
		// VERSION is target 0, so create_revision 5 is another target's operand.
		expect(compare(0x28, 5)?.number).toBe(0);
		expect(compare(0x20, 5)?.number).toBe(5);
		expect(compare(0x10, 1, 0x28, 5)?.number).toBe(5);
		// The later member wins even though the earlier one belonged to the target.
		expect(compare(0x20, 5, 0x3a, 1, 97)).toMatchObject({ number: 0, value: new Uint8Array(0) });
	});

	test("a compaction request is read, with revisions beyond 2^53 clamped", () => {
		expect(codec.decodeCompactionRequest(Uint8Array.of(0x08, 7, 0x10, 1))).toEqual({ revision: 7, physical: true });
		const huge = Uint8Array.of(0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f);
		expect(codec.decodeCompactionRequest(huge).revision).toBe(Number.MAX_SAFE_INTEGER);
	});

	test("a negative lease keeps its 64 bits", () => {
		const bytes = pb.PutRequest.encode({ key: Uint8Array.of(1), lease: -2n });
		expect(codec.decodePutRequest(bytes).lease).toBe(-2n);
	});

	test("bytes are views of the input", () => {
		const input = Uint8Array.of(0x0a, 1, 97, 0x12, 1, 98);
		const { key, value } = codec.decodePutRequest(input);
		input[2] = 120;
		input[5] = 121;
		expect([key[0], value[0]]).toEqual([120, 121]);
	});

	test("transactions nested 128 deep are read, deeper ones refused", () => {
		const nest = (levels: number): Uint8Array => {
			let bytes: number[] = [];
			for (let level = 1; level < levels; level++) {
				const op = [0x22, ...lengthOf(bytes), ...bytes];
				bytes = [0x12, ...lengthOf(op), ...op];
			}
			return Uint8Array.from(bytes);
		};
		let level = 1;
		for (let txn = codec.decodeTxnRequest(nest(128)); txn.success[0]?.kind === "txn"; txn = txn.success[0].txn) level++;
		expect(level).toBe(128);
		expect(() => codec.decodeTxnRequest(nest(129))).toThrow(WireError);
	});

	test("two parts of one pair in an event are merged", () => {
		const part = (tag: number, pair: Partial<mvccpb.KeyValue>): number[] => {
			const bytes = mvccpb.KeyValue.encode(pair);
			return [tag, bytes.length, ...bytes];
		};
		const key = Uint8Array.of(97);
		const event = Uint8Array.from([
			...part(0x12, { key, version: 1 }),
			...part(0x1a, { key }),
			...part(0x12, { version: 2 }),
			...part(0x1a, { lease: 5n }),
		]);
		expect(decodeKeyValueEvent(event)).toMatchObject({ kv: { key, version: 2 }, prevKv: { key, lease: 5n } });
	});

	test("a pair is read as a client reads it", () => {
		const bytes = mvccpb.KeyValue.encode({ key: Uint8Array.of(97), createRevision: 2, modRevision: 3, version: 4, lease: 5n });
		expect(decodeKeyValue(bytes)).toEqual(mvccpb.KeyValue.decode(bytes));
	});
});

function lengthOf(bytes: readonly number[]): number[] {
	return bytes.length < 128 ? [bytes.length] : [(bytes.length & 0x7f) | 0x80, bytes.length >> 7];
}
