/** The Auth service and the door, over a scripted member: who is who, what a login costs, and what is said to whom. */
import { createHash } from "node:crypto";
import { authpb, etcdserverpb as pb } from "@flotilla/api";
import { CommandKind } from "@flotilla/replica";
import { beforeEach, describe, expect, test } from "vitest";
import { noTokens } from "../../src/services/auth/token-provider.ts";
import { enable as enableIn, login, order as orderOf, tokenOf as tokenIn } from "./auth-house.ts";
import { CLUSTER, ScriptedCall, SELF, ServiceHouse, statusOf } from "./scripted-member.ts";

const EMPTY = new Uint8Array(0);
const auth = (name: string): string => `/etcdserverpb.Auth/${name}`;
const header = (revision: number) => ({ clusterId: CLUSTER, memberId: SELF, revision, raftTerm: 7 });
const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const STATUS = "/etcdserverpb.Maintenance/Status";
const MOVE_LEADER = "/etcdserverpb.Maintenance/MoveLeader";
const putOf = (key: string, prevKv = false): Uint8Array => pb.PutRequest.encode({ key: Buffer.from(key), value: Buffer.from("v"), prevKv });
const rangeOf = (key: string): Uint8Array => pb.RangeRequest.encode({ key: Buffer.from(key) });

let house: ServiceHouse;
beforeEach(() => {
	house = new ServiceHouse();
});

const order = (...[kind, fields]: [Parameters<typeof orderOf>[1], Parameters<typeof orderOf>[2]?]): void => orderOf(house, kind, fields);
const enable = (): void => enableIn(house);
const tokenOf = (name: string): Promise<string> => tokenIn(house, name);

function tokenHash(token: string): string {
	return createHash("sha256").update(token.slice(0, 24)).digest().toString("latin1");
}

describe("authentication that is off", () => {
	test("says so", async () => {
		expect(pb.AuthStatusResponse.decode(await house.ok(auth("AuthStatus"), EMPTY))).toEqual({
			header: header(1),
			enabled: false,
			authRevision: 1,
		});
		expect(await house.refusal(auth("Authenticate"), login("root", "x"))).toEqual(statusOf("authNotEnabled"));
		expect(pb.AuthDisableResponse.decode(await house.ok(auth("AuthDisable"), EMPTY)).header).toEqual(header(1));
		expect(pb.AuthUserListResponse.decode(await house.ok(auth("UserList"), EMPTY)).users).toEqual([]);
		expect(pb.AuthRoleListResponse.decode(await house.ok(auth("RoleList"), EMPTY)).roles).toEqual([]);
	});

	test.each([
		["AuthEnable", EMPTY, "rootUserNotExist"],
		["UserGet", pb.AuthUserGetRequest.encode({ name: "u" }), "userNotFound"],
		["UserGrantRole", pb.AuthUserGrantRoleRequest.encode({ user: "u", role: "r" }), "userNotFound"],
		["RoleGet", pb.AuthRoleGetRequest.encode({ role: "r" }), "roleNotFound"],
		["UserAdd", pb.AuthUserAddRequest.encode({ name: "" }), "userEmpty"],
		["UserAdd", pb.AuthUserAddRequest.encode({ name: "u".repeat(5_000) }), "invalidAuthManagement"],
		["RoleAdd", pb.AuthRoleAddRequest.encode({ name: "" }), "roleEmpty"],
		["RoleGrantPermission", pb.AuthRoleGrantPermissionRequest.encode({ name: "r" }), "permissionNotGiven"],
		[
			"RoleGrantPermission",
			pb.AuthRoleGrantPermissionRequest.encode({ name: "r", perm: authpb.Permission.create({}) }),
			"invalidAuthManagement",
		],
	] as const)("%s", async (name, request, fault) => {
		expect(await house.refusal(auth(name), request)).toEqual(statusOf(fault));
	});

	test("nobody is asked who he is: any token will do", async () => {
		await house.ok(PUT, putOf("k"));
		expect((await house.call(PUT, putOf("k"), { token: "nonsense" })).ok).toBe(true);
		expect(house.member.writes.every(({ user, authRevision }) => user === "" && authRevision === 0)).toBe(true);
	});
});

