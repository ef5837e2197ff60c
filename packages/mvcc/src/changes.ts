import { type ByteOps, fail } from "@flotilla/base";
import { KeyCursor } from "./key-cursor.ts";
import type { KeyIndex } from "./key-index.ts";
import { sortByKey } from "./key-sort.ts";
import { keySpan } from "./key-span.ts";
import { NOT_FOUND } from "./key-table.ts";
import type { KeyTree } from "./key-tree.ts";
import { encodeDeletedPair, valueOfKeyValue } from "./key-value.ts";
import type { LeaseAttachments } from "./lease/lease-table.ts";
import { CRC_BYTES, RecordEncoder } from "./record-encoder.ts";
import type { DeleteRangeRequest, PutRequest, Revision } from "./request.ts";
import type { EventGroup, StoreEvent } from "./result.ts";
import type { ValueStore } from "./value-store.ts";

/** Never changed: stands for a list that has no element yet. */
const NO_EVENTS: StoreEvent[] = [];

export interface ChangeLimits {
	/** Of one revision; 0: none are kept. */
	readonly eventsKeptMax: number;
	/** Keys between two places at which a change may pause. */
	readonly stride: number;
}

/**
 * The one place where keys change. All changes between `begin` and `end` share one main revision; their order is the sub
 * revision. What may be refused was checked before: a change that has begun succeeds.
 */
export class Changes {
	/** Revision of the last completed change. */
	revision: Revision;
	/** Since the store was opened. */
	puts = 0;
	putBytes = 0;
	deletes = 0;
	private sub = 0;
	/** Keys that ranges of deletes came by: those of many small ones in one change add up. */
	private visited = 0;
	/** Somebody hears of changes: of those that begin now, events are kept. */
	eventsWanted = true;
	/** Of the change under way, in whole; null: they have become too many, or nobody wanted those at its beginning. */
	private events: StoreEvent[] | null = NO_EVENTS;
	private groups: EventGroup[] = [];
	private readonly limits: ChangeLimits;
	private readonly index: KeyIndex;
	private readonly values: ValueStore;
	private readonly leases: LeaseAttachments;
	private readonly ops: ByteOps;
	private readonly encoder: RecordEncoder;

	constructor(
		revision: Revision,
		limits: ChangeLimits,
		parts: { readonly index: KeyIndex; readonly values: ValueStore; readonly leases: LeaseAttachments; readonly ops: ByteOps },
	) {
		this.revision = revision;
		this.limits = limits;
		this.index = parts.index;
		this.values = parts.values;
		this.leases = parts.leases;
		this.ops = parts.ops;
		this.encoder = new RecordEncoder(parts.ops);
	}

	/** A change has begun and is not complete: what it has done so far belongs to no revision that may be shown. */
	get open(): boolean {
		return this.sub > 0;
	}

	/** What a reader inside of the change sees: the new revision as soon as there is a change. */
	get visibleRevision(): Revision {
		return this.sub === 0 ? this.revision : this.revision + 1;
	}

	/** Completes the change; returns the revision after it. */
	end(): Revision {
		if (this.sub === 0) return this.revision;
		this.revision++;
		this.sub = 0;
		if (this.limits.eventsKeptMax > 0 && this.eventsWanted) this.groups.push({ revision: this.revision, events: this.events });
		this.events = NO_EVENTS;
		return this.revision;
	}

	takeEvents(): EventGroup[] {
		const taken = this.groups;
		if (taken.length > 0) this.groups = [];
		return taken;
	}

	/** Returns the encoded previous pair when asked for and present. */
	put(request: PutRequest): Uint8Array | null {
		const { index } = this;
		const { slots } = index;
		const key = this.ops.latin1(request.key);
		const found = index.find(key);
		const alive = found !== NOT_FOUND && slots.isAlive(found);
		const previous = alive && (request.prevKv || request.ignoreValue) ? this.values.read(found, slots.head(found), true) : null;
		const value = request.ignoreValue && previous !== null ? valueOfKeyValue(previous) : request.value;
		const leaseBefore = alive ? slots.lease(found) : 0n;
		const lease = request.ignoreLease ? leaseBefore : request.lease;
		const main = this.revision + 1;
		const create = alive ? slots.createRevision(found) : main;
		const version = alive ? slots.version(found) + 1 : 1;
		this.encoder.put(main, this.sub, request.key, create, version, value, lease);
		let slot = found;
		if (found === NOT_FOUND) {
			slot = index.create(key, main);
		} else {
			slots.setLife(slot, create, version);
			if (!alive) index.tree.changeAlive(key, 1);
		}
		// The index's own string: a lease that holds another copy of it would double the memory of the key.
		if (lease !== leaseBefore) this.moveLease(slot, slots.key(slot), leaseBefore, lease);
		this.record(slot, main, false);
		this.puts++;
		this.putBytes += this.encoder.recordBytes;
		if (this.keepsEvents()) this.keep({ type: "put", key, sub: this.sub, kv: this.writtenPair() });
		this.sub++;
		return request.prevKv ? previous : null;
	}

