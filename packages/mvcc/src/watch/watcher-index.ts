import { assert } from "@flotilla/base";
import type { Revision } from "../request.ts";
import { IntervalTree } from "./interval-tree.ts";
import { EventBatch, type EventPiece, pieceOf, type WatchEvent } from "./watch-event.ts";
import type { Watcher } from "./watcher.ts";

/** Events are packed when there are so many bytes of them: below the least size of a message in which fragments go. */
const PIECE_BYTES = 32 << 10;

/** Watchers that are to hear the same: one range, the same kinds of events, with or without the pair before. */
export class WatchGroup {
	readonly watchers = new Set<Watcher>();
	readonly noPut: boolean;
	readonly noDelete: boolean;
	readonly prevKv: boolean;
	/** Of all that is gathered. */
	bytes = 0;
	private pieces: EventPiece[] = [];
	private gathered: Uint8Array[] = [];
	private gatheredBytes = 0;
	private firstRevision: Revision = 0;

	constructor({ request }: Watcher) {
		this.noPut = request.noPut;
		this.noDelete = request.noDelete;
		this.prevKv = request.prevKv;
	}

	fits({ request }: Watcher): boolean {
		return request.noPut === this.noPut && request.noDelete === this.noDelete && request.prevKv === this.prevKv;
	}

	wants(type: "put" | "delete"): boolean {
		return type === "put" ? !this.noPut : !this.noDelete;
	}

	get gathering(): boolean {
		return this.bytes > 0;
	}

	/** Returns its bytes. `packed`: as a part of what may become very large. */
	gather(event: WatchEvent, packed: boolean): number {
		const bytes = event.bytes(this.prevKv);
		if (!this.gathering) this.firstRevision = event.revision;
		if (packed && this.gatheredBytes + bytes.length > PIECE_BYTES) this.pack();
		this.gathered.push(bytes);
		this.gatheredBytes += bytes.length;
		this.bytes += bytes.length;
		return bytes.length;
	}

	private pack(): void {
		if (this.gathered.length === 0) return;
		this.pieces.push(pieceOf(this.gathered));
		this.gathered = [];
		this.gatheredBytes = 0;
	}

	takeBatch(): EventBatch {
		if (this.pieces.length > 0) this.pack();
		const batch = new EventBatch(this.pieces, this.gathered, this.firstRevision, this.bytes, this.watchers.size);
		this.pieces = [];
		this.gathered = [];
		this.gatheredBytes = 0;
		this.bytes = 0;
		return batch;
	}
}

/** All groups of one range. */
type SpanGroups = WatchGroup[];

/**
 * Watchers by what they watch: single keys in a map, ranges in an interval tree. An event finds its groups in O(log n), and
 * what a group hears is put together once for all its watchers.
 */
export class WatcherIndex {
	size = 0;
	/** Bytes of the events that all groups have gathered. */
	gatheredBytes = 0;
	private readonly keys = new Map<string, SpanGroups>();
	private readonly ranges = new IntervalTree<SpanGroups>();
	private readonly touched: WatchGroup[] = [];
	private readonly matched: WatchGroup[] = [];

	add(watcher: Watcher): void {
		assert(watcher.group === null, "a watcher is in one index at a time");
		const { single, from, to } = watcher.span;
		let groups = single ? this.keys.get(from) : this.ranges.get(from, to);
		if (groups === undefined) {
			groups = [];
			if (single) this.keys.set(from, groups);
			else this.ranges.set(from, to, groups);
		}
		let group = groups.find((each) => each.fits(watcher));
		if (group === undefined) {
			group = new WatchGroup(watcher);
			groups.push(group);
		}
		group.watchers.add(watcher);
		watcher.group = group;
		this.size++;
	}

	remove(watcher: Watcher): void {
		const { group } = watcher;
		assert(group?.watchers.delete(watcher) === true, "a watcher is removed from the index that holds it");
		watcher.group = null;
		this.size--;
		if (group.watchers.size > 0) return;
		const { single, from, to } = watcher.span;
		const groups = (single ? this.keys.get(from) : this.ranges.get(from, to)) as SpanGroups;
		groups.splice(groups.indexOf(group), 1);
		if (groups.length > 0) return;
		if (single) this.keys.delete(from);
		else this.ranges.delete(from, to);
	}

	/** Groups that want such a change of `key`. The array is used again by the next call. */
	match(key: string, type: "put" | "delete"): readonly WatchGroup[] {
		const { matched } = this;
		matched.length = 0;
		const take = (groups: SpanGroups): void => {
			for (const group of groups) if (group.wants(type)) matched.push(group);
		};
		const exact = this.keys.get(key);
		if (exact !== undefined) take(exact);
		if (this.ranges.size > 0) this.ranges.stab(key, take);
		return matched;
	}

	/** Adds an event to the batches of the groups that `match` found. `packed`: they may become very large. */
	gather(groups: readonly WatchGroup[], event: WatchEvent, packed = false): void {
		for (const group of groups) {
			if (!group.gathering) this.touched.push(group);
			this.gatheredBytes += group.gather(event, packed);
		}
	}

	/** Ends the batches: hands out what each group gathered. Neither index nor groups may change meanwhile. */
	flush(deliver: (group: WatchGroup, batch: EventBatch) => void): void {
		for (const group of this.touched) deliver(group, group.takeBatch());
		this.touched.length = 0;
		this.gatheredBytes = 0;
	}

	/** The watchers of the group that has gathered most; it forgets that. */
	dropLargest(): Watcher[] {
		const largest = this.touched.reduce((a, b) => (b.bytes > a.bytes ? b : a));
		this.gatheredBytes -= largest.takeBatch().bytes;
		this.touched.splice(this.touched.indexOf(largest), 1);
		return [...largest.watchers];
	}

	/** Takes all watchers out, in the order in which they are kept. */
	takeAll(): Watcher[] {
		const all: Watcher[] = [];
		const take = (groups: SpanGroups): void => {
			for (const group of groups) for (const watcher of group.watchers) all.push(watcher);
		};
		for (const groups of this.keys.values()) take(groups);
		this.ranges.forEach(take);
		for (const watcher of all) this.remove(watcher);
		return all;
	}
}
