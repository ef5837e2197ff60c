const BYTES_MIN = 64 * 1024;
const RECORDS_MIN = 1024;
/** One place for so many bytes: smaller values are held up to that number. */
const BYTES_A_PLACE = 256;
/** Larger values are not worth what they would push out. */
const SHARE_MAX = 8;

/**
 * Copies of the newest values, end to end in one buffer that is written round and round. They are copies so that nothing here keeps alive
 * what a record was made in: as objects they would grow old, and the old generation is collected rarely.
 *
 *   bytes   [ g g | h h h | . . c c | d d d d | e | f f ]       a position counts all bytes ever written; its place is the
 *                           ^ head mod size                     rest by the size, and it is live above head - size
 */
export class ValueRing {
	/** Ordinals held: [start, end). */
	start: number;
	end: number;
	private readonly bytesMax: number;
	private readonly recordsMax: number;
	private bytes = new Uint8Array(0);
	private head = 0;
	/** By ordinal, modulo their length, which is a power of two. */
	private positions = new Float64Array(0);
	private lengths = new Uint32Array(0);

	constructor(first: number, bytesMax: number) {
		this.start = first;
		this.end = first;
		this.bytesMax = bytesMax;
		this.recordsMax = 2 ** Math.floor(Math.log2(Math.max(1, bytesMax / BYTES_A_PLACE)));
	}

	/** The value of ordinal `end`. */
	push(value: Uint8Array): void {
		const ordinal = this.end++;
		if (value.length > this.bytesMax / SHARE_MAX) {
			// What is held stays without gaps.
			this.start = this.end;
			return;
		}
		if (ordinal - this.start >= this.positions.length) this.makePlace();
		const position = this.reserve(value.length);
		this.bytes.set(value, position % this.bytes.length);
		this.positions[ordinal & (this.positions.length - 1)] = position;
		this.lengths[ordinal & (this.lengths.length - 1)] = value.length;
		this.head = position + value.length;
		const oldest = this.head - this.bytes.length;
		while (this.start < ordinal && (this.positions[this.start & (this.positions.length - 1)] as number) < oldest) this.start++;
	}

	/** A copy; null when it is not held. */
	get(ordinal: number): Uint8Array | null {
		if (ordinal < this.start || ordinal >= this.end) return null;
		const at = (this.positions[ordinal & (this.positions.length - 1)] as number) % this.bytes.length;
		return this.bytes.slice(at, at + (this.lengths[ordinal & (this.lengths.length - 1)] as number));
	}

	/** Position of so many consecutive bytes behind all others. */
	private reserve(length: number): number {
		// As long as it grows nothing was overwritten, so positions and places are the same.
		while (this.head + length > this.bytes.length && this.bytes.length < this.bytesMax) {
			const grown = new Uint8Array(Math.min(this.bytesMax, Math.max(BYTES_MIN, this.bytes.length * 2)));
			grown.set(this.bytes);
			this.bytes = grown;
		}
		const left = this.bytes.length - (this.head % this.bytes.length);
		return left < length ? this.head + left : this.head;
	}

	private makePlace(): void {
		const { positions, lengths } = this;
		if (positions.length === this.recordsMax) {
			this.start++;
			return;
		}
		const capacity = Math.min(this.recordsMax, Math.max(RECORDS_MIN, positions.length * 2));
		this.positions = new Float64Array(capacity);
		this.lengths = new Uint32Array(capacity);
		for (let ordinal = this.start; ordinal < this.end - 1; ordinal++) {
			this.positions[ordinal & (capacity - 1)] = positions[ordinal & (positions.length - 1)] as number;
			this.lengths[ordinal & (capacity - 1)] = lengths[ordinal & (lengths.length - 1)] as number;
		}
	}
}
