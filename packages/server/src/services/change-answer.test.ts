/** Long answers in pieces are, byte for byte, the answers that are encoded at once. */
import { createHotCodec, type RangeRequest, type RequestOp, type TxnRequest } from "@flotilla/api/hot";
import {
	type DeleteRangeResult,
	MemoryStorage,
	MvccStore,
	SortOrder,
	SortTarget,
	type TxnResult,
	Unanswered,
	wholly,
} from "@flotilla/mvcc";
import { expect, test } from "vitest";
import { Grpc, type Status, type UnaryCall } from "../front/seam.ts";
import { nodeBytes } from "../node-bytes.ts";
import { headerOf } from "./answers.ts";
import { ChangeAnswer } from "./change-answer.ts";
import type { MemberPort } from "./member-port.ts";
import { RangeAnswers } from "./range-answer.ts";

const codec = createHotCodec(nodeBytes);
const member = { clusterId: 11n, memberId: 12n, durableTerm: 3 } as unknown as MemberPort;
const PAIRS = 40;
const text = (value: string): Uint8Array => Buffer.from(value);
const ALL = codec.decodeRangeRequest(new Uint8Array([0x0a, 1, 0, 0x12, 1, 0]));
const range = (change: Partial<RangeRequest>): RequestOp => ({ kind: "range", range: { ...ALL, ...change } });
const put = (key: string, prevKv: boolean): RequestOp => ({
	kind: "put",
	put: { key: text(key), value: text("new"), lease: 0n, prevKv, ignoreValue: false, ignoreLease: false },
});
const remove = (key: string, rangeEnd: string, prevKv: boolean): RequestOp => ({
	kind: "deleteRange",
	deleteRange: { key: text(key), rangeEnd: text(rangeEnd), prevKv },
});

function filled(valueBytes: number): MvccStore {
	// One key a slice: nearly every answer is long.
	const store = new MvccStore({ keepEvents: false, valueCacheBytes: 1 << 20, changeStride: 1 }, new MemoryStorage(), nodeBytes);
	for (let i = 0; i < PAIRS; i++) {
		const value = new Uint8Array(valueBytes).fill(i);
		store.put({ key: text(`k${i}`), value, lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
	}
	return store;
}

class Told {
	message: Uint8Array | null = null;
	status: Status | null = null;
	readonly call = {
		respond: (message: Uint8Array) => {
			this.message = message;
		},
		fail: (status: Status) => {
			this.status = status;
		},
	} as unknown as UnaryCall;

	answerTo(later: Unanswered<unknown>, all: RangeAnswers, mayStillRead = () => true): ChangeAnswer {
		later.begin();
		return new ChangeAnswer(later, { member, codec, call: this.call, mayStillRead }, all);
	}
}

function unanswered<T extends object>(result: object): Unanswered<T> {
	if (!(result instanceof Unanswered)) throw new Error("answered at once");
	return result;
}

const CHANGE: TxnRequest = {
	compare: [],
	success: [
		range({}),
		put("k1", true),
		put("fresh", true),
		range({ limit: 7 }),
		range({ sortOrder: SortOrder.descend, sortTarget: SortTarget.value, limit: 5 }),
		range({ minModRevision: 20 }),
		range({ countOnly: true }),
		range({ keysOnly: true }),
		range({ revision: 9 }),
		range({ key: text("k5"), rangeEnd: new Uint8Array(0) }),
		range({ key: text("none"), rangeEnd: new Uint8Array(0) }),
		remove("k2", "k3", true),
		remove("k4", "", true),
		remove("none", "nonf", true),
		remove("k9", "", false),
		{ kind: "txn", txn: { compare: [], success: [range({}), put("k6", false), remove("k7", "", true)], failure: [] } },
		{ kind: "txn", txn: { compare: [{ ...EQUAL_NOTHING() }], success: [], failure: [range({})] } },
		range({}),
	],
	failure: [],
};

/** Of a key that is not there: its version is not 1. */
function EQUAL_NOTHING(): TxnRequest["compare"][number] {
	return { result: 0, target: 0, key: text("none"), rangeEnd: new Uint8Array(0), number: 1, value: new Uint8Array(0), lease: 0n };
}

test.each([
	["a transaction that changes", (store: MvccStore) => unanswered<TxnResult>(wholly(store.txnSliced(CHANGE)))],
	[
		"one that only reads",
		(store: MvccStore) =>
			unanswered<TxnResult>(wholly(store.readTxn({ ...CHANGE, success: CHANGE.success.filter(({ kind }) => kind === "range") }))),
	],
])("%s", (_name, answer) => {
	const store = filled(3);
	const later = answer(store);
	const told = new Told();
	const all = new RangeAnswers(1 << 30);
	const work = told.answerTo(later, all);
	let steps = 0;
	while (!work.step(1)) {
		steps++;
		store.put({ key: text(`k${steps % PAIRS}`), value: text("later"), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
	}
	expect(steps).toBeGreaterThan(10);
	const whole = wholly(later.sliced());
	expect(Buffer.from(told.message ?? [])).toEqual(Buffer.from(codec.encodeTxnResponse(headerOf(member, whole.revision), whole)));
	expect(store.openReads).toBe(0);
});

test("a deletion and what it took away", () => {
	const store = filled(3);
	const later = unanswered<DeleteRangeResult>(wholly(store.deleteRangeSliced({ key: text("k1"), rangeEnd: text("k3"), prevKv: true })));
	const told = new Told();
	const work = told.answerTo(later, new RangeAnswers(1 << 30));
	while (!work.step(1));
	const whole = wholly(later.sliced());
	expect(whole.prevKvs.length).toBe(22);
	expect(Buffer.from(told.message ?? [])).toEqual(Buffer.from(codec.encodeDeleteRangeResponse(headerOf(member, whole.revision), whole)));
});

test("at the bound of all answers only the oldest goes on, and what was given up leaves room", () => {
	const VALUE_BYTES = 300_000;
	const store = filled(VALUE_BYTES);
	const all = new RangeAnswers(4_000_000);
	const begin = () => {
		const told = new Told();
		return { told, work: told.answerTo(unanswered(wholly(store.readTxn({ compare: [], success: [range({})], failure: [] }))), all) };
	};
	const [first, second, third] = [begin(), begin(), begin()];
	for (let i = 0; i < 100; i++) for (const { work } of [third, second]) expect(work.step(256)).toBe(false);
	expect([second.told.message, third.told.message]).toEqual([null, null]);
	while (!first.work.step(256));
	expect(first.told.message?.length).toBeGreaterThan(PAIRS * VALUE_BYTES);
	third.work.cancel();
	while (!second.work.step(256));
	expect(second.told.message?.length).toBe(first.told.message?.length);
	expect([third.told.message, third.told.status, store.openReads]).toEqual([null, null, 0]);
});

test("who may no longer read when the answer is ready hears of that instead", () => {
	const told = new Told();
	const later = unanswered(wholly(filled(3).readTxn({ compare: [], success: [range({})], failure: [] })));
	const work = told.answerTo(later, new RangeAnswers(1 << 30), () => false);
	while (!work.step(256));
	expect([told.message, told.status?.code]).toEqual([null, Grpc.invalidArgument]);
});
