/** The KV service over a real key space: which calls are proposed, which wait for a barrier, and what their answers say. */
import { etcdserverpb as pb } from "@flotilla/api";
import { CommandKind } from "@flotilla/replica";
import { beforeEach, describe, expect, test } from "vitest";
import { CLUSTER, member, ScriptedCall, SELF, ServiceHouse, statusOf } from "./scripted-member.ts";

const text = (value: string): Uint8Array => Buffer.from(value);
const RANGE = "/etcdserverpb.KV/Range";
const PUT = "/etcdserverpb.KV/Put";
const DELETE = "/etcdserverpb.KV/DeleteRange";
const TXN = "/etcdserverpb.KV/Txn";
const COMPACT = "/etcdserverpb.KV/Compact";

const rangeOp = (key: string, serializable = false): pb.RequestOp => ({
	request: { kind: "requestRange", value: pb.RangeRequest.create({ key: text(key), serializable }) },
});
const header = (revision: number) => ({ clusterId: CLUSTER, memberId: SELF, revision, raftTerm: 7 });

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

async function range(request: Partial<pb.RangeRequest>): Promise<pb.RangeResponse> {
	return pb.RangeResponse.decode(await house.ok(RANGE, pb.RangeRequest.encode({ key: text("a"), ...request })));
}

describe("writes", () => {
	test("the client's bytes are proposed as they are, and the header says who answered, when", async () => {
		const request = pb.PutRequest.encode({ key: text("a"), value: text("1"), prevKv: true });
		const first = pb.PutResponse.decode(await house.ok(PUT, request));
		expect([first.header, first.prevKv]).toEqual([header(2), null]);
		expect([house.member.writes[0]?.kind, house.member.writes[0]?.payload]).toEqual([CommandKind.put, request]);
		const second = pb.PutResponse.decode(await house.ok(PUT, request));
		expect([second.header, second.prevKv?.modRevision, Buffer.from(second.prevKv?.value ?? "").toString()]).toEqual([header(3), 2, "1"]);
	});

	test("a delete, and one that finds nothing", async () => {
		house.member.put("a");
		const once = pb.DeleteRangeResponse.decode(await house.ok(DELETE, pb.DeleteRangeRequest.encode({ key: text("a") })));
		expect([once.header, once.deleted]).toEqual([header(3), 1]);
		const again = pb.DeleteRangeResponse.decode(await house.ok(DELETE, pb.DeleteRangeRequest.encode({ key: text("a") })));
		expect([again.header, again.deleted]).toEqual([header(3), 0]);
	});

	test("a transaction's inner headers hold the revision alone", async () => {
		const ops = [
			{ request: { kind: "requestPut" as const, value: pb.PutRequest.create({ key: text("t"), value: text("x") }) } },
			rangeOp("t"),
		];
		const response = pb.TxnResponse.decode(await house.ok(TXN, pb.TxnRequest.encode({ success: ops })));
		expect([response.header, response.succeeded]).toEqual([header(2), true]);
		const inner = { clusterId: 0n, memberId: 0n, revision: 2, raftTerm: 0 };
		expect(response.responses.map(({ response: each }) => (each?.value as { header: object } | undefined)?.header)).toEqual([inner, inner]);
	});

	test("a client's deadline becomes ticks, none leaves it to the member", async () => {
		house.member.writeFault = "silence";
		house.start(new ScriptedCall(PUT, pb.PutRequest.encode({ key: text("a") }), {}, 1_234));
		house.start(new ScriptedCall(PUT, pb.PutRequest.encode({ key: text("a") }), {}, 0));
		house.start(new ScriptedCall(PUT, pb.PutRequest.encode({ key: text("a") })));
		expect(house.member.writes.map(({ timeoutTicks }) => timeoutTicks)).toEqual([124, 1, 0]);
	});

	test("a client that goes away is called off", () => {
		house.member.writeFault = "silence";
		house.member.readFault = "silence";
		house.start(new ScriptedCall(PUT, pb.PutRequest.encode({ key: text("a") }))).cancel();
		house.start(new ScriptedCall(RANGE, pb.RangeRequest.encode({ key: text("a") }))).cancel();
		expect(house.member.canceled).toEqual([house.member.writes[0], house.member.reads[0]]);
	});

	test.each([
		["noLeader", 14, "etcdserver: no leader"],
		["noLeaderDeadline", 4, "context deadline exceeded"],
		["leaderChanged", 14, "etcdserver: leader changed"],
		["timeout", 14, "etcdserver: request timed out"],
		["timeoutLeaderFailed", 14, "etcdserver: request timed out, possibly due to previous leader failure"],
		["timeoutConnectionLost", 14, "etcdserver: request timed out, possibly due to connection lost"],
		["outcomeUnknown", 14, "etcdserver: request timed out"],
		["tooManyRequests", 2, "etcdserver: too many requests"],
		["requestTooLarge", 3, "etcdserver: request is too large"],
		["permissionDenied", 7, "etcdserver: permission denied"],
		["stopped", 14, "etcdserver: server stopped"],
		["noSpace", 8, "etcdserver: mvcc: database space exceeded"],
		["corrupt", 15, "etcdserver: corrupt cluster"],
	] as const)("the member's %s in its words", async (fault, code, message) => {
		house.member.writeFault = fault;
		house.member.readFault = fault;
		expect(await house.refusal(PUT, pb.PutRequest.encode({ key: text("a") }))).toEqual({ code, message });
		expect(await house.refusal(RANGE, pb.RangeRequest.encode({ key: text("a") }))).toEqual({ code, message });
	});
});

