/** Crashes at a floor: the store that is made again from the records is the one that was. */
import { Dice, portableBytes } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import {
	decodeRecordKey,
	encodeRecordKey,
	LeaseTable,
	MemoryStorage,
	type MvccStore,
	type RecordBatch,
	type Restored,
	type StoredRecord,
	type StoreMark,
	StoreRebuild,
} from "../src/index.ts";
import { rangeOutcome } from "./outcome.ts";
import { LEASES, RandomRequests } from "./random-requests.ts";
import { del, put, range } from "./requests.ts";
import { finish, leasesOf, storeOf, type Workplace, workplace } from "./store-of.ts";

const options = { keepEvents: true, valueCacheBytes: 0 };

type Change = (store: MvccStore) => void;

/** Changes that depend on the seed alone. */
function drawChange(requests: RandomRequests, dice: Dice): Change {
	switch (dice.range(0, 6)) {
		case 0: {
			const request = requests.del();
			return (store) => void store.deleteRange(request);
		}
		case 1: {
			const request = requests.txn();
			return (store) => void store.txn(request);
		}
		case 2: {
			const share = dice.range(0, 10);
			return (store) =>
				void store.compact(Math.max(store.compactRevision, 0) + Math.ceil(((store.revision - store.compactRevision) * share) / 10));
		}
		default: {
			const request = requests.put();
			return (store) => void store.put(request);
		}
	}
}

function rebuild(mark: StoreMark, records: readonly StoredRecord[], storage: MemoryStorage): Restored {
	const leases = new LeaseTable();
	const restore = new StoreRebuild(mark, options, storage, portableBytes, leases);
	for (const { key, value } of records) {
		const fault = restore.record(key, value);
		if (fault !== null) return { ok: false, reason: fault };
	}
	const finished = finish(restore.finish());
	for (const { value } of leasesOf(LEASES).rows()) leases.load(value);
	if (finished.ok) leases.loaded();
	return finished;
}

/** Everything that can be asked of a store. */
function portrait(store: MvccStore): unknown {
	const states = [];
	for (let revision = Math.max(store.compactRevision, 1); revision <= store.revision; revision++) {
		states.push(rangeOutcome(store.range(range("\0", { rangeEnd: "\0", revision }))));
	}
	const { revision, compactRevision, keyCount, logicalBytes } = store;
	const { hash } = finish(store.hashKv(0));
	return { revision, compactRevision, keyCount, logicalBytes, digest: store.digest(), hash, states };
}

/** A member whose disk loses what no floor covers: any subset of the batches since the last one. */
class Member {
	place: Workplace;
	readonly dice: Dice;
	private readonly changes: Change[] = [];
	/** What the last floor covers, and the batches since. */
	private durable = new MemoryStorage();
	private since: RecordBatch[] = [];
	private mark: StoreMark;
	private markedChanges = 0;

	constructor(dice: Dice) {
		this.dice = dice;
		this.place = storeOf(dice.pick([0, 300]), leasesOf(LEASES));
		this.mark = this.place.store.mark();
		this.place.store.floorWritten();
	}

	apply(change: Change): void {
		this.changes.push(change);
		change(this.place.store);
		if (this.dice.chance(1, 2)) this.flush();
		if (this.dice.chance(1, 2)) this.place.store.compactionStep(this.dice.range(1, 10));
	}

	private flush(): void {
		const batch = this.place.flush();
		if (batch !== null) this.since.push(batch);
	}

	/** Rule S2: mark, batches, barrier, floor; other changes may come in between. */
	floor(between: Change): void {
		if (this.place.store.compactionRunning) {
			this.apply(between);
			return;
		}
		const mark = this.place.store.mark();
		this.markedChanges = this.changes.length;
		this.flush();
		for (const batch of this.since) this.durable.write(batch);
		this.since = [];
		this.apply(between);
		this.mark = mark;
		this.place.store.floorWritten();
	}

	/** What a start finds; the replay of the log above the floor brings the member back to where it was. */
	crash(): void {
		const storage = new MemoryStorage();
		const records = this.durable.all();
		storage.write({ seq: 0, puts: records, deletes: [], bytes: 0 });
		for (const batch of this.since) if (this.dice.chance(1, 2)) storage.write(batch);
		for (const { key } of storage.all()) {
			if ((decodeRecordKey(key)?.main ?? 0) > this.mark.revision) storage.replace(key, undefined);
		}
		const found = rebuild(this.mark, storage.all(), storage);
		if (!found.ok) throw new Error(found.reason);
		this.place = workplace(found.store as MvccStore, storage);
		this.durable = new MemoryStorage();
		this.durable.write({ seq: 0, puts: storage.all(), deletes: [], bytes: 0 });
		this.since = [];
		for (const change of this.changes.slice(this.markedChanges)) change(this.place.store);
	}
}

