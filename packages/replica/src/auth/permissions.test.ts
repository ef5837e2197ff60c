/** Random roles and requests beside a naive oracle, which asks for every key of a range whether any permission holds it. */
import { Dice, portableBytes } from "@flotilla/base";
import type { RequestOp, TxnRequest } from "@flotilla/mvcc";
import { describe, expect, test } from "vitest";
import { authCommand } from "./auth-command.ts";
import { AuthGuard } from "./auth-guard.ts";
import { AuthTable } from "./auth-table.ts";
import type { Caller } from "./caller.ts";
import { intervalOf, KeyIntervals } from "./key-intervals.ts";
import { TokenTable } from "./token-table.ts";
import { type Permission, PermissionType } from "./users.ts";

const NOTHING = new Uint8Array(0);
const LETTERS = ["\0", "a", "b", "\xff"];
/** Ends of permissions and requests. */
const NAMES = LETTERS.flatMap((first) => [first, ...LETTERS.map((second) => first + second)]);
/** Every key that can tell two sets apart whose ends are names, or names with a zero byte behind. */
const POINTS = [...NAMES, ...NAMES.flatMap((name) => LETTERS.map((last) => name + last))];

function holds({ key, rangeEnd }: { readonly key: string; readonly rangeEnd: string }, point: string): boolean {
	if (rangeEnd === "") return point === key;
	return point >= key && (rangeEnd === "\0" || point < rangeEnd);
}

function bytes(text: string): Uint8Array {
	return portableBytes.fromLatin1(text);
}

class House {
	readonly table = new AuthTable();
	readonly leases = new Map<bigint, readonly string[]>();
	readonly guard = new AuthGuard(this.table, new TokenTable(1, 0), portableBytes, (lease) => this.leases.get(lease) ?? []);

	readonly permissionsByRole: ReadonlyArray<readonly Permission[]>;

	constructor(permissionsByRole: ReadonlyArray<readonly Permission[]>) {
		this.permissionsByRole = permissionsByRole;
		this.must("userAdd", { user: "root" });
		this.must("userGrantRole", { user: "root", role: "root" });
		this.must("userAdd", { user: "u" });
		for (const [at, permissions] of permissionsByRole.entries()) {
			this.must("roleAdd", { role: `r${at}` });
			this.must("userGrantRole", { user: "u", role: `r${at}` });
			for (const permission of permissions) this.must("roleGrantPermission", { role: `r${at}`, permission });
		}
		this.must("enable");
	}

	get caller(): Caller {
		return { user: "u", authRevision: this.table.revision };
	}

	must(...[kind, fields]: Parameters<typeof authCommand>): void {
		expect(this.table.apply(authCommand(kind, fields))).toBeNull();
	}

	may(access: "read" | "write", point: string): boolean {
		const types: number[] = [PermissionType.readWrite, access === "read" ? PermissionType.read : PermissionType.write];
		return this.permissionsByRole.flat().some((permission) => types.includes(permission.type) && holds(permission, point));
	}

	mayAll(access: "read" | "write", key: string, rangeEnd: string): boolean {
		const points = POINTS.filter((point) => holds({ key, rangeEnd }, point));
		return (points.length === 0 ? [key] : points).every((point) => this.may(access, point));
	}
}

function randomHouse(dice: Dice): House {
	const ranges = new Set<string>();
	return new House(
		Array.from({ length: dice.range(0, 3) }, () => {
			const permissions: Permission[] = [];
			for (let count = dice.range(0, 4); count > 0; count--) {
				const { key, rangeEnd } = randomRange(dice);
				// A later grant of the same range replaces the former: tested elsewhere.
				if ((rangeEnd.length > 0 && rangeEnd !== "\0" && rangeEnd <= key) || ranges.has(`${key}/${rangeEnd}`)) continue;
				ranges.add(`${key}/${rangeEnd}`);
				permissions.push({ type: dice.range(0, 2), key, rangeEnd });
			}
			return permissions;
		}),
	);
}

function randomRange(dice: Dice): { readonly key: string; readonly rangeEnd: string } {
	const key = dice.pick(NAMES);
	return { key, rangeEnd: dice.chance(1, 3) ? "" : dice.chance(1, 6) ? "\0" : dice.pick(NAMES) };
}

interface Judged<T> {
	readonly request: T;
	readonly allowed: boolean;
}

function randomPut(dice: Dice, house: House) {
	const key = dice.pick(NAMES);
	const prevKv = dice.chance(1, 3);
	const lease = dice.chance(1, 3) ? BigInt(dice.range(1, 3)) : 0n;
	const request = { key: bytes(key), value: NOTHING, lease, prevKv, ignoreValue: dice.chance(1, 3), ignoreLease: false };
	const allowed =
		house.may("write", key) &&
		(!prevKv || house.may("read", key)) &&
		(house.leases.get(lease) ?? []).every((attached) => house.may("write", attached));
	return { request, allowed };
}

