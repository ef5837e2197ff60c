import { assert } from "@flotilla/base";
import { RecordSums } from "./record-sums.ts";
import { NO_ORDINAL } from "./slot-table.ts";

const RECORDS_PER_CHUNK = 4096;
const RECORD_MASK = RECORDS_PER_CHUNK - 1;
const TOMBSTONE_BIT = 0x8000_0000;
const BACK_MAX = 0xffff_ffff;

/**
 * All records from the compact revision on, in revision order, in typed columns: a queue that grows at the end and is
 * taken away at the front by compaction. A record's ordinal is its number since the store was made and never changes.
 *
 * The records of one key are linked newest to oldest by `back`, a distance in ordinals (0: none). `jump` skips further
 * back: each record is the root of a perfect binary tree of older ones, as in a skew-binary list, so that the record of a
 * key at an old revision is found in O(log n) steps even when the key has millions of them.
 *
 *   ordinal   0   1   2   3   4   5        key a: 0 2 3 5    key b: 1 4
 *   back      0   0   2   1   3   2        distances to the record of the same key before
 */
export class RecordLog {
	private readonly chunks: LogChunk[] = [];
	/** Number of the first chunk held: ordinals are absolute, chunks are dropped at the front. */
	private firstChunk = 0;
	/** Ordinal of the oldest record held. */
	start = 0;
	/** Ordinal of the next record. */
	end = 0;

	/**
	 * `previous`: ordinal of the key's record before this one, or -1. Main revisions must not fall; they rise without gaps
	 * but for the first one.
	 */
	append(slot: number, main: number, sub: number, tombstone: boolean, crc: number, recordBytes: number, previous: number): number {
		const ordinal = this.end;
		const at = ordinal & RECORD_MASK;
		if (at === 0 || this.chunks.length === 0) this.chunks.push(new LogChunk(main));
		const chunk = this.chunks[this.chunks.length - 1] as LogChunk;
		const mainOffset = main - chunk.firstMain;
		assert(mainOffset >= 0, "main revisions do not fall along the log");
		assert(mainOffset <= 0xffff, "main revisions have no gaps along the log");
		chunk.slot[at] = slot;
		chunk.mainOffset[at] = mainOffset;
		if (tombstone || sub !== 0) chunk.setSub(at, tombstone ? sub | TOMBSTONE_BIT : sub);
		chunk.crc[at] = crc;
		chunk.bytes[at] = recordBytes;
		this.link(chunk, at, ordinal, previous);
		this.end = ordinal + 1;
		return ordinal;
	}

	slot(ordinal: number): number {
		return this.chunk(ordinal).slot[ordinal & RECORD_MASK] as number;
	}

	main(ordinal: number): number {
		const chunk = this.chunk(ordinal);
		return chunk.firstMain + (chunk.mainOffset[ordinal & RECORD_MASK] as number);
	}

	sub(ordinal: number): number {
		return this.chunk(ordinal).sub(ordinal & RECORD_MASK) & ~TOMBSTONE_BIT;
	}

	isTombstone(ordinal: number): boolean {
		return this.chunk(ordinal).sub(ordinal & RECORD_MASK) >= TOMBSTONE_BIT;
	}

	crc(ordinal: number): number {
		return this.chunk(ordinal).crc[ordinal & RECORD_MASK] as number;
	}

	bytes(ordinal: number): number {
		return this.chunk(ordinal).bytes[ordinal & RECORD_MASK] as number;
	}

	/** Ordinal of the same key's record before, which the log may hold no more; -1 when none is known. */
	previous(ordinal: number): number {
		const { links } = this.chunk(ordinal);
		const back = links === null ? 0 : (links.back[ordinal & RECORD_MASK] as number);
		return back === 0 ? NO_ORDINAL : ordinal - back;
	}

	/**
	 * The newest record at or below `revision` on the chain that begins at `head`. Below `start` (-1 included) the log holds
	 * none: the result is then the number that the key's base record had in the log, if that is known.
	 */
	find(head: number, revision: number): number {
		let ordinal = head;
		while (ordinal >= this.start) {
			const chunk = this.chunk(ordinal);
			const at = ordinal & RECORD_MASK;
			if (chunk.firstMain + (chunk.mainOffset[at] as number) <= revision) return ordinal;
			const { links } = chunk;
			const back = links === null ? 0 : (links.back[at] as number);
			if (links === null || back === 0) return NO_ORDINAL;
			const target = ordinal - (links.jump[at] as number);
			ordinal = target !== ordinal && target >= this.start && this.main(target) > revision ? target : ordinal - back;
		}
		return ordinal;
	}

