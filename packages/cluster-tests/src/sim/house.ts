import { assert, type Dice } from "@flotilla/base";
import type { RecordBatch } from "@flotilla/mvcc";
import { type CrashKind, MemoryStore, type OpenStore, type StoreHouse, type StoreOp, type StoreOpening } from "@flotilla/server/internal";
import type { SimProcess } from "./process.ts";

/** The stores of one simulated machine: what is on its disk outlives its processes. */
export class SimStores {
	private readonly onDisk = new Map<string, MemoryStore>();
	private readonly open = new Map<string, MemoryStore>();
	private readonly dice: Dice;
	/** Told of every record batch that a process writes. */
	onBatch: (batch: RecordBatch) => void = () => {};

	constructor(dice: Dice) {
		this.dice = dice;
	}

	/** The house as one process life sees it. */
	forProcess(process: SimProcess): StoreHouse {
		const later = (work: () => void): void => process.scheduler.soon(work);
		return {
			list: (done) => later(() => done([...this.onDisk.keys()].sort())),
			open: (generation, create, done) => later(() => done(this.openOne(generation, create, process))),
			remove: (generation, done) =>
				later(() => {
					assert(!this.open.has(generation), "an open store is not removed");
					this.onDisk.delete(generation);
					done(null);
				}),
			sync: (done) => later(() => done(null)),
		};
	}

	crash(kind: CrashKind): void {
		for (const [generation, store] of this.open) this.onDisk.set(generation, store.crash(kind, this.dice));
		this.open.clear();
	}

	private openOne(generation: string, create: boolean, process: SimProcess): StoreOpening {
		if (this.open.has(generation)) return { ok: false, code: "locked", text: "held by another process" };
		const found = this.onDisk.get(generation);
		if (found === undefined && !create) return { ok: false, code: "missing", text: "no such store" };
		const steps = (work: () => void): void => {
			process.scheduler.after(this.dice.range(20, 400) / 1_000, work);
		};
		const store = found === undefined ? new MemoryStore(steps) : found.reopen(steps);
		this.onDisk.set(generation, store);
		this.open.set(generation, store);
		return { ok: true, store: this.wrap(generation, store, process) };
	}

	private wrap(generation: string, store: MemoryStore, process: SimProcess): OpenStore {
		return {
			get: (key) => store.get(key),
			submit: (op: StoreOp) => {
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
				this.open.delete(generation);
				process.scheduler.soon(done);
			},
		};
	}
}
