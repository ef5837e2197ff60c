import type { ByteOps } from "@flotilla/base";
import { DoomedRecords } from "./doomed-records.ts";
import { KeyIndex } from "./key-index.ts";
import { LeaseTable } from "./lease/lease-table.ts";
import { describeRecordKey } from "./record-key.ts";
import { ScannedRecord } from "./scanned-record.ts";
import { STRIDE, sliced } from "./sliced.ts";
import { NO_ORDINAL } from "./slot-table.ts";
import type { RecordStorage, StoreMark } from "./storage.ts";
import { MvccStore } from "./store.ts";
import { EMPTY_MARK, type Restored, type Sliced, type StoreOptions, type StoreRestore } from "./store-interface.ts";

/** A record that compaction made superfluous and that the storage still holds. */
interface LeftOver {
	readonly main: number;
	readonly sub: number;
	readonly tombstone: boolean;
}

/**
 * A store from its records (rule S5), which come in ascending order and go into the index at once, as if they had been
 * applied; the keys are put in order at the end. What is left over of a compaction is handed out for deletion at once, since
 * it lies behind a floor. Gaps in the revisions, breaks in the life of a key and any difference to the mark's sums are refused
 * by name.
 */
export class StoreRebuild implements StoreRestore {
	private readonly mark: StoreMark;
	private readonly options: StoreOptions;
	private readonly storage: RecordStorage;
	private readonly ops: ByteOps;
	private readonly leases: LeaseTable;
	private readonly read: ScannedRecord;
	private readonly index = new KeyIndex();
	private readonly doomed = new DoomedRecords();
	/** By slot, oldest first. */
	private readonly leftOver = new Map<number, LeftOver[]>();
	/** Slots are given in ascending order, and none is taken back before the end. */
	private slotCount = 0;
	/** Of the record before. */
	private main = 0;
	private sub = -1;
	/** From the compact revision on: the revision of the record before, or the one before the first. */
	private revision: number;
	private nextSub = 0;

	constructor(mark: StoreMark, options: StoreOptions, storage: RecordStorage, bytes: ByteOps, leases = new LeaseTable()) {
		this.mark = mark;
		this.options = options;
		this.storage = storage;
		this.ops = bytes;
		this.leases = leases;
		this.read = new ScannedRecord(bytes, mark.revision);
		this.revision = Math.max(mark.compactRevision, EMPTY_MARK.revision + 1) - 1;
	}

	record(key: Uint8Array, value: Uint8Array): string | null {
		const { read } = this;
		const fault = read.read(key, value);
		if (fault !== null) return fault;
		if (read.main >= this.mark.compactRevision) return this.addLogged();
		if (this.revision >= this.mark.compactRevision && this.nextSub > 0) return this.gapFault();
		if (read.main < this.main || (read.main === this.main && read.sub <= this.sub)) return `${read.name} comes out of order`;
		this.main = read.main;
		this.sub = read.sub;
		this.addBase();
		return null;
	}

	finish(): Sliced<Restored> {
		return sliced(this.ending());
	}

	/** Below the compact revision the newest record of a key counts, unless it is a tombstone. */
	private addBase(): void {
		const { read, index } = this;
		const slot = this.slotOf(read.key);
		this.supersedeBase(slot);
		if (read.tombstone) {
			this.leaveOver(slot, read.main, read.sub, true);
			index.slots.setLife(slot, 0, 0);
			index.slots.setLease(slot, 0n);
			return;
		}
		index.setBase(slot, read.main, read.sub, read.crc, read.bytes);
		this.live(slot);
	}

	private supersedeBase(slot: number): void {
		const { slots } = this.index;
		if (!slots.hasBase(slot)) return;
		this.leaveOver(slot, slots.baseMain(slot), slots.baseSub(slot), false);
		this.index.dropBase(slot);
	}

	/** From the compact revision on nothing may be missing. */
	private addLogged(): string | null {
		const { read, index } = this;
		const { compactRevision } = this.mark;
		// See `endFault`: the first change behind a raised revision, which itself has no record.
		if (read.main === compactRevision + 1 && this.revision === compactRevision - 1) this.revision = compactRevision;
		if (read.main !== this.revision) this.nextSub = 0;
		if ((read.main !== this.revision && read.main !== this.revision + 1) || read.sub !== this.nextSub) return this.gapFault();
		this.revision = read.main;
		this.nextSub = read.sub + 1;
		const slot = this.slotOf(read.key);
		if (read.main === this.mark.compactRevision && index.slots.hasBase(slot)) {
			this.supersedeBase(slot);
			// What came between the two may be gone already.
			index.slots.setLife(slot, 0, 0);
		}
		const fault = this.lifeFault(slot);
		if (fault !== null) return fault;
		index.append(slot, read.main, read.sub, read.tombstone, read.crc, read.bytes);
		this.live(slot);
		return null;
	}

