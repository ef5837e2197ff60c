import { NumberQueue } from "./number-queue.ts";
import { encodeRecordKey } from "./record-key.ts";

/** How far the queues of one compaction pass reach. */
interface Pass {
	readonly plainEnd: number;
	readonly finalEnd: number;
}

/**
 * Records that compaction took from the index and that the storage still holds. They may go only behind a floor, since a
 * floor's count is checked against what a start finds, and all that a pass takes of one key goes in one batch (rule S4).
 *
 * A start must never find an old value of a key without the tombstone that ended it. So a *final* group, one that ends its
 * key with the tombstone, goes only when what earlier passes took of any key has been handed out before the floor's mark:
 * by then that is durable. All other groups leave a newer record of their key behind and are *plain*.
 */
export class DoomedRecords {
	private readonly plain = new GroupQueue();
	private readonly final = new GroupQueue();
	/** Passes with plain groups that were not handed out or final groups that are not due. */
	private passes: Pass[] = [];
	/** What the next floor covers; null when no floor is under way. */
	private marked: Pass | null = null;
	private plainDue = 0;
	private finalDue = 0;

	add(main: number, sub: number, tombstone: boolean): void {
		this.plain.open(main, sub, tombstone);
	}

	/** Ends what one pass takes of one key. */
	endGroup(isFinal: boolean): void {
		if (isFinal) this.plain.moveOpenTo(this.final);
		else this.plain.close();
	}

	endPass(): void {
		this.passes.push({ plainEnd: this.plain.end, finalEnd: this.final.end });
	}

	/** A floor is about to be written. While one is under way, another one covers no more than it did. */
	mark(): void {
		this.marked ??= { plainEnd: this.plain.end, finalEnd: this.finalsAllowed() };
	}

	floorWritten(): void {
		if (this.marked === null) return;
		this.allow(this.marked);
		this.marked = null;
	}

	/** Everything held is due: a start has found it behind its floor. */
	allowAll(): void {
		this.allow({ plainEnd: this.plain.end, finalEnd: this.final.end });
	}

	/** Keys to delete now: whole groups, about `max` records. */
	take(max: number): Uint8Array[] {
		const keys: Uint8Array[] = [];
		this.plain.take(this.plainDue, max, keys);
		this.final.take(this.finalDue, max - keys.length, keys);
		return keys;
	}

	private allow(pass: Pass): void {
		this.plainDue = pass.plainEnd;
		this.finalDue = pass.finalEnd;
		this.passes = this.passes.filter(({ plainEnd, finalEnd }) => finalEnd > this.finalDue || plainEnd > this.plain.start);
	}

	/** Final groups of the passes whose predecessors' plain groups have all been handed out. */
	private finalsAllowed(): number {
		let allowed = this.finalDue;
		let before = 0;
		for (const { plainEnd, finalEnd } of this.passes) {
			if (before > this.plain.start) break;
			allowed = finalEnd;
			before = plainEnd;
		}
		return allowed;
	}
}

/** Records in groups. Positions count records since the queue was made. */
class GroupQueue {
	private readonly mains = new NumberQueue();
	/** Sub-revision times two, plus one for a tombstone. */
	private readonly subs = new NumberQueue();
	/** Ends of the closed groups. */
	private readonly ends = new NumberQueue();
	private closed = 0;
	/** First record that was not handed out. */
	start = 0;

	/** End of the last closed group. */
	get end(): number {
		return this.closed;
	}

	open(main: number, sub: number, tombstone: boolean): void {
		this.mains.push(main);
		this.subs.push(sub * 2 + (tombstone ? 1 : 0));
	}

	close(): void {
		const end = this.start + this.mains.length;
		if (end === this.closed) return;
		this.closed = end;
		this.ends.push(end);
	}

	/** Moves the records of the group that is not closed yet to another queue, and closes it there. */
	moveOpenTo(other: GroupQueue): void {
		const count = this.start + this.mains.length - this.closed;
		const from = this.mains.length - count;
		for (let i = from; i < from + count; i++) {
			other.mains.push(this.mains.at(i));
			other.subs.push(this.subs.at(i));
		}
		this.mains.truncate(from);
		this.subs.truncate(from);
		other.close();
	}

	/** Adds keys of whole groups before `due` until there are `max`. */
	take(due: number, max: number, keys: Uint8Array[]): void {
		let wanted = max;
		while (wanted > 0 && this.ends.length > 0 && this.ends.at(0) <= due) {
			const end = this.ends.shift();
			for (; this.start < end; this.start++, wanted--) {
				const sub = this.subs.shift();
				keys.push(encodeRecordKey(this.mains.shift(), Math.floor(sub / 2), sub % 2 === 1));
			}
		}
	}
}
