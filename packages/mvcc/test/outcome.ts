/** Results of the store in the model's form. */
import type { DeleteRangeResult, OpResult, PutResult, RangeResult, Refusal, TxnResult } from "../src/index.ts";
import type { Outcome } from "./model.ts";
import { pair } from "./requests.ts";

export function rangeOutcome(result: RangeResult | Refusal): Outcome {
	if (!result.ok) return result.code;
	return { revision: result.revision, kvs: result.kvs.map(pair), more: result.more, count: result.count };
}

export function putOutcome(result: PutResult | Refusal): Outcome {
	if (!result.ok) return result.code;
	return { revision: result.revision, prevKv: result.prevKv === null ? null : pair(result.prevKv) };
}

export function deleteOutcome(result: DeleteRangeResult | Refusal): Outcome {
	if (!result.ok) return result.code;
	return { revision: result.revision, deleted: result.deleted, prevKvs: result.prevKvs.map(pair) };
}

export function txnOutcome(result: TxnResult | Refusal): Outcome {
	if (!result.ok) return result.code;
	return { revision: result.revision, succeeded: result.succeeded, responses: result.responses.map(opOutcome) };
}

function opOutcome(result: OpResult): Outcome {
	switch (result.kind) {
		case "range":
			return rangeOutcome(result.range);
		case "put":
			return putOutcome(result.put);
		case "deleteRange":
			return deleteOutcome(result.deleteRange);
		case "txn":
			return txnOutcome(result.txn);
	}
}
