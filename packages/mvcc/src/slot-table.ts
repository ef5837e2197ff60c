import { assert } from "@flotilla/base";
import type { LeaseId } from "./request.ts";
import { WideColumn } from "./wide-column.ts";

const SLOT_BITS = 12;
const SLOTS_PER_CHUNK = 1 << SLOT_BITS;
const SLOT_MASK = SLOTS_PER_CHUNK - 1;
/** End of the chain of base records. */
export const NO_SLOT = -1;
/** `head` of a slot without a record in the log: its base record, if it has one, is all there is. */
export const NO_ORDINAL = -1;

/**
 * One number, the slot, for every key that has a record; its data lie in typed columns, cut into chunks so that growing
 * never copies. Slots of keys that are gone are used again.
 *
 * The newest record below the compact revision is a slot's *base* (columns in `base`); later records are in the record
 * log, newest first from `head`. Bases are linked in revision order, since hashing needs that order.
 */
export class SlotTable {
	private readonly chunks: SlotChunk[] = [];
	private readonly free: number[] = [];
	private used = 0;
	/** Oldest and newest base record. */
	firstBase = NO_SLOT;
	lastBase = NO_SLOT;

	/** Slots that are taken. */
	get size(): number {
		return this.used - this.free.length;
	}

	/** Base records, counted one by one. */
	countBases(): number {
		let count = 0;
		for (let slot = this.firstBase; slot !== NO_SLOT; slot = this.nextBase(slot)) count++;
		return count;
	}

	/** A slot for `key`, with no record yet. */
	allocate(key: string): number {
		const slot = this.free.pop() ?? this.used++;
		const index = slot >>> SLOT_BITS;
		if (index === this.chunks.length) this.chunks.push(new SlotChunk());
		const chunk = this.chunk(slot);
		const at = slot & SLOT_MASK;
		chunk.keys[at] = key;
		chunk.headEnd.set(at, 0);
		chunk.version.set(at, 0);
		chunk.create.set(at, 0);
		return slot;
	}

	release(slot: number): void {
		assert(!this.hasBase(slot), "a slot is released without a base record");
		const chunk = this.chunk(slot);
		chunk.keys[slot & SLOT_MASK] = "";
		if (chunk.leases !== null) chunk.leases[slot & SLOT_MASK] = 0n;
		this.free.push(slot);
	}

	key(slot: number): string {
		return this.chunk(slot).keys[slot & SLOT_MASK] as string;
	}

	/** Ordinal of the newest record in the log; below the log's first ordinal the base is the newest. */
	head(slot: number): number {
		return this.chunk(slot).headEnd.get(slot & SLOT_MASK) - 1;
	}

	setHead(slot: number, ordinal: number): void {
		this.chunk(slot).headEnd.set(slot & SLOT_MASK, ordinal + 1);
	}

	/** Version of the newest record; 0 when it is a tombstone, so this also tells whether the key is alive now. */
	version(slot: number): number {
		return this.chunk(slot).version.get(slot & SLOT_MASK);
	}

	isAlive(slot: number): boolean {
		return this.chunk(slot).version.get(slot & SLOT_MASK) !== 0;
	}

	/** Create revision of the present life of the key. */
	createRevision(slot: number): number {
		return this.chunk(slot).create.get(slot & SLOT_MASK);
	}

	setLife(slot: number, createRevision: number, version: number): void {
		const chunk = this.chunk(slot);
		chunk.create.set(slot & SLOT_MASK, createRevision);
		chunk.version.set(slot & SLOT_MASK, version);
	}

	/** The lease that the key hangs on now; 0n: none. */
	lease(slot: number): LeaseId {
		const { leases } = this.chunk(slot);
		return leases === null ? 0n : (leases[slot & SLOT_MASK] as bigint);
	}

