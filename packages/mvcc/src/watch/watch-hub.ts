import { assert, type ByteOps } from "@flotilla/base";
import type { Revision } from "../request.ts";
import type { EventGroup } from "../result.ts";
import type { KeyValueStore } from "../store-interface.ts";
import { Cohort } from "./cohort.ts";
import { type EventBatch, WatchEvent } from "./watch-event.ts";
import { type WatchSink, WatchStream } from "./watch-stream.ts";
import type { Watcher, WatcherState } from "./watcher.ts";
import { WatcherIndex, type WatchGroup } from "./watcher-index.ts";

export interface WatchLimits {
	/** Bytes that wait for a stream's reader; beyond, its watchers are parked and read on from the store later. */
	readonly streamBytesMax: number;
	/** The same for all streams together. */
	readonly totalBytesMax: number;
	/** What all watchers take, each with its range and `WATCHER_BYTES`. One more is refused. */
	readonly watcherBytesMax: number;
	/** Records looked at, and bytes read, in one slice of the past. */
	readonly sliceRecords: number;
	readonly sliceBytes: number;
	/** A revision of so many records is read in several slices, and gathered meanwhile. */
	readonly largeRecords: number;
	/** Bytes of events that are gathered of it, for all that stand there; beyond, those that would hear most are ended. */
	readonly gatheredBytesMax: number;
}

export const DEFAULT_WATCH_LIMITS: WatchLimits = {
	streamBytesMax: 1 << 20,
	totalBytesMax: 16 << 20,
	watcherBytesMax: 512 << 20,
	sliceRecords: 1_000,
	// A thousand streams that stop in the middle of a slice each keep the rest of it.
	sliceBytes: 32 << 10,
	largeRecords: 4_096,
	gatheredBytesMax: 512 << 20,
};

/** About what a watcher takes besides its range. */
const WATCHER_BYTES = 512;
/** What is queued for a stream in one turn before it is handed on. */
const FLUSH_BYTES = 64 << 10;
/** Events of one turn, of all groups of watchers, that are put together before they are told. */
const GATHERED_BYTES = 64 << 10;

export interface WatchPorts {
	readonly bytes: ByteOps;
	/** Watchers are behind: `catchUp` is to be called, in a later turn. */
	wake(): void;
}

/** The store as watchers need it. */
export type WatchedStore = Pick<KeyValueStore, "revision" | "compactRevision" | "history">;

/** Why a watcher ends whose response nobody could hold. */
const TOO_LARGE = "etcdserver: too many events in one revision";

/** An empty store is at revision 1: nothing was ever changed there. */
const FIRST_CHANGE = 2;

/**
 * Who hears what. Synced watchers are shown each revision as it is made; those that are behind read the past from the store in
 * slices, by cohorts that stand at the same revision; one whose stream takes nothing is parked, remembers a revision and costs
 * no more. Owns no clock: the owner calls `publish` with what was applied, then `deliver`, and `catchUp` as long as it says so.
 */
export class WatchHub {
	readonly ops: ByteOps;
	/** Up to which synced watchers have been shown everything: the store's, between two turns. */
	revision: Revision;
	/** Bytes that wait in the queues of all streams. */
	queuedBytes = 0;
	/** For metrics. `behind`: watchers that have not been shown everything. */
	readonly counts = { streams: 0, watchers: 0, behind: 0, events: 0 };
	private readonly limits: WatchLimits;
	private readonly wake: () => void;
	private store: WatchedStore;
	private readonly synced = new WatcherIndex();
	private readonly futures = new Map<Revision, Set<Watcher>>();
	/** The first one is next. */
	private readonly cohorts = new Set<Cohort>();
	/** Those that may be joined, by the revision at which they stand. */
	private readonly joinable = new Map<Revision, Cohort>();
	/** What is gathered of large revisions must have its end: one cohort after the other. */
	private gatherer: Cohort | null = null;
	private readonly dirty = new Set<WatchStream>();
	private readonly overfull = new Set<WatchStream>();
	private watcherBytes = 0;

	constructor(limits: WatchLimits, store: WatchedStore, ports: WatchPorts) {
		this.limits = limits;
		this.store = store;
		this.ops = ports.bytes;
		this.wake = () => ports.wake();
		this.revision = store.revision;
	}

