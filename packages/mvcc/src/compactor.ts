import { assert, marks } from "@flotilla/base";
import type { DoomedRecords } from "./doomed-records.ts";
import { HashCache } from "./hash-cache.ts";
import { HashWalk } from "./hash-walk.ts";
import type { KeyIndex } from "./key-index.ts";
import type { Revision } from "./request.ts";
import { NO_ORDINAL } from "./slot-table.ts";

/** Compactions that wait for their clean-up; more are joined with the last one, whose hash is then not remembered. */
const WAITING_MAX = 64;

/** Holds clean-up back: passes above `upto` do not begin while it is held. */
export interface Pin {
	readonly upto: Revision;
}

/** The clean-up under way: everything below `target` but the newest record of each living key is to go. */
interface Pass {
	readonly target: Revision;
	/** Null when the hash is not wanted or known. */
	hashing: HashWalk | null;
	/** The next record to look at, and the first one above the target. */
	next: number;
	readonly end: number;
	/** Walk along the records of one key, newest first: `at` is the next to go; NO_ORDINAL: no walk. */
	walking: number;
	walkSlot: number;
	/** The newest record of that key at the target. */
	walkFrom: number;
}

/**
 * Removes what compaction made superfluous, pass by pass in the order of the requests, a bounded number of records at a
 * time. A pass hashes (etcd remembers the hash of a compacted revision), then visits the records up to its target: at the
 * newest one of a key all older ones go, the base record included, and it becomes the base itself; or it goes too, if it
 * is a tombstone. Records at the target itself stay in the log (rule V5). At the end the log is cut in one go.
 */
export class Compactor {
	readonly hashes = new HashCache();
	/** Compact revision of the last finished pass. */
	finished: Revision;
	/** Records that passes have taken from the index. */
	removed = 0;
	private readonly index: KeyIndex;
	private readonly doomed: DoomedRecords;
	private readonly waiting: Revision[] = [];
	private joined = false;
	private pass: Pass | null = null;
	private readonly pins = new Set<Pin>();

	constructor(index: KeyIndex, doomed: DoomedRecords, compactRevision: Revision) {
		this.index = index;
		this.doomed = doomed;
		this.finished = compactRevision;
	}

	get pending(): boolean {
		return this.pass !== null || this.waiting.length > 0;
	}

	/** A pass has begun and is not at its end. */
	get running(): boolean {
		return this.pass !== null;
	}

	/** The next pass may not begin yet: reads need what it removes. */
	get held(): boolean {
		const [target] = this.waiting;
		if (this.pass !== null || target === undefined) return false;
		for (const pin of this.pins) if (pin.upto < target) return true;
		return false;
	}

	/** Takes effect at once for what is retained; the clean-up follows in steps. */
	request(from: Revision, target: Revision): void {
		this.index.retire(from, target);
		if (this.waiting.length === WAITING_MAX) {
			this.waiting.pop();
			this.joined = true;
			marks.compactionsJoined++;
		}
		this.waiting.push(target);
	}

	/** Reads that hold clean-up back. */
	get pinned(): number {
		return this.pins.size;
	}

	/** Work that reads the records which a compaction above `upto` removes. */
	pin(upto: Revision): () => void {
		const pin: Pin = { upto };
		this.pins.add(pin);
		return () => void this.pins.delete(pin);
	}

	/** Visits about `budget` records. True when nothing is left to do; false also while a pin is in the way. */
	step(budget: number): boolean {
		let left = budget;
		while (left > 0 && this.pending) {
			this.pass ??= this.begin();
			if (this.pass === null) return false;
			left -= this.advance(this.pass, left);
		}
		return !this.pending;
	}

	private begin(): Pass | null {
		if (this.held) {
			marks.compactionPinned++;
			return null;
		}
		const target = this.waiting.shift() as Revision;
		const { log } = this.index;
		const wantsHash = !(this.joined && this.waiting.length === 0);
		if (this.waiting.length === 0) this.joined = false;
		return {
			target,
			hashing: wantsHash ? new HashWalk(this.index, target, this.finished, true) : null,
			next: log.start,
			end: log.firstAt(target + 1),
			walking: NO_ORDINAL,
			walkSlot: 0,
			walkFrom: NO_ORDINAL,
		};
	}

	private advance(pass: Pass, budget: number): number {
		if (pass.hashing !== null) {
			const walked = pass.hashing.step(budget);
			if (walked === budget) return walked;
			this.hashes.add({ revision: pass.target, compactRevision: this.finished, hash: pass.hashing.hash });
			pass.hashing = null;
			return walked + 1;
		}
		if (pass.walking !== NO_ORDINAL) return this.walk(pass, budget);
		if (pass.next < pass.end) return this.visit(pass, budget);
		this.finish(pass);
		return 1;
	}

	/** Looks for the next record that is the newest of its key. */
	private visit(pass: Pass, budget: number): number {
		const { log, slots } = this.index;
		for (let visited = 0; visited < budget; visited++) {
			if (pass.next >= pass.end) return visited + 1;
			const ordinal = pass.next++;
			const slot = log.slot(ordinal);
			const head = slots.head(slot);
			if (head !== ordinal && log.find(head, pass.target) !== ordinal) continue;
			pass.walking = ordinal;
			pass.walkSlot = slot;
			pass.walkFrom = ordinal;
			return visited + 1;
		}
		return budget;
	}

	private walk(pass: Pass, budget: number): number {
		const { log } = this.index;
		let walked = 0;
		for (; walked < budget && pass.walking >= log.start; walked++) {
			const ordinal = pass.walking;
			pass.walking = log.previous(ordinal);
			if (log.main(ordinal) === pass.target) continue;
			if (ordinal !== pass.walkFrom || log.isTombstone(ordinal)) this.drop(ordinal);
		}
		if (pass.walking < log.start) this.endWalk(pass);
		return walked + 1;
	}

	private drop(ordinal: number): void {
		const { log, held } = this.index;
		this.removed++;
		held.remove(log.crc(ordinal), log.bytes(ordinal));
		this.doomed.add(log.main(ordinal), log.sub(ordinal), log.isTombstone(ordinal));
	}

	/** Sets the base record anew; a key that ended before the target goes, unless it lives again. */
	private endWalk(pass: Pass): void {
		const { log, slots, held } = this.index;
		const slot = pass.walkSlot;
		const newest = pass.walkFrom;
		pass.walking = NO_ORDINAL;
		if (slots.hasBase(slot)) {
			held.remove(slots.baseCrc(slot), slots.baseBytes(slot));
			this.doomed.add(slots.baseMain(slot), slots.baseSub(slot), false);
			slots.dropBase(slot);
		}
		const ended = log.isTombstone(newest) && log.main(newest) < pass.target;
		this.doomed.endGroup(ended);
		if (log.main(newest) === pass.target) return;
		if (!ended) slots.setBase(slot, log.main(newest), log.sub(newest), log.crc(newest), log.bytes(newest));
		else if (slots.head(slot) === newest) this.index.remove(slot);
	}

	private finish(pass: Pass): void {
		const { log, held, retained } = this.index;
		log.dropBefore(log.firstAt(pass.target));
		this.doomed.endPass();
		this.finished = pass.target;
		this.pass = null;
		if (!this.pending) assert(held.equals(retained), "compaction drops what it had announced");
	}
}
