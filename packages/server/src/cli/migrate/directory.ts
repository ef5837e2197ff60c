/** Users and roles of one cluster, as far as a server tells: no passwords. */
import type { authpb } from "@flotilla/api";
import { RPC } from "./rpc.ts";
import type { Side } from "./side.ts";

export interface Directory {
	readonly roles: ReadonlyMap<string, readonly authpb.Permission[]>;
	/** With their roles, in order. */
	readonly users: ReadonlyMap<string, readonly string[]>;
}

/** The role root may do everything by its name; what some versions show of it cannot be granted. */
export const ROOT = "root";

export async function readDirectory(side: Side): Promise<Directory> {
	const roles = new Map<string, readonly authpb.Permission[]>();
	for (const role of (await side.call(RPC.roleList, {})).roles) {
		roles.set(role, role === ROOT ? [] : (await side.call(RPC.roleGet, { role })).perm);
	}
	const users = new Map<string, readonly string[]>();
	for (const name of (await side.call(RPC.userList, {})).users) {
		users.set(name, [...(await side.call(RPC.userGet, { name })).roles].sort());
	}
	return { roles, users };
}

/** What the permission is for. */
export function rangeOf({ key, rangeEnd }: authpb.Permission): string {
	return `${Buffer.from(key).toString("hex")} ${Buffer.from(rangeEnd).toString("hex")}`;
}

export function describePermissions(permissions: readonly authpb.Permission[]): string {
	return permissions
		.map((permission) => `${rangeOf(permission)} ${permission.permType}`)
		.sort()
		.join();
}