	openStream(sink: WatchSink): WatchStream {
		this.counts.streams++;
		return new WatchStream(this, sink);
	}

	/** There is somebody to show changes to. While it is false, `publish` may be given less than was applied. */
	get listening(): boolean {
		return this.counts.watchers > 0;
	}

	/** Watchers are behind and may read on: `catchUp` has work. */
	get catchingUp(): boolean {
		return this.cohorts.size > 0;
	}

	/**
	 * What was applied in one turn, revision by revision; `store` holds all of it. Another store than before is one that took
	 * its place whole, with what lies between the two revisions (rule V2).
	 */
	publish(store: WatchedStore, groups: readonly EventGroup[]): void {
		if (store !== this.store) this.exchange(store);
		for (const { revision, events } of groups) {
			// Applied to the new store after the exchange: read from there like all else that came with it.
			if (revision <= this.revision) continue;
			assert(revision === this.revision + 1, "watchers are shown every revision");
			// Who begins here hears nothing of what is gathered for the others by now, and who is parked has not seen this one.
			if (events === null || this.futures.has(revision)) this.tellGathered();
			this.revision = revision;
			this.awaken(revision);
			if (this.synced.size === 0) continue;
			if (events === null) {
				this.passBy(revision);
				continue;
			}
			for (const { key, type, kv } of events) {
				const matched = this.synced.match(key, type);
				this.counts.events += matched.length;
				if (matched.length > 0) this.synced.gather(matched, new WatchEvent(type, key, revision, kv, store));
			}
			if (this.synced.gatheredBytes > GATHERED_BYTES) this.tellGathered();
		}
		this.tellGathered();
		// Nobody hears, so the store kept nothing: who comes later begins behind it.
		if (!this.listening) this.revision = store.revision;
		assert(this.revision === store.revision, "watchers are shown all that was applied");
	}

	/** What a turn applied goes to a watcher in one response: with many puts a second and many watchers it is responses that cost. */
	private tellGathered(): void {
		this.synced.flush(this.tell);
		this.parkOverfull();
	}

	/** Hands the queues on to their readers. */
	deliver(): void {
		for (const stream of this.dirty) stream.flush();
		this.dirty.clear();
	}

	/** One slice of the past for one cohort. True when there is more to do. */
	catchUp(): boolean {
		const [cohort] = this.cohorts;
		if (cohort === undefined) return false;
		this.cohorts.delete(cohort);
		if (!this.mayGather(cohort)) {
			this.cohorts.add(cohort);
			return true;
		}
		if (this.joinable.get(cohort.next) === cohort) this.joinable.delete(cohort.next);
		if (cohort.index.size > 0) {
			// Nothing comes between this look and the end of the slice, so it holds for all that is read (rule V3).
			if (cohort.next < this.store.compactRevision) this.endCohort(cohort);
			else this.readOn(cohort);
		}
		return this.catchingUp;
	}

	// ---- what streams use

	hasRoomFor(rangeBytes: number): boolean {
		return this.watcherBytes + WATCHER_BYTES + rangeBytes <= this.limits.watcherBytesMax;
	}

	/** A watcher that was just made. */
	enter(watcher: Watcher): void {
		this.watcherBytes += bytesOfWatcher(watcher);
		this.counts.watchers++;
		this.counts.behind++;
		watcher.stream.unsynced++;
		watcher.stream.parked++;
		this.place(watcher);
	}

	/** A watcher that hears nothing from now on. */
	leave(watcher: Watcher): void {
		this.counts.watchers--;
		this.takeOut(watcher, "gone");
		this.watcherBytes -= bytesOfWatcher(watcher);
	}

	/** The stream's queue is empty: its watchers go on where they were. */
	unpark(stream: WatchStream): void {
		for (const watcher of stream.watchers.values()) if (watcher.state === "parked") this.place(watcher);
	}

	// ---- where watchers stand

