/**
 * What clients were told of one lease, held against its promises (faults 7.4). Times are the recorder's. Of attempts without an
 * answer only those are kept that may have ended the lease.
 */
import type { Change } from "./operation.ts";

/** Keys are those that hang on the lease and that nobody else touches. */
export type LeaseRecord =
	| { readonly kind: "granted"; readonly invoked: number; readonly returned: number; readonly ttl: number }
	| { readonly kind: "renewed"; readonly invoked: number; readonly returned: number; readonly ttl: number }
	| { readonly kind: "looked"; readonly invoked: number; readonly returned: number; readonly grantedTtl: number; readonly ttl: number }
	| { readonly kind: "attached"; readonly invoked: number; readonly returned: number; readonly key: string; readonly ok: boolean }
	| { readonly kind: "read"; readonly invoked: number; readonly returned: number; readonly key: string; readonly present: boolean }
	| { readonly kind: "revoked"; readonly invoked: number; readonly returned: number | null };

export interface LeaseBreach {
	readonly check: "notEarly" | "deadIsDead" | "timeLeft" | "whole" | "notLate";
	readonly text: string;
}

/** One lease as its holder knows it. */
export interface LeaseHistory {
	readonly records: readonly LeaseRecord[];
	/** All that it tried to attach. */
	readonly keys: ReadonlySet<string>;
	/** Every put had an answer. */
	readonly certain: boolean;
}

/** Seconds to microseconds, shorter by what a leader's clock may run too fast (per mille) and by a few ticks. */
const DRIFT_PER_MILLE = 110;
const TICKS_US = 50_000;
/** Beyond its time, when nothing is wrong any more: an election, a checkpoint's rest, and a machine that does much else. */
const LATE_US = 20_000_000;

/** All leases of a run. `prefix`: that of all their keys, and of no others. */
export function* checkLeases(
	prefix: string,
	leases: ReadonlyMap<bigint, LeaseHistory>,
	changes: ReadonlyMap<number, readonly Change[]>,
): Generator<LeaseBreach> {
	for (const [id, { records }] of leases) yield* checkLease(id, records);
	yield* whole(prefix, leases, changes);
}

/** G2: nobody broke anything from `calmUs` on, so a lease that is not renewed is gone soon after its time. */
export function* checkLate(leases: ReadonlyMap<bigint, LeaseHistory>, calmUs: number): Generator<LeaseBreach> {
	for (const [id, { records }] of leases) {
		const lives = records.flatMap((record) => (record.kind === "granted" || record.kind === "renewed" ? [record] : []));
		const untilUs = Math.max(calmUs, ...lives.map(({ returned }) => returned)) + Math.max(0, ...lives.map(({ ttl }) => ttl)) * 1_000_000;
		const late = records.find((record) => record.kind !== "renewed" && record.invoked > untilUs + LATE_US && saysAlive(record));
		if (late !== undefined) yield { check: "notLate", text: `lease ${id} ran out, but ${describe(late)}` };
	}
}

export function checkLease(id: bigint, records: readonly LeaseRecord[]): LeaseBreach[] {
	return [...timeLeft(id, records), ...notEarly(id, records), ...deadIsDead(id, records)];
}

function* timeLeft(id: bigint, records: readonly LeaseRecord[]): Generator<LeaseBreach> {
	for (const record of records) {
		if (record.kind !== "looked" || record.grantedTtl === 0) continue;
		if (record.ttl < 0 || record.ttl > record.grantedTtl) yield { check: "timeLeft", text: `lease ${id}: ${describe(record)}` };
	}
}

/** G1: however the client hears of its end, that is not before the last answered renewal has run out. */
function* notEarly(id: bigint, records: readonly LeaseRecord[]): Generator<LeaseBreach> {
	const revokedFrom = Math.min(...records.map((record) => (record.kind === "revoked" ? record.invoked : Number.POSITIVE_INFINITY)));
	for (const end of records) {
		if (!saysDead(end, records) || end.returned === null || end.returned >= revokedFrom) continue;
		for (const life of records) {
			const ttl = life.kind === "granted" || life.kind === "renewed" ? life.ttl : 0;
			const untilUs = life.invoked + (ttl * 1_000_000 * 1_000) / (1_000 + DRIFT_PER_MILLE) - TICKS_US;
			if (ttl === 0 || end.returned >= untilUs) continue;
			yield { check: "notEarly", text: `lease ${id}: ${describe(life)}, but ${describe(end)}` };
			return;
		}
	}
}

/** G4: once dead, a lease is not heard of again, and neither are its keys. */
function* deadIsDead(id: bigint, records: readonly LeaseRecord[]): Generator<LeaseBreach> {
	let deadFrom = Number.POSITIVE_INFINITY;
	let death: LeaseRecord | null = null;
	for (const record of records) {
		const ended = record.kind === "revoked" ? record.returned : saysDead(record, records) ? record.returned : null;
		if (ended === null || ended >= deadFrom) continue;
		deadFrom = ended;
		death = record;
	}
	for (const record of records) {
		if (record.invoked <= deadFrom || !saysAlive(record) || death === null) continue;
		yield { check: "deadIsDead", text: `lease ${id}: ${describe(death)}, but later ${describe(record)}` };
		return;
	}
}

/** G3: with a lease all of its keys go, in order, in one revision, and nothing else goes with them. */
function* whole(
	prefix: string,
	leases: ReadonlyMap<bigint, LeaseHistory>,
	changes: ReadonlyMap<number, readonly Change[]>,
): Generator<LeaseBreach> {
	const leaseOf = new Map([...leases.values()].flatMap((lease) => [...lease.keys].map((key) => [key, lease] as const)));
	for (const [revision, group] of changes) {
		const gone = group.filter(({ key, value }) => key.startsWith(prefix) && value === null);
		const [first] = gone;
		if (first === undefined) continue;
		const lease = leaseOf.get(first.key);
		const keys = gone.map(({ key }) => key);
		const attached = lease?.records.flatMap((record) => (record.kind === "attached" && record.ok ? [record.key] : [])) ?? [];
		const missing = attached.filter((key) => !keys.includes(key));
		const ordered = keys.every((key, at) => at === 0 || (keys[at - 1] as string) < key);
		const alone = gone.length === group.length && keys.every((key) => leaseOf.get(key) === lease);
		// A put without an answer may have come before the end or after it.
		const told = lease?.certain === true ? missing.length === 0 : true;
		if (lease === undefined || !ordered || !alone || !told) {
			yield {
				check: "whole",
				text: `revision ${revision} deletes ${keys.join(" ")} of ${group.length} changes; attached were ${attached.join(" ")}`,
			};
		}
	}
}

function saysDead(record: LeaseRecord, records: readonly LeaseRecord[]): boolean {
	switch (record.kind) {
		case "renewed":
			return record.ttl === 0;
		case "looked":
			return record.grantedTtl === 0;
		case "attached":
			return !record.ok;
		case "read":
			return (
				!record.present &&
				records.some((put) => put.kind === "attached" && put.ok && put.key === record.key && put.returned < record.invoked)
			);
		case "granted":
		case "revoked":
			return false;
	}
}

function saysAlive(record: LeaseRecord): boolean {
	switch (record.kind) {
		case "renewed":
			return record.ttl > 0;
		case "looked":
			return record.grantedTtl > 0;
		case "attached":
			return record.ok;
		case "read":
			return record.present;
		case "granted":
		case "revoked":
			return false;
	}
}

function describe(record: LeaseRecord): string {
	return JSON.stringify(record);
}
