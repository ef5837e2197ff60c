/** The Watch service over a real key space: every statement of the API's chapter 3 and of its list of traps, by number. */
import { etcdserverpb as pb } from "@flotilla/api";
import { beforeEach, describe, expect, test } from "vitest";
import { CLUSTER, LEARNER, member, OTHER, SELF, ServiceHouse, statusOf } from "./scripted-member.ts";
import { inWords, WatchClient } from "./watch-client.ts";

const ALL = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };
const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));
const header = (revision: number) => ({ clusterId: CLUSTER, memberId: SELF, revision, raftTerm: 7 });

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

const put = (key: string, value = "v"): void => house.member.put(key, value);
function del(key: string, rangeEnd = ""): void {
	house.member.store.deleteRange({ key: text(key), rangeEnd: text(rangeEnd), prevKv: false });
	house.member.show();
}
function txn(...ops: Array<readonly ["put", string, string] | readonly ["del", string]>): void {
	const success = ops.map(([kind, key, value]) =>
		kind === "put"
			? ({
					kind,
					put: { key: text(key), value: text(value as string), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false },
				} as const)
			: ({ kind: "deleteRange", deleteRange: { key: text(key), rangeEnd: new Uint8Array(), prevKv: false } } as const),
	);
	house.member.store.txn({ compare: [], success, failure: [] });
	house.member.show();
}
function compact(revision: number): void {
	expect(house.member.store.compact(revision).ok).toBe(true);
	while (!house.member.store.compactionStep(1_000));
	house.member.show();
}

describe("create (3.1, 3.2)", () => {
	test("answers with the header of the moment, created, and nothing else", () => {
		put("a");
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		expect(client.take()).toEqual([
			{ header: header(2), watchId: 0n, created: true, canceled: false, compactRevision: 0, cancelReason: "", fragment: false, events: [] },
		]);
	});

	test("38: ids count from 0 and leave out those that the client chose; a given one may be negative", () => {
		const client = new WatchClient(house);
		for (const watchId of [0n, 2n, 0n, 0n, -7n, 1n << 62n]) client.create({ key: text("a"), watchId });
		expect(client.words()).toEqual(["#0", "#2", "#1", "#3", "#-7", `#${1n << 62n}`].map((id) => `${id} @1 created`));
		// 0 is not encoded.
		expect(Buffer.from(client.call.sent[0] as Uint8Array).includes(Buffer.from([0x10, 0x00]))).toBe(false);
	});

	test("an id is not given twice, even when its watcher is gone", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		client.cancel(0n);
		client.create({ key: text("a") });
		expect(client.words()).toEqual(["#0 @1 created", "#0 @1 canceled", "#1 @1 created"]);
	});

	test("39: a refused create is created and canceled under -1, and the stream lives on", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a"), watchId: 5n });
		client.create({ key: text("a"), watchId: 5n });
		client.create({ key: text("b"), rangeEnd: text("a") });
		client.create({ key: text("b"), rangeEnd: text("b") });
		client.create({ key: text("b"), startRevision: -1 });
		client.create({ key: text("b") });
		expect(client.words()).toEqual([
			"#5 @1 created",
			"#-1 @1 created canceled (mvcc: duplicate watch ID provided on the WatchStream)",
			"#-1 @1 created canceled (mvcc: watcher range is empty)",
			"#-1 @1 created canceled (mvcc: watcher range is empty)",
			"#-1 @1 created canceled (etcdserver: mvcc: required revision has been compacted)",
			"#0 @1 created",
		]);
	});

	test("42: an empty key is the zero byte: alone, and as the beginning of everything", () => {
		const client = new WatchClient(house);
		client.create({});
		client.create({ rangeEnd: Uint8Array.of(0) });
		client.take();
		put("\0");
		put("z");
		expect(client.words().sort()).toEqual(["#0 @2 \0=v/2", "#1 @2 \0=v/2", "#1 @3 z=v/3"]);
	});

	test("a single key, a range, and from a key on", () => {
		const client = new WatchClient(house);
		client.create({ key: text("b") });
		client.create({ key: text("b"), rangeEnd: text("d") });
		client.create({ key: text("c"), rangeEnd: Uint8Array.of(0) });
		client.take();
		for (const key of ["a", "b", "c", "d"]) put(key);
		expect(client.words().sort()).toEqual(["#0 @3 b=v/3", "#1 @3 b=v/3", "#1 @4 c=v/4", "#2 @4 c=v/4", "#2 @5 d=v/5"]);
	});

	test("a message without a request, and one of an unknown kind, are passed over", () => {
		const client = new WatchClient(house);
		client.call.receive(new Uint8Array());
		client.call.receive(Uint8Array.of(0x22, 0x00));
		expect([client.words(), client.call.ended]).toEqual([[], null]);
	});

	test("55: created responses keep the order of the requests", () => {
		const client = new WatchClient(house);
		for (let id = 1n; id <= 50n; id++) client.create({ key: text("a"), watchId: 100n - id });
		expect(client.take().map(({ watchId }) => watchId)).toEqual(Array.from({ length: 50 }, (_, at) => 99n - BigInt(at)));
	});
});

