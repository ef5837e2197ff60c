/**
 * What a range has found that may be part of its answer, by number in key order: records (slot and ordinal) and, where filters or
 * order have to know them, their pairs.
 */
import type { ByteOps } from "@flotilla/base";
import type { KeyIndex } from "./key-index.ts";
import { SortTarget } from "./request.ts";

/** What a find takes beside the bytes of its pair, without and with one. */
const RECORD_BYTES = 32;
const PAIR_BYTES = 384;

export class Finds {
	/** Of all of them. */
	bytes = 0;
	/** Their numbers in the order of the answer, as far as that is known. */
	order: number[] = [];
	private readonly index: KeyIndex;
	private slots: number[] = [];
	private ordinals: number[] = [];
	private pairs: Uint8Array[] = [];
	/** What the order goes by, where the index does not know it. */
	private sortKeys: Array<number | Uint8Array> = [];

	constructor(index: KeyIndex) {
		this.index = index;
	}

	get count(): number {
		return this.slots.length;
	}

	add(slot: number, ordinal: number): void {
		this.order.push(this.slots.length);
		this.slots.push(slot);
		this.ordinals.push(ordinal);
		this.bytes += RECORD_BYTES;
	}

	/** One that had to be read. `sortKey`: its version, revision of creation or value. */
	addRead(slot: number, ordinal: number, pair: Uint8Array, sortKey: number | Uint8Array): void {
		this.add(slot, ordinal);
		this.pairs.push(pair);
		this.sortKeys.push(sortKey);
		this.bytes += PAIR_BYTES + pair.length;
	}

	slot(number: number): number {
		return this.slots[number] as number;
	}

	ordinal(number: number): number {
		return this.ordinals[number] as number;
	}

	/** Null where it was not read. */
	pair(number: number): Uint8Array | null {
		return this.pairs[number] ?? null;
	}

	/** Only these remain, in this order, and count from 0 on. */
	keep(numbers: readonly number[]): void {
		const { ordinals, pairs, slots, sortKeys } = this;
		this.slots = numbers.map((number) => slots[number] as number);
		this.ordinals = numbers.map((number) => ordinals[number] as number);
		this.bytes = RECORD_BYTES * numbers.length;
		if (pairs.length > 0) {
			this.pairs = numbers.map((number) => pairs[number] as Uint8Array);
			this.sortKeys = numbers.map((number) => sortKeys[number] as number | Uint8Array);
			for (const pair of this.pairs) this.bytes += PAIR_BYTES + pair.length;
		}
		this.order = numbers.map((_, at) => at);
	}

	comparison(sortTarget: number, ops: ByteOps): (a: number, b: number) => number {
		const { index, ordinals, slots, sortKeys } = this;
		const mainOf = (number: number): number => index.main(slots[number] as number, ordinals[number] as number);
		switch (sortTarget) {
			case SortTarget.version:
			case SortTarget.create:
				return (a, b) => (sortKeys[a] as number) - (sortKeys[b] as number);
			case SortTarget.value:
				return (a, b) => ops.compare(sortKeys[a] as Uint8Array, sortKeys[b] as Uint8Array);
			default:
				return (a, b) => mainOf(a) - mainOf(b);
		}
	}
}
