/** Cluster, Maintenance, health and what is not served, over a scripted member. */
import { grpcHealthV1, METHODS, etcdserverpb as pb } from "@flotilla/api";
import { AlarmType, CommandKind } from "@flotilla/replica";
import { beforeEach, describe, expect, test } from "vitest";
import { CLUSTER, LEARNER, member, OTHER, ScriptedCall, SELF, ServiceHouse, statusOf } from "./scripted-member.ts";

const EMPTY = new Uint8Array(0);
const cluster = (name: string): string => `/etcdserverpb.Cluster/${name}`;
const maintenance = (name: string): string => `/etcdserverpb.Maintenance/${name}`;
const header = (revision: number) => ({ clusterId: CLUSTER, memberId: SELF, revision, raftTerm: 7 });

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
	house.member.members = [member(OTHER), member(LEARNER, { learner: true, name: "", clientUrls: [] }), member(SELF)];
});

describe("every call of the API", () => {
	test("has a handler of the right shape", () => {
		for (const [path, { shape }] of METHODS)
			expect([path, house.services.methods.get(path)?.shape]).toEqual([path, shape === "unary" ? "unary" : "stream"]);
	});
});

describe("the cluster", () => {
	test("members in the order of their ids, revision 0, through the barrier only when asked for", async () => {
		const list = pb.MemberListResponse.decode(await house.ok(cluster("MemberList"), EMPTY));
		expect(list.header).toEqual(header(0));
		expect(list.members.map(({ ID, name, isLearner }) => [ID, name, isLearner])).toEqual([
			[OTHER, "m2", false],
			[LEARNER, "", true],
			[SELF, "mffff000000000001", false],
		]);
		expect(list.members[0]).toMatchObject({ peerURLs: ["http://p2:1"], clientURLs: ["http://c2:2"] });
		expect(house.member.reads.length).toBe(0);
		await house.ok(cluster("MemberList"), pb.MemberListRequest.encode({ linearizable: true }));
		expect(house.member.reads.length).toBe(1);
		house.member.readFault = "timeout";
		expect(await house.refusal(cluster("MemberList"), pb.MemberListRequest.encode({ linearizable: true }))).toEqual(statusOf("timeout"));
	});

	test("an update replaces a member's peer URLs, whatever they look like", async () => {
		const answer = await house.ok(cluster("MemberUpdate"), pb.MemberUpdateRequest.encode({ ID: OTHER, peerURLs: ["nonsense"] }));
		const { members, header: head } = pb.MemberUpdateResponse.decode(answer);
		expect([head, members[0]?.peerURLs]).toEqual([header(0), ["nonsense"]]);
		house.member.changeFault = "memberNotFound";
		expect(await house.refusal(cluster("MemberUpdate"), pb.MemberUpdateRequest.encode({ ID: 99n, peerURLs: ["x"] }))).toEqual({
			code: 5,
			message: "etcdserver: member not found",
		});
		house.member.changeFault = "peerUrlExists";
		expect(await house.refusal(cluster("MemberUpdate"), pb.MemberUpdateRequest.encode({ ID: OTHER }))).toEqual({
			code: 9,
			message: "etcdserver: Peer URLs already exists",
		});
	});

	test.each([[[]], [["nonsense"]], [["http://h"]], [["http://h:1/path"]], [["ftp://h:1"]], [["http://ok:1", ""]]])(
		"MemberAdd of %j has bad URLs",
		async (peerURLs) => {
			expect(await house.refusal(cluster("MemberAdd"), pb.MemberAddRequest.encode({ peerURLs }))).toEqual({
				code: 3,
				message: "etcdserver: given member URLs are invalid",
			});
		},
	);

	test("MemberAdd takes the forms that etcd takes", async () => {
		for (const url of ["http://h:1", " https://h.example:2380 ", "http://[::1]:2380", "unix://sock:1", "unixs:///tmp/x"]) {
			const added = pb.MemberAddResponse.decode(await house.ok(cluster("MemberAdd"), pb.MemberAddRequest.encode({ peerURLs: [url] })));
			expect(added.member?.peerURLs).toEqual([url.trim()]);
		}
	});

	test("MemberAdd answers with the new member, and with all of them", async () => {
		const request = pb.MemberAddRequest.encode({ peerURLs: [" http://z:2", "http://a:1 "], isLearner: true });
		const { header: head, member, members } = pb.MemberAddResponse.decode(await house.ok(cluster("MemberAdd"), request));
		const added = { ID: 21n, name: "", peerURLs: ["http://a:1", "http://z:2"], clientURLs: [], isLearner: true };
		expect([head, member]).toEqual([header(0), added]);
		expect(members.find(({ ID }) => ID === 21n)).toEqual(added);
		expect(members.length).toBe(house.member.members.length);
	});

	test("MemberRemove and MemberPromote answer with who is left, and as what", async () => {
		const promoted = await house.ok(cluster("MemberPromote"), pb.MemberPromoteRequest.encode({ ID: LEARNER }));
		expect(pb.MemberPromoteResponse.decode(promoted).members.map(({ isLearner }) => isLearner)).toEqual([false, false, false]);
		const removed = pb.MemberRemoveResponse.decode(await house.ok(cluster("MemberRemove"), pb.MemberRemoveRequest.encode({ ID: OTHER })));
		expect([removed.header, removed.members.map(({ ID }) => ID)]).toEqual([header(0), [LEARNER, SELF]]);
	});

	test("a change of the members waits as long as its client does, and is called off when that goes away", () => {
		house.member.changeFault = "silence";
		const request = pb.MemberRemoveRequest.encode({ ID: OTHER });
		house.start(new ScriptedCall(cluster("MemberRemove"), request)).cancel();
		house.start(new ScriptedCall(cluster("MemberRemove"), request, {}, 5_000));
		expect(house.member.changes.map(({ timeoutTicks }) => timeoutTicks)).toEqual([0, 500]);
		expect(house.member.canceled).toEqual([house.member.changes[0]]);
	});

	test.each([
		["memberNotFound", 5, "etcdserver: member not found"],
		["memberExists", 9, "etcdserver: member ID already exist"],
		["memberNotLearner", 9, "etcdserver: can only promote a learner member"],
		["learnerNotReady", 9, "etcdserver: can only promote a learner member which is in sync with leader"],
		["tooManyLearners", 9, "etcdserver: too many learner members in cluster"],
		["notEnoughStartedMembers", 2, "etcdserver: re-configuration failed due to not enough started members"],
		["unhealthyCluster", 14, "etcdserver: unhealthy cluster"],
	] as const)("a change that is refused for %s", async (fault, code, message) => {
		house.member.changeFault = fault;
		expect(await house.refusal(cluster("MemberPromote"), pb.MemberPromoteRequest.encode({ ID: 99n }))).toEqual({ code, message });
	});
});

