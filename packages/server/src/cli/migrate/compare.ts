/** What two clusters hold, side by side: keys and values at one revision each, leases, roles and users. */
import type { mvccpb } from "@flotilla/api";
import { each } from "./at-once.ts";
import { describePermissions, ROOT, readDirectory } from "./directory.ts";
import { grantedAt } from "./lease-mirror.ts";
import { leaseName } from "./lease-name.ts";
import { type Pages, pairsOf } from "./pages.ts";
import { RPC } from "./rpc.ts";
import type { Side } from "./side.ts";

const TOLD_MAX = 10;

export interface Comparison {
	readonly keys: number;
	readonly leases: number;
	readonly roles: number;
	readonly users: number;
	/** Leases to which the target gave more time than they have in the source: it has a least one. */
	readonly longer: number;
	readonly differences: number;
	/** The first of them, in words. */
	readonly told: readonly string[];
}

export interface CompareOptions {
	readonly users: boolean;
	/** Users that the target had by itself. */
	readonly ownUsers: ReadonlySet<string>;
	/** Whether a lease lives on at the target although the source has none: it ran out there after what is compared. */
	readonly livesOn: (lease: bigint) => boolean;
	readonly progress: (keys: number) => void;
}

export async function compareSides(
	source: Side,
	target: Side,
	revisions: { readonly source: number; readonly target: number },
	{ users: withUsers, ownUsers, livesOn, progress }: CompareOptions,
): Promise<Comparison> {
	const found = new Differences();
	const keys = await compareKeys(pairsOf(source, revisions.source), pairsOf(target, revisions.target), found, progress);
	const leases = await compareLeases(source, target, livesOn, found);
	const [roles, users] = withUsers ? await compareDirectories(source, target, ownUsers, found) : [0, 0];
	return { keys, ...leases, roles, users, differences: found.count, told: found.told };
}

class Differences {
	count = 0;
	readonly told: string[] = [];

	add(text: string): void {
		this.count++;
		if (this.told.length < TOLD_MAX) this.told.push(text);
	}
}

async function compareKeys(left: Pages, right: Pages, found: Differences, progress: (keys: number) => void): Promise<number> {
	const [theirs, ours] = [new Reader(left), new Reader(right)];
	let keys = 0;
	for (;;) {
		// Only at the end of a page is anybody waited for.
		const a = theirs.head ?? (await theirs.fill());
		const b = ours.head ?? (await ours.fill());
		if (a === undefined && b === undefined) return keys;
		const order = a === undefined ? 1 : b === undefined ? -1 : Buffer.compare(a.key, b.key);
		if (order < 0) found.add(`key ${shown(a)} is only in the source`);
		else if (order > 0) found.add(`key ${shown(b)} is only in the target`);
		else if (a !== undefined && b !== undefined) {
			progress(++keys);
			if (Buffer.compare(a.value, b.value) !== 0) found.add(`key ${shown(a)} has another value`);
			if (a.lease !== b.lease)
				found.add(`key ${shown(a)} has lease ${leaseName(a.lease)} in the source, ${leaseName(b.lease)} in the target`);
		}
		if (order <= 0) theirs.at++;
		if (order >= 0) ours.at++;
	}
}

class Reader {
	at = 0;
	private page: readonly mvccpb.KeyValue[] = [];
	private readonly pages: Pages;

	constructor(pages: Pages) {
		this.pages = pages;
	}

	get head(): mvccpb.KeyValue | undefined {
		return this.page[this.at];
	}

	/** The first of the next page that is not empty; undefined at the end. */
	async fill(): Promise<mvccpb.KeyValue | undefined> {
		while (this.head === undefined) {
			const { value, done } = await this.pages.next();
			if (done === true) return undefined;
			this.page = value;
			this.at = 0;
		}
		return this.head;
	}
}

async function compareLeases(
	source: Side,
	target: Side,
	livesOn: (lease: bigint) => boolean,
	found: Differences,
): Promise<{ leases: number; longer: number }> {
	const [theirs, ours] = await Promise.all([leaseIds(source), leaseIds(target)]);
	let longer = 0;
	const granted = new Map<bigint, readonly [there: number | null, here: number | null]>();
	const doubtful = [...theirs, ...[...ours].filter((id) => !theirs.has(id) && !livesOn(id))];
	await each(doubtful, async (id) => void granted.set(id, await Promise.all([grantedAt(source, id), grantedAt(target, id)])));
	for (const id of doubtful) {
		const [there, here] = granted.get(id) ?? [null, null];
		const name = `lease ${leaseName(id)}`;
		if (there === null) {
			// It may have ended since the list was made, and live on.
			if (here !== null && !livesOn(id)) found.add(`${name} is only in the target`);
		} else if (here === null) found.add(`${name} is only in the source`);
		else if (here < there) found.add(`${name} was granted ${there} s in the source, ${here} s in the target`);
		else if (here > there) longer++;
	}
	return { leases: theirs.size, longer };
}

async function leaseIds(side: Side): Promise<ReadonlySet<bigint>> {
	return new Set((await side.call(RPC.leases, {})).leases.map(({ ID }) => ID));
}

async function compareDirectories(
	source: Side,
	target: Side,
	ownUsers: ReadonlySet<string>,
	found: Differences,
): Promise<[roles: number, users: number]> {
	const [theirs, ours] = [await readDirectory(source), await readDirectory(target)];
	// The role root is there whether or not somebody has made it.
	compareNames("role", theirs.roles, ours.roles, new Set([ROOT]), found);
	for (const [role, permissions] of theirs.roles) {
		const present = ours.roles.get(role);
		if (present !== undefined && describePermissions(permissions) !== describePermissions(present)) {
			found.add(`role ${role} has other permissions`);
		}
	}
	compareNames("user", theirs.users, ours.users, ownUsers, found);
	for (const [name, roles] of theirs.users) {
		const present = ours.users.get(name);
		if (present !== undefined && roles.join() !== present.join()) found.add(`user ${name} has other roles`);
	}
	return [theirs.roles.size, theirs.users.size];
}

function compareNames(
	kind: string,
	theirs: ReadonlyMap<string, unknown>,
	ours: ReadonlyMap<string, unknown>,
	spared: ReadonlySet<string>,
	found: Differences,
): void {
	for (const name of theirs.keys()) if (!ours.has(name)) found.add(`${kind} ${name} is only in the source`);
	for (const name of ours.keys()) if (!theirs.has(name) && !spared.has(name)) found.add(`${kind} ${name} is only in the target`);
}

function shown(pair: mvccpb.KeyValue | undefined): string {
	return JSON.stringify(Buffer.from(pair?.key ?? []).toString("utf8"));
}
