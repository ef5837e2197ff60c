/** Leases of the store beside a naive twin: a list of leases, and for each key the lease of its newest pair. */
import { Dice, portableBytes } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { LEASE_TTL_MAX, LeaseTable, type MvccStore, StoreRebuild, wholly } from "../src/index.ts";
import { MemoryStorage } from "../src/memory-storage.ts";
import { del, op, put, txn } from "./requests.ts";
import { storeOf, type Workplace, workplace } from "./store-of.ts";

const IDS = [1n, -1n, 7n, 0x7fff_ffff_ffff_ffffn, -0x8000_0000_0000_0000n, 0x1_0000_0001n];
const KEYS = ["a", "a\0", "b", "b\xff", "c", "\xff"];

class NaiveLeases {
	readonly leases = new Map<bigint, { readonly ttl: number; readonly birth: number; remainingMs: number }>();
	/** Of every key that is there; 0: none. */
	readonly keys = new Map<string, bigint>();

	keysOf(id: bigint): string[] {
		return [...this.keys]
			.filter(([, lease]) => lease === id)
			.map(([key]) => key)
			.sort();
	}
}

function portrait(store: MvccStore, ids: readonly bigint[]): unknown {
	return ids.map((id) => {
		const lease = store.leases.get(id);
		return (
			lease && { id, ttl: lease.ttl, birth: lease.birth, remainingMs: lease.remainingMs, keys: lease.keys(), keyCount: lease.keyCount }
		);
	});
}

function twinPortrait(twin: NaiveLeases): unknown {
	return IDS.map((id) => {
		const lease = twin.leases.get(id);
		const keys = twin.keysOf(id);
		return lease && { id, ...lease, keys, keyCount: keys.length };
	});
}

/** The store as a restart makes it: records, and the rows of a floor. */
function restarted(place: Workplace): Workplace {
	place.settle();
	const rows = place.store.leases.rows();
	const mark = place.floor();
	const storage = new MemoryStorage();
	storage.write({ seq: 0, puts: place.storage.all(), deletes: [], bytes: 0 });
	const leases = new LeaseTable();
	const rebuild = new StoreRebuild(mark, { keepEvents: true, valueCacheBytes: 0 }, storage, portableBytes, leases);
	for (const { key, value } of storage.all()) expect(rebuild.record(key, value)).toBe(null);
	const finished = wholly(rebuild.finish());
	if (!finished.ok) throw new Error(finished.reason);
	for (const { value } of rows) leases.load(value);
	leases.loaded();
	return workplace(finished.store as MvccStore, storage);
}