	/** Deletes the living keys of a range in ascending order; returns their number. Yields every so many keys of a change, dead ones included. */
	*deleteRange(request: Pick<DeleteRangeRequest, "key" | "rangeEnd">): Generator<void, number> {
		const { index } = this;
		const span = keySpan(request.key, request.rangeEnd, this.ops);
		if (span.single) {
			const slot = index.findAlive(span.from);
			if (slot === NOT_FOUND) return 0;
			this.deleteSlot(slot);
			index.tree.changeAlive(span.from, -1);
			return 1;
		}
		let deleted = 0;
		const dead = new DeadKeys(index.tree);
		// Deleting leaves keys and their order as they are; compaction, which may come in between, does not.
		const cursor = new KeyCursor(index.tree, span.from, span.to);
		for (let slot = cursor.next(); slot !== NOT_FOUND; slot = cursor.next()) {
			if (index.slots.isAlive(slot)) {
				this.deleteSlot(slot);
				dead.add(index.slots.key(slot), cursor.leaf);
				deleted++;
			}
			if (++this.visited % this.limits.stride !== 0) continue;
			dead.tell();
			cursor.pause();
			yield;
		}
		dead.tell();
		return deleted;
	}

	/** Deletes these keys, which are alive, in ascending order; returns their number. Yields every so many keys. */
	*deleteKeys(keys: Iterable<string>, count: number): Generator<void, number> {
		const { index, limits } = this;
		const slots = new Int32Array(count);
		let found = 0;
		for (const key of keys) {
			const slot = index.findAlive(key);
			if (slot === NOT_FOUND) fail("a key that hangs on a lease is alive", { keys: count });
			slots[found++] = slot;
			if (found % limits.stride === 0) yield;
		}
		yield* sortByKey(slots, (slot) => index.slots.key(slot));
		for (const [at, slot] of slots.entries()) {
			if (at > 0 && at % limits.stride === 0) yield;
			this.deleteSlot(slot);
			index.tree.changeAlive(index.slots.key(slot), -1);
		}
		return count;
	}

	/** The tree is told by the caller. */
	private deleteSlot(slot: number): void {
		const { slots } = this.index;
		const key = slots.key(slot);
		const main = this.revision + 1;
		this.encoder.tombstone(main, this.sub, key);
		this.moveLease(slot, key, slots.lease(slot), 0n);
		slots.setLife(slot, 0, 0);
		this.record(slot, main, true);
		this.deletes++;
		if (this.keepsEvents()) this.keep({ type: "delete", key, sub: this.sub, kv: encodeDeletedPair(key, main, this.ops) });
		this.sub++;
	}

	/** Whether the next event of this change is to be kept. */
	private keepsEvents(): boolean {
		if (!this.eventsWanted || this.sub >= this.limits.eventsKeptMax) this.events = null;
		return this.events !== null;
	}

	private keep(event: StoreEvent): void {
		// Most changes have one.
		if (this.events === NO_EVENTS) this.events = [event];
		else this.events?.push(event);
	}

	private moveLease(slot: number, key: string, from: bigint, to: bigint): void {
		if (from === to) return;
		if (from !== 0n) this.leases.detach(from, key);
		if (to !== 0n) this.leases.attach(to, key);
		this.index.slots.setLease(slot, to);
	}

	private record(slot: number, main: Revision, tombstone: boolean): void {
		const { encoder } = this;
		if (main > Number.MAX_SAFE_INTEGER) fail("revisions are safe integers", { main });
		this.index.append(slot, main, this.sub, tombstone, encoder.crc, encoder.recordBytes);
		this.values.add(encoder.key, encoder.value);
	}

	/** The pair written last, as stored but without the CRC. */
	private writtenPair(): Uint8Array {
		const { value } = this.encoder;
		return value.subarray(0, value.length - CRC_BYTES);
	}
}

/** Keys of one leaf after another that died: the tree counts them a leaf at a time, since the way there costs more than all the rest. */
class DeadKeys {
	private readonly tree: KeyTree;
	private leaf: object | null = null;
	private key = "";
	private count = 0;

	constructor(tree: KeyTree) {
		this.tree = tree;
	}

	add(key: string, leaf: object): void {
		if (leaf !== this.leaf) this.tell();
		this.leaf = leaf;
		this.key = key;
		this.count++;
	}

	/** Before the tree may change, and at the end. */
	tell(): void {
		if (this.count > 0) this.tree.changeAlive(this.key, -this.count);
		this.count = 0;
		this.leaf = null;
	}
}
