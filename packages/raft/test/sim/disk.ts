import { assert } from "@flotilla/base";
import type { AppendWork, Entry, HardState, LogIndex, RestoredLog, SnapshotMeta, Term } from "../../src/index.ts";

/** What a log folder would read back as. */
export class LogImage {
	hardState: HardState;
	base: SnapshotMeta;
	/** From `walFirst` on, without gaps. */
	entries: Entry[];
	walFirst: LogIndex;

	constructor(hardState: HardState, base: SnapshotMeta, entries: readonly Entry[], walFirst: LogIndex) {
		this.hardState = hardState;
		this.base = base;
		this.entries = [...entries];
		this.walFirst = walFirst;
	}

	get lastIndex(): LogIndex {
		return this.walFirst + this.entries.length - 1;
	}

	/** -1 where it is not known. */
	termAt(index: LogIndex): Term {
		if (index === this.base.index) return this.base.term;
		return this.entries[index - this.walFirst]?.term ?? -1;
	}

	write(work: AppendWork): void {
		if (work.hardState !== null) this.hardState = work.hardState;
		if (work.snapshot !== null) {
			this.base = work.snapshot;
			this.walFirst = work.snapshot.index + 1;
			this.entries = [];
		}
		if (work.truncateFrom > 0) this.cutFrom(work.truncateFrom);
		const first = work.entries[0];
		if (first === undefined) return;
		// A later entry at an index replaces everything from there on.
		this.cutFrom(first.index);
		assert(first.index === this.lastIndex + 1, "work must continue the log on disk");
		this.entries.push(...work.entries);
	}

	compact(walFirst: LogIndex): void {
		this.entries.splice(0, walFirst - this.walFirst);
		this.walFirst = walFirst;
	}

	copy(): LogImage {
		return new LogImage(this.hardState, this.base, this.entries, this.walFirst);
	}

	private cutFrom(index: LogIndex): void {
		if (index <= this.lastIndex) this.entries.length = Math.max(0, index - this.walFirst);
	}
}

/** A disk that keeps what was synced, and after a crash any prefix of what was written since. */
export class SimDisk {
	/** What a crash cannot take. */
	synced: LogImage;
	/** With everything that was handed to the disk. */
	issued: LogImage;
	/** Handed to the disk since the last sync, in order; some of it acknowledged. */
	private unsynced: AppendWork[] = [];
	private nextSeq = 1;

	constructor(image: LogImage) {
		this.synced = image;
		this.issued = image.copy();
	}

	issue(work: AppendWork): void {
		assert(work.seq === this.nextSeq, "work is numbered without gaps");
		this.nextSeq++;
		this.issued.write(work);
		this.unsynced.push(work);
	}

	/** Work up to `seq` is acknowledged. What need not be synced may still be lost, unless something after it was synced. */
	acknowledge(seq: number): void {
		let count = 0;
		this.unsynced.forEach((work, i) => {
			if (work.seq <= seq && work.mustSync) count = i + 1;
		});
		for (const work of this.unsynced.splice(0, count)) this.synced.write(work);
	}

	/** `kept`: how many of the unsynced works survive. */
	crash(kept: (count: number) => number): void {
		for (const work of this.unsynced.slice(0, kept(this.unsynced.length))) this.synced.write(work);
		this.reopen();
	}

	/** A disk that lies: what it acknowledged is gone, down to an older image. */
	revert(image: LogImage): void {
		this.synced = image;
		this.reopen();
	}

	moveBase(base: SnapshotMeta, walFirst: LogIndex): void {
		for (const image of [this.synced, this.issued]) {
			image.base = base;
			image.compact(walFirst);
		}
	}

	restored(applied: LogIndex): RestoredLog {
		const { hardState, base, entries, walFirst } = this.synced;
		return { hardState, base, entries: entries.slice(base.index + 1 - walFirst), firstIndex: walFirst, applied };
	}

	private reopen(): void {
		this.issued = this.synced.copy();
		this.unsynced = [];
		this.nextSeq = 1;
	}
}
