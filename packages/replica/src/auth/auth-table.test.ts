import { Dice, portableBytes, WireError } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { type AuthCommand, authCommand, decodeAuthCommand, encodeAuthCommand } from "./auth-command.ts";
import { authRows, loadAuthRow } from "./auth-rows.ts";
import { AuthState } from "./auth-state.ts";
import { AuthTable } from "./auth-table.ts";
import { type Caller, MEMBER_ITSELF, NOBODY } from "./caller.ts";
import { TokenTable } from "./token-table.ts";
import { compareNames, PermissionType, sortNames } from "./users.ts";

const HASH = "$2a$10$abcdefghijklmnopqrstuv";

function newState(): AuthState {
	return new AuthState({ ttlTicks: 100, forgottenUpto: 5 }, portableBytes, () => []);
}

function run(state: AuthState, ...[kind, fields]: Parameters<typeof authCommand>): string {
	return state.apply(encodeAuthCommand(authCommand(kind, fields)), MEMBER_ITSELF, 10);
}

/** Root with its role, a reader, authentication on. */
function enabled(): AuthState {
	const state = newState();
	for (const user of ["root", "reader"]) expect(run(state, "userAdd", { user, passwordHash: HASH })).toBe("changed");
	expect(run(state, "userGrantRole", { user: "root", role: "root" })).toBe("changed");
	expect(run(state, "roleAdd", { role: "readers" })).toBe("changed");
	expect(run(state, "userGrantRole", { user: "reader", role: "readers" })).toBe("changed");
	expect(run(state, "enable")).toBe("changed");
	return state;
}

