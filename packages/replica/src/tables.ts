/**
 * The replicated tables besides the key space as rows of the store, written with a floor (rule S1):
 * `members/<hex>`, `removed/<hex>`, `alarms/<hex>/<type>`, `version/cluster`, `auth/...`, and of leases `leases/<hex>`.
 */
import { type ByteOps, fail, writeU32 } from "@flotilla/base";
import { LEASE_ROWS, type LeaseTable } from "@flotilla/mvcc";
import type { AlarmTable } from "./alarms.ts";
import { authRows, loadAuthRow } from "./auth/auth-rows.ts";
import type { AuthTable } from "./auth/auth-table.ts";
import { decodeMember, encodeMember } from "./member-codec.ts";
import type { MemberTable } from "./member-table.ts";
import type { AlarmType, MemberInfo } from "./members.ts";
import type { TableRow } from "./replica-interface.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

const NO_BYTES = new Uint8Array(0);
const VERSION_KEY = "version/cluster";

/** What the rows say, in memory. */
export interface Tables {
	readonly members: MemberTable;
	readonly alarms: AlarmTable;
	readonly users: AuthTable;
	/** Part of the store, which knows their keys. */
	readonly leases: LeaseTable;
	/** Empty until the cluster has decided. */
	clusterVersion: string;
}

/** The rows of a cluster's first configuration, alike on all its members. */
export function bootstrapTables(members: readonly MemberInfo[]): TableRow[] {
	return sortRows(members.map(memberRow));
}

/** All rows in ascending order of key. */
export function tableRows(tables: Tables): TableRow[] {
	return sortRows([...smallTableRows(tables), ...tables.leases.rows()]);
}

/** All but those of the leases, of which there may be millions: the store's own digest covers them as they change. */
export function smallTableRows(tables: Tables): TableRow[] {
	const rows = tables.members.members.map(memberRow);
	for (const id of tables.members.removed) rows.push({ key: `removed/${id.toString(16)}`, value: NO_BYTES });
	for (const { member, alarm } of tables.alarms.entries) rows.push({ key: `alarms/${member.toString(16)}/${alarm}`, value: NO_BYTES });
	if (tables.clusterVersion !== "") rows.push({ key: VERSION_KEY, value: encodeUtf8(tables.clusterVersion) });
	return sortRows([...rows, ...authRows(tables.users)]);
}

/** Fills empty tables. Rows were verified by whoever read them: one that cannot be understood is a bug. */
export function loadTables(rows: readonly TableRow[], tables: Tables): void {
	for (const row of rows) {
		const parts = row.key.split("/");
		if (parts[0] === "members") tables.members.set(decodeMember(row.value));
		else if (parts[0] === "removed") tables.members.removed.add(parseId(parts[1], row.key));
		else if (parts[0] === "alarms") tables.alarms.raise(parseId(parts[1], row.key), Number(parts[2]) as AlarmType);
		else if (parts[0] === "auth") loadAuthRow(row, tables.users);
		else if (parts[0] === LEASE_ROWS) tables.leases.load(row.value);
		else if (row.key === VERSION_KEY) tables.clusterVersion = decodeUtf8(row.value);
		else fail("a table row of an unknown kind", { key: row.key });
	}
	tables.leases.loaded();
}

/** CRC-32C over the rows in ascending order of key, each as two lengths (u32), key and value. */
export function tableDigest(bytes: ByteOps, rows: readonly TableRow[]): number {
	let crc = 0;
	const lengths = new Uint8Array(8);
	for (const row of sortRows(rows)) {
		const key = encodeUtf8(row.key);
		writeU32(lengths, 0, key.length);
		writeU32(lengths, 4, row.value.length);
		crc = bytes.crc32c(lengths, 0, 8, crc);
		crc = bytes.crc32c(key, 0, key.length, crc);
		crc = bytes.crc32c(row.value, 0, row.value.length, crc);
	}
	return crc;
}

function memberRow(member: MemberInfo): TableRow {
	return { key: `members/${member.id.toString(16)}`, value: encodeMember(member) };
}

function sortRows(rows: readonly TableRow[]): TableRow[] {
	return [...rows].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

function parseId(hex: string | undefined, key: string): bigint {
	if (hex === undefined || !/^[0-9a-f]{1,16}$/.test(hex)) fail("a table row without an id", { key });
	return BigInt(`0x${hex}`);
}
