/** Events of a watch that are not carried out yet: whole revisions, and one whose end has not come. */
import type { mvccpb } from "@flotilla/api";
import { bytesOf, type Change, changeOf, OPS_MAX, transactionsOf } from "./changes.ts";

const BYTES_MAX = 1 << 20;
/** Of one revision: beyond, it is carried out in parts before its end is there. */
const PART_EVENTS = 4_096;
const PART_BYTES = 8 << 20;

export interface Taken {
	/** One for each revision, or for a part of one. */
	readonly lists: ReadonlyArray<readonly Change[]>;
	readonly events: number;
	/** The last revision that is whole with these; 0: none is. */
	readonly upto: number;
}

export class Waiting {
	/** Revisions that one transaction did not hold. */
	split = 0;
	private whole: Change[][] = [];
	private wholeUpto = 0;
	private wholeEvents = 0;
	private wholeBytes = 0;
	private open: Change[] = [];
	private openRevision = 0;
	private openBytes = 0;
	private parted = false;

	/** In the order of the revisions. */
	add(revision: number, event: mvccpb.Event): void {
		if (revision !== this.openRevision) this.close();
		this.openRevision = revision;
		const change = changeOf(event);
		if (change === null) return;
		this.open.push(change);
		this.openBytes += bytesOf(change);
	}

	/** The last revision is whole. */
	close(): void {
		if (this.openRevision === 0) return;
		if (this.parted || (this.open.length > 1 && transactionsOf([this.open]).length > 1)) this.split++;
		this.whole.push(this.open);
		this.wholeUpto = this.openRevision;
		this.wholeEvents += this.open.length;
		this.wholeBytes += this.openBytes;
		this.open = [];
		this.openRevision = 0;
		this.openBytes = 0;
		this.parted = false;
	}

	get isEmpty(): boolean {
		return this.whole.length === 0 && this.openRevision === 0;
	}

	/** Time to take. */
	get isFull(): boolean {
		return this.wholeEvents >= OPS_MAX || this.wholeBytes >= BYTES_MAX || this.isOpenTooLarge;
	}

	/** Whole revisions, and of the open one what is there only if that is too much to keep. */
	take(): Taken {
		const { whole: lists, wholeUpto: upto } = this;
		let events = this.wholeEvents;
		this.whole = [];
		this.wholeUpto = 0;
		this.wholeEvents = 0;
		this.wholeBytes = 0;
		if (this.isOpenTooLarge) {
			lists.push(this.open);
			events += this.open.length;
			this.open = [];
			this.openBytes = 0;
			this.parted = true;
		}
		return { lists, events, upto };
	}

	private get isOpenTooLarge(): boolean {
		return this.open.length >= PART_EVENTS || this.openBytes >= PART_BYTES;
	}
}
