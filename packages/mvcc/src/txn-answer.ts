/** What a transaction or a delete has to answer: read from the places in the log of records at which its operations stood. */
import { HeldBytes, SLICE_BYTES } from "./held-bytes.ts";
import { isPlain, RangeChunks } from "./range-chunks.ts";
import { rangeOne } from "./range-one.ts";
import { rangeSteps } from "./range-steps.ts";
import { RangeWork } from "./range-work.ts";
import type { Revision } from "./request.ts";
import type { DeleteRangeResult, OpResult, RangeResult, TxnResult } from "./result.ts";
import { sliced, wholly } from "./sliced.ts";
import type { Sliced, SlicedRead } from "./store-interface.ts";
import type { DeleteDone, OpDone, ReadParts, ToRead, TxnDone } from "./txn.ts";

const NO_PAIRS: readonly Uint8Array[] = [];
const nothing = (): void => {};

/** Of operations on single keys, as nearly all are, without the machinery for more; null where they are others, or too much for one slice. */
export function answerAtOnce(parts: ReadParts, { txn }: TxnDone): TxnResult | null {
	if (txn.ops.length > parts.stride) return null;
	const responses: OpResult[] = [];
	let bytes = 0;
	for (const op of txn.ops) {
		if (op.kind === "put" && op.former === null) {
			responses.push({ kind: "put", put: { ok: true, revision: op.revision, prevKv: null } });
		} else if (op.kind === "deleteRange" && op.former === null) {
			const { revision, deleted } = op;
			responses.push({ kind: "deleteRange", deleteRange: { ok: true, revision, deleted, prevKvs: NO_PAIRS } });
		} else if (op.kind === "range" && op.read.view.span.single && bytes < SLICE_BYTES) {
			const range = rangeOne(parts, op.read.request, op.read.view);
			for (const pair of range.kvs) bytes += pair.length;
			responses.push({ kind: "range", range });
		} else return null;
	}
	return { ok: true, revision: txn.revision, succeeded: txn.succeeded, responses };
}

/** Yields every `stride` keys or MiB. */
export function* answerTxn(parts: ReadParts, { txn }: TxnDone, held = new HeldBytes()): Generator<void, TxnResult> {
	const responses: OpResult[] = [];
	for (const op of txn.ops) responses.push(yield* answerOp(parts, op, held));
	return { ok: true, revision: txn.revision, succeeded: txn.succeeded, responses };
}

function* answerOp(parts: ReadParts, op: OpDone, held: HeldBytes): Generator<void, OpResult> {
	switch (op.kind) {
		case "range":
			return { kind: "range", range: yield* rangeSteps(parts, op.read.request, op.read.view, parts.stride, held) };
		case "put": {
			const [prevKv = null] = yield* formerPairs(parts, op.former, held);
			return { kind: "put", put: { ok: true, revision: op.revision, prevKv } };
		}
		case "deleteRange":
			return { kind: "deleteRange", deleteRange: yield* answerDelete(parts, op, held) };
		case "txn":
			return { kind: "txn", txn: yield* answerTxn(parts, op, held) };
	}
}

export function* answerDelete(
	parts: ReadParts,
	{ revision, deleted, former }: DeleteDone,
	held = new HeldBytes(),
): Generator<void, DeleteRangeResult> {
	return { ok: true, revision, deleted, prevKvs: yield* formerPairs(parts, former, held) };
}

function* formerPairs(parts: ReadParts, former: ToRead | null, held: HeldBytes): Generator<void, readonly Uint8Array[]> {
	return former === null ? NO_PAIRS : (yield* rangeSteps(parts, former.request, former.view, parts.stride, held)).kvs;
}

/**
 * An answer with more in it than is read at once. It shows what it has to whenever it is read, range by range; clean-up is held back
 * until `close`.
 */
export class Unanswered<T> {
	readonly ok = true;
	readonly revision: Revision;
	readonly op: TxnDone | DeleteDone;
	/** Somebody has taken it on. */
	begun = false;
	private open = true;
	private readonly parts: ReadParts;
	private readonly release: () => void;
	private readonly reading: () => Generator<void, T>;

	constructor(parts: ReadParts, op: TxnDone | DeleteDone, revision: Revision, reading: () => Generator<void, T>, release: () => void) {
		this.parts = parts;
		this.op = op;
		this.revision = revision;
		this.reading = reading;
		this.release = release;
	}

	begin(): void {
		this.begun = true;
	}

	/** One of its ranges: in pieces, if it comes in key order as it is found. */
	read({ request, view }: ToRead): RangeChunks | SlicedRead<RangeResult> {
		return isPlain(request) ? new RangeChunks(this.parts, request, view, nothing) : new RangeWork(this.parts, request, view, nothing);
	}

	/** All of it in memory: for what is small, and in slices for those who compare. */
	sliced(): Sliced<T> {
		return sliced(this.reading(), this.parts.stride);
	}

	whole(): T {
		const result = wholly(this.sliced());
		this.close();
		return result;
	}

	close(): void {
		if (this.open) this.release();
		this.open = false;
	}
}