describe("start revision (3.3)", () => {
	test("0 is what comes after the created response", () => {
		put("a", "before");
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		put("a", "after");
		house.member.readPast();
		expect(client.words()).toEqual(["#0 @2 created", "#0 @3 a=after/3"]);
	});

	test("one of the past comes from the store and goes on live, without a gap and without a repetition", () => {
		for (let at = 0; at < 5; at++) put("a", String(at));
		const client = new WatchClient(house);
		client.create({ key: text("a"), startRevision: 3 });
		put("a", "now");
		expect(client.words()).toEqual(["#0 @6 created"]);
		house.member.readPast();
		put("a", "later");
		expect(client.words()).toEqual(["#0 @7 a=1/3 a=2/4 a=3/5 a=4/6 a=now/7", "#0 @8 a=later/8"]);
	});

	test("1 of an empty store is the present", () => {
		const client = new WatchClient(house);
		client.create({ ...ALL, startRevision: 1 });
		house.member.readPast();
		client.progress();
		put("a");
		expect(client.words()).toEqual(["#0 @1 created", "#-1 @1", "#0 @2 a=v/2"]);
	});

	test("47: many revisions of the past come in one response, whose header runs ahead", () => {
		for (let at = 0; at < 2_500; at++) put("a", String(at));
		const client = new WatchClient(house);
		client.create({ key: text("a"), startRevision: 2 });
		house.member.readPast();
		const [, ...responses] = client.take();
		expect(responses.map(({ events, header: head }) => [events.length, head?.revision])).toEqual([
			[1_000, 2_501],
			[1_000, 2_501],
			[500, 2_501],
		]);
		expect(responses.flatMap(({ events }) => events.map(({ kv }) => kv?.modRevision))).toEqual(
			Array.from({ length: 2_500 }, (_, at) => at + 2),
		);
	});

	test("51: nothing before a revision of the future", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a"), startRevision: 4 });
		for (let at = 2; at < 6; at++) put("a", String(at));
		expect(client.words()).toEqual(["#0 @1 created", "#0 @4 a=4/4", "#0 @5 a=5/5"]);
	});

	test("40: one that is compacted is created, then canceled with the compact revision, without a revision and a reason", () => {
		for (let at = 0; at < 5; at++) put("a");
		compact(4);
		const client = new WatchClient(house);
		client.create({ key: text("a"), startRevision: 3 });
		const responses = client.take();
		expect(responses.map(inWords)).toEqual(["#0 @6 created", "#0 @0 canceled compacted 4"]);
		expect(responses[1]?.header).toEqual(header(0));
	});

	test("the compact revision itself is there, deletions too", () => {
		put("a");
		put("b");
		del("a");
		put("c");
		compact(4);
		const client = new WatchClient(house);
		client.create({ ...ALL, startRevision: 4 });
		house.member.readPast();
		expect(client.words()).toEqual(["#0 @5 created", "#0 @5 -a/4 c=v/5"]);
	});

	test("55: an id that a compaction ended stays taken until the client gives it up, and that is answered", () => {
		for (let at = 0; at < 5; at++) put("a");
		compact(4);
		const client = new WatchClient(house);
		client.create({ key: text("a"), startRevision: 2, watchId: 9n });
		client.create({ key: text("a"), watchId: 9n });
		client.cancel(9n);
		client.create({ key: text("a"), watchId: 9n });
		expect(client.words()).toEqual([
			"#9 @6 created",
			"#9 @0 canceled compacted 4",
			"#-1 @6 created canceled (mvcc: duplicate watch ID provided on the WatchStream)",
			"#9 @6 canceled",
			"#9 @6 created",
		]);
	});

	test("a compaction past a watcher that has seen everything changes nothing for it", () => {
		const client = new WatchClient(house);
		client.create({ key: text("quiet") });
		client.create({ key: text("future"), startRevision: 100 });
		for (let at = 0; at < 20; at++) put("a");
		compact(20);
		put("quiet");
		expect(client.words()).toEqual(["#0 @1 created", "#1 @1 created", "#0 @22 quiet=v/22"]);
	});
});

