import { assert, type Dice, portableBytes, unreachable } from "@flotilla/base";
import type { StoredRecord } from "@flotilla/mvcc";
import type { StoreCompletion, StoreDisk, StoreOp, ViewName } from "../ports.ts";
import { takeBytes } from "./take-bytes.ts";

/** `power`: what no barrier covered is lost in any subset. `process`: what had returned is kept, as after kill -9. */
export type CrashKind = "power" | "process";

/** One unsynced write: records put and deleted, all of them or none. */
interface Unsynced {
	readonly puts: readonly StoredRecord[];
	readonly deletes: readonly Uint8Array[];
}

/**
 * The key-value store's disk in memory, for tests and the simulator. It promises as little as LevelDB was seen to keep:
 * a synced floor says nothing about the batches before it; only a barrier does. Operations run in order, one a step of
 * the injected schedule, and take effect in the step that reports them.
 */
export class MemoryStore implements StoreDisk {
	onCompletion: (completion: StoreCompletion) => void = () => {};
	/** Every operation as it takes effect, before it is reported. */
	onEffect: (op: StoreOp) => void = () => {};
	/** Writes fail for want of space, and do nothing. */
	full = false;
	private readonly schedule: (work: () => void) => void;
	/** What the process sees. */
	private readonly records: Map<string, Uint8Array>;
	private readonly rows: Map<string, Uint8Array>;
	/** What surely survives, and the writes since, in order. */
	private readonly durable: Map<string, Uint8Array>;
	private unsynced: Unsynced[] = [];
	private readonly queue: StoreOp[] = [];
	private scheduled = false;
	private dead = false;
	private scanning: StoredRecord[] | null = null;
	private readonly views = new Map<ViewName, StoredRecord[]>();

	/** `schedule` runs its argument once, later: each call is one step of the disk. */
	constructor(
		schedule: (work: () => void) => void,
		records: ReadonlyMap<string, Uint8Array> = new Map(),
		rows: ReadonlyMap<string, Uint8Array> = new Map(),
	) {
		this.schedule = schedule;
		this.records = new Map(records);
		this.durable = new Map(records);
		this.rows = new Map(rows);
	}

	get(key: Uint8Array): Uint8Array | undefined {
		return this.records.get(portableBytes.latin1(key));
	}

	submit(op: StoreOp): void {
		assert(!this.dead, "a crashed store takes no operation");
		this.queue.push(op);
		if (!this.scheduled) this.scheduleStep();
	}

	sizeBytes(): number {
		let bytes = 0;
		for (const [key, value] of this.records) bytes += key.length + value.length;
		for (const [key, value] of this.rows) bytes += key.length + value.length;
		return bytes;
	}

	/** Nothing was submitted that has not been reported. */
	get idle(): boolean {
		return this.queue.length === 0;
	}

	/**
	 * Ends this store and returns what the disk holds as a new one. The operation at the head of the queue may or may not
	 * have taken effect; those behind it have not.
	 */
	crash(kind: CrashKind, dice: Dice, schedule: (work: () => void) => void = this.schedule): MemoryStore {
		this.dead = true;
		const head = this.queue[0];
		if (head !== undefined && dice.chance(1, 2)) this.takeEffect(head);
		const kept = new Map(this.durable);
		for (const write of this.unsynced) {
			if (kind === "process" || dice.chance(1, 2)) applyWrite(kept, write);
		}
		return new MemoryStore(schedule, kept, this.rows);
	}

	/** Ends this store cleanly and returns it as the next process finds it. */
	reopen(schedule: (work: () => void) => void = this.schedule): MemoryStore {
		assert(this.idle, "a store is closed when its work is done");
		this.dead = true;
		return new MemoryStore(schedule, this.records, this.rows);
	}

	/** For tests that damage the disk: the raw maps, keyed by one character a byte. */
	raw(): { readonly records: Map<string, Uint8Array>; readonly rows: Map<string, Uint8Array> } {
		return { records: this.records, rows: this.rows };
	}

	/** Inverts one bit of a record on the medium. False when there is none. */
	flip(dice: Dice): boolean {
		const names = [...this.records.keys()].sort();
		if (names.length === 0) return false;
		const name = dice.pick(names);
		const value = (this.records.get(name) as Uint8Array).slice();
		const at = dice.range(0, value.length - 1);
		value[at] = (value[at] as number) ^ (1 << dice.range(0, 7));
		this.records.set(name, value);
		if (this.durable.has(name)) this.durable.set(name, value);
		return true;
	}

	private scheduleStep(): void {
		this.scheduled = true;
		this.schedule(() => this.step());
	}

	private step(): void {
		this.scheduled = false;
		if (this.dead) return;
		const op = this.queue.shift();
		assert(op !== undefined, "a step of the store has work");
		const completion = this.full && WRITES.has(op.kind) ? failed(op) : this.takeEffect(op);
		if (this.queue.length > 0) this.scheduleStep();
		this.onEffect(op);
		// Whoever watches may end the process between the effect and its report.
		if (!this.dead) this.onCompletion(completion);
	}

	private takeEffect(op: StoreOp): StoreCompletion {
		const plain: StoreCompletion = { id: op.id, error: null, rows: null, records: null };
		switch (op.kind) {
			case "batch":
				this.write({ puts: op.batch.puts, deletes: op.batch.deletes });
				return plain;
			case "deleteRecords":
				this.write({ puts: [], deletes: op.keys });
				return plain;
			case "barrier":
				for (const write of this.unsynced) applyWrite(this.durable, write);
				this.unsynced = [];
				return plain;
			case "floor":
				for (const { key, value } of op.rows) {
					if (value === null) this.rows.delete(key);
					else this.rows.set(key, value);
				}
				return plain;
			case "readTables":
				return { ...plain, rows: [...this.rows.keys()].sort().map((key) => ({ key, value: this.rows.get(key) as Uint8Array })) };
			case "scan":
				return { ...plain, records: this.scan(op.recordsMax) };
			case "openView":
				assert(!this.views.has(op.view), "one view of a name at a time");
				this.views.set(op.view, this.inOrder());
				return plain;
			case "readView": {
				const view = this.views.get(op.view);
				assert(view !== undefined, "a view is opened before it is read");
				return { ...plain, records: takeBytes(view, op.bytesMax) };
			}
			case "closeView":
				this.views.delete(op.view);
				return plain;
			default:
				return unreachable(op);
		}
	}

	private write(write: Unsynced): void {
		applyWrite(this.records, write);
		this.unsynced.push(write);
	}

	private inOrder(): StoredRecord[] {
		const names = [...this.records.keys()].sort();
		return names.map((name) => ({ key: portableBytes.fromLatin1(name), value: this.records.get(name) as Uint8Array }));
	}

	private scan(recordsMax: number): StoredRecord[] {
		this.scanning ??= this.inOrder();
		const page = this.scanning.splice(0, recordsMax);
		if (page.length < recordsMax) this.scanning = null;
		return page;
	}
}

const WRITES: ReadonlySet<StoreOp["kind"]> = new Set(["batch", "barrier", "floor", "deleteRecords"] as const);

function failed({ id }: StoreOp): StoreCompletion {
	return { id, error: "IO error: No space left on device", rows: null, records: null };
}

function applyWrite(records: Map<string, Uint8Array>, write: Unsynced): void {
	for (const { key, value } of write.puts) records.set(portableBytes.latin1(key), value);
	for (const key of write.deletes) records.delete(portableBytes.latin1(key));
}
