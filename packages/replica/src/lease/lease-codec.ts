/**
 * Payloads of the lease commands, little endian. Ends and checkpoints are the leader's own: they carry its term, and the birth
 * of each lease, so that neither meets another lease that got the same id meanwhile (decisions 5.1, L5).
 *
 *   grant        id u64, seconds u64
 *   revoke       id u64
 *   ends         term u64, then (id u64, birth u64) each
 *   checkpoints  term u64, then (id u64, birth u64, milliseconds left u64) each; 0: renewed since, all of its time is left
 */
import { readBigU64, readU64, writeBigU64, writeU64 } from "@flotilla/base";
import type { LeaseId } from "@flotilla/mvcc";

export interface LeaseGrant {
	readonly id: LeaseId;
	/** Seconds, as they are to be granted. */
	readonly ttl: number;
}

export interface LeaseName {
	readonly id: LeaseId;
	readonly birth: number;
}

export interface LeaseMark extends LeaseName {
	readonly remainingMs: number;
}

/** What a leader says of some leases, valid in its term alone. */
export interface LeaderSaying<T> {
	readonly term: number;
	readonly leases: readonly T[];
}

const HEAD_BYTES = 8;
const NAME_BYTES = 16;
const MARK_BYTES = 24;

export function encodeLeaseGrant({ id, ttl }: LeaseGrant): Uint8Array {
	const bytes = new Uint8Array(16);
	writeId(bytes, 0, id);
	writeU64(bytes, 8, ttl);
	return bytes;
}

export function decodeLeaseGrant(bytes: Uint8Array): LeaseGrant | null {
	if (bytes.length !== 16) return null;
	const ttl = readU64(bytes, 8);
	return ttl < 1 ? null : { id: readId(bytes, 0), ttl };
}

export function encodeLeaseRevoke(id: LeaseId): Uint8Array {
	const bytes = new Uint8Array(8);
	writeId(bytes, 0, id);
	return bytes;
}

export function decodeLeaseRevoke(bytes: Uint8Array): LeaseId | null {
	return bytes.length === 8 ? readId(bytes, 0) : null;
}

export function encodeLeaseEnds({ term, leases }: LeaderSaying<LeaseName>): Uint8Array {
	const bytes = new Uint8Array(HEAD_BYTES + leases.length * NAME_BYTES);
	writeU64(bytes, 0, term);
	for (const [i, lease] of leases.entries()) writeName(bytes, HEAD_BYTES + i * NAME_BYTES, lease);
	return bytes;
}

export function decodeLeaseEnds(bytes: Uint8Array): LeaderSaying<LeaseName> | null {
	if (bytes.length < HEAD_BYTES || (bytes.length - HEAD_BYTES) % NAME_BYTES !== 0) return null;
	const leases: LeaseName[] = [];
	for (let at = HEAD_BYTES; at < bytes.length; at += NAME_BYTES) leases.push(readName(bytes, at));
	return { term: readU64(bytes, 0), leases };
}

export function encodeLeaseCheckpoints({ term, leases }: LeaderSaying<LeaseMark>): Uint8Array {
	const bytes = new Uint8Array(HEAD_BYTES + leases.length * MARK_BYTES);
	writeU64(bytes, 0, term);
	for (const [i, lease] of leases.entries()) {
		const at = HEAD_BYTES + i * MARK_BYTES;
		writeName(bytes, at, lease);
		writeU64(bytes, at + NAME_BYTES, lease.remainingMs);
	}
	return bytes;
}

export function decodeLeaseCheckpoints(bytes: Uint8Array): LeaderSaying<LeaseMark> | null {
	if (bytes.length < HEAD_BYTES || (bytes.length - HEAD_BYTES) % MARK_BYTES !== 0) return null;
	const leases: LeaseMark[] = [];
	for (let at = HEAD_BYTES; at < bytes.length; at += MARK_BYTES) {
		const remainingMs = readU64(bytes, at + NAME_BYTES);
		if (remainingMs < 0) return null;
		leases.push({ ...readName(bytes, at), remainingMs });
	}
	return { term: readU64(bytes, 0), leases };
}

function writeName(bytes: Uint8Array, at: number, { id, birth }: LeaseName): void {
	writeId(bytes, at, id);
	writeU64(bytes, at + 8, birth);
}

function readName(bytes: Uint8Array, at: number): LeaseName {
	return { id: readId(bytes, at), birth: readU64(bytes, at + 8) };
}

function writeId(bytes: Uint8Array, at: number, id: LeaseId): void {
	writeBigU64(bytes, at, BigInt.asUintN(64, id));
}

function readId(bytes: Uint8Array, at: number): LeaseId {
	return BigInt.asIntN(64, readBigU64(bytes, at));
}
