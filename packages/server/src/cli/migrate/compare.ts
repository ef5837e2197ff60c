/** What two clusters hold at one revision each, side by side: keys, values, leases, roles and users. */
import type { mvccpb } from "@flotilla/api";
import { after } from "./copy-keys.ts";
import { ALL_KEYS, RPC, type Side } from "./side.ts";

const PAGE_BYTES = 1 << 20;
const PAGE_KEYS_MIN = 16;
const PAGE_KEYS_MAX = 5_000;
const TOLD_MAX = 10;

export interface Comparison {
	readonly keys: number;
	readonly leases: number;
	readonly roles: number;
	readonly users: number;
	readonly differences: number;
	/** The first of them, in words. */
	readonly told: readonly string[];
}

export async function compareSides(
	source: Side,
	target: Side,
	revisions: { readonly source: number; readonly target: number },
	options: { readonly users: boolean },
): Promise<Comparison> {
	const found = new Differences();
	const keys = await compareKeys(pairsOf(source, revisions.source), pairsOf(target, revisions.target), found);
	const leases = await compareLeases(source, target, found);
	const [roles, users] = options.users ? [await compareRoles(source, target, found), await compareUsers(source, target, found)] : [0, 0];
	return { keys, leases, roles, users, differences: found.count, told: found.told };
}

class Differences {
	count = 0;
	readonly told: string[] = [];

	add(text: string): void {
		this.count++;
		if (this.told.length < TOLD_MAX) this.told.push(text);
	}
}

/** In the order of the keys; pages of some 1 MiB, however large the values are. */
async function* pairsOf(side: Side, revision: number): AsyncGenerator<mvccpb.KeyValue, undefined> {
	let from: Uint8Array = ALL_KEYS.key;
	let limit = PAGE_KEYS_MIN;
	for (;;) {
		const { kvs, more } = await side.call(RPC.range, { key: from, rangeEnd: ALL_KEYS.rangeEnd, limit, revision });
		yield* kvs;
		const last = kvs.at(-1);
		if (!more || last === undefined) return;
		from = after(last.key);
		const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
		limit = Math.max(PAGE_KEYS_MIN, Math.min(PAGE_KEYS_MAX, Math.floor((PAGE_BYTES * kvs.length) / Math.max(1, bytes)), 0));
	}
}

async function compareKeys(
	left: AsyncGenerator<mvccpb.KeyValue, undefined>,
	right: AsyncGenerator<mvccpb.KeyValue, undefined>,
	found: Differences,
): Promise<number> {
	let [a, b] = [(await left.next()).value, (await right.next()).value];
	let keys = 0;
	while (a !== undefined || b !== undefined) {
		const order = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.key, b.key);
		if (order < 0) found.add(`key ${shown(a)} is only in the source`);
		else if (order > 0) found.add(`key ${shown(b)} is only in the target`);
		else if (a !== undefined && b !== undefined) {
			keys++;
			if (Buffer.compare(a.value, b.value) !== 0) found.add(`key ${shown(a)} has another value`);
			if (a.lease !== b.lease)
				found.add(`key ${shown(a)} has lease ${a.lease.toString(16)} in the source, ${b.lease.toString(16)} in the target`);
		}
		if (order <= 0) a = (await left.next()).value;
		if (order >= 0) b = (await right.next()).value;
	}
	return keys;
}

async function compareLeases(source: Side, target: Side, found: Differences): Promise<number> {
	const [theirs, ours] = await Promise.all([leaseIds(source), leaseIds(target)]);
	for (const id of theirs) {
		if (!ours.has(id)) {
			found.add(`lease ${id.toString(16)} is only in the source`);
			continue;
		}
		const [a, b] = await Promise.all([source.call(RPC.timeToLive, { ID: id }), target.call(RPC.timeToLive, { ID: id })]);
		if (a.grantedTTL !== b.grantedTTL)
			found.add(`lease ${id.toString(16)} was granted ${a.grantedTTL} s in the source, ${b.grantedTTL} s in the target`);
	}
	for (const id of ours) if (!theirs.has(id)) found.add(`lease ${id.toString(16)} is only in the target`);
	return theirs.size;
}

async function leaseIds(side: Side): Promise<ReadonlySet<bigint>> {
	return new Set((await side.call(RPC.leases, {})).leases.map(({ ID }) => ID));
}

async function compareRoles(source: Side, target: Side, found: Differences): Promise<number> {
	const [theirs, ours] = await Promise.all([source.call(RPC.roleList, {}), target.call(RPC.roleList, {})]);
	compareNames("role", theirs.roles, ours.roles, found);
	for (const role of theirs.roles.filter((name) => name !== "root" && ours.roles.includes(name))) {
		const [a, b] = await Promise.all([source.call(RPC.roleGet, { role }), target.call(RPC.roleGet, { role })]);
		if (describe(a.perm) !== describe(b.perm)) found.add(`role ${role} has other permissions`);
	}
	return theirs.roles.length;
}

async function compareUsers(source: Side, target: Side, found: Differences): Promise<number> {
	const [theirs, ours] = await Promise.all([source.call(RPC.userList, {}), target.call(RPC.userList, {})]);
	compareNames("user", theirs.users, ours.users, found);
	for (const name of theirs.users.filter((user) => ours.users.includes(user))) {
		const [a, b] = await Promise.all([source.call(RPC.userGet, { name }), target.call(RPC.userGet, { name })]);
		if ([...a.roles].sort().join() !== [...b.roles].sort().join()) found.add(`user ${name} has other roles`);
	}
	return theirs.users.length;
}

function compareNames(kind: string, theirs: readonly string[], ours: readonly string[], found: Differences): void {
	for (const name of theirs) if (!ours.includes(name)) found.add(`${kind} ${name} is only in the source`);
	for (const name of ours) if (!theirs.includes(name)) found.add(`${kind} ${name} is only in the target`);
}

function describe(
	permissions: ReadonlyArray<{ readonly permType: number; readonly key: Uint8Array; readonly rangeEnd: Uint8Array }>,
): string {
	const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
	return permissions
		.map(({ permType, key, rangeEnd }) => `${hex(key)} ${hex(rangeEnd)} ${permType}`)
		.sort()
		.join();
}

function shown(pair: mvccpb.KeyValue | undefined): string {
	return JSON.stringify(Buffer.from(pair?.key ?? []).toString("utf8"));
}