describe("events (3.4, 3.5)", () => {
	test("45: all of a revision in one response, in the order of its changes; 50: a delete is key and revision", () => {
		put("a");
		const client = new WatchClient(house);
		client.create(ALL);
		client.take();
		txn(["put", "b", "1"], ["del", "a"], ["put", "c", "2"]);
		const [response] = client.take();
		expect(inWords(response as pb.WatchResponse)).toBe("#0 @3 b=1/3 -a/3 c=2/3");
		expect(response?.events[0]?.kv).toEqual({ key: text("b"), createRevision: 3, modRevision: 3, version: 1, value: text("1"), lease: 0n });
		expect(response?.events[1]?.kv).toEqual({
			key: text("a"),
			createRevision: 0,
			modRevision: 3,
			version: 0,
			value: new Uint8Array(),
			lease: 0n,
		});
	});

	test("put and delete of one key in one revision; the deletion shows the pair from before the transaction", () => {
		put("a", "old");
		const client = new WatchClient(house);
		client.create({ key: text("a"), prevKv: true });
		client.take();
		house.member.store.txn({
			compare: [],
			success: [
				{ kind: "put", put: { key: text("a"), value: text("new"), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false } },
				{ kind: "deleteRange", deleteRange: { key: text("a"), rangeEnd: text("\0"), prevKv: false } },
			],
			failure: [],
		});
		house.member.show();
		expect(client.words()).toEqual(["#0 @3 a=new/3 was a=old -a/3 was a=old"]);
	});

	test("52: none for the first put of a life, also when the key had lived before", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a"), prevKv: true });
		put("a", "1");
		put("a", "2");
		del("a");
		put("a", "3");
		expect(client.words()).toEqual(["#0 @1 created", "#0 @2 a=1/2", "#0 @3 a=2/3 was a=1", "#0 @4 -a/4 was a=2", "#0 @5 a=3/5"]);
	});

	test("50: a previous pair that is compacted is left out in silence", () => {
		put("a", "1");
		put("a", "2");
		put("a", "3");
		compact(3);
		const client = new WatchClient(house);
		client.create({ key: text("a"), prevKv: true, startRevision: 3 });
		house.member.readPast();
		expect(client.words()).toEqual(["#0 @4 created", "#0 @4 a=2/3 a=3/4 was a=2"]);
	});

	test("watchers with and without the previous pair, of one range on one stream", () => {
		put("a", "1");
		const client = new WatchClient(house);
		client.create({ key: text("a"), prevKv: true });
		client.create({ key: text("a") });
		client.take();
		put("a", "2");
		expect(client.words().sort()).toEqual(["#0 @3 a=2/3 was a=1", "#1 @3 a=2/3"]);
	});
});

