/** One migration: users, leases and keys of one revision, then all changes since, then a comparison. */
import { setTimeout as pause } from "node:timers/promises";
import type { Access } from "../outside-client.ts";
import { compareSides } from "./compare.ts";
import { copyKeys } from "./copy-keys.ts";
import { copyUsers, readPasswords } from "./copy-users.ts";
import { Follower } from "./follow.ts";
import { LeaseMirror } from "./lease-mirror.ts";
import { ALL_KEYS, RPC, Side, SideError } from "./side.ts";

export interface MigrationSettings {
	readonly source: { readonly endpoints: readonly string[]; readonly access: Access };
	readonly target: { readonly endpoints: readonly string[]; readonly access: Access };
	readonly users: boolean;
	/** Content of the file, or empty. */
	readonly passwords: string;
}

const TOLD_EVERY_MS = 1_000;
const COMPARISONS = 5;

/** `asked`: resolves when clients are to be switched. `tell`: one line of progress. */
export async function migrate(settings: MigrationSettings, asked: Promise<void>, tell: (line: string) => void): Promise<{ same: boolean }> {
	const passwords = readPasswords(settings.passwords);
	const source = new Side("source", settings.source.endpoints, settings.source.access);
	const target = new Side("target", settings.target.endpoints, settings.target.access);
	await assertEmpty(target, settings.users);
	const revision = await source.revision();
	const leases = new LeaseMirror(source, target);
	const told = everySecond(tell);
	try {
		await leases.sweep();
		tell(`${leases.count} leases`);
		const keys = await copyKeys(source, target, leases, revision, (done, all) => told(`${done} of ${all} keys`));
		tell(`${keys} keys of revision ${revision} are copied`);
		const users = settings.users ? await copyUsers(source, target, passwords) : null;
		if (users !== null) tell(`${users.users.length} users, ${users.roles.length} roles`);
		const follower = new Follower(source, target, leases, revision);
		await follow(source, follower, asked, tell, told);
		const same = await compare(source, target, follower, settings.users, tell);
		if (users !== null && same) await finishUsers(source, target, passwords, users.withoutPassword, tell);
		return { same };
	} finally {
		leases.stop();
		source.drop();
		target.drop();
	}
}

async function assertEmpty(target: Side, users: boolean): Promise<void> {
	const { count } = await target.call(RPC.range, { ...ALL_KEYS, countOnly: true });
	const leases = (await target.call(RPC.leases, {})).leases.length;
	const names = users ? (await target.call(RPC.userList, {})).users.length + (await target.call(RPC.roleList, {})).roles.length : 0;
	if (count + leases + names === 0) return;
	throw new Error(
		`the target is not empty (${count} keys, ${leases} leases, ${names} users and roles): what is there might be overwritten, so nothing was done`,
	);
}

/** Until clients are switched and all that the source had by then is carried out. */
async function follow(
	source: Side,
	follower: Follower,
	asked: Promise<void>,
	tell: (line: string) => void,
	told: (line: string) => void,
): Promise<void> {
	const watching = setInterval(
		() => told(`in step up to revision ${follower.revision}; ${follower.events} changes since the copy`),
		TOLD_EVERY_MS,
	);
	const run = follower.run();
	try {
		await Promise.race([asked, run]);
		const last = await source.revision();
		tell(`switching: the source is at revision ${last}`);
		follower.endAt(last);
		await run;
		tell(`in step up to revision ${follower.revision}; ${follower.events} changes since the copy`);
		if (follower.split > 0) tell(`${follower.split} transactions of the source were too large for one, and came in parts`);
	} finally {
		clearInterval(watching);
	}
}

async function compare(source: Side, target: Side, follower: Follower, users: boolean, tell: (line: string) => void): Promise<boolean> {
	for (let left = COMPARISONS; ; left--) {
		const revisions = { source: follower.revision, target: await target.revision() };
		const { keys, leases, roles, users: names, differences, told } = await compareSides(source, target, revisions, { users });
		if (differences === 0) {
			tell(`compared: ${keys} keys, ${leases} leases, ${names} users, ${roles} roles: the same`);
			return true;
		}
		if (left === 1) {
			for (const text of told) tell(`  ${text}`);
			tell(`compared: ${differences} differences (source at revision ${revisions.source}, target at ${revisions.target})`);
			return false;
		}
		await pause(TOLD_EVERY_MS);
		follower.rewind();
		await follower.run();
	}
}

async function finishUsers(
	source: Side,
	target: Side,
	passwords: ReadonlyMap<string, string>,
	withoutPassword: readonly string[],
	tell: (line: string) => void,
): Promise<void> {
	if (withoutPassword.length > 0) tell(`set passwords anew (etcdctl user passwd): ${withoutPassword.join(", ")}`);
	if (!(await demandsLogins(source))) return;
	if (passwords.has("root")) {
		await target.call(RPC.authEnable, {});
		tell("the target demands logins now, as the source does");
	} else tell("the source demands logins, the target does not yet: set root's password, then etcdctl auth enable");
}

/** etcd before 3.5 cannot be asked: a call without a login tells. */
async function demandsLogins(source: Side): Promise<boolean> {
	try {
		await source.anonymously(RPC.userList, {});
		return false;
	} catch (error) {
		if (SideError.says(error, "user name is empty") || SideError.says(error, "permission denied")) return true;
		throw error;
	}
}

function everySecond(tell: (line: string) => void): (line: string) => void {
	let dueMs = 0;
	let last = "";
	return (line) => {
		if (performance.now() < dueMs || line === last) return;
		dueMs = performance.now() + TOLD_EVERY_MS;
		last = line;
		tell(line);
	};
}