describe("a store that was rebuilt after a crash at a floor is the one that never crashed", () => {
	for (let seed = 0; seed < 40; seed++) {
		test(`seed ${seed}`, () => {
			const dice = new Dice(`rebuild-${seed}`);
			const requests = new RandomRequests(dice.fork("requests"));
			const member = new Member(dice.fork("member"));
			const twin = storeOf(0, leasesOf(LEASES)).store;
			const draw = (): Change => {
				const change = drawChange(requests, dice);
				change(twin);
				requests.revision = twin.revision;
				return change;
			};
			for (let i = 0; i < 150; i++) {
				member.apply(draw());
				if (dice.chance(1, 12)) member.floor(draw());
				if (dice.chance(1, 25)) {
					member.crash();
					expect(portrait(member.place.store), `seed ${seed}, step ${i}`).toEqual(portrait(twin));
				}
			}
			member.place.settle();
			expect(member.place.store.mark()).toMatchObject({ revision: twin.revision });
			expect(portrait(member.place.store), `seed ${seed}`).toEqual(portrait(twin));
		});
	}
});

test("twins: the same changes give the same records, digest and bytes, however the clean-up and the disk go", () => {
	for (let seed = 0; seed < 20; seed++) {
		const dice = new Dice(`twin-${seed}`);
		const requests = new RandomRequests(dice.fork("requests"));
		const places = [storeOf(0, leasesOf(LEASES)), storeOf(100_000, leasesOf(LEASES))];
		const written: StoredRecord[][] = [[], []];
		for (let i = 0; i < 200; i++) {
			const change = drawChange(requests, dice);
			for (const [which, place] of places.entries()) {
				change(place.store);
				if (dice.chance(1, 2)) place.store.compactionStep(dice.range(1, 30));
				if (dice.chance(1, 2)) written[which]?.push(...(place.flush()?.puts ?? []));
			}
			const [one, other] = places.map(({ store }) => [store.revision, store.digest(), store.logicalBytes, store.keyCount]);
			expect(one, `seed ${seed}, step ${i}`).toEqual(other);
			requests.revision = places[0]?.store.revision ?? 1;
		}
		for (const [which, place] of places.entries()) {
			written[which]?.push(...(place.flush()?.puts ?? []));
			place.settle();
		}
		expect(written[0]).toEqual(written[1]);
		expect(places[0]?.store.mark()).toEqual(places[1]?.store.mark());
	}
});

/** a and b written, b deleted, compacted there: revision 4 although no living record carries it (trap 6). */
function afterDeletion(): { place: Workplace; mark: StoreMark } {
	const place = storeOf();
	place.store.put(put("a", "1"));
	place.store.put(put("b", "2"));
	place.store.deleteRange(del("b"));
	place.store.compact(4);
	place.settle();
	return { place, mark: place.floor() };
}

test("6: the revision survives a crash after a compaction at a deletion", () => {
	const { place, mark } = afterDeletion();
	place.flush();
	const found = rebuild(mark, place.storage.all(), place.storage);
	expect(found.ok && found.store.revision).toBe(4);
	expect(found.ok && found.store.compactRevision).toBe(4);
});

test("an empty store is rebuilt from nothing", () => {
	const place = storeOf();
	const found = rebuild(place.floor(), [], place.storage);
	expect(found.ok && [found.store.revision, found.store.compactRevision, found.store.keyCount]).toEqual([1, -1, 0]);
});

test("what a lost deletion left over is deleted again at once", () => {
	const { place, mark } = afterDeletion();
	const found = rebuild(mark, place.storage.all(), place.storage);
	expect(found.ok && found.store.takeBatch()?.deletes.length).toBe(1);
});

test("leases are attached to the keys that live", () => {
	const place = storeOf(0, leasesOf(LEASES));
	place.store.put(put("a", "1", { lease: 7n }));
	place.store.put(put("b", "1", { lease: 7n }));
	place.store.put(put("b", "2"));
	place.store.put(put("c", "1", { lease: -3n }));
	place.store.deleteRange(del("c"));
	const found = rebuild(place.floor(), place.storage.all(), place.storage);
	expect(found.ok && found.store.leases.get(7n)?.keys()).toEqual(["a"]);
	expect(found.ok && found.store.leases.get(-3n)?.keys()).toEqual([]);
	expect(found.ok && found.store.digest()).toBe(place.store.digest());
});

