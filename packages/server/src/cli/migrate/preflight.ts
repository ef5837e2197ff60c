/** What must hold before anything is written: it is better said now than after half an hour of copying. */
import { randomBytes } from "node:crypto";
import { type Directory, ROOT, readDirectory } from "./directory.ts";
import { grantedAt } from "./lease-mirror.ts";
import { SideError } from "./refusals.ts";
import { ALL_KEYS, RPC } from "./rpc.ts";
import type { Side } from "./side.ts";

const PROBE_SECONDS = 60;
const UNIMPLEMENTED = 12;
const PERMISSION_DENIED = 7;

/** Resolves with the users that the target has by itself: none, or root. */
export async function assertReady(source: Side, target: Side, users: boolean): Promise<ReadonlySet<string>> {
	await permitted(source, "to read every key", source.revision());
	const { count } = await permitted(target, "to read and write every key", target.call(RPC.range, { ...ALL_KEYS, countOnly: true }));
	if (await areOne(source, target)) {
		throw new Error(`source and target are the same cluster (${source.clusterId?.toString(16)}), so nothing was done`);
	}
	if (users) await permitted(source, "of the role root to read users and roles, or --no-users", readDirectory(source));
	const own = users ? await permitted(target, "of the role root to write users and roles, or --no-users", readDirectory(target)) : NOBODY;
	const leases = (await target.call(RPC.leases, {})).leases.length;
	// One that demands logins already has root, and cannot do without.
	const names = [...own.users.keys(), ...own.roles.keys()].filter((name) => name !== ROOT).length;
	if (count + leases + names > 0) {
		throw new Error(
			`the target is not empty (${count} keys, ${leases} leases, ${names} users and roles): what is there might be overwritten, so nothing was done`,
		);
	}
	return new Set(own.users.keys());
}

const NOBODY: Directory = { roles: new Map(), users: new Map() };

async function permitted<T>(side: Side, right: string, done: Promise<T>): Promise<T> {
	try {
		return await done;
	} catch (error) {
		if (!(error instanceof SideError) || error.code !== PERMISSION_DENIED) throw error;
		throw new Error(`${error.message} (the user of the ${side.name} needs the right ${right})`);
	}
}

/** Clusters that were started alike have the same ids. But a lease of the one is not to be found in the other. */
async function areOne(source: Side, target: Side): Promise<boolean> {
	if (source.clusterId !== target.clusterId) return false;
	const ID = randomBytes(8).readBigInt64BE() & 0x7fff_ffff_ffff_ffffn;
	await target.call(RPC.grant, { ID, TTL: PROBE_SECONDS });
	const found = (await grantedAt(source, ID)) !== null;
	await target.call(RPC.revoke, { ID });
	return found;
}

/** etcd before 3.5 has no status to be asked for. But without a need for logins it refuses every one with a text of its own. */
export async function demandsLogins(side: Side): Promise<boolean> {
	try {
		return (await side.call(RPC.authStatus, {})).enabled;
	} catch (error) {
		// Only root may know, unless nobody need be anybody.
		if (SideError.says(error, "permission denied") || SideError.says(error, "user name is empty")) return true;
		if (!(error instanceof SideError) || error.code !== UNIMPLEMENTED) throw error;
	}
	try {
		await side.call(RPC.authenticate, { name: "", password: "" });
		return true;
	} catch (error) {
		if (SideError.says(error, "authentication is not enabled")) return false;
		if (SideError.says(error, "authentication failed") || SideError.says(error, "user name is empty")) return true;
		throw error;
	}
}
