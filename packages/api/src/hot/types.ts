/**
 * The hot messages as the codecs give and take them: the etcd v3 shapes, field for field, with safe integers for
 * revisions, counts and limits, and bigint for the 64-bit ids. Bytes are views of the input.
 */
export interface ResponseHeader {
	readonly clusterId: bigint;
	readonly memberId: bigint;
	readonly revision: number;
	readonly raftTerm: number;
}

/** A response of the Watch call. */
export interface WatchResult {
	readonly watchId: bigint;
	readonly created: boolean;
	readonly canceled: boolean;
	readonly compactRevision: number;
	/** ASCII. */
	readonly cancelReason: string;
	readonly fragment: boolean;
	/** Encoded mvccpb.Event each. */
	readonly events: readonly Uint8Array[];
}

export interface RangeRequest {
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	readonly limit: number;
	readonly revision: number;
	readonly sortOrder: number;
	readonly sortTarget: number;
	readonly serializable: boolean;
	readonly keysOnly: boolean;
	readonly countOnly: boolean;
	readonly minModRevision: number;
	readonly maxModRevision: number;
	readonly minCreateRevision: number;
	readonly maxCreateRevision: number;
}

export interface PutRequest {
	readonly key: Uint8Array;
	readonly value: Uint8Array;
	readonly lease: bigint;
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
	readonly result: number;
	readonly target: number;
	readonly key: Uint8Array;
	readonly rangeEnd: Uint8Array;
	/** Operand of the union member that belongs to `target`; 0 or empty when the union held another or nothing. */
	readonly number: number;
	readonly value: Uint8Array;
	readonly lease: bigint;
}

export type RequestOp =
	| { readonly kind: "range"; readonly range: RangeRequest }
	| { readonly kind: "put"; readonly put: PutRequest }
	| { readonly kind: "deleteRange"; readonly deleteRange: DeleteRangeRequest }
	| { readonly kind: "txn"; readonly txn: TxnRequest }
	| { readonly kind: "none" };

export interface TxnRequest {
	readonly compare: readonly Compare[];
	readonly success: readonly RequestOp[];
	readonly failure: readonly RequestOp[];
}

export interface CompactionRequest {
	readonly revision: number;
	readonly physical: boolean;
}

/** Results as the state machine gives them: pairs are already encoded mvccpb.KeyValue bytes and are copied as they are. */
export interface RangeResult {
	readonly revision: number;
	readonly kvs: readonly Uint8Array[];
	readonly more: boolean;
	readonly count: number;
}
export interface PutResult {
	readonly revision: number;
	readonly prevKv: Uint8Array | null;
}
export interface DeleteRangeResult {
	readonly revision: number;
	readonly deleted: number;
	readonly prevKvs: readonly Uint8Array[];
}
export type OpResult =
	| { readonly kind: "range"; readonly range: RangeResult }
	| { readonly kind: "put"; readonly put: PutResult }
	| { readonly kind: "deleteRange"; readonly deleteRange: DeleteRangeResult }
	| { readonly kind: "txn"; readonly txn: TxnResult };
export interface TxnResult {
	readonly revision: number;
	readonly succeeded: boolean;
	readonly responses: readonly OpResult[];
}
