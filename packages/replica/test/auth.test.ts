/** Users and roles as replicated state: forwarded, decided at apply alike on all members, through restarts. Digests are compared after every turn. */
import { describe, expect, test } from "vitest";
import { type AuthCommand, authCommand, CommandKind, encodeAuthCommand, NOBODY, PermissionType, type WriteOutcome } from "../src/index.ts";
import type { Member } from "./world/member.ts";
import { putBytes } from "./world/requests.ts";
import { World } from "./world/world.ts";

type Caller = { readonly user: string; readonly authRevision: number };

function order(
	world: World,
	member: Member,
	kind: AuthCommand["kind"],
	fields: Partial<AuthCommand> = {},
	caller: Caller = NOBODY,
): WriteOutcome {
	return world.outcomeOf(world.write(member, CommandKind.auth, encodeAuthCommand(authCommand(kind, fields)), 0, caller));
}

function put(world: World, member: Member, key: string, caller: Caller = NOBODY): WriteOutcome {
	return world.outcomeOf(world.write(member, CommandKind.put, putBytes(key, "v"), 0, caller));
}

/** Each command goes to another member. */
function enable(world: World): void {
	const permission = { type: PermissionType.readWrite, key: "a", rangeEnd: "b" };
	for (const [at, [kind, fields]] of (
		[
			["userAdd", { user: "root", passwordHash: "h" }],
			["userGrantRole", { user: "root", role: "root" }],
			["userAdd", { user: "ann" }],
			["roleAdd", { role: "as" }],
			["roleGrantPermission", { role: "as", permission }],
			["userGrantRole", { user: "ann", role: "as" }],
			["enable", {}],
		] as Array<[AuthCommand["kind"], Partial<AuthCommand>]>
	).entries()) {
		expect(order(world, world.members[at % 3] as Member, kind, fields)).toMatchObject({ ok: true });
	}
	world.settle();
}

const as = (world: World, user: string): Caller => ({ user, authRevision: world.theLeader.replica.auth.revision });