describe("reads", () => {
	test("a linearizable one waits for its barrier; a serializable one does not ask", async () => {
		house.member.readFault = "silence";
		const call = house.start(new ScriptedCall(RANGE, pb.RangeRequest.encode({ key: text("a") })));
		house.member.put("a", "later");
		expect(call.answer).toBeNull();
		const now = await range({ serializable: true });
		expect([now.count, house.member.reads.length]).toEqual([1, 1]);
		house.member.reads[0]?.done({ ok: true });
		expect(call.answer?.ok === true && pb.RangeResponse.decode(call.answer.bytes).kvs.length).toBe(1);
	});

	test("at an old revision the header shows the present one", async () => {
		house.member.put("a", "1");
		house.member.put("a", "2");
		const old = await range({ revision: 2 });
		expect([old.header, Buffer.from(old.kvs[0]?.value ?? "").toString()]).toEqual([header(3), "1"]);
	});

	test("a transaction that only reads is not proposed; with serializable ranges alone, or none, it does not even ask", async () => {
		house.member.put("a");
		const txn = async (...success: pb.RequestOp[]) => pb.TxnResponse.decode(await house.ok(TXN, pb.TxnRequest.encode({ success })));
		expect((await txn(rangeOp("a"))).header).toEqual(header(2));
		expect(house.member.reads.length).toBe(1);
		await txn(rangeOp("a", true));
		await txn();
		expect(house.member.reads.length).toBe(1);
		await txn(rangeOp("a", true), rangeOp("a"));
		expect(house.member.reads.length).toBe(2);
		expect(house.member.writes).toEqual([]);
		// Whatever is nested makes it a proposal.
		await txn({ request: { kind: "requestTxn", value: pb.TxnRequest.create({ success: [rangeOp("a")] }) } });
		expect(house.member.writes.length).toBe(1);
	});
});

