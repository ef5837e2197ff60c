/** What one life of a member stands on: real files, or files and a store in memory in virtual time. */
import { Dice } from "@flotilla/base";
import {
	type Clock,
	type FileDisk,
	LevelHouse,
	MemoryStore,
	NodeDisk,
	nodeClock,
	nodeScheduler,
	type OpenStore,
	type Scheduler,
	SimDisk,
	type StoreHouse,
} from "@flotilla/server/internal";
import { VirtualTime } from "../sim/virtual-time.ts";

export interface Ground {
	readonly disk: FileDisk;
	readonly stores: StoreHouse;
	readonly clock: Clock;
	readonly scheduler: Scheduler;
	/** Lets go of what the life held. */
	close(): Promise<void>;
}

export function realGround(folder: string): Ground {
	const disk = new NodeDisk(folder);
	return { disk, stores: new LevelHouse(folder), clock: nodeClock, scheduler: nodeScheduler, close: () => disk.close() };
}

/** Records and rows of one generation of the store, keyed by one character a byte. */
export interface StoreContent {
	readonly records: ReadonlyMap<string, Uint8Array>;
	readonly rows: ReadonlyMap<string, Uint8Array>;
}

const STEP_US = 10;
const LOG_FOLDER = "wal";

/** Files by path, relative to the member's folder; stores by generation. */
export class MemoryGround implements Ground {
	readonly time = new VirtualTime();
	readonly disk: SimDisk;
	readonly stores: StoreHouse;
	readonly clock: Clock = { monotonicMs: () => this.time.nowUs / 1_000, wallMs: () => this.time.nowUs / 1_000 };
	readonly scheduler: Scheduler = {
		soon: (work) => void this.time.after(STEP_US, work),
		after: (ms, work) => this.time.after(ms * 1_000, work),
	};
	private readonly house: MemoryHouse;

	constructor(files: ReadonlyMap<string, Uint8Array>, stores: ReadonlyMap<string, StoreContent>) {
		const soon = (work: () => void): void => this.scheduler.soon(work);
		this.disk = new SimDisk({ schedule: soon, dice: new Dice("damage") });
		this.disk.submit({ id: 0, kind: "makeFolder", folder: LOG_FOLDER });
		while (this.time.step());
		for (const [path, bytes] of files) this.disk.overwrite(path, bytes);
		this.house = new MemoryHouse(stores, soon);
		this.stores = this.house;
	}

	/** The next life finds what a killed process leaves. */
	afterKill(): MemoryGround {
		return new MemoryGround(new Map(this.disk.paths().map((path) => [path, this.disk.bytesOf(path)])), this.house.contents());
	}

	close(): Promise<void> {
		return Promise.resolve();
	}
}

class MemoryHouse implements StoreHouse {
	private readonly stores: Map<string, MemoryStore>;
	private readonly open_ = new Set<string>();
	private readonly soon: (work: () => void) => void;

	constructor(contents: ReadonlyMap<string, StoreContent>, soon: (work: () => void) => void) {
		this.soon = soon;
		this.stores = new Map([...contents].map(([name, { records, rows }]) => [name, new MemoryStore(soon, records, rows)]));
	}

	contents(): Map<string, StoreContent> {
		return new Map([...this.stores].map(([name, store]) => [name, store.raw()]));
	}

	list(done: (generations: readonly string[]) => void): void {
		this.soon(() => done([...this.stores.keys()].sort((a, b) => Number(a) - Number(b))));
	}

	open(generation: string, create: boolean, done: Parameters<StoreHouse["open"]>[2]): void {
		this.soon(() => {
			const found = this.stores.get(generation);
			if (found === undefined && !create) return done({ ok: false, code: "missing", text: "no such store" });
			if (this.open_.has(generation)) return done({ ok: false, code: "locked", text: "held already" });
			const store = found ?? new MemoryStore(this.soon);
			this.stores.set(generation, store);
			this.open_.add(generation);
			done({ ok: true, store: this.opened(generation, store) });
		});
	}

	remove(generation: string, done: (error: string | null) => void): void {
		this.soon(() => {
			this.stores.delete(generation);
			done(null);
		});
	}

	sync(done: (error: string | null) => void): void {
		this.soon(() => done(null));
	}

	private opened(generation: string, store: MemoryStore): OpenStore {
		return Object.assign(store, {
			close: (done: () => void) => {
				this.open_.delete(generation);
				this.soon(done);
			},
		});
	}
}
