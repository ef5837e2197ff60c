import { ValueRing } from "./value-ring.ts";

/**
 * The values of the newest records, by ordinal: all that are not stored yet, as they were made, and copies of as many stored ones as the
 * budget allows. Grows at the end, is taken away at the front.
 */
export class ValueWindow {
	/** Values before this ordinal are stored, those that the ring still holds at hand. */
	private readonly stored: ValueRing;
	/** From `head` on: those that are not stored. */
	private fresh: Uint8Array[] = [];
	private head = 0;

	constructor(first: number, bytesMax: number) {
		this.stored = new ValueRing(first, bytesMax);
	}

	/** Ordinal of the next value. */
	get end(): number {
		return this.stored.end + this.fresh.length - this.head;
	}

	push(value: Uint8Array): void {
		this.fresh.push(value);
	}

	/** Null when the record is older than the window (or has no ordinal). The bytes are not written to afterwards. */
	get(ordinal: number): Uint8Array | null {
		const behind = ordinal - this.stored.end;
		return behind < 0 ? this.stored.get(ordinal) : (this.fresh[this.head + behind] as Uint8Array);
	}

	/** Values before `ordinal` are stored. */
	release(ordinal: number): void {
		const { fresh, stored } = this;
		while (stored.end < ordinal) stored.push(fresh[this.head++] as Uint8Array);
		// Each value is moved at most once a time that as many came.
		if (this.head * 2 < fresh.length) return;
		this.fresh = fresh.slice(this.head);
		this.head = 0;
	}
}
