import { combineCrc32c } from "@flotilla/base";
import type { KeyIndex } from "./key-index.ts";
import type { Revision } from "./request.ts";
import { NO_SLOT } from "./slot-table.ts";

/** CRC-32C of the three characters "key", with which the hash begins. */
export const EMPTY_HASH = 1084519789;

/**
 * etcd's HashKV (API 6.6) from the checksums of the records: each covers the key and the value of its record, which is just
 * what the hash takes in, so nothing is read. The index must hold what the compact revision retains, and no pass may run
 * meanwhile.
 *
 * Records at or below the compact revision count only if they are the newest of their key at the hashed revision; unless
 * there is no such record at all, then all that are retained count. Both sums are kept until that is known.
 */
export class HashWalk {
	private readonly index: KeyIndex;
	private readonly revision: Revision;
	private readonly compactRevision: Revision;
	/** A compaction's own hash: tombstones at its revision are among what is kept. */
	private readonly keepsTombstones: boolean;
	private ofKept = EMPTY_HASH;
	private ofRetained = EMPTY_HASH;
	/** A record that is kept was seen. */
	private anyKept = false;
	private base: number;
	private ordinal: number;
	private readonly end: number;

	constructor(index: KeyIndex, revision: Revision, compactRevision: Revision, keepsTombstones: boolean) {
		this.index = index;
		this.revision = revision;
		this.compactRevision = compactRevision;
		this.keepsTombstones = keepsTombstones;
		this.base = revision < compactRevision ? NO_SLOT : index.slots.firstBase;
		this.ordinal = index.log.start;
		this.end = revision < compactRevision ? this.ordinal : index.log.firstAt(revision + 1);
	}

	/** Walks over at most `budget` records; returns how many. Less than `budget`: finished. */
	step(budget: number): number {
		const { slots } = this.index;
		let walked = 0;
		for (; walked < budget && this.base !== NO_SLOT; walked++) {
			this.addBase(this.base);
			this.base = slots.nextBase(this.base);
		}
		for (; walked < budget && this.ordinal < this.end; walked++) this.addLogged(this.ordinal++);
		return walked;
	}

	get hash(): number {
		return this.anyKept ? this.ofKept : this.ofRetained;
	}

	private addBase(slot: number): void {
		const { slots, log } = this.index;
		const kept = log.find(slots.head(slot), this.revision) < log.start;
		if (kept) this.anyKept = true;
		this.add(slots.baseCrc(slot), slots.baseBytes(slot), kept, true);
	}

	private addLogged(ordinal: number): void {
		const { log, slots } = this.index;
		const main = log.main(ordinal);
		const tombstone = log.isTombstone(ordinal);
		const atCompact = main <= this.compactRevision;
		const counts = !tombstone || (this.keepsTombstones && main === this.revision);
		const lookAt = counts && (atCompact || !this.anyKept);
		const kept = lookAt && log.find(slots.head(log.slot(ordinal)), this.revision) === ordinal;
		if (kept) this.anyKept = true;
		if (atCompact && tombstone) return;
		if (!atCompact) this.add(log.crc(ordinal), log.bytes(ordinal), true, true);
		else this.add(log.crc(ordinal), log.bytes(ordinal), kept, this.isNewestAtCompact(ordinal));
	}

	/** Of several records of a key at the compact revision etcd retains the last one only. */
	private isNewestAtCompact(ordinal: number): boolean {
		const { log, slots } = this.index;
		return log.find(slots.head(log.slot(ordinal)), this.compactRevision) === ordinal;
	}

	private add(crc: number, recordBytes: number, kept: boolean, retained: boolean): void {
		if (kept) this.ofKept = combineCrc32c(this.ofKept, crc, recordBytes);
		if (retained && !this.anyKept) this.ofRetained = combineCrc32c(this.ofRetained, crc, recordBytes);
	}
}
