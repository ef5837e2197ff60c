/** Users and roles as rows of the store, written with a floor (rule S1): `auth/state`, `auth/user/<hex>`, `auth/role/<hex>`. */
import { fail, readU64, writeU64 } from "@flotilla/base";
import type { TableRow } from "../replica-interface.ts";
import { encodeUtf8 } from "../utf8.ts";
import type { AuthTable } from "./auth-table.ts";
import { decodeRole, decodeUser, encodeRole, encodeUser } from "./user-codec.ts";
import type { Role, User } from "./users.ts";

const STATE = "auth/state";
const USER = "auth/user/";
const ROLE = "auth/role/";
const STATE_BYTES = 9;

/** None for a cluster that never had a user or a role. */
export function authRows(table: AuthTable): TableRow[] {
	if (table.untouched) return [];
	const state = new Uint8Array(STATE_BYTES);
	state[0] = table.enabled ? 1 : 0;
	writeU64(state, 1, table.revision);
	const rows: TableRow[] = [{ key: STATE, value: state }];
	for (const name of table.userNames) {
		const user = table.user(name);
		if (user !== undefined) rows.push(rowOf(user, () => ({ key: USER + hexOf(name), value: encodeUser(user) })));
	}
	for (const name of table.roleNames) {
		const role = table.role(name);
		if (role !== undefined) rows.push(rowOf(role, () => ({ key: ROLE + hexOf(name), value: encodeRole(role) })));
	}
	return rows;
}

/** A cache only: users and roles are replaced and never changed, and all of them are asked for whenever one is. */
const madeRows = new WeakMap<User | Role, TableRow>();

function rowOf(entry: User | Role, make: () => TableRow): TableRow {
	let row = madeRows.get(entry);
	if (row === undefined) {
		row = make();
		madeRows.set(entry, row);
	}
	return row;
}

/** Rows were verified by whoever read them: one that cannot be understood is a bug. */
export function loadAuthRow({ key, value }: TableRow, table: AuthTable): void {
	if (key === STATE && value.length === STATE_BYTES) table.restore({ enabled: value[0] === 1, revision: readU64(value, 1) });
	else if (key.startsWith(USER)) table.restore({ user: decodeUser(value) });
	else if (key.startsWith(ROLE)) table.restore({ role: decodeRole(value) });
	else fail("a row of users and roles of an unknown kind", { key });
}

/** Names hold any character, a slash too. */
function hexOf(name: string): string {
	let hex = "";
	for (const byte of encodeUtf8(name)) hex += byte.toString(16).padStart(2, "0");
	return hex;
}
