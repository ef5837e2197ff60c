/** Leases on disk: 32 bytes each, little endian: id, granted seconds, milliseconds left at the last checkpoint, birth. */
import { fail, readBigU64, readU64, writeBigU64, writeU64 } from "@flotilla/base";
import { Lease } from "./lease.ts";

const LEASE_BYTES = 32;

/** In ascending order of id, so that equal tables have equal bytes. */
export function encodeLeases(leases: Iterable<Lease>): Uint8Array {
	const sorted = [...leases].sort((a, b) => (a.id < b.id ? -1 : 1));
	const bytes = new Uint8Array(sorted.length * LEASE_BYTES);
	for (const [i, lease] of sorted.entries()) {
		const at = i * LEASE_BYTES;
		writeBigU64(bytes, at, BigInt.asUintN(64, lease.id));
		writeU64(bytes, at + 8, lease.ttl);
		writeU64(bytes, at + 16, lease.remainingMs);
		writeU64(bytes, at + 24, lease.birth);
	}
	return bytes;
}

/** Rows were verified by whoever read them: one that cannot be understood is a bug. */
export function decodeLeases(bytes: Uint8Array): Lease[] {
	if (bytes.length % LEASE_BYTES !== 0) fail("a row of leases holds whole leases", { bytes: bytes.length });
	const leases: Lease[] = [];
	for (let at = 0; at < bytes.length; at += LEASE_BYTES) {
		const id = BigInt.asIntN(64, readBigU64(bytes, at));
		const ttl = readU64(bytes, at + 8);
		const remainingMs = readU64(bytes, at + 16);
		const birth = readU64(bytes, at + 24);
		if (id === 0n || ttl < 1 || remainingMs < 0 || birth < 0) fail("a row of leases holds sound leases", { id, ttl, remainingMs, birth });
		leases.push(new Lease(id, ttl, birth, remainingMs));
	}
	return leases;
}