describe("maintenance", () => {
	test("Status is local and complete", async () => {
		house.member.put("a");
		const status = async () => pb.StatusResponse.decode(await house.ok(maintenance("Status"), EMPTY));
		expect(await status()).toEqual({
			header: header(2),
			version: "3.6.14",
			dbSize: 123_456,
			leader: SELF,
			raftIndex: 41,
			raftTerm: 7,
			raftAppliedIndex: 40,
			errors: [],
			dbSizeInUse: house.member.store.logicalBytes,
			isLearner: false,
			storageVersion: "3.6.0",
			dbSizeQuota: 2 ** 31,
			downgradeInfo: { enabled: false, targetVersion: "" },
		});
		house.member.leader = 0n;
		house.member.alarms = [
			{ member: 4656444477756070743n, alarm: AlarmType.noSpace },
			{ member: 0n, alarm: AlarmType.corrupt },
		];
		expect((await status()).errors).toEqual(["etcdserver: no leader", "memberID:4656444477756070743 alarm:NOSPACE ", "alarm:CORRUPT "]);
		expect([house.member.reads, house.member.writes]).toEqual([[], []]);
	});

	test("Hash and HashKV answer without a leader", async () => {
		house.member.leader = 0n;
		for (const key of ["a", "b", "c"]) house.member.put(key);
		const hash = pb.HashResponse.decode(await house.ok(maintenance("Hash"), EMPTY));
		expect([hash.header, hash.hash]).toEqual([header(4), house.member.store.digest()]);
		const kv = pb.HashKVResponse.decode(await house.ok(maintenance("HashKV"), EMPTY));
		expect(kv).toMatchObject({ header: header(4), compactRevision: -1, hashRevision: 4 });
		expect(await house.refusal(maintenance("HashKV"), pb.HashKVRequest.encode({ revision: 5 }))).toEqual(statusOf("futureRevision"));
	});

	test("Hash in the middle of a change of very many keys is answered behind it", async () => {
		const { store } = house.member;
		for (let i = 0; i < 1_000; i++) house.member.put(`k${String(i).padStart(4, "0")}`);
		house.running = false;
		const change = store.deleteRangeSliced({ key: Buffer.from("k"), rangeEnd: Buffer.from("l"), prevKv: false });
		change.step(256);
		expect(store.changing).toBe(true);
		const [waits, leaves] = [0, 1].map(() => house.start(new ScriptedCall(maintenance("Hash"), EMPTY))) as [ScriptedCall, ScriptedCall];
		house.turn();
		expect([waits.answer, leaves.answer]).toEqual([null, null]);
		leaves.cancel();
		while (!change.step(256));
		while (house.turn());
		expect(waits.answer?.ok && pb.HashResponse.decode(waits.answer.bytes)).toEqual({ header: header(1_002), hash: store.digest() });
		expect(leaves.answer).toBe(null);
	});

	test("hashes of a large key space run one after the other, and a crowd of them is refused", () => {
		for (let i = 0; i < 3_000; i++) house.member.put(`k${i}`);
		house.running = false;
		const calls = Array.from({ length: 20 }, () => house.start(new ScriptedCall(maintenance("HashKV"), EMPTY)));
		expect(calls.filter(({ answer }) => answer?.ok === false).length).toBe(20 - 1 - 16);
		while (house.turn());
		const hashes = calls.flatMap(({ answer }) => (answer?.ok ? [pb.HashKVResponse.decode(answer.bytes).hash] : []));
		expect([hashes.length, new Set(hashes).size]).toEqual([17, 1]);
	});

	test("Alarm goes through the log, also to read", async () => {
		const ask = (request: Partial<pb.AlarmRequest>) => house.ok(maintenance("Alarm"), pb.AlarmRequest.encode(request));
		const answer = pb.AlarmResponse.decode(await ask({ action: 1, memberID: OTHER, alarm: 1 }));
		expect([answer.header, answer.alarms]).toEqual([header(1), [{ memberID: OTHER, alarm: 1 }]]);
		await ask({});
		expect(house.member.writes.map(({ kind }) => kind)).toEqual([CommandKind.alarm, CommandKind.alarm]);
		expect((await house.refusal(maintenance("Alarm"), pb.AlarmRequest.encode({ action: 3 }))).code).toBe(3);
		expect((await house.refusal(maintenance("Alarm"), pb.AlarmRequest.encode({ action: 1, alarm: 9 }))).code).toBe(3);
	});

	test("MoveLeader: to whom, by whom, and when it is answered", async () => {
		const move = (targetID: bigint) => new ScriptedCall(maintenance("MoveLeader"), pb.MoveLeaderRequest.encode({ targetID }));
		const refusal = (targetID: bigint) => house.refusal(maintenance("MoveLeader"), pb.MoveLeaderRequest.encode({ targetID }));
		expect(await refusal(99n)).toEqual(statusOf("badLeaderTransferee"));
		expect(await refusal(LEARNER)).toEqual(statusOf("badLeaderTransferee"));
		expect(await house.ok(maintenance("MoveLeader"), pb.MoveLeaderRequest.encode({ targetID: SELF }))).toEqual(EMPTY);
		expect(house.member.transferred).toEqual([]);

		house.running = false;
		const moved = house.start(move(OTHER));
		house.turn();
		expect(moved.answer).toBeNull();
		house.member.leader = 0n;
		house.turn();
		house.member.leader = OTHER;
		house.turn();
		expect([moved.answer?.ok, house.member.transferred]).toEqual([true, [OTHER]]);
		house.running = true;
		expect(await refusal(OTHER)).toEqual({ code: 9, message: "etcdserver: not leader" });

		house.member.leader = SELF;
		house.running = false;
		const slow = house.start(move(OTHER));
		house.member.transferee = 0n;
		house.turn();
		expect(slow.answer).toEqual({
			ok: false,
			status: { code: 2, message: "etcdserver: request timed out, leader transfer took too long" },
		});
		const late = house.start(new ScriptedCall(maintenance("MoveLeader"), pb.MoveLeaderRequest.encode({ targetID: OTHER }), {}, 50));
		house.member.leader = 0n;
		for (let turn = 0; turn < 6; turn++) house.turn();
		expect(late.answer?.ok).toBe(false);
	});

	test.each([
		[{ action: 0, version: "3" }, 3, "etcdserver: wrong downgrade target version format"],
		[{ action: 0, version: "three" }, 3, "etcdserver: wrong downgrade target version format"],
		[{ action: 0, version: "3.5" }, 3, "etcdserver: invalid downgrade target version"],
		[{ action: 1, version: "3.4.0" }, 3, "etcdserver: invalid downgrade target version"],
		[{ action: 7, version: "3.5" }, 2, "etcdserver: unknown method"],
	])("Downgrade %j", async (request, code, message) => {
		expect(await house.refusal(maintenance("Downgrade"), pb.DowngradeRequest.encode(request))).toEqual({ code, message });
	});

	test("Downgrade: CANCEL of nothing is fine; without a cluster version nothing can be said", async () => {
		const answer = pb.DowngradeResponse.decode(await house.ok(maintenance("Downgrade"), pb.DowngradeRequest.encode({ action: 2 })));
		expect(answer).toEqual({ header: header(1), version: "3.6" });
		house.member.clusterVersion = "";
		expect(await house.refusal(maintenance("Downgrade"), pb.DowngradeRequest.encode({ version: "3.5" }))).toEqual(
			statusOf("clusterVersionUnavailable"),
		);
	});

	test("Defragment answers without a header", async () => {
		expect(await house.ok(maintenance("Defragment"), EMPTY)).toEqual(EMPTY);
	});
});

describe("health over gRPC", () => {
	const check = "/grpc.health.v1.Health/Check";
	const ask = (service: string) => grpcHealthV1.HealthCheckRequest.encode({ service });

	test("Check knows one service, with or without a quorum", async () => {
		house.member.leader = 0n;
		expect(grpcHealthV1.HealthCheckResponse.decode(await house.ok(check, ask("")))).toEqual({ status: 1 });
		expect(await house.refusal(check, ask("other"))).toEqual({ code: 5, message: "unknown service" });
	});

	test("Watch tells the status and stays", () => {
		for (const [service, status] of [
			["", 1],
			["other", 3],
		] as const) {
			const stream = house.stream("/grpc.health.v1.Health/Watch");
			stream.receive(ask(service));
			expect(stream.sent.map((bytes) => grpcHealthV1.HealthCheckResponse.decode(bytes))).toEqual([{ status }]);
			expect(stream.ended).toBeNull();
		}
	});
});
