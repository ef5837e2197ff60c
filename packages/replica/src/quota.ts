/** What a request costs against the space quota (etcd API, NOSPACE), for the check at the door and the alarm at apply. */
import type { PutRequest, RequestOp, TxnRequest } from "@flotilla/mvcc";

const PUT_OVERHEAD_BYTES = 256;

export function putCost(request: PutRequest): number {
	return PUT_OVERHEAD_BYTES + request.key.length + request.value.length;
}

/** The dearer branch counts, nested transactions included. 0: it puts nothing, in either branch. */
export function txnCost(request: TxnRequest): number {
	return Math.max(opsCost(request.success), opsCost(request.failure));
}

function opsCost(ops: readonly RequestOp[]): number {
	let cost = 0;
	for (const op of ops) {
		if (op.kind === "put") cost += putCost(op.put);
		else if (op.kind === "txn") cost += txnCost(op.txn);
	}
	return cost;
}
