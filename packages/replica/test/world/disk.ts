import { type Dice, portableBytes } from "@flotilla/base";
import { EMPTY_MARK, MemoryStorage, type RecordBatch, StoreRebuild, wholly } from "@flotilla/mvcc";
import { type AppendWork, bootstrapPoint, type Entry, type HardState, type RestoredLog, type SnapshotMeta } from "@flotilla/raft";
import { bootstrapTables, type FloorImage, type MemberInfo, type ReplicaState, type TableRow } from "../../src/index.ts";

interface Floor {
	readonly base: SnapshotMeta;
	readonly mark: FloorImage["mark"];
	readonly tables: readonly TableRow[];
}

/**
 * What one machine keeps through crashes: frames of the log and records of the store. A crash loses frames that were not
 * acknowledged (from some point on), acknowledged ones at the end that nobody asked to sync, and any subset of the record
 * batches that no barrier covered.
 */
export class Disk {
	/** As the running process believes it; what is lost at a crash goes from its end. */
	private frames: AppendWork[] = [];
	private ackedFrames = 0;
	private floor: Floor;
	private durableRecords = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array }>();
	private unsynced: RecordBatch[] = [];
	storage = new MemoryStorage(portableBytes);

	constructor(members: readonly MemberInfo[]) {
		this.floor = { base: bootstrapPoint(members.map(({ id }) => id)), mark: EMPTY_MARK, tables: bootstrapTables(members) };
	}

	get floorIndex(): number {
		return this.floor.base.index;
	}

	append(work: AppendWork): void {
		this.frames.push(work);
	}

	/** The oldest unacknowledged frame is on the disk now, if it was asked to be. */
	acknowledge(): AppendWork {
		return this.frames[this.ackedFrames++] as AppendWork;
	}

	entries(fromIndex: number, uptoIndex: number): Entry[] {
		return this.replay().entries.filter(({ index }) => index >= fromIndex && index <= uptoIndex);
	}

	write(batch: RecordBatch): void {
		this.storage.write(batch);
		this.unsynced.push(batch);
	}

	barrier(): void {
		for (const batch of this.unsynced) this.keep(batch);
		this.unsynced = [];
	}

	writeFloor(image: FloorImage): void {
		const base = { index: image.appliedIndex, term: image.term, confState: image.confState, generation: "" };
		this.floor = { base, mark: image.mark, tables: image.tables };
	}

	crash(dice: Dice): void {
		const inFlight = this.frames.length - this.ackedFrames;
		let kept = this.ackedFrames + dice.range(0, inFlight);
		while (kept > 0 && !(this.frames[kept - 1] as AppendWork).mustSync && dice.chance(1, 2)) kept--;
		this.frames.length = kept;
		for (const batch of this.unsynced) if (dice.chance(1, 2)) this.keep(batch);
		this.unsynced = [];
	}

	/** What the next process life starts from (rule S5). */
	restore(): ReplicaState {
		const { base, mark, tables } = this.floor;
		this.ackedFrames = this.frames.length;
		this.storage = new MemoryStorage(portableBytes);
		const rebuild = new StoreRebuild(mark, { keepEvents: true, valueCacheBytes: 1 << 20 }, this.storage, portableBytes);
		const puts = [];
		for (const [name, record] of this.durableRecords) {
			if (revisionOf(record.key) > mark.revision) this.durableRecords.delete(name);
			else puts.push(record);
		}
		this.storage.write({ seq: 0, puts, deletes: [], bytes: 0 });
		for (const { key, value } of puts) {
			const problem = rebuild.record(key, value);
			if (problem !== null) throw new Error(problem);
		}
		const finished = wholly(rebuild.finish());
		if (!finished.ok) throw new Error(`the store does not match its floor: ${finished.reason}`);
		return { restoredLog: this.restoredLog(base), store: finished.store, tables };
	}

	private restoredLog(base: SnapshotMeta): RestoredLog {
		const { hardState, entries } = this.replay();
		const kept = entries.filter(({ index }) => index > base.index);
		const commit = Math.max(hardState.commit, base.index);
		return { hardState: { ...hardState, commit }, base, entries: kept, firstIndex: Math.min(2, base.index + 1), applied: base.index };
	}

	private replay(): { readonly hardState: HardState; readonly entries: Entry[] } {
		let hardState: HardState = { term: 1, vote: 0n, commit: 1 };
		const entries: Entry[] = [];
		for (const work of this.frames) {
			if (work.hardState !== null) hardState = work.hardState;
			if (work.truncateFrom > 0) entries.length = Math.min(entries.length, work.truncateFrom - 2);
			for (const entry of work.entries) entries.push(entry);
		}
		return { hardState, entries };
	}

	private keep(batch: RecordBatch): void {
		for (const record of batch.puts) this.durableRecords.set(portableBytes.latin1(record.key), record);
		for (const key of batch.deletes) this.durableRecords.delete(portableBytes.latin1(key));
	}
}

function revisionOf(recordKey: Uint8Array): number {
	let revision = 0;
	for (let i = 0; i < 8; i++) revision = revision * 256 + (recordKey[i] as number);
	return revision;
}
