/**
 * Operations on the key space. The shapes are those of the etcd v3 messages (field for field), so a decoded request can be
 * handed in as it is; this package knows neither protobuf services nor terms nor log indexes.
 */

/** Store revision; safe integer. An empty store is at 1. */
export type Revision = number;
export type LeaseId = bigint;

export const SortOrder = { none: 0, ascend: 1, descend: 2 } as const;
export const SortTarget = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const;
export const CompareResult = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;
export const CompareTarget = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;

export interface RangeRequest {
	readonly key: Uint8Array;
	/** Empty: the single key. One zero byte: from `key` on. */
	readonly rangeEnd: Uint8Array;
	/** At most 0: unlimited. */
	readonly limit: number;
	/** At most 0: newest (but see transactions, API 2.8). */
	readonly revision: number;
	readonly sortOrder: number;
	readonly sortTarget: number;
	readonly serializable: boolean;
	readonly keysOnly: boolean;
	readonly countOnly: boolean;
	/** 0: off. Any other value, negative ones too, is active. */
	readonly minModRevision: number;
	readonly maxModRevision: number;
	readonly minCreateRevision: number;
	readonly maxCreateRevision: number;
}

const NO_BYTES = new Uint8Array(0);
/** Without any condition, of the newest state. Its key is still to be named. */
export const PLAIN_RANGE: RangeRequest = {
	key: NO_BYTES,
	rangeEnd: NO_BYTES,
	limit: 0,
	revision: 0,
	sortOrder: 0,
	sortTarget: 0,
	serializable: false,
	keysOnly: false,
	countOnly: false,
	minModRevision: 0,
	maxModRevision: 0,
	minCreateRevision: 0,
	maxCreateRevision: 0,
};

export interface PutRequest {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
	readonly lease: LeaseId;
	readonly prevKv: boolean;
	readonly ignoreValue: boolean;
	readonly ignoreLease: boolean;
}

export interface DeleteRangeRequest {
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	readonly prevKv: boolean;
}

export interface Compare {
	/** Raw enum numbers: unknown ones have a defined meaning (API 2.7). */
	readonly result: number;
	readonly target: number;
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	/** The operand of the union member that belongs to `target`; 0 or empty when the union held another or nothing. */
	readonly number: number;
	readonly value: Uint8Array;
	readonly lease: LeaseId;
}

export type RequestOp =
	| { readonly kind: "range"; readonly range: RangeRequest }
	| { readonly kind: "put"; readonly put: PutRequest }
	| { readonly kind: "deleteRange"; readonly deleteRange: DeleteRangeRequest }
	| { readonly kind: "txn"; readonly txn: TxnRequest }
	/** No union member was set: refused with `keyNotFound` by validation. */
	| { readonly kind: "none" };

export interface TxnRequest {
	readonly compare: readonly Compare[];
	readonly success: readonly RequestOp[];
	readonly failure: readonly RequestOp[];
}
