import { expect, test } from "vitest";
import { type CompareOptions, compareSides } from "./compare.ts";
import { readPasswords } from "./copy-users.ts";
import { ALL_KEYS, type Rpc } from "./rpc.ts";
import { Side } from "./side.ts";

interface Held {
	readonly keys?: Readonly<Record<string, readonly [value: string, lease?: bigint]>>;
	readonly leases?: Readonly<Record<string, number>>;
	readonly roles?: Readonly<Record<string, readonly string[]>>;
	readonly users?: Readonly<Record<string, readonly string[]>>;
}

/** A cluster that holds what the test says, and cuts its ranges. */
class Pretended extends Side {
	private readonly held: Held;
	constructor(name: "source" | "target", held: Held) {
		super(name, [], { login: undefined, cacert: undefined, cert: undefined, key: undefined });
		this.held = held;
	}

	override call<Q extends object, R extends object>({ path, response }: Rpc<Q, R>, request: Partial<Q>): Promise<R> {
		return Promise.resolve(response.create(this.answer(path.slice(path.lastIndexOf("/") + 1), request as never) as Partial<R>));
	}

	private answer(
		name: string,
		request: { key: Uint8Array; rangeEnd: Uint8Array; limit?: number; ID: bigint; role: string; name: string },
	): object {
		const { keys = {}, leases = {}, roles = {}, users = {} } = this.held;
		switch (name) {
			case "Range": {
				const [from, end] = [Buffer.from(request.key), Buffer.from(request.rangeEnd)];
				const toEnd = end.equals(ALL_KEYS.rangeEnd);
				const left = Object.entries(keys)
					.map(([key, pair]) => [Buffer.from(key), pair] as const)
					.sort(([a], [b]) => Buffer.compare(a, b))
					.filter(
						([key]) => Buffer.compare(key, from) >= 0 && (toEnd || (end.length === 0 ? key.equals(from) : Buffer.compare(key, end) < 0)),
					);
				const kvs = left
					.slice(0, request.limit ?? left.length)
					.map(([key, [value, lease = 0n]]) => ({ key, value: Buffer.from(value), lease }));
				return { kvs, more: kvs.length < left.length };
			}
			case "LeaseLeases":
				return { leases: Object.keys(leases).map((id) => ({ ID: BigInt(id) })) };
			case "LeaseTimeToLive":
				return { grantedTTL: leases[String(request.ID)] ?? 0 };
			case "RoleList":
				return { roles: Object.keys(roles) };
			case "RoleGet":
				return { perm: (roles[request.role] ?? []).map((key) => ({ permType: 0, key: Buffer.from(key), rangeEnd: new Uint8Array(0) })) };
			case "UserList":
				return { users: Object.keys(users) };
			default:
				return { roles: users[request.name] };
		}
	}
}

const compare = (source: Held, target: Held, { livesOn = () => false, ownUsers = new Set<string>() }: Partial<CompareOptions> = {}) =>
	compareSides(
		new Pretended("source", source),
		new Pretended("target", target),
		{ source: 5, target: 9 },
		{ users: true, ownUsers, livesOn, progress: () => {} },
	);
const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}`, [`v${at}`] as const]));

test("what is the same is counted", async () => {
	const held: Held = { keys: { ...many, a: ["x", 7n] }, leases: { 7: 60 }, roles: { r: ["b", "a"], root: [] }, users: { u: ["r", "s"] } };
	const other: Held = { ...held, roles: { root: ["shown by some versions"], r: ["a", "b"] }, users: { u: ["s", "r"] } };
	expect(await compare(held, other)).toEqual({ keys: 101, leases: 1, roles: 2, users: 1, longer: 0, differences: 0, told: [] });
});

test("a lease that lives on though its time at the source is up, one that the target grants longer, and the target's own root are no differences", async () => {
	const target: Held = { leases: { 7: 60, 8: 5 }, users: { root: ["root"] }, roles: { root: [] } };
	const found = await compare({ leases: { 7: 2 } }, target, { livesOn: (lease) => lease === 8n, ownUsers: new Set(["root"]) });
	expect(found).toMatchObject({ leases: 1, longer: 1, differences: 0 });
});

test("every difference is counted and named", async () => {
	const source: Held = {
		keys: { ...many, a: ["x"], both: ["1", 7n], left: ["l"] },
		leases: { 7: 60, 8: 5 },
		roles: { r: ["a"], l: [] },
		users: { u: ["r"], v: [] },
	};
	const target: Held = {
		keys: { ...many, a: ["y"], both: ["1"], right: ["r"] },
		leases: { 7: 59, 9: 5 },
		roles: { r: ["b"] },
		users: { u: [] },
	};
	const { differences, told } = await compare(source, target);
	expect(told).toEqual([
		'key "a" has another value',
		'key "both" has lease 0000000000000007 in the source, 0 in the target',
		'key "left" is only in the source',
		'key "right" is only in the target',
		"lease 0000000000000007 was granted 60 s in the source, 59 s in the target",
		"lease 0000000000000008 is only in the source",
		"lease 0000000000000009 is only in the target",
		"role l is only in the source",
		"role r has other permissions",
		"user v is only in the source",
	]);
	expect(differences).toBe(11);
});

test("more differences than are named, on either side of many pages", async () => {
	expect(await compare({ keys: many }, {})).toMatchObject({ keys: 0, differences: 100 });
	expect((await compare({}, { keys: many })).told).toHaveLength(10);
});

test("pages end at keys of any length", async () => {
	const large = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`${at}`.padStart(500_000, "k"), ["v"] as const]));
	expect(await compare({ keys: large }, { keys: { ...large, z: ["v"] } })).toMatchObject({ keys: 20, differences: 1 });
});

test("a file of passwords: the name ends at the first colon", () => {
	expect(readPasswords("a:b:c\n\nd:\n")).toEqual(
		new Map([
			["a", "b:c"],
			["d", ""],
		]),
	);
	for (const text of ["a", ":b", "ok:x\nno"]) expect(() => readPasswords(text)).toThrow(/line [12]: need NAME:PASSWORD/);
});
