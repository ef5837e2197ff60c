/** Users and roles. No server gives passwords away: they come from a file, or are drawn and told to nobody. */
import { randomBytes } from "node:crypto";
import type { authpb } from "@flotilla/api";
import { type Directory, rangeOf, readDirectory } from "./directory.ts";
import { SideError } from "./refusals.ts";
import { RPC } from "./rpc.ts";
import type { Side } from "./side.ts";

/** `NAME:PASSWORD` on each line. */
export function readPasswords(text: string): ReadonlyMap<string, string> {
	const passwords = new Map<string, string>();
	for (const [at, line] of text.split(/\r?\n/).entries()) {
		if (line === "") continue;
		const colon = line.indexOf(":");
		if (colon <= 0) throw new Error(`--passwords, line ${at + 1}: need NAME:PASSWORD`);
		passwords.set(line.slice(0, colon), line.slice(colon + 1));
	}
	return passwords;
}

/** Takes away only what it made itself: somebody may work at the target meanwhile. */
export class UserCopy {
	/** As of the last copy. */
	users = 0;
	roles = 0;
	private readonly source: Side;
	private readonly target: Side;
	private readonly passwords: ReadonlyMap<string, string>;
	private readonly madeUsers = new Set<string>();
	private readonly madeRoles = new Set<string>();

	constructor(source: Side, target: Side, passwords: ReadonlyMap<string, string>) {
		this.source = source;
		this.target = target;
		this.passwords = passwords;
	}

	/** Of the users that were made, those whose password must be set anew. */
	get withoutPassword(): readonly string[] {
		return [...this.madeUsers].filter((name) => !this.passwords.has(name));
	}

	/** Makes the target like the source is now; any number of times. */
	async copy(): Promise<void> {
		const [theirs, ours] = [await readDirectory(this.source), await readDirectory(this.target)];
		for (const [role, permissions] of theirs.roles) await this.copyRole(role, permissions, ours.roles.get(role));
		for (const [name, roles] of theirs.users) await this.copyUser(name, roles, ours.users.get(name));
		await this.dropGone(theirs);
		this.roles = theirs.roles.size;
		this.users = theirs.users.size;
	}

	private async copyRole(
		role: string,
		wanted: readonly authpb.Permission[],
		present: readonly authpb.Permission[] | undefined,
	): Promise<void> {
		if (present === undefined) {
			await unlessThere("role name already exists", this.target.call(RPC.roleAdd, { name: role }));
			this.madeRoles.add(role);
		}
		const ranges = new Map((present ?? []).map((permission) => [rangeOf(permission), permission]));
		for (const perm of wanted) {
			const range = rangeOf(perm);
			const { permType } = ranges.get(range) ?? {};
			ranges.delete(range);
			if (permType === perm.permType) continue;
			// etcd may add another type to the one that is there.
			if (permType !== undefined) await this.revoke(role, perm);
			await this.target.call(RPC.roleGrant, { name: role, perm });
		}
		if (this.madeRoles.has(role)) for (const perm of ranges.values()) await this.revoke(role, perm);
	}

	private async copyUser(name: string, wanted: readonly string[], present: readonly string[] | undefined): Promise<void> {
		if (present === undefined) {
			const password = this.passwords.get(name) ?? randomBytes(24).toString("base64");
			await unlessThere("user name already exists", this.target.call(RPC.userAdd, { name, password }));
			this.madeUsers.add(name);
		}
		const had = present ?? [];
		for (const role of wanted) if (!had.includes(role)) await this.target.call(RPC.userGrant, { user: name, role });
		if (!this.madeUsers.has(name)) return;
		for (const role of had) {
			if (!wanted.includes(role)) await unlessThere("role is not granted", this.target.call(RPC.userRevoke, { name, role }));
		}
	}

	private async dropGone({ users, roles }: Directory): Promise<void> {
		for (const name of [...this.madeUsers].filter((made) => !users.has(made))) {
			await unlessThere("user name not found", this.target.call(RPC.userDelete, { name }));
			this.madeUsers.delete(name);
		}
		for (const role of [...this.madeRoles].filter((made) => !roles.has(made))) {
			await unlessThere("role name not found", this.target.call(RPC.roleDelete, { role }));
			this.madeRoles.delete(role);
		}
	}

	private revoke(role: string, { key, rangeEnd }: authpb.Permission): Promise<void> {
		return unlessThere("permission is not granted", this.target.call(RPC.roleRevoke, { role, key, rangeEnd }));
	}
}

/** A try that was given up may have come through. */
async function unlessThere(text: string, done: Promise<unknown>): Promise<void> {
	try {
		await done;
	} catch (error) {
		if (!SideError.says(error, text)) throw error;
	}
}
