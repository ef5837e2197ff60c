/** Ranges of any length: the stream of their own, and the one answer put together in slices. */
import { etcdserverpb as pb } from "@flotilla/api";
import { beforeEach, describe, expect, test } from "vitest";
import { CLUSTER, member, type ScriptedStream, SELF, ServiceHouse, statusOf } from "./scripted-member.ts";

const text = (value: string): Uint8Array => Buffer.from(value);
const RANGE = "/etcdserverpb.KV/Range";
const RANGE_STREAM = "/etcdserverpb.KV/RangeStream";
const ALL = { key: text("\0"), rangeEnd: text("\0") };
const KEYS = 3_000;
/** Ticks of a client's patience with itself. */
const STALL_TICKS = 3_000;

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
	house.running = false;
	for (let i = 0; i < KEYS; i++) house.member.put(keyOf(i), "v".repeat(200));
});

function keyOf(i: number): string {
	return `k${String(i).padStart(5, "0")}`;
}

async function open(request: Partial<pb.RangeRequest>, room = Number.POSITIVE_INFINITY): Promise<ScriptedStream> {
	const call = house.stream(RANGE_STREAM);
	call.room = room;
	call.receive(pb.RangeRequest.encode({ ...ALL, ...request }));
	// The barrier of the scripted member is a microtask.
	await Promise.resolve();
	return call;
}

function messagesOf(call: ScriptedStream): pb.RangeResponse[] {
	return call.sent.map((bytes) => pb.RangeStreamResponse.decode(bytes).rangeResponse as pb.RangeResponse);
}

/** What a client has when it merges all messages. */
function merged(call: ScriptedStream): Pick<pb.RangeResponse, "header" | "more" | "count"> & { keys: string[] } {
	const messages = messagesOf(call);
	const last = messages[messages.length - 1] as pb.RangeResponse;
	for (const message of messages.slice(0, -1)) expect([message.header, message.more, message.count]).toEqual([null, false, 0]);
	const keys = messages.flatMap(({ kvs }) => kvs.map(({ key }) => Buffer.from(key).toString()));
	return { header: last.header, more: last.more, count: last.count, keys };
}

function runToEnd(): void {
	while (house.turn());
}

const allKeys = Array.from({ length: KEYS }, (_, i) => keyOf(i));
const header = (revision: number) => ({ clusterId: CLUSTER, memberId: SELF, revision, raftTerm: 7 });

