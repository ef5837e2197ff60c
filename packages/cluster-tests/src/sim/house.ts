import { assert, type Dice } from "@flotilla/base";
import type { RecordBatch } from "@flotilla/mvcc";
import { type CrashKind, MemoryStore, type OpenStore, type StoreHouse, type StoreOp, type StoreOpening } from "@flotilla/server/internal";
import type { CrashPoints } from "./crash-points.ts";
import type { SimProcess } from "./process.ts";

/** How often a store that is being closed looks whether its work is done. */
const LOOK_MS = 0.1;

/** The stores of one simulated machine: what is on its disk outlives its processes. */
export class SimStores {
	private readonly onDisk = new Map<string, MemoryStore>();
	private readonly open = new Map<string, MemoryStore>();
	/** Closed by the present process. */
	private readonly closed = new Map<string, MemoryStore>();
	/** Made since their folder was synced: a power cut may take their names. */
	private readonly unnamed = new Set<string>();
	private takesNames = false;
	private readonly dice: Dice;
	private readonly points: CrashPoints;
	private readonly slowestUs: number;
	private full = false;
	/** Told of every record batch that a process writes. */
	onBatch: (batch: RecordBatch) => void = () => {};

	/** `slowestUs`: what an operation takes at most. */
	constructor(dice: Dice, points: CrashPoints, slowestUs: number) {
		this.dice = dice;
		this.points = points;
		this.slowestUs = slowestUs;
	}

	/** The house as one process life sees it. */
	forProcess(process: SimProcess): StoreHouse {
		const { points } = this;
		/** Asked for in one turn, done in another, reported in the same unless the process dies in between. */
		const later = <T>(what: string, effect: () => T, done: (result: T) => void): void => {
			if (!points.pass("house", what)) return;
			process.scheduler.soon(() => {
				const result = effect();
				if (points.pass("house", `${what} done`)) done(result);
			});
		};
		return {
			list: (done) => later("list", () => [...this.onDisk.keys()].sort(), done),
			open: (generation, create, done) => later("open", () => this.openOne(generation, create, process), done),
			remove: (generation, done) => later("remove", () => this.removeOne(generation), done),
			sync: (done) => later("sync", () => this.syncNames(), done),
		};
	}

	/** From now on nothing can be written. */
	fill(): void {
		this.setFull(true);
	}

	mend(): void {
		this.setFull(false);
	}

	/** What is on the disk now; no process may have a store open. */
	copy(): ReadonlyMap<string, MemoryStore> {
		assert(this.open.size === 0, "stores are copied while nobody writes");
		return new Map([...this.onDisk].map(([generation, store]) => [generation, copyOf(store)]));
	}

	/** All stores make place for that copy, once. */
	putBack(copy: ReadonlyMap<string, MemoryStore>): void {
		assert(this.open.size === 0, "stores are replaced while nobody reads");
		this.onDisk.clear();
		this.unnamed.clear();
		for (const [generation, store] of copy) this.onDisk.set(generation, store);
	}

	/** Everything is gone, or the rows, or any part of the records; no process may have a store open. */
	lose(dice: Dice): void {
		assert(this.open.size === 0, "stores are lost while nobody reads");
		const what = dice.pick(["all", "rows", "records"] as const);
		if (what === "all") {
			this.onDisk.clear();
			this.unnamed.clear();
		}
		for (const [generation, store] of this.onDisk) {
			const { records, rows } = copyOf(store).raw();
			if (what === "rows") rows.clear();
			else for (const key of [...records.keys()].sort()) if (dice.chance(1, 2)) records.delete(key);
			this.onDisk.set(generation, withContent(records, rows));
		}
	}

	/** Inverts one bit of a record; where, or null when there is none. */
	rot(): string | null {
		const generation = [...this.onDisk.keys()].sort().at(-1);
		if (generation === undefined) return null;
		const store = this.open.get(generation) ?? (this.onDisk.get(generation) as MemoryStore);
		return store.flip(this.dice) ? `store.${generation}` : null;
	}

	crash(kind: CrashKind): void {
		for (const [generation, store] of this.open) this.onDisk.set(generation, store.crash(kind, this.dice));
		// What was closed was not synced by that.
		for (const [generation, store] of this.closed) {
			if (this.onDisk.get(generation) === store && !this.open.has(generation)) this.onDisk.set(generation, store.crash(kind, this.dice));
		}
		this.open.clear();
		this.closed.clear();
		if (kind !== "power" || this.unnamed.size === 0) return;
		// Every other time: no draw, so what a seed drew before there were names to lose stays as it was.
		this.takesNames = !this.takesNames;
		if (this.takesNames) for (const generation of this.unnamed) this.onDisk.delete(generation);
		this.unnamed.clear();
	}

	/** The folder that holds them was synced, by whomever. */
	named(): void {
		this.unnamed.clear();
	}

	private setFull(full: boolean): void {
		this.full = full;
		for (const store of this.open.values()) store.full = full;
	}

	private syncNames(): string | null {
		if (this.full) return "ENOSPC";
		this.named();
		return null;
	}

	private removeOne(generation: string): null {
		assert(!this.open.has(generation), "an open store is not removed");
		this.unnamed.delete(generation);
		this.onDisk.delete(generation);
		return null;
	}

	private openOne(generation: string, create: boolean, process: SimProcess): StoreOpening {
		if (this.open.has(generation)) return { ok: false, code: "locked", text: "held by another process" };
		const found = this.onDisk.get(generation);
		if (found === undefined && !create) return { ok: false, code: "missing", text: "no such store" };
		if (found === undefined && this.full) return { ok: false, code: "io", text: "IO error: No space left on device" };
		const steps = (work: () => void): void => {
			process.later(this.dice.range(20, this.slowestUs) / 1_000, work);
		};
		const store = found === undefined ? new MemoryStore(steps) : found.reopen(steps);
		if (found === undefined) this.unnamed.add(generation);
		store.full = this.full;
		store.onEffect = (op) => void this.points.pass("store", `${op.kind} done`);
		this.onDisk.set(generation, store);
		this.open.set(generation, store);
		return { ok: true, store: this.wrap(generation, store, process) };
	}

	private wrap(generation: string, store: MemoryStore, process: SimProcess): OpenStore {
		return {
			get: (key) => store.get(key),
			submit: (op: StoreOp) => {
				if (!process.alive || !this.points.pass("store", op.kind)) return;
				if (op.kind === "batch") this.onBatch(op.batch);
				store.submit(op);
			},
			get onCompletion() {
				return store.onCompletion;
			},
			set onCompletion(listener) {
				store.onCompletion = listener;
			},
			sizeBytes: () => store.sizeBytes(),
			close: (done) => {
				// What was asked for is done first, as LevelDB does.
				const close = (): void => {
					if (!store.idle) {
						process.later(LOOK_MS, close);
						return;
					}
					this.open.delete(generation);
					this.closed.set(generation, store);
					process.scheduler.soon(done);
				};
				close();
			},
		};
	}
}

function copyOf(store: MemoryStore): MemoryStore {
	const { records, rows } = store.raw();
	return withContent(records, rows);
}

function withContent(records: ReadonlyMap<string, Uint8Array>, rows: ReadonlyMap<string, Uint8Array>): MemoryStore {
	return new MemoryStore(
		() => {
			throw new Error("no process has opened this store");
		},
		records,
		rows,
	);
}