describe("users and roles in the log", () => {
	test("every member holds the same, and decides the same", () => {
		const world = new World("auth").up();
		enable(world);
		for (const { replica } of world.members) {
			expect([replica.auth.enabled, replica.auth.revision, replica.auth.userNames]).toEqual([true, 7, ["ann", "root"]]);
		}
		for (const member of world.members) {
			expect(put(world, member, "a1", as(world, "ann"))).toMatchObject({ ok: true });
			expect(put(world, member, "b", as(world, "ann"))).toEqual({ ok: false, fault: "permissionDenied" });
			expect(put(world, member, "b", as(world, "root"))).toMatchObject({ ok: true });
			expect(put(world, member, "a1")).toEqual({ ok: false, fault: "userEmpty" });
			expect(put(world, member, "a1", { user: "ann", authRevision: 3 })).toEqual({ ok: false, fault: "authOldRevision" });
			expect(order(world, member, "roleAdd", { role: "x" }, as(world, "ann"))).toEqual({ ok: false, fault: "permissionDenied" });
		}
		expect(world.compared).toBeGreaterThan(20);
	});

	test("a write that was under way when authentication came on is decided where it is applied", () => {
		const world = new World("in flight").up();
		enable(world);
		expect(order(world, world.theLeader, "disable", {}, as(world, "root"))).toMatchObject({ ok: true });
		const [member] = world.followers as [Member];
		const switched = world.write(member, CommandKind.auth, encodeAuthCommand(authCommand("enable")));
		const behind = world.put(member, "a1", "too late");
		expect(world.outcomeOf(switched)).toMatchObject({ ok: true });
		expect(world.outcomeOf(behind)).toEqual({ ok: false, fault: "userEmpty" });
		// A right that is taken away counts from its entry on, whatever the door still believed.
		const ann = as(world, "ann");
		const taken = world.write(
			...([member, CommandKind.auth, encodeAuthCommand(authCommand("userRevokeRole", { user: "ann", role: "as" })), 0] as const),
			as(world, "root"),
		);
		const late = world.write(member, CommandKind.put, putBytes("a1", "v"), 0, ann);
		expect(world.outcomeOf(taken)).toMatchObject({ ok: true });
		expect(world.outcomeOf(late)).toEqual({ ok: false, fault: "authOldRevision" });
	});

	test("members that lost their power come back with them, from the log and from a floor", () => {
		for (const floor of [false, true]) {
			const world = new World(`restart ${floor}`).up();
			enable(world);
			if (floor) {
				for (const member of world.members) member.wantFloor();
				world.until("all have a floor", () => world.members.every((member) => member.floors === 1));
				expect(order(world, world.theLeader, "userAdd", { user: "bob" }, as(world, "root"))).toMatchObject({ ok: true });
			}
			for (const member of world.members) member.crash();
			for (const member of world.members) member.start();
			world.until("all members serve", () => world.members.every((member) => member.serving));
			world.settle();
			for (const { replica } of world.members) {
				expect([replica.auth.enabled, replica.auth.revision]).toEqual([true, floor ? 8 : 7]);
				expect(replica.captureFloor()?.tables.filter(({ key }) => key.startsWith("auth/")).length).toBe(floor ? 5 : 4);
				expect(replica.auth.role("as")?.permissions).toEqual([{ type: 2, key: "a", rangeEnd: "b" }]);
			}
			expect(put(world, world.theLeader, "b", as(world, "ann"))).toEqual({ ok: false, fault: "permissionDenied" });
		}
	});

	test("a token is good on all members from its entry on, and forgotten by one that starts again", () => {
		const world = new World("tokens").up();
		enable(world);
		const [follower] = world.followers as [Member];
		const issued = order(world, follower, "authenticate", { user: "ann", tokenHash: "h", checkedRevision: 7 });
		expect(issued.ok).toBe(true);
		const index = issued.ok ? issued.index : 0;
		world.settle();
		for (const { replica } of world.members) expect(replica.auth.readToken("h", index)).toEqual({ kind: "user", user: "ann" });
		follower.crash();
		follower.start();
		world.until("it serves", () => follower.serving);
		expect(follower.replica.auth.readToken("h", index)).toEqual({ kind: "unknown" });
		expect(world.theLeader.replica.auth.readToken("h", index)).toEqual({ kind: "user", user: "ann" });
	});

	test("the digest tells apart two members whose users differ", () => {
		const world = new World("digest").up();
		enable(world);
		world.ignoreDigests = true;
		const [one, other] = world.members as [Member, Member];
		expect(one.replica.stateDigest()).toBe(other.replica.stateDigest());
		// A member that went wrong: it holds a user more.
		(one.replica as unknown as { state: { auth: { apply: (...args: unknown[]) => void }; tableChanges: number } }).state.auth.apply(
			encodeAuthCommand(authCommand("userAdd", { user: "x" })),
			as(world, "root"),
			1,
		);
		(one.replica as unknown as { state: { tableChanges: number } }).state.tableChanges++;
		expect(one.replica.stateDigest()).not.toBe(other.replica.stateDigest());
	});

	test("the user and the revision count in the size of a request, as etcd counts them", () => {
		const world = new World("size").up();
		enable(world);
		const ann = as(world, "ann");
		const sized = (bytes: number, caller: Caller): WriteOutcome =>
			world.outcomeOf(world.write(world.theLeader, CommandKind.put, putBytes("a", new Uint8Array(bytes)), 0, caller));
		// Without a user 1,572,839; "ann" takes a tag, a length and three bytes, its revision a tag and one byte.
		expect(sized(1_572_839 - 7, ann)).toMatchObject({ ok: true });
		expect(sized(1_572_839 - 6, ann)).toEqual({ ok: false, fault: "requestTooLarge" });
	});
});