	/** From `parked`, by its `next`, to where it belongs. */
	private place(watcher: Watcher): void {
		const { stream } = watcher;
		if (watcher.next < this.store.compactRevision) {
			this.endCompacted(watcher);
			return;
		}
		const next = Math.max(watcher.next, FIRST_CHANGE);
		watcher.next = next;
		if (next > this.revision && watcher.request.startRevision > this.revision) {
			this.enterState(watcher, "future");
			const waiting = this.futures.get(next);
			if (waiting === undefined) this.futures.set(next, new Set([watcher]));
			else waiting.add(watcher);
		} else if (next > this.revision) {
			this.enterState(watcher, "synced");
			this.synced.add(watcher);
		} else if (stream.takes) {
			this.enterState(watcher, "behind");
			this.joinCohort(watcher, next);
		}
	}

	private joinCohort(watcher: Watcher, next: Revision): void {
		let cohort = this.joinable.get(next);
		if (cohort === undefined) {
			cohort = new Cohort(next);
			this.joinable.set(next, cohort);
			this.cohorts.add(cohort);
			this.wake();
		}
		cohort.index.add(watcher);
		watcher.cohort = cohort;
	}

	/** Notes where it stood in `next`. */
	private takeOut(watcher: Watcher, into: "parked" | "ended" | "gone"): void {
		switch (watcher.state) {
			case "synced":
				watcher.next = this.revision + 1;
				this.synced.remove(watcher);
				break;
			case "behind": {
				const cohort = watcher.cohort as Cohort;
				watcher.next = cohort.next;
				cohort.index.remove(watcher);
				watcher.cohort = null;
				break;
			}
			case "future": {
				const waiting = this.futures.get(watcher.next);
				waiting?.delete(watcher);
				if (waiting?.size === 0) this.futures.delete(watcher.next);
				break;
			}
			case "parked":
			case "ended":
			case "gone":
		}
		this.enterState(watcher, into);
	}

	private enterState(watcher: Watcher, state: WatcherState): void {
		const { stream } = watcher;
		const { state: before } = watcher;
		if (before === "parked") stream.parked--;
		if (state === "parked") stream.parked++;
		if (isUnsynced(before)) {
			stream.unsynced--;
			this.counts.behind--;
		}
		if (isUnsynced(state)) {
			stream.unsynced++;
			this.counts.behind++;
		}
		watcher.state = state;
	}

	/** Watchers that begin with `revision`, which is about to be shown. */
	private awaken(revision: Revision): void {
		const waiting = this.futures.get(revision);
		if (waiting === undefined) return;
		this.futures.delete(revision);
		for (const watcher of waiting) {
			this.enterState(watcher, "synced");
			this.synced.add(watcher);
		}
	}

	/** What a compaction took from it is told, and nothing after that; its id stays taken (etcd API 3.8). */
	private endCompacted(watcher: Watcher): void {
		this.takeOut(watcher, "ended");
		watcher.stream.push({ kind: "compacted", watcher, compactRevision: this.store.compactRevision });
		watcher.stream.flush();
	}

	private exchange(store: WatchedStore): void {
		assert(store.revision >= this.revision, "the revision does not fall");
		const next = this.revision + 1;
		this.store = store;
		this.revision = store.revision;
		if (store.revision < next) return;
		for (const watcher of this.synced.takeAll()) this.fallBehind(watcher, next);
		for (const [begin, waiting] of [...this.futures]) {
			if (begin > store.revision) continue;
			this.futures.delete(begin);
			for (const watcher of waiting) this.fallBehind(watcher, begin);
		}
	}

	/** A revision too large to be shown as it is made: whoever heard all before reads it from the store. */
	private passBy(revision: Revision): void {
		// Only a stream whose client does not read may keep something: its watchers go on when it does.
		this.deliver();
		for (const watcher of this.synced.takeAll()) this.fallBehind(watcher, revision);
	}

	private fallBehind(watcher: Watcher, next: Revision): void {
		watcher.next = next;
		this.enterState(watcher, "parked");
		this.place(watcher);
	}

	// ---- the present

