import { assert, fail } from "@flotilla/base";
import type { RecordBatch, StoredRecord } from "@flotilla/mvcc";
import type { FloorImage, TableRow } from "@flotilla/replica";
import type { OpenStore, StoreCompletion, StoreOp, ViewName } from "../ports.ts";
import { FloorMachine, type FloorOp, type StoreIdentity } from "./floor.ts";

type ViewOp =
	| { readonly kind: "openView" | "closeView"; readonly view: ViewName }
	| { readonly kind: "readView"; readonly view: ViewName; readonly bytesMax: number };

export interface LiveStoreOwner {
	/** Something has returned: a turn is due. */
	returned(): void;
	/** A floor is durable: the log may be cut behind it. */
	floorDurable(image: FloorImage): void;
	nowMs(): number;
	/** How long it took from hand-over to return. */
	batchTook(ms: number): void;
	floorTook(ms: number): void;
	failed(reason: string): void;
	/** Null, or what is wrong with a record that was read. */
	recordFault(record: StoredRecord): string | null;
}

/** One generation of the store while the replica writes to it: record batches, floors, views, and what has returned of them. */
export class LiveStore {
	readonly disk: OpenStore;
	readonly generation: string;
	/** Applied index of the newest durable floor. */
	floorIndex: number;
	/** Highest batch that has returned. */
	storedSeq = 0;
	private readonly owner: LiveStoreOwner;
	private readonly floors: FloorMachine;
	private readonly batchOps: Array<{ readonly op: number; readonly seq: number; readonly atMs: number }> = [];
	private floorBeganMs = 0;
	private readonly viewOps = new Map<number, (completion: StoreCompletion) => void>();
	private lastOp = 0;
	private deliveredSeq = 0;
	private durableFloor: FloorImage | null = null;
	private retired = false;

	/** `rows`: what the disk holds of the tables, at the floor of `floorIndex`. */
	constructor(disk: OpenStore, identity: StoreIdentity, rows: readonly TableRow[], floorIndex: number, owner: LiveStoreOwner) {
		this.disk = disk;
		this.generation = identity.generation;
		this.floorIndex = floorIndex;
		this.owner = owner;
		this.floors = new FloorMachine(
			{
				identity,
				submit: (op) => this.submitFloor(op),
				floorDurable: (image) => this.floorReturned(image),
				floorFailed: (reason) => owner.failed(`Cannot write the store's floor: ${reason}. Free or replace the disk, then start again.`),
			},
			rows,
		);
		disk.onCompletion = (completion) => this.completed(completion);
	}

	get floorBusy(): boolean {
		return this.floors.busy;
	}

	write(batch: RecordBatch): void {
		const op = ++this.lastOp;
		this.batchOps.push({ op, seq: batch.seq, atMs: this.owner.nowMs() });
		this.disk.submit({ id: op, kind: "batch", batch });
	}

	startFloor(image: FloorImage): void {
		this.floorBeganMs = this.owner.nowMs();
		this.floors.start(image);
	}

	view(op: ViewOp, done: (completion: StoreCompletion) => void): void {
		const id = ++this.lastOp;
		this.viewOps.set(id, done);
		this.disk.submit({ ...op, id } as StoreOp);
	}

	/** Another generation has taken its place: what still returns of writes means nothing any more. */
	retire(): void {
		this.retired = true;
	}

	/** Highest batch that returned since the last call; 0 for none. */
	takeStored(): number {
		if (this.storedSeq === this.deliveredSeq) return 0;
		this.deliveredSeq = this.storedSeq;
		return this.storedSeq;
	}

	/** The floor that became durable since the last call. */
	takeFloor(): FloorImage | null {
		const image = this.durableFloor;
		this.durableFloor = null;
		return image;
	}

	private faultIn({ records }: StoreCompletion): string | null {
		for (const record of records ?? []) {
			const fault = this.owner.recordFault(record);
			if (fault !== null) return fault;
		}
		return null;
	}

	private submitFloor(op: FloorOp): number {
		const id = ++this.lastOp;
		this.disk.submit({ ...op, id });
		return id;
	}

	private floorReturned(image: FloorImage): void {
		this.owner.floorTook(this.owner.nowMs() - this.floorBeganMs);
		this.durableFloor = image;
		this.floorIndex = image.appliedIndex;
		this.owner.floorDurable(image);
	}

	private completed(completion: StoreCompletion): void {
		const viewDone = this.viewOps.get(completion.id);
		if (viewDone !== undefined) {
			this.viewOps.delete(completion.id);
			// What is read for another member or for a file must be what was written: a damaged record is never handed on.
			const fault = this.faultIn(completion);
			if (fault === null) viewDone(completion);
			else this.owner.failed(`Cannot read the store: ${fault} in store.${this.generation}. The next start examines all of it.`);
			return;
		}
		if (this.retired || this.floors.complete(completion)) return;
		if (completion.error !== null) {
			this.owner.failed(`Cannot write to the store: ${completion.error}. Free or replace the disk, then start again.`);
			return;
		}
		const next = this.batchOps.shift();
		assert(next !== undefined, "a batch that returns was submitted");
		if (next.op !== completion.id) fail("record batches return in order", { wanted: next.op, got: completion.id });
		this.storedSeq = next.seq;
		this.owner.batchTook(this.owner.nowMs() - next.atMs);
		this.floors.batchStored(next.seq);
		this.owner.returned();
	}
}