function randomOp(dice: Dice, house: House, depth: number): Judged<RequestOp> {
	const { key, rangeEnd } = randomRange(dice);
	switch (dice.range(0, depth > 0 ? 3 : 2)) {
		case 0:
			return { request: { kind: "range", range: rangeRequest(key, rangeEnd) }, allowed: house.mayAll("read", key, rangeEnd) };
		case 1: {
			const { request, allowed } = randomPut(dice, house);
			return { request: { kind: "put", put: request }, allowed };
		}
		case 2: {
			const prevKv = dice.chance(1, 3);
			const allowed = house.mayAll("write", key, rangeEnd) && (!prevKv || house.mayAll("read", key, rangeEnd));
			return { request: { kind: "deleteRange", deleteRange: { key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv } }, allowed };
		}
		default: {
			const { request, allowed } = randomTxn(dice, house, depth - 1);
			return { request: { kind: "txn", txn: request }, allowed };
		}
	}
}

function rangeRequest(key: string, rangeEnd: string) {
	return {
		...{ key: bytes(key), rangeEnd: bytes(rangeEnd), limit: 0, revision: 0, sortOrder: 0, sortTarget: 0, serializable: true },
		...{ keysOnly: false, countOnly: true, minModRevision: 0, maxModRevision: 0, minCreateRevision: 0, maxCreateRevision: 0 },
	};
}

function randomTxn(dice: Dice, house: House, depth: number): Judged<TxnRequest> {
	const compares = Array.from({ length: dice.range(0, 1) }, () => randomRange(dice));
	const success = Array.from({ length: dice.range(0, 2) }, () => randomOp(dice, house, depth));
	const failure = Array.from({ length: dice.range(0, 1) }, () => randomOp(dice, house, depth));
	return {
		request: {
			compare: compares.map(({ key, rangeEnd }) => ({
				...{ result: 0, target: 0, key: bytes(key), rangeEnd: bytes(rangeEnd), number: 0, value: NOTHING, lease: 0n },
			})),
			success: success.map(({ request }) => request),
			failure: failure.map(({ request }) => request),
		},
		allowed:
			compares.every(({ key, rangeEnd }) => house.mayAll("read", key, rangeEnd)) &&
			[...success, ...failure].every(({ allowed }) => allowed),
	};
}

describe("permissions beside a naive oracle", () => {
	test("every request, with every option, nested or not", () => {
		const dice = new Dice("permissions");
		const verdicts = { allowed: 0, denied: 0 };
		for (let round = 0; round < 300; round++) {
			const house = randomHouse(dice);
			house.leases.set(1n, [dice.pick(NAMES)]).set(2n, [dice.pick(NAMES), dice.pick(NAMES)]);
			for (let asked = 0; asked < 40; asked++) {
				const { key, rangeEnd } = randomRange(dice);
				const put = randomPut(dice, house);
				const remove = { key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv: dice.chance(1, 2) };
				const txn = randomTxn(dice, house, 2);
				const { guard, caller } = house;
				const answers: Array<readonly [string, boolean, string | null]> = [
					["range", house.mayAll("read", key, rangeEnd), guard.rangeFault(caller, rangeRequest(key, rangeEnd))],
					["put", put.allowed, guard.putFault(caller, put.request)],
					[
						"delete",
						house.mayAll("write", key, rangeEnd) && (!remove.prevKv || house.mayAll("read", key, rangeEnd)),
						guard.deleteRangeFault(caller, remove),
					],
					["txn", txn.allowed, guard.txnFault(caller, txn.request)],
					["keys read", house.may("read", key), guard.keysFault(caller, [key], "read")],
					["keys write", house.may("write", key), guard.keysFault(caller, [key], "write")],
				];
				for (const [what, allowed, fault] of answers) {
					if (fault !== (allowed ? null : "permissionDenied")) {
						expect({ what, key, rangeEnd, roles: house.permissionsByRole, txn: txn.request, fault }).toEqual({ allowed });
					}
					verdicts[allowed ? "allowed" : "denied"]++;
				}
			}
		}
		// An oracle that always says the same would agree with anything.
		expect(verdicts.allowed).toBeGreaterThan(5_000);
		expect(verdicts.denied).toBeGreaterThan(20_000);
	});

	test("intervals join where they overlap or adjoin, and one key covers no open range", () => {
		const set = new KeyIntervals([intervalOf("a", "c"), intervalOf("c", "e"), intervalOf("k", ""), intervalOf("x", "\0")]);
		for (const [key, rangeEnd, covered] of [
			["a", "e", true],
			["a", "e\0", false],
			["b", "", true],
			["e", "", false],
			["k", "", true],
			["k", "k\0", true],
			["k", "\0", false],
			["k", "l", false],
			["x", "\0", true],
			["y", "\0", true],
			["w", "\0", false],
			// An empty range counts as its first key.
			["b", "a", true],
			["f", "a", false],
		] as const) {
			expect([key, rangeEnd, set.covers(intervalOf(key, rangeEnd))]).toEqual([key, rangeEnd, covered]);
		}
	});
});
