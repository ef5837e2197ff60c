import { createHotCodec } from "@flotilla/api/hot";
import { portableBytes, silentTap } from "@flotilla/base";
import { MemoryStorage, MvccStore } from "@flotilla/mvcc";
import { describe, expect, test } from "vitest";
import { StateMachine } from "../state-machine.ts";
import { tableRows } from "../tables.ts";
import { authCommand } from "./auth-command.ts";

function newState(): StateMachine {
	const tokens = { ttlTicks: 100, forgottenUpto: 0 };
	const parts = { codec: createHotCodec(portableBytes), tap: silentTap, bytes: portableBytes, tokens, sliceKeys: 1_024 };
	return new StateMachine(newStore(), parts, []);
}

function newStore(): MvccStore {
	return new MvccStore({ keepEvents: false, valueCacheBytes: 0 }, new MemoryStorage(portableBytes), portableBytes);
}

/** The user has a role, and a token. */
function stateOf(user: string): StateMachine {
	const state = newState();
	for (const command of [authCommand("userAdd", { user: "root" }), authCommand("userGrantRole", { user: "root", role: "root" })]) {
		expect(state.users.apply(command)).toBeNull();
	}
	for (const command of [authCommand("userAdd", { user }), authCommand("enable")]) expect(state.users.apply(command)).toBeNull();
	state.auth.tokens.issue("token", user, 9);
	return state;
}

describe("a state that another member sent", () => {
	test("brings its users in place of the former ones, and their rights at once", () => {
		const [ours, theirs] = [stateOf("ann"), stateOf("bob")];
		const caller = (user: string) => ({ user, authRevision: ours.users.revision });
		expect(ours.auth.guard.rootFault(caller("ann"))).toBe("permissionDenied");
		expect(theirs.users.apply(authCommand("userGrantRole", { user: "bob", role: "root" }))).toBeNull();
		ours.install(newStore(), tableRows(theirs));
		expect(ours.auth.guard.rootFault(caller("ann"))).toBe("userNotFound");
		expect(ours.auth.guard.rootFault(caller("bob"))).toBeNull();
		expect(tableRows(ours)).toEqual(tableRows(theirs));
	});

	test("leaves nothing of the former users, even at the same revision", () => {
		const [ours, theirs] = [stateOf("ann"), stateOf("bob")];
		const caller = { user: "ann", authRevision: ours.users.revision };
		expect(ours.auth.guard.rootFault(caller)).toBe("permissionDenied");
		expect(theirs.users.revision).toBe(ours.users.revision);
		ours.install(newStore(), tableRows(theirs));
		expect(ours.auth.guard.rootFault(caller)).toBe("userNotFound");
	});

	test("takes tokens away when users changed in what was skipped, and only then", () => {
		for (const changed of [false, true]) {
			const [ours, theirs] = [stateOf("ann"), stateOf("ann")];
			if (changed) expect(theirs.users.apply(authCommand("roleAdd", { role: "r" }))).toBeNull();
			ours.install(newStore(), tableRows(theirs));
			expect(ours.auth.guard.readToken("token", 9).kind).toBe(changed ? "unknown" : "user");
		}
	});
});