describe("users and roles over the wire", () => {
	test("passwords go into the log as hashes only", async () => {
		await house.ok(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name: "u", password: "canary-1" }));
		await house.ok(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name: "empty", password: "" }));
		await house.ok(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name: "cert", password: "canary-2", options: { noPassword: true } }));
		await house.ok(auth("UserChangePassword"), pb.AuthUserChangePasswordRequest.encode({ name: "empty", password: "" }));
		const { users } = house.member;
		expect(users.table.user("u")?.passwordHash).toBe("plain 10 canary-1");
		expect(users.table.user("cert")).toMatchObject({ noPassword: true, passwordHash: "" });
		expect(users.table.user("empty")?.passwordHash).toBe("");
		expect(house.passwords.work).toBe(2);
		const written = house.member.writes.map(({ payload }) => Buffer.from(payload).toString("latin1")).join();
		expect(written).not.toContain("canary-2");
	});

	test("passwords that bcrypt would cut short are refused before anything is asked", async () => {
		for (const length of [72, 73]) {
			const answer = await house.call(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name: `u${length}`, password: "p".repeat(length) }));
			expect(answer.ok ? null : answer.status).toEqual(length === 72 ? null : statusOf("passwordTooLong"));
		}
		expect(
			await house.refusal(auth("UserChangePassword"), pb.AuthUserChangePasswordRequest.encode({ name: "u", password: "ü".repeat(37) })),
		).toEqual(statusOf("passwordTooLong"));
	});

	test("a ready hash is taken as it is, when it is one that can be checked in reasonable time", async () => {
		const hash = `$2a$10$${"N".repeat(53)}`;
		const add = (name: string, text: string) =>
			house.call(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name, hashedPassword: Buffer.from(text).toString("base64") }));
		expect((await add("u", hash)).ok).toBe(true);
		expect(house.member.users.table.user("u")?.passwordHash).toBe(hash);
		expect(house.passwords.work).toBe(0);
		for (const bad of ["nonsense", hash.replace("10", "31"), hash.replace("10", "03"), `${hash}x`, hash.replace("2a", "2x")]) {
			expect(await add("other", bad)).toEqual({ ok: false, status: statusOf("invalidAuthManagement") });
		}
	});

	test("too much hashing at once is said so", async () => {
		house.passwords.overloaded = true;
		expect(await house.refusal(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name: "u", password: "p" }))).toEqual(
			statusOf("tooManyRequests"),
		);
	});

	test("users, roles and permissions as they were given; the role root has all of them", async () => {
		enable();
		const root = { token: await tokenOf("root") };
		const get = async (name: string, request: Uint8Array) => {
			const answer = await house.call(auth(name), request, root);
			return answer.ok ? answer.bytes : answer.status;
		};
		const bytes = async (name: string, request: Uint8Array) => (await get(name, request)) as Uint8Array;
		expect(pb.AuthUserListResponse.decode(await bytes("UserList", EMPTY))).toEqual({ header: header(1), users: ["ann", "root"] });
		expect(pb.AuthRoleListResponse.decode(await bytes("RoleList", EMPTY)).roles).toEqual(["as"]);
		expect(pb.AuthUserGetResponse.decode(await bytes("UserGet", pb.AuthUserGetRequest.encode({ name: "ann" }))).roles).toEqual(["as"]);
		const perm = pb.AuthRoleGetResponse.decode(await bytes("RoleGet", pb.AuthRoleGetRequest.encode({ role: "as" }))).perm;
		expect(perm).toEqual([{ permType: 2, key: Uint8Array.of(97), rangeEnd: Uint8Array.of(98) }]);
		expect(await get("RoleGet", pb.AuthRoleGetRequest.encode({ role: "root" }))).toEqual(statusOf("roleNotFound"));
		await bytes("RoleAdd", pb.AuthRoleAddRequest.encode({ name: "root" }));
		const all = pb.AuthRoleGetResponse.decode(await bytes("RoleGet", pb.AuthRoleGetRequest.encode({ role: "root" }))).perm;
		expect(all).toEqual([{ permType: 2, key: EMPTY, rangeEnd: Uint8Array.of(0) }]);
		expect(pb.AuthStatusResponse.decode(await bytes("AuthStatus", EMPTY))).toMatchObject({ enabled: true, authRevision: 8 });
	});

	test("everybody may look at himself and at his roles, and at nothing else", async () => {
		enable();
		order("roleAdd", { role: "other" });
		const ann = { token: await tokenOf("ann") };
		const answer = async (name: string, request: Uint8Array, metadata: Record<string, string>) => {
			const got = await house.call(auth(name), request, metadata);
			return got.ok ? "ok" : got.status.message;
		};
		const user = (name: string) => pb.AuthUserGetRequest.encode({ name });
		const role = (name: string) => pb.AuthRoleGetRequest.encode({ role: name });
		expect(await answer("UserGet", user("ann"), ann)).toBe("ok");
		expect(await answer("UserGet", user("root"), ann)).toBe("etcdserver: permission denied");
		expect(await answer("UserGet", user("nobody"), ann)).toBe("etcdserver: permission denied");
		expect(await answer("RoleGet", role("as"), ann)).toBe("ok");
		expect(await answer("RoleGet", role("other"), ann)).toBe("etcdserver: permission denied");
		expect(await answer("UserList", EMPTY, ann)).toBe("etcdserver: permission denied");
		expect(await answer("AuthStatus", EMPTY, ann)).toBe("etcdserver: permission denied");
		expect(await answer("UserGet", user("ann"), {})).toBe("etcdserver: user name is empty");
		expect(await answer("RoleGet", role("as"), {})).toBe("etcdserver: user name is empty");
	});

	test("no work is done for somebody who may not administrate", async () => {
		enable();
		const ann = { token: await tokenOf("ann") };
		const work = house.passwords.work;
		expect(await house.refusal(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name: "x", password: "p" }), ann)).toEqual(
			statusOf("permissionDenied"),
		);
		expect(await house.refusal(auth("UserAdd"), pb.AuthUserAddRequest.encode({ name: "x", password: "p" }))).toEqual(statusOf("userEmpty"));
		expect(house.passwords.work).toBe(work);
	});
});

