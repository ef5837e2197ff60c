/** What a request costs against the space quota (etcd API, NOSPACE), for the check at the door and the alarm at apply. */
import type { HotCodec } from "@flotilla/api/hot";
import { WireError } from "@flotilla/base";
import type { PutRequest, RequestOp, TxnRequest } from "@flotilla/mvcc";
import { CommandKind } from "./calls.ts";

const PUT_OVERHEAD_BYTES = 256;
const LEASE_BYTES = 64;
/** A put inside a transaction takes at least so many bytes of it; so many bytes of request cost at most one overhead. */
const PUT_BYTES_MIN = 4;

export function putCost(request: PutRequest): number {
	return PUT_OVERHEAD_BYTES + request.key.length + request.value.length;
}

/** The dearer branch counts, nested transactions included. 0: it puts nothing, in either branch. */
export function txnCost(request: TxnRequest): number {
	return Math.max(opsCost(request.success), opsCost(request.failure));
}

/** `usedBytes` plus the cost would reach the quota. Reads the request only when its length alone does not settle it. */
export function exceedsQuota(codec: HotCodec, kind: CommandKind, payload: Uint8Array, usedBytes: number, quotaBytes: number): boolean {
	if (quotaBytes <= 0) return false;
	if (kind === CommandKind.leaseGrant) return usedBytes + LEASE_BYTES >= quotaBytes;
	if (kind !== CommandKind.put && kind !== CommandKind.txn) return false;
	const costMax = payload.length + PUT_OVERHEAD_BYTES * (1 + Math.ceil(payload.length / PUT_BYTES_MIN));
	if (usedBytes + costMax < quotaBytes) return false;
	const cost = costOf(codec, kind, payload);
	return cost > 0 && usedBytes + cost >= quotaBytes;
}

/** Malformed requests cost nothing: they are refused as such elsewhere. */
function costOf(codec: HotCodec, kind: CommandKind, payload: Uint8Array): number {
	try {
		return kind === CommandKind.put ? putCost(codec.decodePutRequest(payload)) : txnCost(codec.decodeTxnRequest(payload));
	} catch (error) {
		if (error instanceof WireError) return 0;
		throw error;
	}
}

function opsCost(ops: readonly RequestOp[]): number {
	let cost = 0;
	for (const op of ops) {
		if (op.kind === "put") cost += putCost(op.put);
		else if (op.kind === "txn") cost += txnCost(op.txn);
	}
	return cost;
}
