import { assert, fail, highHalf, lowHalf } from "@flotilla/base";
import { mix32 } from "../record-sums.ts";
import type { LeaseId } from "../request.ts";
import type { RefusalCode } from "../result.ts";
import { Lease } from "./lease.ts";
import { decodeLeases, encodeLeases } from "./lease-rows.ts";

/** What the key space needs of leases. Keys are in the index's form (one character per byte). */
export interface LeaseAttachments {
	has(lease: LeaseId): boolean;
	attach(lease: LeaseId, key: string): void;
	detach(lease: LeaseId, key: string): void;
}

/** A part of the table as a floor keeps it. */
export interface LeaseRow {
	/** `leases/<hex of the bucket>`. */
	readonly key: string;
	readonly value: Uint8Array;
}

/** Seconds (etcd API 4.1). */
export const LEASE_TTL_MAX = 9_000_000_000;
/** First part of the keys of its rows. */
export const LEASE_ROWS = "leases";

/**
 * So many maps instead of one: none grows so large that growing it holds the loop, a walk over all leases can be cut into
 * slices, and a floor writes only the buckets that changed.
 */
const BUCKETS = 4_096;

const NO_LEASES: readonly Lease[] = [];

interface Bucket {
	readonly leases: Map<LeaseId, Lease>;
	/** Its row; null since it changed. */
	row: LeaseRow | null;
}

/**
 * All leases, and which keys hang on which: replicated, so a pure function of what was applied. Grants, ends and checkpoints come
 * from the log; attachments come with the keys, and are found again in them when a store is rebuilt.
 */
export class LeaseTable implements LeaseAttachments {
	/** Leases that were granted. */
	count = 0;
	/** Each is made for its first lease: a table without leases is made with every store, and costs little. */
	private readonly buckets: Array<Bucket | undefined> = new Array(BUCKETS);
	/** Keys of leases whose rows are not loaded yet: only while a store is rebuilt. */
	private readonly unclaimed = new Map<LeaseId, string[]>();
	private sum = 0;
	private sum2 = 0;

	/** For walks in slices, and for those who keep something beside each lease. */
	static readonly bucketCount = BUCKETS;

	static bucketOf(id: LeaseId): number {
		return mix32(lowHalf(id) ^ Math.imul(highHalf(id), 0x9e3779b1)) & (BUCKETS - 1);
	}

	get(id: LeaseId): Lease | undefined {
		return this.buckets[LeaseTable.bucketOf(id)]?.leases.get(id);
	}

	has(id: LeaseId): boolean {
		return this.get(id) !== undefined;
	}

	/** `ttl` in seconds, raised to the least one by whoever took the request: that depends on a flag. `birth` rises from call to call. */
	grant(id: LeaseId, ttl: number, birth: number): Lease | RefusalCode {
		if (id === 0n) return "leaseNotFound";
		if (ttl > LEASE_TTL_MAX) return "leaseTtlTooLarge";
		if (this.has(id)) return "leaseExists";
		assert(ttl >= 1, "a lease lives for a second at least");
		const lease = new Lease(id, ttl, birth, 0);
		this.add(lease);
		return lease;
	}

	/** A lease whose keys are gone. */
	remove(lease: Lease): void {
		assert(lease.keyCount === 0, "the keys of a lease go before it does");
		const bucket = this.bucket(lease.id);
		assert(bucket.leases.delete(lease.id), "a lease that ends is in the table");
		bucket.row = null;
		this.count--;
		this.addSums(lease, -1);
	}

	/** Notes what is left of its time; 0: it was renewed, and begins anew with its whole TTL wherever its clock starts next. */
	checkpoint(lease: Lease, remainingMs: number): void {
		if (remainingMs === lease.remainingMs) return;
		this.addSums(lease, -1);
		lease.remainingMs = remainingMs;
		this.addSums(lease, 1);
		this.bucket(lease.id).row = null;
	}

	attach(id: LeaseId, key: string): void {
		const lease = this.get(id);
		assert(lease !== undefined, "a key is attached to a lease that exists");
		lease.attach(key);
	}

	detach(id: LeaseId, key: string): void {
		const lease = this.get(id);
		assert(lease !== undefined, "a key is detached from a lease that exists");
		lease.detach(key);
	}

	/** While a store is rebuilt: its records are read before the rows are understood. */
	reclaim(id: LeaseId, key: string): void {
		const keys = this.unclaimed.get(id);
		if (keys === undefined) this.unclaimed.set(id, [key]);
		else keys.push(key);
	}

	/** The leases of one row, into a table that does not have them; the keys that the rebuild found come to them. */
	load(row: Uint8Array): void {
		for (const lease of decodeLeases(row)) {
			if (this.has(lease.id)) fail("a lease is in one row", { lease: lease.id });
			this.add(lease);
			for (const key of this.unclaimed.get(lease.id) ?? []) lease.attach(key);
			this.unclaimed.delete(lease.id);
		}
	}

	/** All rows are loaded. */
	loaded(): void {
		for (const [lease, keys] of this.unclaimed) fail("a key hangs on a lease that exists", { lease, keys: keys.length });
	}

	/** All rows, in ascending order of key. Unchanged ones are the same objects as before. */
	rows(): LeaseRow[] {
		const rows: LeaseRow[] = [];
		for (let number = 0; this.count > 0 && number < BUCKETS; number++) {
			const bucket = this.buckets[number];
			if (bucket === undefined || bucket.leases.size === 0) continue;
			bucket.row ??= { key: `${LEASE_ROWS}/${number.toString(16).padStart(3, "0")}`, value: encodeLeases(bucket.leases.values()) };
			rows.push(bucket.row);
		}
		return rows;
	}

	/** The leases of one bucket, of `bucketCount`. */
	bucketLeases(number: number): Iterable<Lease> {
		return this.buckets[number]?.leases.values() ?? NO_LEASES;
	}

	ids(): LeaseId[] {
		const ids: LeaseId[] = [];
		for (const bucket of this.buckets) for (const id of bucket?.leases.keys() ?? []) ids.push(id);
		return ids;
	}

	/** Running digest; attachments are covered by the records of the keys. */
	digest(): number {
		return mix32(this.sum ^ mix32(this.sum2 ^ Math.imul(this.count, 0x9e3779b1)));
	}

	private add(lease: Lease): void {
		const bucket = this.bucket(lease.id);
		bucket.leases.set(lease.id, lease);
		bucket.row = null;
		this.count++;
		this.addSums(lease, 1);
	}

	private addSums(lease: Lease, sign: 1 | -1): void {
		let mixed = Number(BigInt.asUintN(32, lease.id));
		for (const word of [
			Number(BigInt.asUintN(32, lease.id >> 32n)),
			...words(lease.ttl),
			...words(lease.remainingMs),
			...words(lease.birth),
		]) {
			mixed = mix32(Math.imul(mixed, 0x85ebca6b) ^ word);
		}
		this.sum = (this.sum + sign * mixed) >>> 0;
		this.sum2 = (this.sum2 + sign * mix32(mixed ^ 0x9e3779b1)) >>> 0;
	}

	private bucket(id: LeaseId): Bucket {
		const number = LeaseTable.bucketOf(id);
		const bucket = this.buckets[number] ?? { leases: new Map<LeaseId, Lease>(), row: null };
		this.buckets[number] = bucket;
		return bucket;
	}
}

function words(value: number): [low: number, high: number] {
	return [value % 0x1_0000_0000, Math.floor(value / 0x1_0000_0000)];
}
