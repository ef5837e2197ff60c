/**
 * Users and roles, and what changes them (etcd API 7.2, 7.7). A pure function of state and command; the order of the checks is
 * etcd's. Whether the caller may give the command at all was judged before.
 */
import { assert, unreachable } from "@flotilla/base";
import type { AuthCommand } from "./auth-command.ts";
import type { AuthFault } from "./caller.ts";
import { type Permission, ROOT, type Role, sortNames, type User } from "./users.ts";

const FIRST_REVISION = 1;

export class AuthTable {
	enabled = false;
	/** Rises with every change but that from disabled to enabled. */
	revision = FIRST_REVISION;
	private outdated: string[] = [];
	private readonly users = new Map<string, User>();
	private readonly roles = new Map<string, Role>();

	/** As a new cluster has it: no rows are written for it. */
	get untouched(): boolean {
		return !this.enabled && this.revision === FIRST_REVISION;
	}

	user(name: string): User | undefined {
		return this.users.get(name);
	}

	role(name: string): Role | undefined {
		return this.roles.get(name);
	}

	/** In byte order of their names. */
	get userNames(): string[] {
		return sortNames(this.users.keys());
	}

	get roleNames(): string[] {
		return sortNames(this.roles.keys());
	}

	/** Users whose tokens are void: their passwords changed, or they are gone. Once. */
	takeOutdated(): readonly string[] {
		const { outdated } = this;
		this.outdated = [];
		return outdated;
	}

	clear(): void {
		this.users.clear();
		this.roles.clear();
		this.enabled = false;
		this.revision = FIRST_REVISION;
	}

	/** From a row, or from another member's state. */
	restore(entry: { readonly user: User } | { readonly role: Role } | { readonly enabled: boolean; readonly revision: number }): void {
		if ("user" in entry) this.users.set(entry.user.name, entry.user);
		else if ("role" in entry) this.roles.set(entry.role.name, entry.role);
		else {
			this.enabled = entry.enabled;
			this.revision = entry.revision;
		}
	}

	/** Null: done. `authenticate` changes nothing here; it is only judged. */
	apply(command: AuthCommand): AuthFault | null {
		switch (command.kind) {
			case "enable":
				return this.enable();
			case "disable":
				return this.disable();
			case "userAdd":
				return this.addUser(command);
			case "userDelete":
				return this.deleteUser(command.user);
			case "userChangePassword":
				return this.changePassword(command);
			case "userGrantRole":
				return this.grantRole(command);
			case "userRevokeRole":
				return this.revokeRole(command);
			case "roleAdd":
				return this.addRole(command.role);
			case "roleDelete":
				return this.deleteRole(command.role);
			case "roleGrantPermission":
				return this.grantPermission(command);
			case "roleRevokePermission":
				return this.revokePermission(command);
			case "authenticate":
				return this.judgeLogin(command);
			default:
				return unreachable(command.kind);
		}
	}

	private enable(): AuthFault | null {
		if (this.enabled) return null;
		const root = this.users.get(ROOT);
		if (root === undefined) return "rootUserNotExist";
		if (!root.roles.includes(ROOT)) return "rootRoleNotExist";
		this.enabled = true;
		return null;
	}

	private disable(): AuthFault | null {
		if (!this.enabled) return null;
		this.enabled = false;
		this.outdated = [...this.users.keys()];
		return this.changed();
	}

	private addUser({ user, passwordHash, noPassword }: AuthCommand): AuthFault | null {
		if (user === "") return "userEmpty";
		if (this.users.has(user)) return "userExists";
		this.users.set(user, { name: user, passwordHash: noPassword ? "" : passwordHash, noPassword, roles: [] });
		return this.changed();
	}

	private deleteUser(user: string): AuthFault | null {
		if (this.enabled && user === ROOT) return "invalidAuthManagement";
		if (!this.users.delete(user)) return "userNotFound";
		this.outdated.push(user);
		return this.changed();
	}

	private changePassword({ user, passwordHash }: AuthCommand): AuthFault | null {
		const known = this.users.get(user);
		if (known === undefined) return "userNotFound";
		this.users.set(user, { ...known, passwordHash: known.noPassword ? "" : passwordHash });
		this.outdated.push(user);
		return this.changed();
	}

	private grantRole({ user, role }: AuthCommand): AuthFault | null {
		const known = this.users.get(user);
		if (known === undefined) return "userNotFound";
		if (role !== ROOT && !this.roles.has(role)) return "roleNotFound";
		if (known.roles.includes(role)) return null;
		this.users.set(user, { ...known, roles: sortNames([...known.roles, role]) });
		return this.changed();
	}

	private revokeRole({ user, role }: AuthCommand): AuthFault | null {
		if (this.enabled && user === ROOT && role === ROOT) return "invalidAuthManagement";
		const known = this.users.get(user);
		if (known === undefined) return "userNotFound";
		if (!known.roles.includes(role)) return "roleNotGranted";
		this.users.set(user, withoutRole(known, role));
		return this.changed();
	}

	private addRole(role: string): AuthFault | null {
		if (role === "") return "roleEmpty";
		if (this.roles.has(role)) return "roleExists";
		this.roles.set(role, { name: role, permissions: [] });
		return this.changed();
	}

	private deleteRole(role: string): AuthFault | null {
		if (this.enabled && role === ROOT) return "invalidAuthManagement";
		if (!this.roles.delete(role)) return "roleNotFound";
		for (const user of this.users.values()) if (user.roles.includes(role)) this.users.set(user.name, withoutRole(user, role));
		return this.changed();
	}

	private grantPermission({ role, permission }: AuthCommand): AuthFault | null {
		if (permission === null) return "permissionNotGiven";
		if (!isRange(permission)) return "invalidAuthManagement";
		const known = this.roles.get(role);
		if (known === undefined) return "roleNotFound";
		this.roles.set(role, { name: role, permissions: granted(known.permissions, permission) });
		return this.changed();
	}

	private revokePermission({ role, permission }: AuthCommand): AuthFault | null {
		const known = this.roles.get(role);
		if (known === undefined) return "roleNotFound";
		const left = known.permissions.filter((each) => permission === null || !isSameRange(each, permission));
		if (left.length === known.permissions.length) return "permissionNotGranted";
		this.roles.set(role, { name: role, permissions: left });
		return this.changed();
	}

	/** The password was checked against a state that may be gone: then it is to be checked again. */
	private judgeLogin({ checkedRevision }: AuthCommand): AuthFault | null {
		if (!this.enabled) return "authNotEnabled";
		return checkedRevision === this.revision ? null : "authOldRevision";
	}

	private changed(): null {
		this.revision++;
		assert(Number.isSafeInteger(this.revision), "auth revisions are safe integers");
		return null;
	}
}

function withoutRole(user: User, role: string): User {
	return { ...user, roles: user.roles.filter((each) => each !== role) };
}

function isRange({ key, rangeEnd }: Permission): boolean {
	return key !== "" && (rangeEnd === "" || rangeEnd === "\0" || rangeEnd > key);
}

function isSameRange(a: Permission, b: Permission): boolean {
	return a.key === b.key && a.rangeEnd === b.rangeEnd;
}

/** The same range again takes the new type. Keys are in byte order under `<`, since each character is a byte. */
function granted(permissions: readonly Permission[], added: Permission): Permission[] {
	const at = permissions.findIndex((each) => isSameRange(each, added));
	if (at >= 0) return permissions.with(at, added);
	const behind = permissions.findIndex(({ key }) => key > added.key);
	return behind < 0 ? [...permissions, added] : permissions.toSpliced(behind, 0, added);
}