describe("filters and fragments (3.6)", () => {
	test("puts, deletions, both; numbers that nobody knows; a response that would be empty is not sent", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a"), filters: [0] });
		client.create({ key: text("a"), filters: [1, 17] });
		client.create({ key: text("a"), filters: [0, 1] });
		client.take();
		put("a");
		del("a");
		expect(client.words()).toEqual(["#1 @2 a=v/2", "#0 @3 -a/3"]);
	});

	test("46: a large response is cut, within a revision too, and only the last part says that it is the last", () => {
		house = new ServiceHouse({ watchFragmentBytes: 400 });
		const client = new WatchClient(house);
		client.create({ ...ALL, fragment: true });
		client.create({ ...ALL });
		client.take();
		txn(...Array.from({ length: 8 }, (_, at) => ["put", `k${at}`, "x".repeat(100)] as const));
		const responses = client.take();
		const parts = responses.filter(({ watchId }) => watchId === 0n);
		expect(parts.map(({ fragment, events, header: head }) => [fragment, events.length, head?.revision])).toEqual([
			[true, 2, 2],
			[true, 2, 2],
			[true, 2, 2],
			[false, 2, 2],
		]);
		expect(client.call.sent.every((bytes) => bytes.length < 400 || pb.WatchResponse.decode(bytes).watchId === 1n)).toBe(true);
		expect(responses.filter(({ watchId }) => watchId === 1n).map(({ events }) => events.length)).toEqual([8]);
		// The parts of one response stand together.
		expect(responses.map(({ watchId }) => watchId).join("")).toMatch(/^(00001|10000)$/);
	});

	test("an event above the limit goes alone", () => {
		house = new ServiceHouse({ watchFragmentBytes: 400 });
		const client = new WatchClient(house);
		client.create({ ...ALL, fragment: true });
		client.take();
		txn(["put", "a", "1"], ["put", "b", "x".repeat(1_000)], ["put", "c", "1"]);
		expect(client.take().map(({ events, fragment }) => [events.length, fragment])).toEqual([
			[1, true],
			[1, true],
			[1, false],
		]);
	});
});

describe("progress (3.7)", () => {
	test("48: by hand, once for the stream, under -1, when all of it is shown", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		client.create({ key: text("b") });
		put("c");
		client.take();
		client.progress();
		expect(client.words()).toEqual(["#-1 @2"]);
	});

	test("48, 51: not while a watcher is behind, or waits for the future, and not later either", () => {
		put("a");
		const client = new WatchClient(house);
		client.create({ key: text("a"), startRevision: 1 });
		client.progress();
		house.member.readPast();
		expect(client.words()).toEqual(["#0 @2 created", "#0 @2 a=v/2"]);
		client.create({ key: text("a"), startRevision: 3, watchId: 7n });
		client.progress();
		put("b");
		expect(client.words()).toEqual(["#7 @2 created"]);
		client.progress();
		expect(client.words()).toEqual(["#-1 @3"]);
	});

	test("no answer without a watcher, nor when all there were are gone", () => {
		const client = new WatchClient(house);
		client.progress();
		client.create({ key: text("a") });
		client.cancel(0n);
		client.progress();
		expect(client.words()).toEqual(["#0 @1 created", "#0 @1 canceled"]);
	});

	test("#15220: never ahead of events that wait", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		client.call.room = 1;
		put("a", "1");
		put("a", "2");
		client.progress();
		house.pass(66_000);
		expect(client.words()).toEqual(["#0 @1 created", "#0 @2 a=1/2"]);
		client.call.drain();
		expect(client.words()).toEqual(["#0 @3 a=2/3"]);
		client.progress();
		expect(client.words()).toEqual(["#-1 @3"]);
	});

	test("49: by the clock to quiet watchers that asked, not right after events, and filters do not matter", () => {
		house = new ServiceHouse({ watchProgressTicks: 100 });
		const client = new WatchClient(house);
		client.create({ key: text("a"), progressNotify: true });
		client.create({ key: text("b") });
		client.create({ key: text("c"), progressNotify: true, filters: [0, 1] });
		client.create({ key: text("d"), progressNotify: true, startRevision: 50 });
		client.take();
		house.pass(110);
		expect(client.words()).toEqual(["#0 @1", "#2 @1"]);
		put("a");
		put("c");
		client.take();
		house.pass(110);
		expect(client.words()).toEqual(["#2 @3"]);
		house.pass(110);
		expect(client.words()).toEqual(["#0 @3", "#2 @3"]);
	});

	test("the clock of a stream stops with it", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a"), progressNotify: true });
		expect(house.timersOpen).toBe(1);
		client.call.cancel();
		expect(house.timersOpen).toBe(0);
	});
});

