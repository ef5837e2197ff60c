/** Watchers and rights (etcd API 3.1 step 3; decisions 5.3): asked for at creation, and again whenever users or roles change. */
import { v3electionpb } from "@flotilla/api";
import { beforeEach, describe, expect, test } from "vitest";
import { enable, order, tokenOf } from "./auth-house.ts";
import { ScriptedStream, ServiceHouse } from "./scripted-member.ts";
import { WatchClient } from "./watch-client.ts";

const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));
const DENIED = "(rpc error: code = PermissionDenied desc = etcdserver: permission denied)";
const RANGE = { key: text("a"), rangeEnd: text("b") };

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
	house.running = false;
});

/** Everything that waits for a later turn, and what that leads to. */
function settle(): void {
	while (house.turn());
}

describe("a watcher is made", () => {
	test("for whoever may read its range, and refused in the words of a status to anybody else", async () => {
		enable(house);
		const token = await tokenOf(house, "ann");
		for (const [metadata, request, words] of [
			[{ token }, RANGE, "#0 @1 created"],
			[{ authorization: `Bearer ${token}` }, { key: text("a1") }, "#0 @1 created"],
			[{ token }, { key: text("b") }, `#-1 @1 created canceled ${DENIED}`],
			[{ token }, { key: text("a"), rangeEnd: Uint8Array.of(0) }, `#-1 @1 created canceled ${DENIED}`],
			// Before the range itself is looked at.
			[{ token }, { key: text("z"), rangeEnd: text("y") }, `#-1 @1 created canceled ${DENIED}`],
			[{ token }, { key: text("a2"), rangeEnd: text("a1") }, "#-1 @1 created canceled (mvcc: watcher range is empty)"],
			[{}, RANGE, "#-1 @1 created canceled (rpc error: code = InvalidArgument desc = etcdserver: user name is empty)"],
			[{ token: "x" }, RANGE, "#-1 @1 created canceled (rpc error: code = Unauthenticated desc = etcdserver: invalid auth token)"],
		] as const) {
			const client = new WatchClient(house, metadata);
			client.create(request);
			expect([request, client.words()]).toEqual([request, [words]]);
			expect(client.call.ended).toBeNull();
		}
	});

	test("in the order of the requests, also while a token is still on its way", async () => {
		enable(house);
		house.member.writeIndex = 41;
		const token = await tokenOf(house, "ann");
		house.member.users.tokens.clear();
		const client = new WatchClient(house, { token });
		client.create({ ...RANGE, watchId: 7n });
		client.create({ key: text("a1") });
		client.cancel(7n);
		client.create({ key: text("zzz") });
		expect(client.words()).toEqual([]);
		house.member.appliedIndex = 41;
		settle();
		await Promise.resolve();
		// It turned out to be no token: each request hears so.
		expect(client.words().map((words) => words.includes("invalid auth token"))).toEqual([true, true, true]);
	});

	test("a client that sends on and on meanwhile is held back", async () => {
		enable(house);
		const client = new WatchClient(house, { token: "abc.41" });
		expect(client.call.held).toBe(false);
		client.create(RANGE);
		expect(client.call.held).toBe(true);
		house.member.appliedIndex = 41;
		settle();
		expect([client.call.held, client.call.ended]).toEqual([false, null]);
	});

	test("bytes that are no request, behind one whose token nobody ever gave, end the stream and nothing else", async () => {
		enable(house);
		const client = new WatchClient(house, { token: "abc.41" });
		client.create(RANGE);
		client.call.receive(Uint8Array.of(0x0a, 5, 1));
		settle();
		await Promise.resolve();
		expect(client.words()).toEqual([expect.stringContaining("invalid auth token")]);
		expect(client.call.ended).toMatchObject({ code: 13 });
		expect(house.member.watches.counts).toMatchObject({ streams: 0, watchers: 0 });
	});
});

