/** What comes out of the store: results, refusals and events. Key-value pairs are the stored bytes (encoded mvccpb.KeyValue). */
import type { Revision } from "./request.ts";

export type RefusalCode =
	| "emptyKey"
	| "keyNotFound"
	| "valueProvided"
	| "leaseProvided"
	| "tooManyOps"
	| "duplicateKey"
	| "invalidSortOption"
	| "compacted"
	| "futureRevision"
	| "leaseNotFound"
	| "leaseExists"
	| "leaseTtlTooLarge"
	| "noSpace"
	| "corrupt";

export interface Refusal {
	readonly ok: false;
	readonly code: RefusalCode;
}

export interface RangeResult {
	readonly ok: true;
	/** Store revision when the read ran. */
	readonly revision: Revision;
	/** Encoded mvccpb.KeyValue, in the order asked for. Views: do not change. */
	readonly kvs: readonly Uint8Array[];
	readonly more: boolean;
	readonly count: number;
}

export interface PutResult {
	readonly ok: true;
	readonly revision: Revision;
	/** Encoded previous pair, only when asked for and present. */
	readonly prevKv: Uint8Array | null;
}

export interface DeleteRangeResult {
	readonly ok: true;
	readonly revision: Revision;
	readonly deleted: number;
	readonly prevKvs: readonly Uint8Array[];
}

export type OpResult =
	| { readonly kind: "range"; readonly range: RangeResult }
	| { readonly kind: "put"; readonly put: PutResult }
	| { readonly kind: "deleteRange"; readonly deleteRange: DeleteRangeResult }
	| { readonly kind: "txn"; readonly txn: TxnResult };

export interface TxnResult {
	readonly ok: true;
	readonly revision: Revision;
	readonly succeeded: boolean;
	readonly responses: readonly OpResult[];
}

export interface EndLeaseResult {
	readonly ok: true;
	/** A new one only if keys were deleted. */
	readonly revision: Revision;
	readonly deleted: number;
}

export interface CompactResult {
	readonly ok: true;
	readonly revision: Revision;
}

export interface HashResult {
	readonly ok: true;
	readonly hash: number;
	/** -1 when never compacted. */
	readonly compactRevision: Revision;
	readonly hashRevision: Revision;
	readonly revision: Revision;
}

/** All changes of one revision, in sub-revision order. */
export interface EventGroup {
	readonly revision: Revision;
	/** Null: too many to be kept. They are to be read from the history. */
	readonly events: readonly StoreEvent[] | null;
}

export interface StoreEvent {
	readonly type: "put" | "delete";
	/** The key in the index's form: one character per byte. */
	readonly key: string;
	readonly sub: number;
	/** Encoded mvccpb.KeyValue: the pair for a put; key and mod_revision for a delete. */
	readonly kv: Uint8Array;
}