describe("a store that does not add up is refused by name", () => {
	const made = (): { mark: StoreMark; records: StoredRecord[]; storage: MemoryStorage } => {
		const place = storeOf();
		for (const key of ["a", "b", "a", "c"]) place.store.put(put(key, key));
		place.store.deleteRange(del("a", "c"));
		const mark = place.floor();
		return { mark, records: place.storage.all(), storage: place.storage };
	};
	const reasonOf = (mark: StoreMark, records: readonly StoredRecord[], storage: MemoryStorage): string => {
		const found = rebuild(mark, records, storage);
		return found.ok ? "ok" : found.reason;
	};

	test("a record lost in the middle", () => {
		const { mark, records, storage } = made();
		expect(reasonOf(mark, records.toSpliced(1, 1), storage)).toBe("record 4_0 follows where 3_0 was expected");
		expect(reasonOf(mark, records.toSpliced(4, 1), storage)).toBe("record 6_1t follows where 6_0 was expected");
	});

	test("records out of order", () => {
		const { mark, records, storage } = made();
		expect(reasonOf(mark, records.toReversed(), storage)).toBe("record 6_1t follows where 2_0 was expected");
		const place = storeOf();
		for (const key of ["a", "b", "c", "a"]) place.store.put(put(key, key));
		place.store.compact(5);
		place.settle();
		const compacted = place.floor();
		const [a, b, c, newest] = place.storage.all() as [StoredRecord, StoredRecord, StoredRecord, StoredRecord];
		expect(reasonOf(compacted, [a, b, c, newest], place.storage)).toBe("ok");
		expect(reasonOf(compacted, [b, a, c, newest], place.storage)).toBe("record 2_0 comes out of order");
		expect(reasonOf(compacted, [b, b, c, newest], place.storage)).toBe("record 3_0 comes out of order");
		expect(reasonOf(compacted, [b, newest, c], place.storage)).toBe("record 4_0 follows where 5_1 was expected");
	});

	test("records lost at the end", () => {
		const { mark, records, storage } = made();
		expect(reasonOf(mark, records.slice(0, 4), storage)).toBe("records end at revision 5, the floor is at 6");
		expect(reasonOf(mark, records.slice(0, 5), storage)).toBe("count of the records is 5, the floor says 6");
	});

	test("a record below the compact revision that is lost", () => {
		const place = storeOf();
		for (const key of ["a", "b", "a", "c"]) place.store.put(put(key, key));
		place.store.compact(5);
		place.settle();
		const mark = place.floor();
		place.flush();
		const records = place.storage.all();
		expect(reasonOf(mark, records, place.storage)).toBe("ok");
		expect(reasonOf(mark, records.slice(1), place.storage)).toBe("count of the records is 2, the floor says 3");
	});

	test("a record of another history", () => {
		const { mark, records, storage } = made();
		const other = storeOf();
		other.store.put(put("a", "other"));
		other.flush();
		const [strange] = other.storage.all();
		expect(reasonOf(mark, records.with(0, strange as StoredRecord), storage)).toMatch(/^digest of the records is \d+, the floor says \d+$/);
	});

	test("a record that breaks the life of its key", () => {
		const { mark, records, storage } = made();
		const other = storeOf();
		for (const key of ["x", "y", "z"]) other.store.put(put(key, "v"));
		other.flush();
		const strange = other.storage.all()[2] as StoredRecord;
		expect(reasonOf(mark, records.with(0, other.storage.all()[0] as StoredRecord), storage)).toBe(
			"record 4_0 does not continue the life of its key",
		);
		expect(reasonOf(mark, records.with(2, strange), storage)).toMatch(/^digest/);
		expect(reasonOf(mark, [...records.slice(0, 1), ...records.slice(0, 1)], storage)).toBe("record 2_0 follows where 2_1 was expected");
	});

	test("damaged and strange records", () => {
		const { mark, records, storage } = made();
		const restore = new StoreRebuild({ ...mark, revision: 5 }, options, storage, portableBytes);
		const [first, last] = [records[0] as StoredRecord, records[5] as StoredRecord];
		expect(restore.record(first.key, first.value)).toBe(null);
		expect(restore.record(first.key, first.value.slice(0, 2))).toBe("record 2_0 is cut off");
		expect(restore.record(first.key, first.value.with(3, 0))).toBe("record 2_0 does not match its checksum");
		expect(restore.record(encodeRecordKey(3, 0, false), first.value)).toBe("record 3_0 does not match its checksum");
		expect(restore.record(new Uint8Array(3), first.value)).toBe("a key of 3 bytes is no record key");
		expect(restore.record(last.key, last.value)).toBe("record 6_1t lies above revision 5");
	});
});
