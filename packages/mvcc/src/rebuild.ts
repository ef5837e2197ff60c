import type { ByteOps } from "@flotilla/base";
import { DoomedRecords } from "./doomed-records.ts";
import { KeyIndex } from "./key-index.ts";
import { NOT_FOUND } from "./key-table.ts";
import { LeaseTable } from "./lease/lease-table.ts";
import { describeRecordKey } from "./record-key.ts";
import { ScannedRecords } from "./scanned-records.ts";
import type { RecordStorage, StoreMark } from "./storage.ts";
import { MvccStore } from "./store.ts";
import { EMPTY_MARK, type KeyValueStore, type StoreOptions, type StoreRestore } from "./store-interface.ts";

type Finished = ReturnType<StoreRestore["finish"]>;
const NO_RECORD = -1;

/**
 * A store from its records (rule S5). What the mark's compact revision retains goes into the index, as if it had been
 * applied; what is left over of a compaction is handed out for deletion at once, since it lies behind a floor. Gaps in the
 * revisions, breaks in the life of a key and any difference to the mark's sums are refused by name.
 */
export class StoreRebuild implements StoreRestore {
	private readonly mark: StoreMark;
	private readonly options: StoreOptions;
	private readonly storage: RecordStorage;
	private readonly ops: ByteOps;
	private readonly leases: LeaseTable;
	private readonly records: ScannedRecords;
	private readonly index = new KeyIndex();
	private readonly doomed = new DoomedRecords();
	/** By key number: its slot once it has one; the newest record below the compact revision; records that are to go. */
	private slotOfKey: number[] = [];
	private baseOfKey: number[] = [];
	private readonly leftOver = new Map<number, number[]>();

	constructor(mark: StoreMark, options: StoreOptions, storage: RecordStorage, bytes: ByteOps, leases = new LeaseTable()) {
		this.mark = mark;
		this.options = options;
		this.storage = storage;
		this.ops = bytes;
		this.leases = leases;
		this.records = new ScannedRecords(bytes, mark.revision);
	}

	record(key: Uint8Array, value: Uint8Array): string | null {
		return this.records.add(key, value);
	}

	finish(): Finished {
		const order = this.records.inOrder();
		this.slotOfKey = new Array<number>(this.records.keys.length).fill(NOT_FOUND);
		this.baseOfKey = new Array<number>(this.records.keys.length).fill(NO_RECORD);
		const firstLogged = this.chooseBases(order);
		this.linkBases(order, firstLogged);
		const reason = this.fillLog(order, firstLogged) ?? this.compareWithMark();
		if (reason !== null) return { ok: false, reason };
		this.loadKeys();
		this.giveUpLeftOver();
		return { ok: true, store: this.makeStore() };
	}

	private makeStore(): KeyValueStore {
		const { index, doomed } = this;
		const { revision, compactRevision } = this.mark;
		return new MvccStore(this.options, this.storage, this.ops, this.leases, { index, doomed, revision, compactRevision });
	}

	/** The newest record below the compact revision of each key; a tombstone is one, too, for the moment. */
	private chooseBases(order: readonly number[]): number {
		const { main, keyNumber } = this.records;
		for (const [at, record] of order.entries()) {
			if ((main[record] as number) >= this.mark.compactRevision) return at;
			const key = keyNumber[record] as number;
			this.leaveOver(key, this.baseOfKey[key] as number);
			this.baseOfKey[key] = record;
		}
		return order.length;
	}

	/** Bases are linked in revision order. One that a record at the compact revision supersedes is none. */
	private linkBases(order: readonly number[], firstLogged: number): void {
		const { main, sub, tombstone, crc, bytes, keyNumber } = this.records;
		for (let at = firstLogged; at < order.length && main[order[at] as number] === this.mark.compactRevision; at++) {
			const key = keyNumber[order[at] as number] as number;
			this.leaveOver(key, this.baseOfKey[key] as number);
			this.baseOfKey[key] = NO_RECORD;
		}
		for (let at = 0; at < firstLogged; at++) {
			const record = order[at] as number;
			const key = keyNumber[record] as number;
			if (this.baseOfKey[key] !== record) continue;
			if (tombstone[record] === true) {
				this.leaveOver(key, record);
				this.baseOfKey[key] = NO_RECORD;
				continue;
			}
			const slot = this.slotFor(key);
			this.index.slots.setBase(slot, main[record] as number, sub[record] as number, crc[record] as number, bytes[record] as number);
			this.index.held.add(crc[record] as number, bytes[record] as number);
			this.index.retained.add(crc[record] as number, bytes[record] as number);
			this.live(slot, record);
		}
	}