describe("a right is taken away", () => {
	test("from the next event on nothing is told, and the watcher ends with the reason", async () => {
		enable(house);
		const token = await tokenOf(house, "ann");
		const client = new WatchClient(house, { token });
		client.create(RANGE);
		client.create({ key: text("a1") });
		house.member.put("a1");
		expect(client.words().sort()).toEqual(["#0 @1 created", "#0 @2 a1=v/2", "#1 @1 created", "#1 @2 a1=v/2"]);
		order(house, "userRevokeRole", { user: "ann", role: "as" });
		// In the very turn of the change: before the sweep has come by.
		house.member.put("a1");
		expect(client.words()).toEqual([]);
		settle();
		expect(client.words().sort()).toEqual([`#0 @3 canceled ${DENIED}`, `#1 @3 canceled ${DENIED}`]);
		house.member.put("a1");
		settle();
		expect([client.words(), client.call.ended]).toEqual([[], null]);
	});

	test("also from one that hears nothing, and from nobody else", async () => {
		enable(house);
		order(house, "userGrantRole", { user: "root", role: "as" });
		const clients = [];
		for (const name of ["ann", "root"]) {
			const client = new WatchClient(house, { token: await tokenOf(house, name) });
			client.create(RANGE);
			client.take();
			clients.push(client);
		}
		order(house, "roleAdd", { role: "other" });
		settle();
		expect(clients.map((client) => client.words())).toEqual([[], []]);
		order(house, "roleRevokePermission", { role: "as", permission: { type: 0, key: "a", rangeEnd: "b" } });
		settle();
		expect(clients.map((client) => client.words())).toEqual([[`#0 @1 canceled ${DENIED}`], []]);
	});

	test("by the end of its user, and by authentication itself from those who never said who they are", async () => {
		const anonymous = new WatchClient(house);
		anonymous.create(RANGE);
		expect(anonymous.words()).toEqual(["#0 @1 created"]);
		enable(house);
		const client = new WatchClient(house, { token: await tokenOf(house, "ann") });
		client.create(RANGE);
		settle();
		expect([anonymous.words(), client.words()]).toEqual([[`#0 @1 canceled ${DENIED}`], ["#0 @1 created"]]);
		order(house, "userDelete", { user: "ann" });
		settle();
		expect(client.words()).toEqual([`#0 @1 canceled ${DENIED}`]);
	});

	test("the sweep takes all of many watchers, a slice a turn", async () => {
		enable(house);
		const client = new WatchClient(house, { token: await tokenOf(house, "ann") });
		for (let at = 0; at < 2_500; at++) client.create({ key: text(`a${at}`) });
		client.take();
		order(house, "userRevokeRole", { user: "ann", role: "as" });
		let turns = 0;
		while (house.turn()) turns++;
		expect(turns).toBeGreaterThanOrEqual(3);
		expect(client.words().filter((words) => words.endsWith(DENIED)).length).toBe(2_500);
	});

	test("an id that its client gave up meanwhile and took again keeps its new watcher", async () => {
		enable(house);
		order(house, "roleAdd", { role: "zs" });
		order(house, "roleGrantPermission", { role: "zs", permission: { type: 0, key: "z", rangeEnd: "" } });
		order(house, "userGrantRole", { user: "ann", role: "zs" });
		const client = new WatchClient(house, { token: await tokenOf(house, "ann") });
		client.create({ ...RANGE, watchId: 7n });
		order(house, "userRevokeRole", { user: "ann", role: "as" });
		house.member.put("a1");
		client.cancel(7n);
		client.create({ key: text("z"), watchId: 7n });
		settle();
		house.member.put("z");
		expect(client.words()).toEqual(["#7 @1 created", "#7 @2 canceled", "#7 @2 created", "#7 @3 z=v/3"]);
	});
});

describe("an election is observed", () => {
	const OBSERVE = "/v3electionpb.Election/Observe";
	const settled = async (): Promise<void> => {
		for (let turn = 0; turn < 5; turn++) {
			await new Promise((soon) => setImmediate(soon));
			house.member.readPast();
			settle();
		}
	};

	test("while its caller may read it: from a change of rights on only after another look at them", async () => {
		enable(house);
		const call = house.stream(OBSERVE, { token: await tokenOf(house, "ann") });
		call.receive(v3electionpb.LeaderRequest.encode({ name: text("a-vote") }));
		await settled();
		house.member.put("a-vote/1", "first");
		await settled();
		order(house, "roleAdd", { role: "other" });
		house.member.put("a-vote/1", "second");
		await settled();
		const values = (): string[] =>
			call.sent.map((bytes) => Buffer.from(v3electionpb.LeaderResponse.decode(bytes).kv?.value ?? "").toString());
		expect([values(), call.ended]).toEqual([["first", "second"], null]);
		order(house, "userRevokeRole", { user: "ann", role: "as" });
		house.member.put("a-vote/1", "third");
		await settled();
		expect([values(), call.ended]).toEqual([["first", "second"], { code: 2, message: "etcdserver: permission denied" }]);
	});

	test("by one that reads slowly, however large the proclamations are that it reads of the past: none is missing", async () => {
		const call = house.stream(OBSERVE);
		call.receive(v3electionpb.LeaderRequest.encode({ name: text("a-vote") }));
		await settled();
		call.room = 1;
		const wanted = ["first"];
		house.member.put("a-vote/1", "first");
		for (let i = 0; i < 100; i++) {
			wanted.push(`${i} `);
			house.member.put("a-vote/1", `${i} ${"x".repeat(15_000)}`);
		}
		await settled();
		expect(call.sent.length).toBe(1);
		for (let round = 0; round < 200; round++) {
			call.drain(3);
			await settled();
		}
		const values = call.sent.map((bytes) => Buffer.from(v3electionpb.LeaderResponse.decode(bytes).kv?.value ?? "").toString());
		expect(values.map((value) => value.replace(/x+$/, ""))).toEqual(wanted);
	});

	test("by certificate as by token: a stream knows the name that its connection proved", async () => {
		enable(house);
		const handler = house.services.methods.get(OBSERVE);
		const call = new ScriptedStream(OBSERVE, {});
		Object.assign(call, { commonName: "ann" });
		if (handler?.shape === "stream") handler.handle(call);
		call.receive(v3electionpb.LeaderRequest.encode({ name: text("a-vote") }));
		await settled();
		house.member.put("a-vote/1", "first");
		await settled();
		expect([call.sent.length, call.ended]).toEqual([1, null]);
	});
});