describe("logging in", () => {
	beforeEach(enable);

	test("gives a token of etcd's shape, with 136 random bits, which the log holds as a hash", async () => {
		const tokens = [await tokenOf("ann"), await tokenOf("ann")];
		for (const token of tokens) expect(token).toMatch(/^[a-zA-Z]{24}\.1$/);
		expect(tokens[0]).not.toBe(tokens[1]);
		const written = house.member.writes.map(({ payload }) => Buffer.from(payload).toString("latin1")).join();
		expect(written).not.toContain((tokens[0] as string).slice(0, 24));
		expect(house.member.reads.length).toBe(2);
	});

	test("an unknown user, a wrong password and an empty one fail alike, after the same work", async () => {
		order("userChangePassword", { user: "ann", passwordHash: "" });
		for (const [name, password] of [
			["nobody", "x"],
			["root", "wrong"],
			["ann", ""],
			["", ""],
		] as const) {
			const work = house.passwords.work;
			expect(await house.refusal(auth("Authenticate"), login(name, password))).toEqual(statusOf("authFailed"));
			expect(house.passwords.work).toBe(work + 1);
		}
		order("userAdd", { user: "cert", noPassword: true });
		const work = house.passwords.work;
		expect(await house.refusal(auth("Authenticate"), login("cert", ""))).toEqual(statusOf("noPasswordUser"));
		expect(house.passwords.work).toBe(work + 1);
	});

	test("a name that nobody can have fails like any other, and is neither compared nor counted", async () => {
		const work = house.passwords.work;
		for (let at = 0; at < 200; at++) {
			expect(await house.refusal(auth("Authenticate"), login("n".repeat(4_097), `guess ${at}`))).toEqual(statusOf("authFailed"));
		}
		expect(house.passwords.work).toBe(work);
		expect((await house.call(auth("Authenticate"), login("ann", "ann's"))).ok).toBe(true);
	});

	test("a user added with an empty password comes in with it", async () => {
		order("userAdd", { user: "bob", passwordHash: "plain 10 " });
		expect((await house.call(auth("Authenticate"), login("bob", ""))).ok).toBe(true);
	});

	test("what was right is remembered until the password changes; the same question asked often at once costs once", async () => {
		const work = house.passwords.work;
		const answers = await Promise.all(Array.from({ length: 50 }, () => house.call(auth("Authenticate"), login("ann", "ann's"))));
		expect(answers.every(({ ok }) => ok)).toBe(true);
		await tokenOf("ann");
		expect(house.passwords.work).toBe(work + 1);
		order("userChangePassword", { user: "ann", passwordHash: "plain 10 new" });
		expect(await house.refusal(auth("Authenticate"), login("ann", "ann's"))).toEqual(statusOf("authFailed"));
		expect(house.passwords.work).toBe(work + 2);
	});

	test("what was right is asked again after ten minutes", async () => {
		await tokenOf("ann");
		const work = house.passwords.work;
		house.clock.nowMs += 600_001;
		await tokenOf("ann");
		expect(house.passwords.work).toBe(work + 1);
	});

	test("guessing ends soon, and only for the one who guesses", async () => {
		const guess = async (peer: string, password: string) => {
			const call = new ScriptedCall(auth("Authenticate"), login("root", password));
			call.peer = peer;
			house.start(call);
			await call.answered;
			return call.answer?.ok === false ? call.answer.status : null;
		};
		for (let at = 0; at < 10; at++) expect(await guess(`10.0.0.1:${at}`, `guess ${at}`)).toEqual(statusOf("authFailed"));
		const work = house.passwords.work;
		expect(await guess("10.0.0.1:99", "guess 10")).toEqual(statusOf("tooManyRequests"));
		expect(house.passwords.work).toBe(work);
		expect(await guess("10.0.0.2:1", "root's")).toBeNull();
		expect(house.passwords.work).toBe(work + 1);
		// What is right, and remembered as such, is refused like what is wrong: whoever goes on guessing would be told by it.
		expect(await guess("10.0.0.1:99", "root's")).toEqual(statusOf("tooManyRequests"));
		expect(await guess("10.0.0.2:1", "root's")).toBeNull();
		house.clock.nowMs += 3_000;
		expect(await guess("10.0.0.1:99", "root's")).toBeNull();
		for (let at = 0; at < 3; at++) expect(await guess("10.0.0.1:1", `later ${at}`)).toEqual(statusOf("authFailed"));
		expect(await guess("10.0.0.1:1", "later 3")).toEqual(statusOf("tooManyRequests"));
	});

	test("names that are made up do not make an address forget its guesses at another one", async () => {
		const guess = async (peer: string, user: string) => {
			const call = new ScriptedCall(auth("Authenticate"), login(user, "wrong"));
			call.peer = peer;
			house.start(call);
			await call.answered;
			return call.answer?.ok === false ? call.answer.status : null;
		};
		for (let at = 0; at < 11; at++) await guess("10.0.0.1:1", "root");
		const counts = 20_000;
		for (let at = 0; at < counts; at++) await guess("10.0.0.1:1", `nobody ${at}`);
		expect(await guess("10.0.0.1:1", "root")).toEqual(statusOf("tooManyRequests"));
		// Alone it has nothing left in a second, either: a hundredth of what the made-up names would have had.
		house.clock.nowMs += 900;
		expect(await guess("10.0.0.1:1", "root")).toEqual(statusOf("tooManyRequests"));
	});

	test("many names from one address do not help", async () => {
		const answers: string[] = [];
		for (let at = 0; at < 120; at++) answers.push((await house.refusal(auth("Authenticate"), login(`user ${at}`, "x"))).message);
		expect(answers.filter((message) => message === statusOf("authFailed").message).length).toBe(100);
		expect(answers.at(-1)).toBe(statusOf("tooManyRequests").message);
	});

	test("users that change while the password is checked have it checked again", async () => {
		const call = house.start(new ScriptedCall(auth("Authenticate"), login("ann", "ann's")));
		await new Promise((soon) => setImmediate(soon));
		order("userChangePassword", { user: "ann", passwordHash: "plain 10 new" });
		await call.answered;
		expect(call.answer).toEqual({ ok: false, status: statusOf("authFailed") });
		const other = house.start(new ScriptedCall(auth("Authenticate"), login("root", "root's")));
		await new Promise((soon) => setImmediate(soon));
		order("roleAdd", { role: "more" });
		await other.answered;
		expect(other.answer?.ok).toBe(true);
	});

	test("is possible for nobody where the flag says so", async () => {
		house = new ServiceHouse({}, { tokens: noTokens });
		enable();
		expect(await house.refusal(auth("Authenticate"), login("ann", "ann's"))).toEqual(statusOf("authFailed"));
		expect(await house.refusal(PUT, putOf("a"), { token: "abc.1" })).toEqual(statusOf("invalidAuthToken"));
	});
});

