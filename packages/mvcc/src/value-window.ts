const VALUES_PER_CHUNK = 1024;
const VALUE_MASK = VALUES_PER_CHUNK - 1;

/**
 * The values of the newest records, by ordinal: all that are not stored yet, and as many stored ones as the budget allows.
 * Grows at the end, is taken away at the front.
 */
export class ValueWindow {
	/** Ordinal of the next value. */
	end: number;
	private start: number;
	/** Values before this one are stored: they stay as long as the budget allows. */
	private stored: number;
	private storedBytes = 0;
	private readonly bytesMax: number;
	private readonly chunks: (Uint8Array | null)[][] = [];
	private firstChunk: number;

	constructor(first: number, bytesMax: number) {
		this.start = first;
		this.end = first;
		this.stored = first;
		this.bytesMax = bytesMax;
		this.firstChunk = Math.floor(first / VALUES_PER_CHUNK);
	}

	push(value: Uint8Array): void {
		const chunk = Math.floor(this.end / VALUES_PER_CHUNK) - this.firstChunk;
		if (chunk === this.chunks.length) this.chunks.push(new Array<Uint8Array | null>(VALUES_PER_CHUNK).fill(null));
		(this.chunks[chunk] as (Uint8Array | null)[])[this.end & VALUE_MASK] = value;
		this.end++;
	}

	/** Null when the record is older than the window (or has no ordinal). */
	get(ordinal: number): Uint8Array | null {
		if (ordinal < this.start) return null;
		const chunk = Math.floor(ordinal / VALUES_PER_CHUNK) - this.firstChunk;
		return (this.chunks[chunk] as (Uint8Array | null)[])[ordinal & VALUE_MASK] as Uint8Array;
	}

	/** Values before `ordinal` are stored. */
	release(ordinal: number): void {
		for (; this.stored < ordinal; this.stored++) this.storedBytes += (this.get(this.stored) as Uint8Array).length;
		while (this.storedBytes > this.bytesMax) this.shift();
	}

	private shift(): void {
		const chunk = this.chunks[0] as (Uint8Array | null)[];
		const at = this.start & VALUE_MASK;
		this.storedBytes -= (chunk[at] as Uint8Array).length;
		chunk[at] = null;
		this.start++;
		if ((this.start & VALUE_MASK) !== 0) return;
		this.chunks.shift();
		this.firstChunk++;
	}
}
