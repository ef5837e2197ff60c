import { assert } from "./assert.ts";

const SHORT_SPAN = 0x8000;

/**
 * Seeded generator (sfc32, 128 bits of state, 32-bit integer arithmetic only, so it gives the same stream on every
 * machine). The only source of chance in the pure rooms and in the simulator. Not for secrets.
 */
export class Dice {
	private a: number;
	private b: number;
	private c: number;
	private counter = 1;

	/** `seed`: a safe integer or a text; equal seeds give equal streams. */
	constructor(seed: number | string) {
		const hash = hash32(String(seed));
		this.a = hash;
		this.b = hash32(`${seed}/b`);
		this.c = hash32(`${seed}/c`);
		for (let i = 0; i < 12; i++) this.uint32();
	}

	/** Uniform in [0, 2^32). */
	uint32(): number {
		const sum = (((this.a + this.b) | 0) + this.counter) | 0;
		this.counter = (this.counter + 1) | 0;
		this.a = this.b ^ (this.b >>> 9);
		this.b = (this.c + (this.c << 3)) | 0;
		this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
		this.c |= 0;
		return sum >>> 0;
	}

	/** Uniform in [0, 2^53): wide enough for incarnations and request tokens. */
	uint53(): number {
		return (this.uint32() & 0x1fffff) * 0x1_0000_0000 + this.uint32();
	}

	/** Uniform integer in [min, max], both included. */
	range(min: number, max: number): number {
		assert(max >= min, "a dice range must not be empty");
		const span = max - min + 1;
		// The bias of the modulo is below 2^-20 for the spans used here, and the cost of rejection is not worth it.
		return min + (span <= SHORT_SPAN && Number.isInteger(span) ? this.shortRemainder(span) : this.uint53() % span);
	}

	/** `uint53() % span`, in steps that stay within 32 bits: 6 ns instead of 27 for a division of large numbers. */
	private shortRemainder(span: number): number {
		const high = this.uint32() & 0x1fffff;
		const low = this.uint32();
		const upper = (((high % span) << 16) | (low >>> 16)) % span;
		return ((upper << 16) | (low & 0xffff)) % span;
	}

	/** True with probability numerator/denominator. */
	chance(numerator: number, denominator: number): boolean {
		return this.range(0, denominator - 1) < numerator;
	}

	/** One element, uniformly. */
	pick<T>(items: readonly T[]): T {
		assert(items.length > 0, "cannot pick from nothing");
		return items[this.range(0, items.length - 1)] as T;
	}

	/** Shuffles in place and returns the same array. */
	shuffle<T>(items: T[]): T[] {
		for (let i = items.length - 1; i > 0; i--) {
			const j = this.range(0, i);
			const held = items[i] as T;
			items[i] = items[j] as T;
			items[j] = held;
		}
		return items;
	}

	/** An independent stream: draws from it do not shift this one. */
	fork(name: string): Dice {
		return new Dice(`${this.uint32()}/${this.uint32()}/${name}`);
	}
}

/** FNV-1a with a final mix; only spreads seeds. */
function hash32(text: string): number {
	let hash = 0x811c9dc5;
	for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
	hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
	hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
	return (hash ^ (hash >>> 16)) | 0;
}
