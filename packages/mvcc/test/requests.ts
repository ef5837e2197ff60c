/** Requests with defaults, in latin1 text instead of bytes. */
import { portableBytes } from "@flotilla/base";
import {
	type Compare,
	type DeleteRangeRequest,
	decodeKeyValue,
	PLAIN_RANGE,
	type PutRequest,
	type RangeRequest,
	type RequestOp,
	type TxnRequest,
} from "../src/index.ts";

export const bytes = (text: string): Uint8Array => portableBytes.fromLatin1(text);
export const text = (content: Uint8Array): string => portableBytes.latin1(content);

type Texts<T> = { readonly [K in keyof T]?: T[K] extends Uint8Array ? string : T[K] };

export function range(key: string, more: Texts<Omit<RangeRequest, "key">> = {}): RangeRequest {
	return {
		...PLAIN_RANGE,
		...more,
		key: bytes(key),
		rangeEnd: bytes(more.rangeEnd ?? ""),
	};
}

export function put(key: string, value = "", more: Partial<Omit<PutRequest, "key" | "value">> = {}): PutRequest {
	return { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false, ...more, key: bytes(key), value: bytes(value) };
}

export function del(key: string, rangeEnd = "", prevKv = false): DeleteRangeRequest {
	return { key: bytes(key), rangeEnd: bytes(rangeEnd), prevKv };
}

export function compare(
	target: number,
	result: number,
	key: string,
	more: Texts<Omit<Compare, "key" | "target" | "result">> = {},
): Compare {
	return {
		number: 0,
		lease: 0n,
		...more,
		target,
		result,
		key: bytes(key),
		rangeEnd: bytes(more.rangeEnd ?? ""),
		value: bytes(more.value ?? ""),
	};
}

export function txn(parts: Partial<TxnRequest> = {}): TxnRequest {
	return { compare: [], success: [], failure: [], ...parts };
}

export const op = {
	range: (request: RangeRequest): RequestOp => ({ kind: "range", range: request }),
	put: (request: PutRequest): RequestOp => ({ kind: "put", put: request }),
	del: (request: DeleteRangeRequest): RequestOp => ({ kind: "deleteRange", deleteRange: request }),
	txn: (request: TxnRequest): RequestOp => ({ kind: "txn", txn: request }),
	none: { kind: "none" } as RequestOp,
};

/** A pair as people read it. */
export interface Pair {
	readonly key: string;
	readonly value: string;
	readonly create: number;
	readonly mod: number;
	readonly version: number;
	readonly lease: bigint;
}

export function pair(encoded: Uint8Array): Pair {
	const { key, value, createRevision, modRevision, version, lease } = decodeKeyValue(encoded);
	return { key: text(key), value: text(value), create: createRevision, mod: modRevision, version, lease };
}
