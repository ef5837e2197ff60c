/** The Lease service over a scripted member: streams of renewals, and lists of many. */
import { etcdserverpb as pb } from "@flotilla/api";
import { beforeEach, describe, expect, test } from "vitest";
import { ScriptedCall, type ScriptedStream, ServiceHouse, statusOf } from "./scripted-member.ts";

const KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive";
const LEASES = "/etcdserverpb.Lease/LeaseLeases";

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

const ask = (stream: ScriptedStream, ID: bigint): void => stream.receive(pb.LeaseKeepAliveRequest.encode({ ID }));
const answers = ({ sent }: ScriptedStream) => sent.map((bytes) => pb.LeaseKeepAliveResponse.decode(bytes));
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a stream of renewals", () => {
	test("answers each request once and in order, with no time for a lease that is not there", async () => {
		house.member.store.leases.grant(7n, 60, 1);
		const stream = house.stream(KEEP_ALIVE);
		for (const id of [7n, 8n, 0n, 7n]) ask(stream, id);
		await settle();
		expect(answers(stream).map(({ ID, TTL }) => [ID, TTL])).toEqual([
			[7n, 60],
			[8n, 0],
			[0n, 0],
			[7n, 60],
		]);
		expect(stream.ended).toBeNull();
	});

	test("holds back a client that asks faster than it is answered, and reads on when it has caught up", async () => {
		house.member.leaseFault = "silence";
		const stream = house.stream(KEEP_ALIVE);
		let asked = 0;
		while (!stream.held) {
			ask(stream, BigInt(++asked));
			expect(asked).toBeLessThan(10_000);
		}
		// No more than this are under way, and all others wait.
		const { leaseCalls } = house.member;
		expect(leaseCalls.length).toBe(1_024);
		for (let at = 0; at < leaseCalls.length && stream.held; at++) leaseCalls[at]?.done({ ok: true, grantedTtl: 5, remainingMs: 5_000 });
		expect(stream.held).toBe(false);
		expect(stream.sent.length).toBeLessThan(asked);
		for (let at = stream.sent.length; at < asked; at++) leaseCalls[at]?.done({ ok: true, grantedTtl: 5, remainingMs: 5_000 });
		expect(answers(stream).map(({ ID }) => ID)).toEqual(Array.from({ length: asked }, (_, at) => BigInt(at + 1)));
		expect(stream.ended).toBeNull();
	});

	test("a client that does not read is held back, too", async () => {
		const stream = house.stream(KEEP_ALIVE);
		stream.room = 1;
		let asked = 0;
		for (; !stream.held && asked < 10_000; asked++) {
			ask(stream, BigInt(asked + 1));
			await Promise.resolve();
		}
		expect([stream.held, stream.sent.length]).toEqual([true, 1]);
		stream.drain();
		await settle();
		expect([stream.held, stream.sent.length, stream.ended]).toEqual([false, asked, null]);
	});

	test("ends when a renewal cannot be decided, and calls off what is under way", async () => {
		house.member.leaseFault = "silence";
		const stream = house.stream(KEEP_ALIVE);
		for (const id of [1n, 2n, 3n]) ask(stream, id);
		house.member.leaseCalls[0]?.done({ ok: false, fault: "noLeader" });
		expect(stream.ended).toEqual(statusOf("noLeader"));
		expect(house.member.canceled).toEqual(house.member.leaseCalls.slice(1));
	});
});

describe("a list of leases", () => {
	const MANY = 5_000;

	test("is made in slices, and holds every lease once", async () => {
		const { leases } = house.member.store;
		for (let id = 1; id <= MANY; id++) leases.grant(BigInt(id), 60, id);
		house.running = false;
		const call = house.start(new ScriptedCall(LEASES, new Uint8Array(0)));
		let turns = 0;
		while (call.answer === null && house.turn()) turns++;
		expect(turns).toBeGreaterThan(3);
		await call.answered;
		const { leases: listed } = pb.LeaseLeasesResponse.decode((call.answer as { bytes: Uint8Array }).bytes);
		expect(listed.map(({ ID }) => Number(ID)).sort((a, b) => a - b)).toEqual(Array.from({ length: MANY }, (_, at) => at + 1));
	});

	test("of a client that left is given up", () => {
		const { leases } = house.member.store;
		for (let id = 1; id <= MANY; id++) leases.grant(BigInt(id), 60, id);
		house.running = false;
		const call = house.start(new ScriptedCall(LEASES, new Uint8Array(0)));
		house.turn();
		call.cancel();
		let turns = 0;
		while (house.turn()) expect(++turns).toBeLessThan(3);
		expect(call.answer).toBeNull();
	});
});
