/** Reads in portions of some 1 MiB, however large keys and values are; the next one is on its way while one is used. */
import type { mvccpb } from "@flotilla/api";
import { ALL_KEYS, RPC } from "./rpc.ts";
import type { Side } from "./side.ts";

const PAGE_BYTES = 1 << 20;
const PAGE_KEYS_MIN = 16;
/** Few: the next keys may be of the largest size after a thousand small ones. */
const PAGE_KEYS_MAX = 128;
const NO_BYTES = new Uint8Array(0);
/** Without values. */
const LIST_KEYS_MAX = 2_000;
/** What a pair weighs beside its key and value. */
const PAIR_BYTES = 32;

/** Keys of one request: half of what a server takes. */
const REQUEST_BYTES = 1 << 20;

interface Keyed {
	readonly key: Uint8Array;
}

/** How many to ask for, by the size of those that came last. */
export class Portion {
	private count = PAGE_KEYS_MIN;
	private readonly max: number;

	constructor(max = PAGE_KEYS_MAX) {
		this.max = max;
	}

	get limit(): number {
		return this.count;
	}

	came(pairs: readonly mvccpb.KeyValue[]): void {
		const bytes = pairs.reduce((sum, { key, value }) => sum + PAIR_BYTES + key.length + value.length, 0);
		this.count = Math.max(PAGE_KEYS_MIN, Math.min(this.max, Math.floor((PAGE_BYTES * pairs.length) / Math.max(1, bytes))));
	}

	/** The next of these whose names one request holds; one at least. */
	of<T extends Keyed>(keys: readonly T[], at: number): readonly T[] {
		let bytes = 0;
		let end = at;
		for (; end < keys.length && end - at < this.count; end++) {
			bytes += (keys[end] as T).key.length;
			if (end > at && bytes > REQUEST_BYTES) break;
		}
		return keys.slice(at, end);
	}
}

export type Pages = AsyncGenerator<readonly mvccpb.KeyValue[], void>;

/** Every key at one revision without its value, in the order of the keys. */
export function keysOf(side: Side, revision: number): Pages {
	return ahead(readKeys(side, revision));
}

/** The same with values. */
export function pairsOf(side: Side, revision: number): Pages {
	return ahead(readPairs(side, revision));
}

async function* readKeys(side: Side, revision: number): Pages {
	const portion = new Portion(LIST_KEYS_MAX);
	for (let from: Uint8Array = ALL_KEYS.key; ; ) {
		const { kvs, more } = await side.call(RPC.range, {
			...{ key: from, rangeEnd: ALL_KEYS.rangeEnd, limit: portion.limit, keysOnly: true, revision },
		});
		yield kvs;
		const last = kvs.at(-1);
		if (!more || last === undefined) return;
		from = after(last.key);
		portion.came(kvs);
	}
}

/** From one key to another: a range without an end makes a server count all that is in it, page after page. */
async function* readPairs(side: Side, revision: number): Pages {
	const portion = new Portion();
	for await (const keys of keysOf(side, revision)) {
		for (let at = 0; at < keys.length; ) {
			const part = portion.of(keys, at);
			const [first, last] = [part[0] as Keyed, part.at(-1) as Keyed];
			const rangeEnd = first === last ? NO_BYTES : after(last.key);
			const { kvs } = await side.call(RPC.range, { key: first.key, rangeEnd, revision });
			yield kvs;
			at += part.length;
			portion.came(kvs);
		}
	}
}

/** The key that follows directly. */
function after(key: Uint8Array): Uint8Array {
	return Buffer.concat([key, Uint8Array.of(0)]);
}

/** One step ahead of whoever reads. */
export async function* ahead<T>(steps: AsyncGenerator<T, void>): AsyncGenerator<T, void> {
	let coming = steps.next();
	for (;;) {
		const { value, done } = await coming;
		if (done === true) return;
		coming = steps.next();
		// Its error is thrown when it is asked for, if it ever is.
		coming.catch(() => {});
		yield value;
	}
}