	setLease(slot: number, lease: LeaseId): void {
		const chunk = this.chunk(slot);
		if (chunk.leases === null && lease === 0n) return;
		chunk.leases ??= new BigInt64Array(SLOTS_PER_CHUNK);
		chunk.leases[slot & SLOT_MASK] = lease;
	}

	hasBase(slot: number): boolean {
		const base = this.chunk(slot).base;
		return base !== null && base.main.get(slot & SLOT_MASK) !== 0;
	}

	baseMain(slot: number): number {
		return (this.chunk(slot).base as BaseColumns).main.get(slot & SLOT_MASK);
	}

	baseSub(slot: number): number {
		return (this.chunk(slot).base as BaseColumns).sub[slot & SLOT_MASK] as number;
	}

	baseCrc(slot: number): number {
		return (this.chunk(slot).base as BaseColumns).crc[slot & SLOT_MASK] as number;
	}

	baseBytes(slot: number): number {
		return (this.chunk(slot).base as BaseColumns).bytes[slot & SLOT_MASK] as number;
	}

	/** The base record that follows in revision order, or NO_SLOT. */
	nextBase(slot: number): number {
		return (this.chunk(slot).base as BaseColumns).next[slot & SLOT_MASK] as number;
	}

	/** Makes this the slot's base, newest of all bases. */
	setBase(slot: number, main: number, sub: number, crc: number, recordBytes: number): void {
		assert(!this.hasBase(slot), "a base record is dropped before the next one is set");
		const chunk = this.chunk(slot);
		chunk.base ??= new BaseColumns();
		const at = slot & SLOT_MASK;
		chunk.base.main.set(at, main);
		chunk.base.sub[at] = sub;
		chunk.base.crc[at] = crc;
		chunk.base.bytes[at] = recordBytes;
		chunk.base.previous[at] = this.lastBase;
		chunk.base.next[at] = NO_SLOT;
		if (this.lastBase === NO_SLOT) this.firstBase = slot;
		else this.baseColumns(this.lastBase).next[this.lastBase & SLOT_MASK] = slot;
		this.lastBase = slot;
	}

	dropBase(slot: number): void {
		const columns = this.baseColumns(slot);
		const at = slot & SLOT_MASK;
		const next = columns.next[at] as number;
		const previous = columns.previous[at] as number;
		if (next === NO_SLOT) this.lastBase = previous;
		else this.baseColumns(next).previous[next & SLOT_MASK] = previous;
		if (previous === NO_SLOT) this.firstBase = next;
		else this.baseColumns(previous).next[previous & SLOT_MASK] = next;
		columns.main.set(at, 0);
	}

	private chunk(slot: number): SlotChunk {
		return this.chunks[slot >>> SLOT_BITS] as SlotChunk;
	}

	private baseColumns(slot: number): BaseColumns {
		return this.chunk(slot).base as BaseColumns;
	}
}

class SlotChunk {
	readonly keys: string[] = new Array<string>(SLOTS_PER_CHUNK).fill("");
	/** One above the ordinal of the newest record in the log; 0: none. */
	readonly headEnd = new WideColumn(SLOTS_PER_CHUNK);
	readonly version = new WideColumn(SLOTS_PER_CHUNK);
	readonly create = new WideColumn(SLOTS_PER_CHUNK);
	/** Made when the first of these slots gets a lease. */
	leases: BigInt64Array | null = null;
	/** Made when the first of these slots gets a base record: a store that was never compacted does without. */
	base: BaseColumns | null = null;
}

class BaseColumns {
	/** 0: no base record. */
	readonly main = new WideColumn(SLOTS_PER_CHUNK);
	readonly sub = new Uint32Array(SLOTS_PER_CHUNK);
	readonly crc = new Uint32Array(SLOTS_PER_CHUNK);
	readonly bytes = new Uint32Array(SLOTS_PER_CHUNK);
	readonly next = new Int32Array(SLOTS_PER_CHUNK);
	readonly previous = new Int32Array(SLOTS_PER_CHUNK);
}
