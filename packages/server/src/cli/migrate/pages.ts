/** Reads in portions of some 1 MiB, however large keys and values are; the next one is on its way while one is used. */
import type { mvccpb } from "@flotilla/api";
import { ALL_KEYS, RPC } from "./rpc.ts";
import type { Side } from "./side.ts";

const PAGE_BYTES = 1 << 20;
const PAGE_KEYS_MIN = 16;
/** Few: the next keys may be of the largest size after a thousand small ones. */
const PAGE_KEYS_MAX = 128;
/** Without values. */
const LIST_KEYS_MAX = 2_000;
/** What a pair weighs beside its key and value. */
const PAIR_BYTES = 32;

/** How many to ask for, by the size of those that came last. */
export class Portion {
	count = PAGE_KEYS_MIN;
	private readonly max: number;

	constructor({ keysOnly }: { readonly keysOnly: boolean }) {
		this.max = keysOnly ? LIST_KEYS_MAX : PAGE_KEYS_MAX;
	}

	came(pairs: readonly mvccpb.KeyValue[]): void {
		const bytes = pairs.reduce((sum, { key, value }) => sum + PAIR_BYTES + key.length + value.length, 0);
		this.count = Math.max(PAGE_KEYS_MIN, Math.min(this.max, Math.floor((PAGE_BYTES * pairs.length) / Math.max(1, bytes))));
	}
}

/** Every key at one revision, in the order of the keys. */
export function pagesOf(side: Side, revision: number, { keysOnly }: { readonly keysOnly: boolean }): Pages {
	return ahead(readPages(side, revision, keysOnly));
}

export type Pages = AsyncGenerator<readonly mvccpb.KeyValue[], void>;

async function* readPages(side: Side, revision: number, keysOnly: boolean): Pages {
	const portion = new Portion({ keysOnly });
	for (let from: Uint8Array = ALL_KEYS.key; ; ) {
		const { kvs, more } = await side.call(RPC.range, {
			...{ key: from, rangeEnd: ALL_KEYS.rangeEnd, limit: portion.count, keysOnly, revision },
		});
		yield kvs;
		const last = kvs.at(-1);
		if (!more || last === undefined) return;
		// The key that follows directly.
		from = Uint8Array.of(...last.key, 0);
		portion.came(kvs);
	}
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
