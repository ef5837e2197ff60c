import { assert } from "@flotilla/base";
import type { LogIndex } from "./message.ts";

/**
 * Window of appends that were sent and not yet acknowledged: a ring of (last index, bytes). An acknowledgement frees all
 * messages up to its index. The byte limit is soft: a message may go while the sum is below it.
 */
export class Inflights {
	private readonly messagesMax: number;
	private readonly bytesMax: number;
	private readonly lastIndexes: Float64Array;
	private readonly sizes: Float64Array;
	private head = 0;
	private length = 0;
	private totalBytes = 0;

	constructor(messagesMax: number, bytesMax: number) {
		this.messagesMax = messagesMax;
		this.bytesMax = bytesMax;
		this.lastIndexes = new Float64Array(messagesMax);
		this.sizes = new Float64Array(messagesMax);
	}

	get count(): number {
		return this.length;
	}

	get bytes(): number {
		return this.totalBytes;
	}

	get full(): boolean {
		return this.length === this.messagesMax || this.totalBytes >= this.bytesMax;
	}

	add(lastIndex: LogIndex, bytes: number): void {
		assert(this.length < this.messagesMax, "the inflight window must have room");
		const at = (this.head + this.length) % this.messagesMax;
		this.lastIndexes[at] = lastIndex;
		this.sizes[at] = bytes;
		this.length++;
		this.totalBytes += bytes;
	}

	/** Frees every message whose last index is at or below `index`. */
	freeUpto(index: LogIndex): void {
		while (this.length > 0 && (this.lastIndexes[this.head] as number) <= index) {
			this.totalBytes -= this.sizes[this.head] as number;
			this.head = (this.head + 1) % this.messagesMax;
			this.length--;
		}
	}

	clear(): void {
		this.head = 0;
		this.length = 0;
		this.totalBytes = 0;
	}
}
