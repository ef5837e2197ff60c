import type { ByteOps } from "@flotilla/base";

/** Key ranges as etcd names them, in the index's form. */
export interface KeySpan {
	/** Exactly `from`. */
	readonly single: boolean;
	readonly from: string;
	/** Excluded; null: no upper bound. At or below `from`: nothing. */
	readonly to: string | null;
}

/** `rangeEnd` empty: the single key; one zero byte: from the key on (etcd API 2.1). */
export function keySpan(key: Uint8Array, rangeEnd: Uint8Array, ops: ByteOps): KeySpan {
	const from = ops.latin1(key);
	if (rangeEnd.length === 0) return { single: true, from, to: null };
	if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { single: false, from, to: null };
	return { single: false, from, to: ops.latin1(rangeEnd) };
}

export function spanHolds(span: KeySpan, key: string): boolean {
	return span.single ? key === span.from : key >= span.from && (span.to === null || key < span.to);
}