describe("long ranges", () => {
	const KEYS = 20_000;
	const all = pb.RangeRequest.encode({ key: text("\0"), rangeEnd: text("\0"), serializable: true });

	beforeEach(() => {
		for (let i = 0; i < KEYS; i++) house.member.put(`k${String(i).padStart(6, "0")}`, "1");
		house.running = false;
	});

	test("one runs in slices and shows one revision, whatever is written meanwhile", () => {
		const call = house.start(new ScriptedCall(RANGE, all));
		let turns = 0;
		for (; call.answer === null; turns++) {
			house.member.put(`k${String(turns * 1_000).padStart(6, "0")}`, "changed");
			house.member.put(`new${turns}`);
			expect(house.turn()).toBe(true);
		}
		expect(turns).toBeGreaterThan(3);
		const response = call.answer.ok ? pb.RangeResponse.decode(call.answer.bytes) : null;
		expect([response?.count, response?.kvs.length, response?.header?.revision]).toEqual([KEYS, KEYS, KEYS + 1]);
		expect(response?.kvs.every(({ value, modRevision }) => Buffer.from(value).toString() === "1" && modRevision <= KEYS + 1)).toBe(true);
		expect(house.turn()).toBe(false);
	});

	test("short ones are answered at once between them, and many take turns", () => {
		const calls = Array.from({ length: 6 }, () => house.start(new ScriptedCall(RANGE, all)));
		const short = house.start(
			new ScriptedCall(RANGE, pb.RangeRequest.encode({ key: text("k00001"), rangeEnd: text("k00002"), serializable: true })),
		);
		expect(short.answer?.ok).toBe(true);
		let turns = 0;
		while (calls.some(({ answer }) => answer === null)) {
			house.turn();
			turns++;
		}
		expect(calls.every(({ answer }) => answer?.ok)).toBe(true);
		// Side by side they take as long as one after the other would.
		expect(turns).toBeGreaterThanOrEqual((6 * KEYS) / 4_000 - 6);
	});

	test("a transaction that only reads runs in slices, too: compares and ranges show one revision", () => {
		const every = { key: text("\0"), rangeEnd: text("\0") };
		const { GREATER } = pb.Compare_CompareResult;
		const compare = pb.Compare.create({
			...every,
			result: GREATER,
			target: pb.Compare_CompareTarget.VERSION,
			targetUnion: { kind: "version", value: 0 },
		});
		const request = pb.TxnRequest.encode({
			compare: [compare],
			success: [
				{ request: { kind: "requestRange", value: pb.RangeRequest.create({ ...every, serializable: true }) } },
				{ request: { kind: "requestRange", value: pb.RangeRequest.create({ ...every, serializable: true, countOnly: true }) } },
			],
			failure: [],
		});
		const call = house.start(new ScriptedCall(TXN, request));
		let turns = 0;
		for (; call.answer === null; turns++) {
			house.member.put(`k${String(turns * 1_000).padStart(6, "0")}`, "changed");
			house.member.put(`new${turns}`);
			expect(house.turn()).toBe(true);
		}
		expect(turns).toBeGreaterThan(3);
		const response = call.answer.ok ? pb.TxnResponse.decode(call.answer.bytes) : null;
		expect([response?.succeeded, response?.header?.revision]).toEqual([true, KEYS + 1]);
		const ranges = response?.responses.map(({ response: each }) => (each?.kind === "responseRange" ? each.value : null));
		expect(ranges?.map((each) => [each?.count, each?.kvs.length])).toEqual([
			[KEYS, KEYS],
			[KEYS, 0],
		]);
		expect(ranges?.[0]?.kvs.every(({ value }) => Buffer.from(value).toString() === "1")).toBe(true);
		expect(house.member.store.openReads).toBe(0);
	});

	describe("of a change", () => {
		const every = { key: text("\0"), rangeEnd: text("\0") };
		const spare = { key: text("k01"), rangeEnd: text("k02"), prevKv: true };
		const put = (key: string): pb.RequestOp => ({
			request: { kind: "requestPut", value: pb.PutRequest.create({ key: text(key), value: text("2"), prevKv: true }) },
		});
		const look: pb.RequestOp = { request: { kind: "requestRange", value: pb.RangeRequest.create(every) } };
		const change = pb.TxnRequest.encode({
			success: [
				look,
				put("k000003"),
				look,
				{ request: { kind: "requestDeleteRange", value: pb.DeleteRangeRequest.create(spare) } },
				look,
				put("new"),
				{ request: { kind: "requestTxn", value: pb.TxnRequest.create({ success: [look] }) } },
			],
		});
		const countOf = (op: pb.ResponseOp | undefined): unknown => {
			const response = op?.response;
			if (response?.kind === "responseRange") return [response.value.count, response.value.kvs.length, response.value.header?.revision];
			if (response?.kind === "responseDeleteRange") return [response.value.deleted, response.value.prevKvs.length];
			if (response?.kind === "responsePut")
				return response.value.prevKv === null ? null : Buffer.from(response.value.prevKv.value).toString();
			return response?.kind === "responseTxn" ? response.value.responses.map(countOf) : "nothing";
		};

		test("they are read when it is made, in slices, and show what each operation saw; meanwhile others write", async () => {
			const call = house.start(new ScriptedCall(TXN, change));
			await Promise.resolve();
			expect(house.member.store.revision).toBe(KEYS + 2);
			let turns = 0;
			for (; call.answer === null; turns++) {
				house.member.put(`k${String(turns * 1_000).padStart(6, "0")}`, "later");
				house.member.put(`later${turns}`);
				house.member.store.compact(house.member.store.revision);
				house.member.store.compactionStep(100);
				expect(house.turn()).toBe(true);
			}
			expect(turns).toBeGreaterThan(20);
			const response = call.answer.ok ? pb.TxnResponse.decode(call.answer.bytes) : null;
			expect(response?.header).toEqual(header(KEYS + 2));
			expect(response?.responses.map(countOf)).toEqual([
				[KEYS, KEYS, KEYS + 1],
				"1",
				[KEYS, KEYS, KEYS + 2],
				[10_000, 10_000],
				[10_000, 10_000, KEYS + 2],
				null,
				[[10_001, 10_001, KEYS + 2]],
			]);
			const seen = response?.responses.map(({ response: each }) =>
				each?.kind === "responseRange" ? each.value.kvs.filter(({ value }) => Buffer.from(value).toString() !== "1").length : null,
			);
			expect(seen).toEqual([0, null, 1, null, 1, null, null]);
			expect(house.member.store.openReads).toBe(0);
		});

		test("and are given up when nobody waits for them", async () => {
			const call = house.start(new ScriptedCall(TXN, change));
			await Promise.resolve();
			house.turn();
			expect(house.member.store.openReads).toBe(1);
			call.cancel();
			while (house.turn());
			expect([house.member.store.openReads, call.answer]).toEqual([0, null]);
		});

		test("such a change is refused before it is made where too many long reads wait, and not behind it", async () => {
			const admitted = house.start(new ScriptedCall(TXN, change));
			for (let i = 0; i < 1_200; i++) house.start(new ScriptedCall(RANGE, all));
			await Promise.resolve();
			expect(house.member.store.revision).toBe(KEYS + 2);
			const refused = [
				house.start(new ScriptedCall(TXN, change)),
				house.start(new ScriptedCall(DELETE, pb.DeleteRangeRequest.encode({ ...every, prevKv: true }))),
			];
			for (const { answer } of refused) expect(answer?.ok === false && answer.status.message).toBe(statusOf("tooManyRequests").message);
			expect(admitted.answer).toBe(null);
			expect(house.member.writes.length).toBe(1);
		});

		test("the pairs that a plain delete took away, too", async () => {
			const call = house.start(new ScriptedCall(DELETE, pb.DeleteRangeRequest.encode(spare)));
			await Promise.resolve();
			expect(house.member.store.revision).toBe(KEYS + 2);
			while (house.turn());
			const response = call.answer?.ok ? pb.DeleteRangeResponse.decode(call.answer.bytes) : null;
			expect([response?.deleted, response?.prevKvs.length, response?.header?.revision]).toEqual([10_000, 10_000, KEYS + 2]);
		});
	});

	test("one whose client went away is given up", () => {
		const call = house.start(new ScriptedCall(RANGE, all));
		house.turn();
		call.cancel();
		house.turn();
		expect([house.turn(), call.answer]).toEqual([false, null]);
	});

	test("a crowd of them is refused beyond the limit", () => {
		const calls = Array.from({ length: 1_200 }, () => house.start(new ScriptedCall(RANGE, all)));
		const refused = calls.filter(({ answer }) => answer !== null);
		expect(refused.length).toBe(1_200 - 64 - 1_024);
		expect(refused.every(({ answer }) => answer?.ok === false && answer.status.message === statusOf("tooManyRequests").message)).toBe(true);
	});
});