describe("cancel (3.8)", () => {
	test("is answered, and nothing follows for that watcher; the others go on", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		client.create({ key: text("a") });
		put("a");
		client.take();
		client.cancel(0n);
		put("a");
		expect(client.words()).toEqual(["#0 @2 canceled", "#1 @3 a=v/3"]);
	});

	test("43: one that is not there is not answered", () => {
		const client = new WatchClient(house);
		client.cancel(3n);
		client.create({ key: text("a") });
		client.cancel(0n);
		client.cancel(0n);
		expect(client.words()).toEqual(["#0 @1 created", "#0 @1 canceled"]);
	});

	test("what waited for its reader does not come after it", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		client.call.room = 0;
		put("a", "1");
		put("a", "2");
		client.cancel(0n);
		client.call.drain();
		expect(client.words()).toEqual(["#0 @1 created", "#0 @2 a=1/2", "#0 @3 canceled"]);
	});

	test("watchers that are behind, or wait for the future, can be canceled too", () => {
		put("a");
		const client = new WatchClient(house);
		client.create({ key: text("a"), startRevision: 1 });
		client.create({ key: text("a"), startRevision: 3 });
		client.cancel(0n);
		client.cancel(1n);
		house.member.readPast();
		put("a");
		expect(client.words()).toEqual(["#0 @2 created", "#1 @2 created", "#0 @2 canceled", "#1 @2 canceled"]);
	});
});