	/** Null, or what is wrong: from the compact revision on nothing may be missing. */
	private fillLog(order: readonly number[], firstLogged: number): string | null {
		const { main, sub, tombstone, crc, bytes, keyNumber } = this.records;
		let revision = Math.max(this.mark.compactRevision, EMPTY_MARK.revision + 1) - 1;
		let nextSub = 0;
		for (let at = firstLogged; at < order.length; at++) {
			const record = order[at] as number;
			const recordMain = main[record] as number;
			if (recordMain !== revision) nextSub = 0;
			if ((recordMain !== revision && recordMain !== revision + 1) || sub[record] !== nextSub) {
				return `${this.describe(record)} follows where ${describeRecordKey(nextSub > 0 ? revision : revision + 1, nextSub, false)} was expected`;
			}
			revision = recordMain;
			nextSub++;
			const slot = this.slotFor(keyNumber[record] as number);
			const fault = this.lifeFault(slot, record);
			if (fault !== null) return fault;
			this.index.append(
				slot,
				recordMain,
				sub[record] as number,
				tombstone[record] as boolean,
				crc[record] as number,
				bytes[record] as number,
			);
			this.live(slot, record);
		}
		return revision === this.mark.revision ? null : `records end at revision ${revision}, the floor is at ${this.mark.revision}`;
	}

	/** Whether a record goes on with the life of its key. The record before it may be compacted only if it was a tombstone. */
	private lifeFault(slot: number, record: number): string | null {
		const { slots } = this.index;
		const alive = slots.isAlive(slot);
		if (this.records.tombstone[record] === true)
			return alive || this.mayFollowLost(record) ? null : `${this.describe(record)} ends a key that is not there`;
		const create = alive ? slots.createRevision(slot) : this.records.main[record];
		const version = alive ? slots.version(slot) + 1 : 1;
		if (this.records.create[record] === create && this.records.version[record] === version) return null;
		if (!alive && this.mayFollowLost(record)) return null;
		return `${this.describe(record)} does not continue the life of its key`;
	}

	/** Records at the compact revision itself supersede a base record, which is then gone. */
	private mayFollowLost(record: number): boolean {
		return this.records.main[record] === this.mark.compactRevision;
	}

	private live(slot: number, record: number): void {
		const { slots } = this.index;
		const dead = this.records.tombstone[record] === true;
		slots.setLife(slot, dead ? 0 : (this.records.create[record] as number), dead ? 0 : (this.records.version[record] as number));
		slots.setLease(slot, this.records.leases.get(record) ?? 0n);
	}

	private slotFor(key: number): number {
		const known = this.slotOfKey[key] as number;
		if (known !== NOT_FOUND) return known;
		const slot = this.index.slots.allocate(this.records.keys[key] as string);
		this.slotOfKey[key] = slot;
		return slot;
	}

	private compareWithMark(): string | null {
		const { retained } = this.index;
		for (const name of ["count", "digest", "digest2"] as const) {
			if (retained[name] !== this.mark[name]) return `${name} of the records is ${retained[name]}, the floor says ${this.mark[name]}`;
		}
		return null;
	}

	private loadKeys(): void {
		const { index } = this;
		const { slots } = index;
		const present = this.slotOfKey.filter((slot) => slot !== NOT_FOUND);
		present.sort((a, b) => (slots.key(a) < slots.key(b) ? -1 : 1));
		index.load(present);
		for (const slot of present) if (slots.lease(slot) !== 0n) this.leases.reclaim(slots.lease(slot), slots.key(slot));
	}

	private leaveOver(key: number, record: number): void {
		if (record === NO_RECORD) return;
		const list = this.leftOver.get(key);
		if (list === undefined) this.leftOver.set(key, [record]);
		else list.push(record);
	}

	private giveUpLeftOver(): void {
		const { main, sub, tombstone } = this.records;
		for (const records of this.leftOver.values()) {
			for (const record of records) this.doomed.add(main[record] as number, sub[record] as number, tombstone[record] as boolean);
			this.doomed.endGroup(tombstone[records[records.length - 1] as number] as boolean);
		}
		this.doomed.endPass();
		this.doomed.allowAll();
	}

	private describe(record: number): string {
		const { main, sub, tombstone } = this.records;
		return `record ${describeRecordKey(main[record] as number, sub[record] as number, tombstone[record] as boolean)}`;
	}
}