describe("RangeStream", () => {
	test("pieces in key order; header, more and count in the last one alone", async () => {
		const call = await open({});
		runToEnd();
		expect(call.ended).toEqual({ code: 0, message: "" });
		expect(call.sent.length).toBeGreaterThan(5);
		expect(merged(call)).toEqual({ header: header(KEYS + 1), more: false, count: KEYS, keys: allKeys });
	});

	test("limit, count, old revisions and keys alone, as Range answers them", async () => {
		const cases: Array<Partial<pb.RangeRequest>> = [
			{ limit: 700 },
			{ limit: KEYS },
			{ countOnly: true },
			{ revision: 1_000 },
			{ revision: 1_000, limit: 300 },
			{ keysOnly: true, limit: 10 },
			{ key: text(keyOf(7)), rangeEnd: new Uint8Array(0) },
			{ key: text("b"), rangeEnd: text("a") },
			{ serializable: true, limit: 3 },
			{ sortOrder: 1, limit: 3 },
		];
		for (const request of cases) {
			const call = await open(request);
			runToEnd();
			house.running = true;
			const { kvs, ...rest } = pb.RangeResponse.decode(await house.ok(RANGE, pb.RangeRequest.encode({ ...ALL, ...request })));
			house.running = false;
			expect(merged(call), JSON.stringify(request)).toEqual({ ...rest, keys: kvs.map(({ key }) => Buffer.from(key).toString()) });
		}
	});

	test("what is written or compacted meanwhile is not seen", async () => {
		const call = await open({});
		house.turn();
		house.member.put("k00000a");
		house.member.put(keyOf(KEYS - 1), "later");
		house.member.store.deleteRange({ key: text(keyOf(2_000)), rangeEnd: text("l"), prevKv: false });
		house.member.store.compact(house.member.store.revision);
		for (let i = 0; i < 10; i++) house.member.store.compactionStep(100);
		expect(house.member.store.compactionPending, "the clean-up waits for the stream").toBe(true);
		runToEnd();
		expect(merged(call).keys).toEqual(allKeys);
		expect(messagesOf(call).at(-1)?.header?.revision).toBe(KEYS + 1);
		expect(house.member.store.openReads).toBe(0);
	});

	test("a client that reads slowly gets no more than it takes, and one that stops is given up", async () => {
		const call = await open({}, 2);
		runToEnd();
		expect([call.sent.length, call.ended]).toEqual([2, null]);
		call.drain(3);
		runToEnd();
		expect([call.sent.length, call.ended]).toEqual([5, null]);
		house.pass(STALL_TICKS - 1);
		expect(call.ended).toBe(null);
		house.pass(1);
		expect(call.ended).toEqual({ code: 8, message: "etcdserver: the client of this range stream reads too slowly" });
		expect([house.member.store.openReads, house.timersOpen]).toEqual([0, 0]);
	});

	test("a client that reads, but so slowly that a compaction has long overtaken it, is told so", async () => {
		const { store } = house.member;
		const call = await open({}, 1);
		runToEnd();
		store.put({ key: text("k"), value: text("v"), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false });
		store.compact(store.revision - 1);
		for (let i = 0; i < 2; i++) {
			house.pass(STALL_TICKS / 2);
			call.drain(1);
			runToEnd();
		}
		expect([call.ended, store.compactionStep(100_000)], "its own revision is the compact one").toEqual([null, true]);
		store.compact(store.revision);
		call.drain(1);
		runToEnd();
		expect(store.compactionHeld).toBe(true);
		for (let i = 0; i < 3; i++) {
			house.pass(STALL_TICKS / 2);
			call.drain(1);
			runToEnd();
		}
		expect(call.ended).toBe(null);
		house.pass((3 * STALL_TICKS) / 2);
		expect([call.ended, store.openReads, house.timersOpen]).toEqual([statusOf("compacted"), 0, 0]);
	});

	test("a client that goes away", async () => {
		const call = await open({}, 2);
		runToEnd();
		call.cancel();
		expect([house.member.store.openReads, house.timersOpen]).toEqual([0, 0]);
	});

	test.each([
		["an empty key", { key: text("") }, statusOf("emptyKey")],
		["an unknown order", { sortOrder: 5 as 0 }, statusOf("invalidSortOption")],
		["descending", { sortOrder: 2 }, statusOf("rangeStreamSorted")],
		["by value", { sortOrder: 1, sortTarget: 4 }, statusOf("rangeStreamSorted")],
		["a filter", { minModRevision: 1 }, statusOf("rangeStreamFiltered")],
		["another filter", { maxCreateRevision: -1 }, statusOf("rangeStreamFiltered")],
		["a future revision", { revision: KEYS + 2 }, statusOf("futureRevision")],
	] as Array<[string, Partial<pb.RangeRequest>, object]>)("refused: %s", async (_name, request, status) => {
		expect((await open(request)).ended).toEqual(status);
	});

	test("refused: compacted, no leader, a learner", async () => {
		house.member.store.compact(10);
		expect((await open({ revision: 9 })).ended).toEqual(statusOf("compacted"));
		house.member.readFault = "noLeader";
		expect((await open({})).ended).toEqual(statusOf("noLeader"));
		house.member.members = [member(SELF, { learner: true })];
		expect((await open({})).ended).toEqual(statusOf("notSupportedForLearner"));
		const call = await open({ serializable: true });
		runToEnd();
		expect(merged(call).count).toBe(KEYS);
	});
});

describe("a long Range", () => {
	test("gives way between slices, and shows the revision at which it began", async () => {
		const answering = house.ok(RANGE, pb.RangeRequest.encode(ALL));
		await Promise.resolve();
		house.turn();
		house.member.put("k00000a");
		let turns = 0;
		while (house.turn()) turns++;
		const { kvs, count, more, header: head } = pb.RangeResponse.decode(await answering);
		expect(turns, "slices are spread over turns").toBeGreaterThan(1);
		expect([count, more, head]).toEqual([KEYS, false, header(KEYS + 1)]);
		expect(kvs.map(({ key }) => Buffer.from(key).toString())).toEqual(allKeys);
	});

	test("many at once are all answered", async () => {
		const answering = Array.from({ length: 100 }, () => house.ok(RANGE, pb.RangeRequest.encode({ ...ALL, limit: 1_000 })));
		await Promise.resolve();
		while (house.turn());
		for (const bytes of await Promise.all(answering)) {
			const { kvs, count, more } = pb.RangeResponse.decode(bytes);
			expect([kvs.length, count, more]).toEqual([1_000, KEYS, true]);
		}
		expect(house.member.store.openReads).toBe(0);
	});
});
