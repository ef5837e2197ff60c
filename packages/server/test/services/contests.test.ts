/** What locks and elections ask inside the member, and how they hear of changes that reach them all at once. */
import { v3electionpb, v3lockpb } from "@flotilla/api";
import { beforeEach, describe, expect, test } from "vitest";
import { GATHERED_BYTES_MAX, ScriptedCall, ServiceHouse } from "./scripted-member.ts";

const LOCK = "/v3lockpb.Lock/Lock";
const OBSERVE = "/v3electionpb.Election/Observe";
/** More changes in one revision than are shown as they are made (rule V8). */
const WIDE = 5_000;

const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));
const put = (key: string, value: string) => ({
	key: text(key),
	value: text(value),
	lease: 0n,
	prevKv: false,
	ignoreValue: false,
	ignoreLease: false,
});

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

async function settled(): Promise<void> {
	for (let turn = 0; turn < 10; turn++) await new Promise((soon) => setImmediate(soon));
}

function del(key: string, rangeEnd = ""): void {
	house.member.store.deleteRange({ key: text(key), rangeEnd: text(rangeEnd), prevKv: false });
	house.member.show();
}

/** All in one revision. */
function putAll(pairs: ReadonlyArray<readonly [key: string, value: string]>): void {
	const success = pairs.map(([key, value]) => ({ kind: "put", put: put(key, value) }) as const);
	house.member.store.txn({ compare: [], success, failure: [] });
	house.member.show();
}

function fill(prefix: string): void {
	for (let at = 0; at < WIDE; at++) house.member.store.put(put(`${prefix}${String(at).padStart(5, "0")}`, "v"));
	house.member.show();
}

/** Whoever watches anything reads what comes from now on from the store, in slices of many revisions. */
function putBehind(): void {
	del("big/", "big0");
}

async function lock(): Promise<ScriptedCall> {
	const call = house.start(new ScriptedCall(LOCK, v3lockpb.LockRequest.encode({ name: text("name") })));
	await settled();
	return call;
}

async function observe() {
	const call = house.stream(OBSERVE);
	call.receive(v3electionpb.LeaderRequest.encode({ name: text("vote") }));
	await settled();
	const heard = (): readonly string[] =>
		call.sent.map((bytes) => {
			const { kv } = v3electionpb.LeaderResponse.decode(bytes);
			return `${Buffer.from(kv?.key ?? "").toString()}=${Buffer.from(kv?.value ?? "")
				.toString()
				.slice(0, 5)}`;
		});
	return { call, heard };
}

describe("a client of the member's own", () => {
	test("listens once for its caller's end, however often it looks", async () => {
		for (let at = 0; at < 10; at++) house.member.put(`name/${at}`);
		const call = await lock();
		const listeners = call.cancelListenerCount;
		for (let at = 9; at >= 1; at--) {
			const looks = house.member.reads.length;
			del(`name/${at}`);
			await settled();
			expect([call.answer, house.member.reads.length, call.cancelListenerCount]).toEqual([null, looks + 1, listeners]);
		}
		del("name/0");
		await settled();
		expect(call.answer).toMatchObject({ ok: true });
	});

	test("calls off the look that is under way when its caller leaves, and no earlier one", async () => {
		for (const key of ["name/0", "name/1"]) house.member.put(key);
		const call = await lock();
		house.member.readFault = "silence";
		del("name/1");
		await settled();
		call.cancel();
		expect(house.member.canceled).toEqual([house.member.reads.at(-1)]);
	});
});

describe("an observer", () => {
	test("hears proclamations that are so large that they are packed, in their order", async () => {
		fill("big/");
		house.member.put("vote/1", "first");
		const { heard } = await observe();
		putBehind();
		for (const value of ["one", "two", "three", "four"]) house.member.put("vote/1", `${value.padEnd(5)}${"x".repeat(20_000)}`);
		house.member.readPast();
		house.member.put("vote/1", "last");
		await settled();
		expect(heard()).toEqual(["vote/1=first", "vote/1=one  ", "vote/1=two  ", "vote/1=three", "vote/1=four ", "vote/1=last"]);
	});

	test("looks anew where what it waits for is too much to be told", async () => {
		const { call, heard } = await observe();
		putAll(Array.from({ length: WIDE }, (_, at) => [`vote/${String(at).padStart(5, "0")}`, "lead ".padEnd(300)] as const));
		expect(WIDE * 300).toBeGreaterThan(GATHERED_BYTES_MAX);
		house.member.readPast();
		await settled();
		expect([heard(), call.ended]).toEqual([["vote/00000=lead "], null]);
		house.member.put("vote/00000", "again");
		await settled();
		expect(heard().at(-1)).toBe("vote/00000=again");
	});
});

describe("whoever waits for a lock", () => {
	test("hears that the key before is gone, also when that stands behind a large change of it", async () => {
		fill("big/");
		house.member.put("name/0");
		const call = await lock();
		putBehind();
		// One slice of the past holds both, and its bytes are just too many for one piece.
		house.member.put("name/0", "x".repeat(32_735));
		del("name/0");
		house.member.readPast();
		await settled();
		expect(call.answer).toMatchObject({ ok: true });
	});

	test("looks again where the change of that key is too much to be told", async () => {
		house.member.put("name/0");
		const call = await lock();
		const others = Array.from({ length: WIDE }, (_, at) => [`other/${at}`, "v"] as const);
		putAll([["name/0", "x".repeat(GATHERED_BYTES_MAX)], ...others]);
		const looks = house.member.reads.length;
		house.member.readPast();
		await settled();
		expect([call.answer, house.member.reads.length]).toEqual([null, looks + 1]);
		del("name/0");
		await settled();
		expect(call.answer).toMatchObject({ ok: true });
	});
});
