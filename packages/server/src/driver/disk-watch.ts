import type { PendingAppends } from "./pending-appends.ts";
import type { SyncTimes } from "./sync-times.ts";

export interface DiskWatchOptions {
	readonly tickMs: number;
	/** A write that must be synced and waits longer than this is stuck. */
	readonly limitMs: number;
}

export interface DiskWatchWorld {
	stalled(is: boolean): void;
	/** How long a synced write is expected to take, in ticks. */
	syncTicks(ticks: number): void;
}

/** Tells the core of the disk, each time something is new of it: that it is stuck (rule W6), and how long it takes (rule H4). */
export class DiskWatch {
	private readonly options: DiskWatchOptions;
	private readonly pending: PendingAppends;
	private readonly times: SyncTimes;
	private readonly world: DiskWatchWorld;
	private stalled = false;
	private expectedMs = 0;

	constructor(options: DiskWatchOptions, pending: PendingAppends, times: SyncTimes, world: DiskWatchWorld) {
		this.options = options;
		this.pending = pending;
		this.times = times;
		this.world = world;
	}

	look(nowMs: number): void {
		const stalled = this.pending.oldestAgeMs(nowMs) > this.options.limitMs;
		if (stalled !== this.stalled) {
			this.stalled = stalled;
			this.world.stalled(stalled);
		}
		const { expectedMs } = this.times;
		if (expectedMs === this.expectedMs) return;
		this.expectedMs = expectedMs;
		this.world.syncTicks(expectedMs / this.options.tickMs);
	}
}
