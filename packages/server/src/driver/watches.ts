import type { ByteOps } from "@flotilla/base";
import { type EventGroup, type KeyValueStore, WatchHub, type WatchLimits, type WatchSink, type WatchStream } from "@flotilla/mvcc";
import type { Scheduler } from "../ports.ts";

/** The watchers of this member: told in the turn that applied, and shown the past in turns of their own. */
export class Watches {
	private readonly hub: WatchHub;
	private readonly scheduler: Scheduler;
	private scheduled = false;
	private ended = false;

	constructor(limits: WatchLimits, store: KeyValueStore, bytes: ByteOps, scheduler: Scheduler) {
		this.scheduler = scheduler;
		this.hub = new WatchHub(limits, store, { bytes, wake: () => this.schedule() });
	}

	get counts(): WatchHub["counts"] {
		return this.hub.counts;
	}

	get listening(): boolean {
		return this.hub.listening;
	}

	get queuedBytes(): number {
		return this.hub.queuedBytes;
	}

	openStream(sink: WatchSink): WatchStream {
		return this.hub.openStream(sink);
	}

	/** Before any answer of the turn: whoever watches from an answer on must find everything before it already shown. */
	publish(store: KeyValueStore, groups: readonly EventGroup[]): void {
		this.hub.publish(store, groups);
	}

	/** Behind the answers of the turn. */
	deliver(): void {
		this.hub.deliver();
	}

	end(): void {
		this.ended = true;
	}

	private schedule(): void {
		if (this.scheduled || this.ended) return;
		this.scheduled = true;
		this.scheduler.soon(() => {
			this.scheduled = false;
			// One slice a turn: writes and reads come in between.
			if (!this.ended && this.hub.catchUp()) this.schedule();
		});
	}
}