describe("compaction", () => {
	beforeEach(() => {
		for (let i = 0; i < 5; i++) house.member.put("a", String(i));
	});
	const compact = (revision: number, physical: boolean) =>
		house.start(new ScriptedCall(COMPACT, pb.CompactionRequest.encode({ revision, physical })));

	test("is answered at once, with the present revision", async () => {
		const call = compact(3, false);
		await call.answered;
		expect(call.answer?.ok === true && pb.CompactionResponse.decode(call.answer.bytes).header).toEqual(header(6));
		expect(house.member.compactionWaiters.length).toBe(0);
	});

	test("when physical, after the clean-up; a refused one waits for it, too", async () => {
		const calls = [compact(3, true), compact(3, true), compact(9, true)];
		await calls[2]?.answered;
		expect(calls.map(({ answer }) => answer?.ok)).toEqual([undefined, undefined, false]);
		for (const done of house.member.compactionWaiters) done();
		expect(calls.map(({ answer }) => answer?.ok)).toEqual([true, false, false]);
		expect(calls[1]?.answer).toEqual({ ok: false, status: statusOf("compacted") });
	});
});

describe("the door", () => {
	const put = pb.PutRequest.encode({ key: text("a") });

	test("hasleader is looked at before anything of the request, and only when it is true", async () => {
		house.member.leader = 0n;
		const empty = pb.RangeRequest.encode({ serializable: true });
		expect(await house.refusal(RANGE, empty, { hasleader: "true" })).toEqual({ code: 14, message: "etcdserver: no leader" });
		expect((await house.refusal(RANGE, empty, { hasleader: "yes" })).message).toBe("etcdserver: key is not provided");
	});

	test("a client version must be text", async () => {
		expect(await house.refusal(PUT, put, { "client-api-version": "3.6\xff" })).toEqual({
			code: 3,
			message: "etcdserver: invalid client api version",
		});
		expect((await house.call(PUT, put, { "client-api-version": "caf\xc3\xa9" })).ok).toBe(true);
	});

	test("a token is nobody's business while authentication is off", async () => {
		expect((await house.call(PUT, put, { token: "whatever", authorization: "Bearer x" })).ok).toBe(true);
	});

	test("a learner answers Status and serializable ranges, and nothing else", async () => {
		house.member.members = [member(SELF, { learner: true })];
		const refused = { code: 9, message: "etcdserver: rpc not supported for learner" };
		for (const [path, handler] of house.services.methods) {
			if (handler.shape !== "unary" || path.endsWith("/Status") || path === RANGE) continue;
			const status = await house.refusal(path, new Uint8Array(0));
			// What this version does not serve at all says so on a learner, too.
			if (status.code !== 12) expect([path, status]).toEqual([path, refused]);
		}
		expect(await house.refusal(RANGE, pb.RangeRequest.encode({ key: text("a") }))).toEqual(refused);
		expect((await range({ serializable: true })).count).toBe(0);
		expect(pb.StatusResponse.decode(await house.ok("/etcdserverpb.Maintenance/Status", new Uint8Array(0))).isLearner).toBe(true);
	});
});