	private gapFault(): string {
		const { nextSub, revision } = this;
		return `${this.read.name} follows where ${describeRecordKey(nextSub > 0 ? revision : revision + 1, nextSub, false)} was expected`;
	}

	/** Whether a record goes on with the life of its key. The record before it may be compacted only if it was a tombstone. */
	private lifeFault(slot: number): string | null {
		const { read } = this;
		const { slots } = this.index;
		const alive = slots.isAlive(slot);
		// Records at the compact revision itself supersede a base record, which is then gone.
		const mayFollowLost = !alive && read.main === this.mark.compactRevision;
		if (read.tombstone) return alive || mayFollowLost ? null : `${read.name} ends a key that is not there`;
		const create = alive ? slots.createRevision(slot) : read.main;
		const version = alive ? slots.version(slot) + 1 : 1;
		if (mayFollowLost || (read.create === create && read.version === version)) return null;
		return `${read.name} does not continue the life of its key`;
	}

	private live(slot: number): void {
		const { read } = this;
		const { slots } = this.index;
		slots.setLife(slot, read.tombstone ? 0 : read.create, read.tombstone ? 0 : read.version);
		slots.setLease(slot, read.lease);
	}

	private slotOf(key: string): number {
		const slot = this.index.enter(key);
		if (slot === this.slotCount) this.slotCount++;
		return slot;
	}

	private leaveOver(slot: number, main: number, sub: number, tombstone: boolean): void {
		const list = this.leftOver.get(slot);
		if (list === undefined) this.leftOver.set(slot, [{ main, sub, tombstone }]);
		else list.push({ main, sub, tombstone });
	}

	private *ending(): Generator<void, Restored> {
		const reason = this.endFault() ?? this.compareWithMark();
		if (reason !== null) return { ok: false, reason };
		const present = yield* this.heldSlots();
		yield* this.giveUpLeftOver();
		yield* this.index.loadTree(present);
		yield* this.reclaimLeases(present);
		const { index, doomed, leases } = this;
		const { revision, compactRevision } = this.mark;
		const store = new MvccStore(this.options, this.storage, this.ops, leases, { index, doomed, revision, compactRevision });
		return { ok: true, store };
	}

	private endFault(): string | null {
		const { revision, compactRevision } = this.mark;
		// A restored snapshot whose revision was raised has nothing from its compact revision on; the sums tell what is missing.
		if (revision === compactRevision && this.revision === revision - 1) return null;
		return this.revision === revision ? null : `records end at revision ${this.revision}, the floor is at ${revision}`;
	}

	private compareWithMark(): string | null {
		const { retained } = this.index;
		for (const name of ["count", "digest", "digest2"] as const) {
			if (retained[name] !== this.mark[name]) return `${name} of the records is ${retained[name]}, the floor says ${this.mark[name]}`;
		}
		return null;
	}

	private *heldSlots(): Generator<void, Int32Array> {
		const held = new Int32Array(this.slotCount);
		let count = 0;
		for (let slot = 0; slot < held.length; slot++) {
			if (this.isHeld(slot)) held[count++] = slot;
			if (slot % (4 * STRIDE) === 0) yield;
		}
		return held.subarray(0, count);
	}

	/** Whether the index holds a record of this slot. */
	private isHeld(slot: number): boolean {
		const { slots } = this.index;
		return slots.hasBase(slot) || slots.head(slot) !== NO_ORDINAL;
	}

	private *giveUpLeftOver(): Generator<void, void> {
		let sinceYield = 0;
		for (const [slot, records] of this.leftOver) {
			for (const { main, sub, tombstone } of records) this.doomed.add(main, sub, tombstone);
			this.doomed.endGroup(records[records.length - 1]?.tombstone === true);
			if (!this.isHeld(slot)) this.index.withdraw(slot);
			sinceYield += records.length;
			if (sinceYield < STRIDE) continue;
			sinceYield = 0;
			yield;
		}
		this.doomed.endPass();
		this.doomed.allowAll();
	}

	private *reclaimLeases(present: Int32Array): Generator<void, void> {
		const { slots } = this.index;
		for (let i = 0; i < present.length; i++) {
			const slot = present[i] as number;
			if (slots.lease(slot) !== 0n) this.leases.reclaim(slots.lease(slot), slots.key(slot));
			if (i % (4 * STRIDE) === 0) yield;
		}
	}
}