describe("streams (3.10 to 3.12)", () => {
	test("54: without a leader one that needs one is not opened", () => {
		house.member.leader = 0n;
		expect(new WatchClient(house, { hasleader: "true" }).call.ended).toEqual(statusOf("noLeader"));
		expect(new WatchClient(house).call.ended).toBeNull();
	});

	test("one that lost its leader less than an election timeout ago is opened: clients of a leader that died come just then", () => {
		house.member.leader = 0n;
		house.member.leaderless = 99;
		expect(new WatchClient(house, { hasleader: "true" }).call.ended).toBeNull();
		house.member.leaderless = 100;
		expect(new WatchClient(house, { hasleader: "true" }).call.ended).toEqual(statusOf("noLeader"));
	});

	test("54: an open one is ended when three looks in a row, an election timeout apart, find no leader", () => {
		const [strict, plain] = [new WatchClient(house, { hasleader: "true" }), new WatchClient(house)];
		strict.create({ key: text("a") });
		plain.create({ key: text("a") });
		house.member.leader = 0n;
		house.pass(200);
		house.member.leader = SELF;
		house.pass(100);
		house.member.leader = 0n;
		house.pass(299);
		expect(strict.call.ended).toBeNull();
		house.pass(1);
		expect([strict.call.ended, plain.call.ended]).toEqual([statusOf("noLeader"), null]);
		house.member.leader = SELF;
		house.pass(300);
		put("a");
		expect([strict.words(), plain.words()]).toEqual([["#0 @1 created"], ["#0 @1 created", "#0 @2 a=v/2"]]);
		expect(house.timersOpen).toBe(0);
	});

	test("a learner has none", () => {
		house.member.members = [member(OTHER), member(SELF, { learner: true }), member(LEARNER)];
		expect(new WatchClient(house).call.ended).toEqual(statusOf("notSupportedForLearner"));
	});

	test("a client's version must be text", () => {
		expect(new WatchClient(house, { "client-api-version": "\xff" }).call.ended).toEqual(statusOf("invalidClientApiVersion"));
	});

	test("when the member stops, its streams end and no further one begins", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a"), progressNotify: true });
		house.services.endStreams();
		put("a");
		expect([client.call.ended, client.words(), house.timersOpen]).toEqual([statusOf("stopped"), ["#0 @1 created"], 0]);
		expect(new WatchClient(house).call.ended).toEqual(statusOf("stopped"));
	});

	test("the order of streams and of watchers of one stream is open, that of one watcher is not", () => {
		const clients = Array.from({ length: 3 }, () => new WatchClient(house));
		for (const client of clients) for (let at = 0; at < 3; at++) client.create({ key: text("a") });
		for (const client of clients) client.take();
		for (let at = 0; at < 10; at++) put("a", String(at));
		for (const client of clients) {
			const words = client.words();
			for (const id of [0, 1, 2]) {
				expect(words.filter((word) => word.startsWith(`#${id} `))).toEqual(
					Array.from({ length: 10 }, (_, at) => `#${id} @${at + 2} a=${at}/${at + 2}`),
				);
			}
		}
	});

	test("#18879: a client with thousands of watchers goes, synced, behind and waiting ones, and a new watcher hears all", () => {
		for (let at = 0; at < 20; at++) put("a", String(at));
		const crowd = new WatchClient(house);
		for (let at = 0; at < 3_000; at++) crowd.create({ ...ALL, startRevision: at % 3 === 0 ? 0 : at % 3 === 1 ? 5 : 500 });
		crowd.call.room = 0;
		put("a", "unread");
		crowd.call.cancel();
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		put("a", "read");
		house.member.readPast();
		expect(client.words()).toEqual(["#0 @22 created", "#0 @23 a=read/23"]);
		expect([house.member.watches.queuedBytes, house.member.watches.catchingUp]).toEqual([0, false]);
	});

	test("a client that asks and does not read is cut off", () => {
		const client = new WatchClient(house);
		client.call.room = 0;
		for (let at = 0; at < 20_000 && client.call.ended === null; at++) client.create({ key: text("b"), rangeEnd: text("a") });
		expect(client.call.ended).toEqual({ code: 8, message: "etcdserver: too many unread answers of this watch stream" });
		expect(client.call.sent.length).toBe(1);
	});
});

describe("slow readers (3.9)", () => {
	test("are fed from the store later, whole and in order", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		client.call.room = 1;
		const value = "x".repeat(1_000);
		for (let at = 0; at < 3_000; at++) put("a", value);
		expect(client.call.sent).toHaveLength(2);
		client.call.drain();
		house.member.readPast();
		put("a", "end");
		const seen = client.take().flatMap(({ events }) => events.map(({ kv }) => kv?.modRevision));
		expect(seen).toEqual(Array.from({ length: 3_001 }, (_, at) => at + 2));
	});

	test("are told when a compaction has overtaken them, behind what was queued before", () => {
		const client = new WatchClient(house);
		client.create({ key: text("a") });
		client.call.room = 1;
		const value = "x".repeat(1_000);
		for (let at = 0; at < 3_000; at++) put("a", value);
		compact(2_990);
		client.call.drain();
		const responses = client.take();
		const seen = responses.flatMap(({ events }) => events.map(({ kv }) => kv?.modRevision ?? 0));
		expect(seen).toEqual(Array.from({ length: seen.length }, (_, at) => at + 2));
		expect(seen.length).toBeLessThan(1_200);
		expect(inWords(responses.at(-1) as pb.WatchResponse)).toBe("#0 @0 canceled compacted 2990");
	});
});