describe("the door", () => {
	beforeEach(enable);

	test("knows its callers by token, with or without Bearer, in either header", async () => {
		const token = await tokenOf("ann");
		for (const metadata of [
			{ token },
			{ token: `Bearer ${token}` },
			{ authorization: token },
			{ authorization: `Bearer ${token}` },
			{ token, authorization: "nonsense" },
		]) {
			expect((await house.call(PUT, putOf("a1"), metadata)).ok).toBe(true);
		}
		expect(house.member.writes.at(-1)).toMatchObject({ user: "ann", authRevision: house.member.auth.revision });
	});

	test("refuses tokens that are none, before anything is proposed", async () => {
		const token = await tokenOf("ann");
		const writes = house.member.writes.length;
		for (const bad of [
			"",
			"x",
			"abc.1",
			`${token}x`,
			`${token.slice(0, -1)}2`,
			`x${token}`,
			"é.1",
			`${"a".repeat(65)}.1`,
			"abc.99999999999999999",
		]) {
			expect(await house.refusal(PUT, putOf("a1"), { token: bad })).toEqual(statusOf("invalidAuthToken"));
			expect(await house.refusal(RANGE, rangeOf("a1"), { token: bad })).toEqual(statusOf("invalidAuthToken"));
			expect(await house.refusal(STATUS, EMPTY, { token: bad })).toEqual(statusOf("invalidAuthToken"));
		}
		expect(house.member.writes.length).toBe(writes);
	});

	test("waits for a token whose entry is on its way, and not for ever", async () => {
		house.member.writeIndex = 41;
		const token = await tokenOf("ann");
		house.member.users.tokens.clear();
		house.running = false;
		const late = house.start(new ScriptedCall(RANGE, rangeOf("a1"), { token }));
		const never = house.start(new ScriptedCall(RANGE, rangeOf("a1"), { token: "abc.9999" }));
		await Promise.all(house.member.reads.slice(-2).map(() => new Promise((soon) => setImmediate(soon))));
		for (let tick = 0; tick < 100; tick++) house.turn();
		expect([late.answer, never.answer]).toEqual([null, null]);
		house.member.users.tokens.issue(tokenHash(token), "ann", 41);
		house.member.appliedIndex = 41;
		house.turn();
		expect(late.answer?.ok).toBe(true);
		for (let tick = 0; tick < 250; tick++) house.turn();
		expect(never.answer).toEqual({ ok: false, status: statusOf("invalidAuthToken") });
		expect(house.turn()).toBe(false);
	});

	test("tokens that were made up, however many wait, keep nobody out whose token is on its way", async () => {
		house.member.writeIndex = 41;
		const token = await tokenOf("ann");
		house.member.users.tokens.clear();
		house.running = false;
		const forged = Array.from({ length: 5_000 }, () => house.start(new ScriptedCall(RANGE, rangeOf("a1"), { token: "abc.9999" })));
		const honest = new ScriptedCall(RANGE, rangeOf("a1"), { token });
		honest.peer = "10.0.0.1:1";
		house.start(honest);
		// Callers of reads are asked for when the read is granted.
		await new Promise((soon) => setImmediate(soon));
		expect([honest.answer, forged.filter(({ answer }) => answer === null).length]).toEqual([null, 1_023]);
		house.member.users.tokens.issue(tokenHash(token), "ann", 41);
		house.member.appliedIndex = 41;
		house.turn();
		expect(honest.answer?.ok).toBe(true);
		for (let tick = 0; tick < 300; tick++) house.turn();
		expect(new Set(forged.map(({ answer }) => JSON.stringify(answer)))).toEqual(
			new Set([JSON.stringify({ ok: false, status: statusOf("invalidAuthToken") })]),
		);
	});

	test("bytes that are no request are refused also when their caller was waited for", async () => {
		house.member.writeIndex = 41;
		const token = await tokenOf("root");
		house.member.users.tokens.clear();
		house.running = false;
		const call = house.start(new ScriptedCall(MOVE_LEADER, Uint8Array.of(0x0a, 5, 1), { token }));
		expect(call.answer).toBeNull();
		house.member.users.tokens.issue(tokenHash(token), "root", 41);
		house.member.appliedIndex = 41;
		house.turn();
		expect(call.answer).toMatchObject({ ok: false, status: { code: 13 } });
	});

	test("knows callers by the name of their certificate, unless they bring a token or come through a gateway", async () => {
		const call = async (metadata: Record<string, string>) => {
			const made = new ScriptedCall(PUT, putOf("a1"), metadata);
			made.commonName = "ann";
			house.start(made);
			await made.answered;
			return made.answer?.ok === false ? made.answer.status : null;
		};
		expect(await call({})).toBeNull();
		expect(await call({ "grpcgateway-accept": "*/*" })).toEqual(statusOf("userEmpty"));
		expect(await call({ token: "nonsense" })).toEqual(statusOf("invalidAuthToken"));
		expect(house.member.writes.at(-1)).toMatchObject({ user: "" });
	});

	test("a change of users between the door and apply costs such a caller a second try, and nothing else", async () => {
		const token = await tokenOf("ann");
		const writes = house.member.writes.length;
		const call = house.start(new ScriptedCall(PUT, putOf("a1"), { token }));
		order("roleAdd", { role: "more" });
		await call.answered;
		expect(call.answer?.ok).toBe(true);
		expect(house.member.writes.slice(writes).map(({ kind, authRevision }) => [kind, authRevision])).toEqual([
			[CommandKind.put, 7],
			[CommandKind.put, 8],
		]);
	});

	test("administration is closed before the call is looked at", async () => {
		const [root, ann] = [{ token: await tokenOf("root") }, { token: await tokenOf("ann") }];
		for (const [path, need] of [
			[STATUS, "user"],
			["/etcdserverpb.Maintenance/Hash", "root"],
			["/etcdserverpb.Cluster/MemberList", "user"],
			["/etcdserverpb.Cluster/MemberAdd", "root"],
		] as const) {
			expect(await house.refusal(path, EMPTY)).toEqual(statusOf("userEmpty"));
			const asAnn = await house.call(path, EMPTY, ann);
			expect([path, asAnn.ok ? "ok" : asAnn.status.message]).toEqual([path, need === "user" ? "ok" : "etcdserver: permission denied"]);
			const asRoot = await house.call(path, EMPTY, root);
			// Root comes to the fields, which are empty here.
			expect([path, asRoot.ok ? "ok" : asRoot.status.message]).toEqual([
				path,
				path.endsWith("MemberAdd") ? "etcdserver: given member URLs are invalid" : "ok",
			]);
		}
		const alarm = (action: 0 | 1 | 2) => pb.AlarmRequest.encode({ action, alarm: 1 });
		const path = "/etcdserverpb.Maintenance/Alarm";
		expect((await house.call(path, alarm(0), ann)).ok).toBe(true);
		expect(await house.refusal(path, alarm(1), ann)).toEqual(statusOf("permissionDenied"));
		expect(await house.refusal(path, alarm(2), ann)).toEqual(statusOf("permissionDenied"));
		expect((await house.call(path, alarm(1), root)).ok).toBe(true);
		expect(await house.refusal(path, alarm(0))).toEqual(statusOf("userEmpty"));
	});

	test("fields come before the credential, as in etcd", async () => {
		expect(await house.refusal(RANGE, rangeOf(""), { token: "nonsense" })).toEqual(statusOf("emptyKey"));
		expect(await house.refusal(PUT, putOf(""), { token: "nonsense" })).toEqual(statusOf("emptyKey"));
	});
});

test("a stream of a range is judged where it begins, and ends when users or roles change", async () => {
	house.running = false;
	enable();
	house.running = true;
	const ann = { token: await tokenOf("ann") };
	house.running = false;
	for (let i = 0; i < 3_000; i++) house.member.put(`a${i}`, "v".repeat(200));
	const open = async (end: string): Promise<ReturnType<ServiceHouse["stream"]>> => {
		const call = house.stream("/etcdserverpb.KV/RangeStream", ann);
		call.receive(pb.RangeRequest.encode({ key: Buffer.from("a"), rangeEnd: Buffer.from(end), serializable: true }));
		await Promise.resolve();
		while (house.turn() && call.sent.length === 0);
		return call;
	};
	expect((await open("c")).ended).toEqual(statusOf("permissionDenied"));
	const call = await open("b");
	expect([call.sent.length > 0, call.ended]).toEqual([true, null]);
	order("userRevokeRole", { user: "ann", role: "as" });
	while (house.turn());
	expect(call.ended).toEqual(statusOf("authOldRevision"));
	expect(house.member.store.openReads).toBe(0);
});