describe("leases are what the naive twin says, through restarts and compactions", () => {
	for (let run = 0; run < 25; run++) {
		const seed = `leases-${run}`;
		test(`seed ${seed}`, () => {
			const dice = new Dice(seed);
			const twin = new NaiveLeases();
			let place = storeOf();
			let birth = 0;
			for (let step = 0; step < 400; step++) {
				const { store } = place;
				const id = dice.pick(IDS);
				const key = dice.pick(KEYS);
				const known = twin.leases.get(id);
				const revision = store.revision;
				switch (dice.range(0, 8)) {
					case 0: {
						const ttl = dice.pick([2, 60, LEASE_TTL_MAX]);
						const granted = store.leases.grant(id, ttl, ++birth);
						expect(typeof granted === "string" ? granted : granted.ttl, seed).toBe(known === undefined ? ttl : "leaseExists");
						if (known === undefined) twin.leases.set(id, { ttl, birth, remainingMs: 0 });
						break;
					}
					case 1: {
						const keys = twin.keysOf(id);
						store.takeEvents();
						const ended = store.endLease(id);
						if (known === undefined) {
							expect(ended, seed).toEqual({ ok: false, code: "leaseNotFound" });
							break;
						}
						expect(ended, seed).toEqual({ ok: true, revision: revision + (keys.length > 0 ? 1 : 0), deleted: keys.length });
						const groups = store.takeEvents().map((group) => group.events?.map((event) => [event.type, event.key, event.sub]));
						expect(groups, seed).toEqual(keys.length === 0 ? [] : [keys.map((each, sub) => ["delete", each, sub])]);
						twin.leases.delete(id);
						for (const each of keys) twin.keys.delete(each);
						break;
					}
					case 2: {
						const lease = store.leases.get(id);
						if (lease === undefined || known === undefined) break;
						known.remainingMs = dice.pick([0, 1, 1_500, 9_000_000_000_000]);
						store.leases.checkpoint(lease, known.remainingMs);
						break;
					}
					case 3:
						store.deleteRange(del(key));
						twin.keys.delete(key);
						break;
					case 4: {
						// Only the branch that runs may refuse, and then nothing of it is done.
						const request = txn({
							success: [op.put(put(key, "t", { lease: id })), op.del(del(`${key}x`))],
							failure: [op.put(put("b", "f", { lease: 99n }))],
						});
						expect(store.txn(request).ok, seed).toBe(known !== undefined);
						if (known !== undefined) twin.keys.set(key, id);
						break;
					}
					case 5:
						place.settle();
						store.compact(store.revision);
						break;
					case 6:
						if (dice.chance(1, 4)) {
							const digest = store.digest();
							place = restarted(place);
							expect(place.store.digest(), seed).toBe(digest);
						}
						break;
					default: {
						const ignoreLease = dice.chance(1, 4);
						const lease = ignoreLease || dice.chance(1, 3) ? 0n : id;
						const result = store.put(put(key, `${step}`, { lease, ignoreLease }));
						const missing = ignoreLease && !twin.keys.has(key) ? "keyNotFound" : null;
						const refusal = lease !== 0n && known === undefined ? "leaseNotFound" : missing;
						expect(result.ok ? null : result.code, seed).toBe(refusal);
						if (refusal === null && !ignoreLease) twin.keys.set(key, lease);
					}
				}
				expect(portrait(place.store, IDS), `${seed}, step ${step}`).toEqual(twinPortrait(twin));
			}
		});
	}
});

test("ids are 64 bits, and what cannot be granted is refused in etcd's order", () => {
	const { leases } = storeOf().store;
	expect(leases.grant(0n, LEASE_TTL_MAX + 1, 1)).toBe("leaseNotFound");
	expect(leases.grant(5n, LEASE_TTL_MAX, 1)).toMatchObject({ id: 5n, ttl: 9_000_000_000 });
	expect(leases.grant(5n, LEASE_TTL_MAX + 1, 2), "the length is looked at before the id").toBe("leaseTtlTooLarge");
	expect(leases.grant(5n, 10, 2)).toBe("leaseExists");
	expect(leases.grant(-5n, 10, 3)).toMatchObject({ id: -5n });
	expect(leases.grant(5n + (1n << 32n), 10, 4)).toMatchObject({ id: 5n + (1n << 32n) });
	expect(new Set(leases.ids())).toEqual(new Set([-5n, 5n, 5n + (1n << 32n)]));
});

test("a key that was deleted and made again without a lease outlives it", () => {
	const { store } = storeOf();
	store.leases.grant(7n, 60, 1);
	store.put(put("a", "1", { lease: 7n }));
	store.put(put("b", "1", { lease: 7n }));
	store.deleteRange(del("a"));
	store.put(put("a", "2"));
	expect(store.endLease(7n)).toEqual({ ok: true, revision: 6, deleted: 1 });
	expect(store.keyCount).toBe(1);
});

test("a floor writes again only the rows that changed, and equal tables have equal rows and digests", () => {
	const ids = Array.from({ length: 500 }, (_, i) => BigInt(i + 1) * 0x9e37_79b9n);
	const table = new LeaseTable();
	for (const id of ids) table.grant(id, 60, Number(id));
	const other = new LeaseTable();
	for (const id of [...ids].reverse()) other.grant(id, 60, Number(id));
	expect(other.rows()).toEqual(table.rows());
	expect(other.digest()).toBe(table.digest());
	const before = new Set(table.rows());
	const lease = table.get(ids[42] as bigint);
	if (lease !== undefined) table.checkpoint(lease, 1_000);
	expect(table.rows().filter((row) => !before.has(row))).toHaveLength(1);
	expect(table.digest()).not.toBe(other.digest());
});