	private readonly tell = (group: WatchGroup, batch: EventBatch): void => {
		const { revision, limits } = this;
		for (const watcher of group.watchers) {
			const { stream } = watcher;
			watcher.quiet = false;
			stream.push({ kind: "events", watcher, revision, batch });
			this.dirty.add(stream);
			const crowded = this.queuedBytes > limits.totalBytesMax;
			if (!stream.blocked && (crowded || stream.queue.bytes > FLUSH_BYTES)) stream.flush();
			if (stream.blocked && (crowded || stream.queue.bytes > limits.streamBytesMax)) this.overfull.add(stream);
		}
	};

	/**
	 * Only when a revision, or a slice, was shown to all: who is parked has seen the whole of it. What is queued for them is
	 * forgotten and read again when their client has room: nobody knows when that will be.
	 */
	private parkOverfull(): void {
		for (const stream of this.overfull) {
			for (const watcher of stream.watchers.values()) {
				if (watcher.state === "synced" || watcher.state === "behind") this.takeOut(watcher, "parked");
			}
			stream.forgetParked();
		}
		this.overfull.clear();
	}

	// ---- the past

	private readOn(cohort: Cohort): void {
		this.showSlice(cohort);
		for (const stream of this.dirty) {
			stream.flush();
			// One slice at a time: who did not take it reads on when it has.
			if (!stream.queue.empty) this.parkBehind(stream);
		}
		this.dirty.clear();
		this.parkOverfull();
		if (cohort.index.size === 0) return;
		if (cohort.part > 0) this.cohorts.add(cohort);
		else if (cohort.next > this.revision) this.arrive(cohort);
		else this.join(cohort);
	}

	private showSlice(cohort: Cohort): void {
		const { index } = cohort;
		const { store, limits } = this;
		const budget = { records: limits.sliceRecords, bytes: limits.sliceBytes, whole: limits.largeRecords };
		const { revision, part } = store.history.scan({ revision: cohort.next, part: cohort.part }, budget, (change) => {
			const matched = index.match(change.key, change.type);
			if (matched.length === 0) return 0;
			const kv = change.read();
			index.gather(matched, new WatchEvent(change.type, change.key, change.revision, kv, store), true);
			return kv.length;
		});
		cohort.next = revision;
		cohort.part = part;
		if (part === 0) index.flush(this.tell);
		else
			while (index.gatheredBytes > limits.gatheredBytesMax)
				for (const watcher of index.dropLargest()) watcher.stream.cancel(watcher.id, TOO_LARGE);
	}

	/** False while another cohort gathers, and this one would. */
	private mayGather(cohort: Cohort): boolean {
		const { gatherer } = this;
		if (gatherer !== null && !(this.cohorts.has(gatherer) && gatherer.gathering)) this.gatherer = null;
		if (!cohort.gathering) return true;
		this.gatherer ??= cohort;
		return this.gatherer === cohort;
	}

	private parkBehind(stream: WatchStream): void {
		for (const watcher of stream.watchers.values()) if (watcher.state === "behind") this.takeOut(watcher, "parked");
	}

	private arrive(cohort: Cohort): void {
		for (const watcher of cohort.index.takeAll()) {
			watcher.cohort = null;
			this.enterState(watcher, "synced");
			this.synced.add(watcher);
		}
	}

	/** To the end of the row, together with a cohort that stands at the same revision already. */
	private join(cohort: Cohort): void {
		const there = this.joinable.get(cohort.next);
		if (there === undefined) {
			this.cohorts.add(cohort);
			this.joinable.set(cohort.next, cohort);
			return;
		}
		this.cohorts.delete(there);
		const [small, large] = there.index.size < cohort.index.size ? [there, cohort] : [cohort, there];
		for (const watcher of small.index.takeAll()) {
			large.index.add(watcher);
			watcher.cohort = large;
		}
		this.cohorts.add(large);
		this.joinable.set(large.next, large);
	}

	private endCohort(cohort: Cohort): void {
		for (const watcher of cohort.index.takeAll()) {
			watcher.cohort = null;
			watcher.next = cohort.next;
			this.enterState(watcher, "parked");
			this.endCompacted(watcher);
		}
	}
}

function isUnsynced(state: WatcherState): boolean {
	return state === "future" || state === "behind" || state === "parked";
}

function bytesOfWatcher({ request }: Watcher): number {
	return WATCHER_BYTES + request.key.length + request.rangeEnd.length;
}
