/** What users may do with keys: the permissions of all their roles, merged, and kept until users or roles change. */
import type { AuthTable } from "./auth-table.ts";
import { intervalOf, type KeyInterval, KeyIntervals } from "./key-intervals.ts";
import { PermissionType, ROOT } from "./users.ts";

export interface UserRights {
	/** Everything, administration included. */
	readonly root: boolean;
	readonly readable: KeyIntervals;
	readonly writable: KeyIntervals;
}

export class RightsCache {
	private readonly table: AuthTable;
	/** At most one for each user. */
	private readonly rights = new Map<string, UserRights>();
	private revision = 0;

	constructor(table: AuthTable) {
		this.table = table;
	}

	/** Null: there is no such user. */
	of(name: string): UserRights | null {
		if (this.revision !== this.table.revision) {
			this.rights.clear();
			this.revision = this.table.revision;
		}
		const known = this.rights.get(name);
		if (known !== undefined) return known;
		const user = this.table.user(name);
		if (user === undefined) return null;
		const rights = merge(this.table, user.roles);
		this.rights.set(name, rights);
		return rights;
	}

	/** The table was replaced by another one, whose revision may be the same. */
	forget(): void {
		this.rights.clear();
	}
}

/** Roles that do not exist (root need not) permit nothing. */
function merge(table: AuthTable, roles: readonly string[]): UserRights {
	const readable: KeyInterval[] = [];
	const writable: KeyInterval[] = [];
	for (const name of roles) {
		for (const { type, key, rangeEnd } of table.role(name)?.permissions ?? []) {
			const interval = intervalOf(key, rangeEnd);
			if (type === PermissionType.read || type === PermissionType.readWrite) readable.push(interval);
			if (type === PermissionType.write || type === PermissionType.readWrite) writable.push(interval);
		}
	}
	return { root: roles.includes(ROOT), readable: new KeyIntervals(readable), writable: new KeyIntervals(writable) };
}