describe("users and roles", () => {
	test("changes and refusals in etcd's words, with the revision after each", () => {
		const state = newState();
		const permission = { type: PermissionType.read, key: "a", rangeEnd: "c" };
		for (const [kind, fields, answer, revision] of [
			["enable", {}, "rootUserNotExist", 1],
			["disable", {}, "changed", 1],
			["userAdd", { user: "" }, "userEmpty", 1],
			["userAdd", { user: "root", passwordHash: HASH }, "changed", 2],
			["userAdd", { user: "root" }, "userExists", 2],
			["enable", {}, "rootRoleNotExist", 2],
			["userGrantRole", { user: "nobody", role: "root" }, "userNotFound", 2],
			["userGrantRole", { user: "root", role: "none" }, "roleNotFound", 2],
			["userGrantRole", { user: "root", role: "root" }, "changed", 3],
			["userGrantRole", { user: "root", role: "root" }, "changed", 3],
			["enable", {}, "changed", 3],
			["enable", {}, "changed", 3],
			["userDelete", { user: "root" }, "invalidAuthManagement", 3],
			["userRevokeRole", { user: "root", role: "root" }, "invalidAuthManagement", 3],
			["roleDelete", { role: "root" }, "invalidAuthManagement", 3],
			["userDelete", { user: "nobody" }, "userNotFound", 3],
			["userRevokeRole", { user: "nobody", role: "root" }, "userNotFound", 3],
			["userRevokeRole", { user: "root", role: "other" }, "roleNotGranted", 3],
			["userChangePassword", { user: "nobody" }, "userNotFound", 3],
			["userChangePassword", { user: "root", passwordHash: `${HASH}w` }, "changed", 4],
			["roleAdd", { role: "" }, "roleEmpty", 4],
			["roleAdd", { role: "r" }, "changed", 5],
			["roleAdd", { role: "r" }, "roleExists", 5],
			["roleGrantPermission", { role: "r" }, "permissionNotGiven", 5],
			["roleGrantPermission", { role: "r", permission: { ...permission, key: "" } }, "invalidAuthManagement", 5],
			["roleGrantPermission", { role: "r", permission: { ...permission, rangeEnd: "a" } }, "invalidAuthManagement", 5],
			["roleGrantPermission", { role: "none", permission }, "roleNotFound", 5],
			["roleGrantPermission", { role: "r", permission }, "changed", 6],
			["roleRevokePermission", { role: "none", permission }, "roleNotFound", 6],
			["roleRevokePermission", { role: "r", permission: { ...permission, rangeEnd: "" } }, "permissionNotGranted", 6],
			["roleRevokePermission", { role: "r", permission: { ...permission, type: 9 } }, "changed", 7],
			["userGrantRole", { user: "root", role: "r" }, "changed", 8],
			["roleDelete", { role: "none" }, "roleNotFound", 8],
			["roleDelete", { role: "r" }, "changed", 9],
			["disable", {}, "changed", 10],
			["userRevokeRole", { user: "root", role: "root" }, "changed", 11],
			["userDelete", { user: "root" }, "changed", 12],
		] as Array<[AuthCommand["kind"], Partial<AuthCommand>, string, number]>) {
			expect([kind, fields, run(state, kind, fields), state.table.revision]).toEqual([kind, fields, answer, revision]);
		}
	});

	test("a role that is deleted is nobody's any more", () => {
		const state = enabled();
		run(state, "roleDelete", { role: "readers" });
		expect(state.table.user("reader")?.roles).toEqual([]);
	});

	test("permissions are kept by key; the same range takes the new type", () => {
		const state = enabled();
		for (const [key, rangeEnd, type] of [
			["b", "", 0],
			["a", "z", 1],
			["b", "c", 0],
			["b", "", 2],
			["a", "\0", 0],
		] as const) {
			run(state, "roleGrantPermission", { role: "readers", permission: { key, rangeEnd, type } });
		}
		expect(state.table.role("readers")?.permissions).toEqual([
			{ key: "a", rangeEnd: "z", type: 1 },
			{ key: "a", rangeEnd: "\0", type: 0 },
			{ key: "b", rangeEnd: "", type: 2 },
			{ key: "b", rangeEnd: "c", type: 0 },
		]);
	});

	test("a user without a password has none after a change of it, either", () => {
		const state = enabled();
		run(state, "userAdd", { user: "cert", passwordHash: HASH, noPassword: true });
		run(state, "userChangePassword", { user: "cert", passwordHash: HASH });
		expect(state.table.user("cert")).toMatchObject({ noPassword: true, passwordHash: "" });
	});

	test("names are sorted by their bytes, whatever units they take", () => {
		const dice = new Dice("names");
		const characters = ["a", "\u00e9", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"];
		const names = Array.from({ length: 300 }, () => Array.from({ length: dice.range(0, 3) }, () => dice.pick(characters)).join(""));
		expect(sortNames(names)).toEqual([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
		expect(compareNames("a", "a")).toBe(0);
	});
});

describe("who may administrate", () => {
	const as = (user: string): Caller => ({ user, authRevision: 1 });

	test("anybody while it is off; root alone, whatever the age of the credential, while it is on", () => {
		expect(newState().guard.rootFault(NOBODY)).toBeNull();
		const { guard } = enabled();
		expect(guard.rootFault(NOBODY)).toBe("userEmpty");
		expect(guard.rootFault(as("nobody"))).toBe("userNotFound");
		expect(guard.rootFault(as("reader"))).toBe("permissionDenied");
		expect(guard.rootFault(as("root"))).toBeNull();
		expect(guard.rootFault(MEMBER_ITSELF)).toBeNull();
	});

	test("a command of somebody else changes nothing", () => {
		const state = enabled();
		const { revision } = state.table;
		for (const [caller, fault] of [
			[NOBODY, "userEmpty"],
			[as("reader"), "permissionDenied"],
		] as const) {
			expect(state.apply(encodeAuthCommand(authCommand("userAdd", { user: "x" })), caller, 10)).toBe(fault);
			expect(state.apply(encodeAuthCommand(authCommand("enable")), caller, 10)).toBe(fault);
		}
		expect([state.table.revision, state.table.user("x")]).toEqual([revision, undefined]);
	});

	test("rights on keys: the age of the credential, then its user, then the permission; root needs a fresh one, too", () => {
		const { guard } = enabled();
		const range = { key: Uint8Array.of(97), rangeEnd: new Uint8Array(0) };
		expect(guard.rangeFault(NOBODY, range)).toBe("userEmpty");
		expect(guard.rangeFault({ user: "root", authRevision: guard.revision - 1 }, range)).toBe("authOldRevision");
		expect(guard.rangeFault({ user: "gone", authRevision: guard.revision }, range)).toBe("permissionDenied");
		expect(guard.rangeFault({ user: "reader", authRevision: guard.revision }, range)).toBe("permissionDenied");
		expect(guard.rangeFault({ user: "root", authRevision: guard.revision }, range)).toBeNull();
		expect(guard.txnFault(NOBODY, { compare: [], success: [], failure: [] })).toBeNull();
		expect(guard.keysFault(NOBODY, [], "write")).toBe("userEmpty");
		expect(guard.keysFault({ user: "reader", authRevision: 1 }, [], "write")).toBeNull();
		expect(guard.keysFault({ user: "reader", authRevision: 1 }, ["a"], "write")).toBe("authOldRevision");
	});
});

describe("rows and commands", () => {
	test("rows say the same as memory; a cluster that never had a user has none", () => {
		const { table } = enabled();
		table.apply(authCommand("userAdd", { user: "a/b größe", noPassword: true }));
		table.apply(authCommand("roleGrantPermission", { role: "readers", permission: { type: 2, key: "\0\xff", rangeEnd: "\0" } }));
		const rows = authRows(table);
		const loaded = new AuthTable();
		for (const row of [...rows].reverse()) loadAuthRow(row, loaded);
		expect(authRows(loaded)).toEqual(rows);
		expect([loaded.enabled, loaded.revision, loaded.user("a/b größe")]).toEqual([true, table.revision, table.user("a/b größe")]);
		expect(loaded.role("readers")).toEqual(table.role("readers"));
		expect(authRows(new AuthTable())).toEqual([]);
		expect(() => loadAuthRow({ key: "auth/other", value: new Uint8Array(0) }, loaded)).toThrow("unknown kind");
	});

	test("commands come back from their bytes; unknown ones are none, broken ones say so", () => {
		const command = authCommand("roleGrantPermission", { role: "größe", permission: { type: 1, key: "\0\xff", rangeEnd: "" } });
		expect(decodeAuthCommand(encodeAuthCommand(command))).toEqual(command);
		const login = authCommand("authenticate", { user: "u", tokenHash: "\0\xff", checkedRevision: 2 ** 40 });
		expect(decodeAuthCommand(encodeAuthCommand(login))).toEqual(login);
		expect(decodeAuthCommand(Uint8Array.of(8, 99))).toBeNull();
		expect(decodeAuthCommand(new Uint8Array(0))).toBeNull();
		expect(() => decodeAuthCommand(Uint8Array.of(18, 200))).toThrow(WireError);
		expect(newState().apply(Uint8Array.of(8, 99), MEMBER_ITSELF, 1)).toBe("malformed");
	});
});

describe("simple tokens", () => {
	const login = (state: AuthState, user: string, tokenHash: string, index: number): string =>
		state.apply(encodeAuthCommand(authCommand("authenticate", { user, tokenHash, checkedRevision: state.table.revision })), NOBODY, index);

	test("belong to the entry that issued them, and live while they are used", () => {
		const state = enabled();
		expect(login(state, "reader", "t", 12)).toBe("issued");
		expect(state.guard.readToken("t", 13)).toEqual({ kind: "unknown" });
		for (let tick = 0; tick < 1_000; tick++) {
			state.tokens.onTick();
			if (tick % 99 === 0) expect(state.guard.readToken("t", 12)).toEqual({ kind: "user", user: "reader" });
		}
		for (let tick = 0; tick < 100; tick++) state.tokens.onTick();
		expect(state.guard.readToken("t", 12)).toEqual({ kind: "unknown" });
	});

	test("die with the password, the user and the authentication; not with a role", () => {
		for (const [kind, user, left] of [
			["userChangePassword", "reader", ["root"]],
			["userDelete", "reader", ["root"]],
			["userRevokeRole", "reader", ["reader", "root"]],
			["disable", "", []],
		] as const) {
			const state = enabled();
			login(state, "reader", "r", 11);
			login(state, "root", "0", 12);
			expect(run(state, kind, { user, role: "readers" })).toBe("changed");
			const alive = [state.guard.readToken("r", 11), state.guard.readToken("0", 12)].map((read) =>
				read.kind === "user" ? read.user : null,
			);
			expect([kind, alive.filter((name) => name !== null)]).toEqual([kind, left]);
		}
	});

	test("are not issued against a state that is gone, nor for an earlier life of the process", () => {
		const state = enabled();
		expect(login(newState(), "reader", "t", 11)).toBe("authNotEnabled");
		const stale = authCommand("authenticate", { user: "reader", tokenHash: "t", checkedRevision: state.table.revision - 1 });
		expect(state.apply(encodeAuthCommand(stale), NOBODY, 11)).toBe("authOldRevision");
		expect(login(state, "reader", "old", 5)).toBe("issued");
		expect(state.tokens.size).toBe(0);
	});

	test("leave no trace in the state", () => {
		const state = enabled();
		const before = authRows(state.table);
		login(state, "reader", "t", 11);
		expect(authRows(state.table)).toEqual(before);
	});

	test("of one who logs in again and again drive out the oldest own ones, and no others", () => {
		const tokens = new TokenTable(100, 0);
		tokens.issue("quiet", "quiet", 1);
		for (let at = 0; at < 10_000; at++) tokens.issue(`loud ${at}`, "loud", 2);
		expect(tokens.size).toBe(8_193);
		expect(tokens.read("quiet", 1).kind).toBe("user");
		expect(tokens.read("loud 9999", 2).kind).toBe("user");
		expect(tokens.read("loud 0", 2).kind).toBe("unknown");
		for (let user = 0; user < 10; user++) for (let at = 0; at < 8_192; at++) tokens.issue(`${user}/${at}`, `u${user}`, 3);
		expect(tokens.size).toBe(65_536);
		expect(tokens.read("quiet", 1).kind).toBe("user");
		for (let tick = 0; tick < 1_000; tick++) tokens.onTick();
		expect(tokens.size).toBe(0);
	});
});
