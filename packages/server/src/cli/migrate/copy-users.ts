/** Users and roles. No server gives passwords away: they come from a file, or are drawn and told to nobody. */
import { randomBytes } from "node:crypto";
import { RPC, type Side, SideError } from "./side.ts";

export interface CopiedUsers {
	readonly users: readonly string[];
	readonly roles: readonly string[];
	/** Of the users, those whose password must be set anew. */
	readonly withoutPassword: readonly string[];
}

/** `NAME:PASSWORD` on each line. */
export function readPasswords(text: string): ReadonlyMap<string, string> {
	const passwords = new Map<string, string>();
	for (const [at, line] of text.split("\n").entries()) {
		if (line === "") continue;
		const colon = line.indexOf(":");
		if (colon <= 0) throw new Error(`--passwords, line ${at + 1}: need NAME:PASSWORD`);
		passwords.set(line.slice(0, colon), line.slice(colon + 1));
	}
	return passwords;
}

export async function copyUsers(source: Side, target: Side, passwords: ReadonlyMap<string, string>): Promise<CopiedUsers> {
	const { roles } = await source.call(RPC.roleList, {});
	const { users } = await source.call(RPC.userList, {});
	for (const role of roles) await copyRole(source, target, role);
	for (const name of users) {
		const password = passwords.get(name) ?? randomBytes(24).toString("base64");
		await unlessThere("user name already exists", target.call(RPC.userAdd, { name, password }));
		for (const role of (await source.call(RPC.userGet, { name })).roles) await target.call(RPC.userGrant, { user: name, role });
	}
	return { users, roles, withoutPassword: users.filter((name) => !passwords.has(name)) };
}

async function copyRole(source: Side, target: Side, role: string): Promise<void> {
	await unlessThere("role name already exists", target.call(RPC.roleAdd, { name: role }));
	// The role root may do everything by its name; what it shows cannot be granted.
	if (role === "root") return;
	for (const perm of (await source.call(RPC.roleGet, { role })).perm) await target.call(RPC.roleGrant, { name: role, perm });
}

/** A try that was given up may have come through. */
async function unlessThere(text: string, done: Promise<unknown>): Promise<void> {
	try {
		await done;
	} catch (error) {
		if (!SideError.says(error, text)) throw error;
	}
}