	/** The same by ordinals: the newest record below `end`. */
	findBefore(head: number, end: number): number {
		let ordinal = head;
		while (ordinal >= this.start && ordinal >= end) {
			const { links } = this.chunk(ordinal);
			const at = ordinal & RECORD_MASK;
			const back = links === null ? 0 : (links.back[at] as number);
			if (links === null || back === 0) return NO_ORDINAL;
			const target = ordinal - (links.jump[at] as number);
			ordinal = target !== ordinal && target >= this.start && target >= end ? target : ordinal - back;
		}
		return ordinal;
	}

	/** Ordinal of the first record whose main revision is at least `main`; `end` when there is none. O(log n). */
	firstAt(main: number): number {
		let low = this.start;
		let high = this.end;
		while (low < high) {
			const middle = low + Math.floor((high - low) / 2);
			if (this.main(middle) < main) low = middle + 1;
			else high = middle;
		}
		return low;
	}

	/** Forgets all records before `ordinal`. */
	dropBefore(ordinal: number): void {
		assert(ordinal >= this.start && ordinal <= this.end, "the log is cut inside of what it holds");
		this.start = ordinal;
		const keep = Math.floor(ordinal / RECORDS_PER_CHUNK);
		this.chunks.splice(0, keep - this.firstChunk);
		this.firstChunk = keep;
	}

	/** Sums of what the newest record's chunk makes superfluous; see `Superseded`. */
	get newestSuperseded(): Superseded {
		return (this.chunks[this.chunks.length - 1] as LogChunk).superseded;
	}

	/** For walks in whole chunks: where the chunk of `ordinal` ends. */
	chunkEnd(ordinal: number): number {
		return Math.min(this.end, ordinal - (ordinal & RECORD_MASK) + RECORDS_PER_CHUNK);
	}

	isChunkStart(ordinal: number): boolean {
		return (ordinal & RECORD_MASK) === 0;
	}

	supersededOf(ordinal: number): Superseded {
		return this.chunk(ordinal).superseded;
	}

	private chunk(ordinal: number): LogChunk {
		return this.chunks[Math.floor(ordinal / RECORDS_PER_CHUNK) - this.firstChunk] as LogChunk;
	}

	private link(chunk: LogChunk, at: number, ordinal: number, previous: number): void {
		const back = ordinal - previous;
		if (previous === NO_ORDINAL || back > BACK_MAX) return;
		chunk.links ??= new Links();
		const { links } = chunk;
		links.back[at] = back;
		// The way ends here; `back` still names the number that the base record had.
		if (previous < this.start) return;
		const before = this.chunk(previous).links;
		const level = before === null ? 0 : (before.level[previous & RECORD_MASK] as number);
		const target = previous - (before === null ? 0 : (before.jump[previous & RECORD_MASK] as number));
		if (target !== previous && target >= this.start) {
			const beyond = this.chunk(target).links;
			const further = target - (beyond === null ? 0 : (beyond.jump[target & RECORD_MASK] as number));
			if (beyond !== null && (beyond.level[target & RECORD_MASK] as number) === level && further !== target) {
				links.jump[at] = ordinal - further;
				links.level[at] = level + 1;
				return;
			}
		}
		links.jump[at] = back;
	}
}

/**
 * What the records of a chunk make superfluous, by the least compact revision at which that may go: `atMain` at the main
 * revision of the record that supersedes it, `afterMain` one above. With these sums a compaction knows at once what will
 * remain, though the clean-up takes its time.
 */
export class Superseded {
	readonly atMain = new RecordSums();
	readonly afterMain = new RecordSums();
}

/** Ways to older records of the same key. */
class Links {
	readonly back = new Uint32Array(RECORDS_PER_CHUNK);
	readonly jump = new Uint32Array(RECORDS_PER_CHUNK);
	readonly level = new Uint8Array(RECORDS_PER_CHUNK);
}

class LogChunk {
	readonly firstMain: number;
	readonly slot = new Int32Array(RECORDS_PER_CHUNK);
	readonly mainOffset = new Uint16Array(RECORDS_PER_CHUNK);
	readonly crc = new Uint32Array(RECORDS_PER_CHUNK);
	readonly bytes = new Uint32Array(RECORDS_PER_CHUNK);
	/** Made with the first record that has one before it: a space that is filled with new keys does without. */
	links: Links | null = null;
	readonly superseded = new Superseded();
	/** With the tombstone bit. Made with the first that is not 0: lone puts do without. */
	private subs: Uint32Array | null = null;

	constructor(firstMain: number) {
		this.firstMain = firstMain;
	}

	sub(at: number): number {
		return this.subs === null ? 0 : (this.subs[at] as number);
	}

	setSub(at: number, sub: number): void {
		this.subs ??= new Uint32Array(RECORDS_PER_CHUNK);
		this.subs[at] = sub;
	}
}
