/**
 * What clients were told of one lease, held against its promises (faults 7.4). Times are the recorder's, in microseconds. Of attempts
 * without an answer only those are kept that may have changed something.
 */
import { type OwnedPut, type Owner, soonestEnd } from "./owned-keys.ts";

/** Keys are those that hang on the lease and that nobody else touches. */
export type LeaseRecord =
	| { readonly kind: "granted"; readonly invoked: number; readonly returned: number; readonly ttl: number }
	| { readonly kind: "renewed"; readonly invoked: number; readonly returned: number; readonly ttl: number }
	| { readonly kind: "looked"; readonly invoked: number; readonly returned: number; readonly grantedTtl: number; readonly ttl: number }
	| { readonly kind: "attached"; readonly invoked: number; readonly returned: number; readonly key: string; readonly revision: number }
	/** A key was not attached, since the lease is not there. */
	| { readonly kind: "refused"; readonly invoked: number; readonly returned: number; readonly key: string }
	/** A key may have been attached. */
	| { readonly kind: "tried"; readonly invoked: number; readonly returned: null; readonly key: string }
	| { readonly kind: "read"; readonly invoked: number; readonly returned: number; readonly key: string; readonly present: boolean }
	| { readonly kind: "revoked"; readonly invoked: number; readonly returned: number | null };

export interface LeaseBreach {
	readonly check: "notEarly" | "deadIsDead" | "timeLeft" | "notLate";
	readonly text: string;
}

/** One lease as its holder knows it. */
export interface LeaseHistory {
	readonly records: readonly LeaseRecord[];
}

/** Beyond its time, when nothing is wrong any more: an election, a checkpoint's rest, and a machine that does much else. */
const LATE_US = 20_000_000;

/** Its keys hold its number; only its holder writes them, each once. */
export function ownerOf(id: bigint, { records }: LeaseHistory): Owner {
	const puts = records.flatMap((record): OwnedPut[] => {
		if (record.kind !== "attached" && record.kind !== "tried") return [];
		const { key, invoked } = record;
		return [{ key, value: `${id}`, invoked, revision: record.kind === "attached" ? record.revision : null }];
	});
	return {
		...{ name: `lease ${id}`, puts, spans: records.filter((record) => record.kind === "granted" || record.kind === "renewed") },
		letGoFrom: Math.min(...records.map((record) => (record.kind === "revoked" ? record.invoked : Number.POSITIVE_INFINITY))),
		aliveAt: Math.max(0, ...records.map((record) => (saysAlive(record) ? record.invoked : 0))),
	};
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
			if (ttl === 0 || end.returned >= soonestEnd({ invoked: life.invoked, ttl })) continue;
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

function saysDead(record: LeaseRecord, records: readonly LeaseRecord[]): boolean {
	switch (record.kind) {
		case "renewed":
			return record.ttl === 0;
		case "looked":
			return record.grantedTtl === 0;
		case "refused":
			return true;
		case "read":
			return !record.present && records.some((put) => put.kind === "attached" && put.key === record.key && put.returned < record.invoked);
		case "attached":
		case "tried":
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
			return true;
		case "read":
			return record.present;
		case "refused":
		case "tried":
		case "granted":
		case "revoked":
			return false;
	}
}

function describe(record: LeaseRecord): string {
	return JSON.stringify(record);
}
