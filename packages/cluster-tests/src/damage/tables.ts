/** What a member holds beside keys, as its clients can see it: leases with their keys, users, roles, alarms; as a text that compares. */
import type { KvClient } from "../client/kv-client.ts";
import type { Plain } from "../client/protocol.ts";

export interface Tables {
	readonly leases: ReadonlyArray<{ readonly id: bigint; readonly ttl: number; readonly keys: readonly string[] }>;
	readonly users: ReadonlyArray<{ readonly name: string; readonly roles: readonly string[] }>;
	readonly roles: ReadonlyArray<{ readonly name: string; readonly keys: readonly string[] }>;
	readonly alarms: ReadonlyArray<{ readonly member: bigint; readonly type: number }>;
}

export function textOfTables({ leases, users, roles, alarms }: Tables): string {
	return [
		...leases.map(({ id, ttl, keys }) => `lease ${id} of ${ttl} s: ${[...keys].sort().join(", ")}`),
		...users.map(({ name, roles: has }) => `user ${name}: ${has.join(", ")}`),
		...roles.map(({ name, keys }) => `role ${name}: ${keys.join(", ")}`),
		...alarms.map(({ member, type }) => `alarm ${type} of ${member}`),
	]
		.sort()
		.join("\n");
}

interface Seen {
	readonly leases: ReadonlyArray<{ readonly ID: string }>;
	readonly grantedTTL: string;
	readonly keys: readonly Buffer[];
	readonly users: readonly string[];
	/** Of all, or of one user. */
	readonly roles: readonly string[];
	readonly perm: ReadonlyArray<{ readonly key: Buffer }>;
	readonly alarms: ReadonlyArray<{ readonly memberID: string; readonly alarm: string }>;
}

const ALARM_TYPES: readonly string[] = ["NONE", "NOSPACE", "CORRUPT"];

/** Asked of a member that serves, whose users are not enabled. */
export async function tablesOf(client: KvClient): Promise<Tables> {
	const ask = (service: string, method: string, type: string, request: Plain = {}): Promise<Seen> =>
		client.call<Seen>(service, method, [`${type}Request`, `${type}Response`], request, { timeoutMs: 10_000 });
	const { leases } = await ask("Lease", "LeaseLeases", "LeaseLeases");
	const { users } = await ask("Auth", "UserList", "AuthUserList");
	const { roles } = await ask("Auth", "RoleList", "AuthRoleList");
	const { alarms } = await ask("Maintenance", "Alarm", "Alarm", { action: "GET" });
	return {
		leases: await Promise.all(
			leases.map(async ({ ID }) => {
				const { grantedTTL, keys } = await ask("Lease", "LeaseTimeToLive", "LeaseTimeToLive", { ID, keys: true });
				return { id: BigInt(ID), ttl: Number(grantedTTL), keys: keys.map((key) => key.toString("latin1")) };
			}),
		),
		users: await Promise.all(users.map(async (name) => ({ name, roles: (await ask("Auth", "UserGet", "AuthUserGet", { name })).roles }))),
		roles: await Promise.all(
			roles.map(async (name) => {
				const { perm } = await ask("Auth", "RoleGet", "AuthRoleGet", { role: name });
				return { name, keys: perm.map(({ key }) => key.toString("latin1")) };
			}),
		),
		alarms: alarms.map(({ memberID, alarm }) => ({ member: BigInt(memberID), type: ALARM_TYPES.indexOf(alarm) })),
	};
}
