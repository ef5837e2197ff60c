/** The answer to a transaction or a delete whose changes are made: read in slices, from the places in the log at which its operations stood. */
import type { HeldBytes } from "./held-bytes.ts";
import { rangeSteps } from "./range-steps.ts";
import type { DeleteRangeResult, OpResult, TxnResult } from "./result.ts";
import type { Sliced, SlicedRead } from "./store-interface.ts";
import type { OpDone, PathDone, RunParts, ToRead } from "./txn.ts";

const NO_PAIRS: readonly Uint8Array[] = [];

/** Yields every `stride` keys or MiB. */
export function* answerTxn(parts: RunParts, done: PathDone, held: HeldBytes): Generator<void, TxnResult> {
	const responses: OpResult[] = [];
	for (const op of done.ops) responses.push(yield* answerOp(parts, op, held));
	return { ok: true, revision: done.revision, succeeded: done.succeeded, responses };
}

function* answerOp(parts: RunParts, op: OpDone, held: HeldBytes): Generator<void, OpResult> {
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
			return { kind: "txn", txn: yield* answerTxn(parts, op.txn, held) };
	}
}

export function* answerDelete(
	parts: RunParts,
	{ revision, deleted, former }: OpDone & { kind: "deleteRange" },
	held: HeldBytes,
): Generator<void, DeleteRangeResult> {
	return { ok: true, revision, deleted, prevKvs: yield* formerPairs(parts, former, held) };
}

function* formerPairs(parts: RunParts, former: ToRead | null, held: HeldBytes): Generator<void, readonly Uint8Array[]> {
	return former === null ? NO_PAIRS : (yield* rangeSteps(parts, former.request, former.view, parts.stride, held)).kvs;
}

/** Work of that kind while clean-up is held back for it. `release` is called once. */
export class LateRead<T> implements SlicedRead<T> {
	/** Somebody has taken it on since it was offered. */
	begun = false;
	private over = false;
	private readonly held: HeldBytes;
	private readonly release: () => void;
	private readonly work: Sliced<T>;

	constructor(work: Sliced<T>, held: HeldBytes, release: () => void) {
		this.work = work;
		this.held = held;
		this.release = release;
	}

	get heldBytes(): number {
		return this.held.bytes;
	}

	step(budget: number): boolean {
		this.begun = true;
		const done = this.work.step(budget);
		if (done) this.abandon();
		return done;
	}

	result(): T {
		return this.work.result();
	}

	abandon(): void {
		if (this.over) return;
		this.over = true;
		this.release();
	}
}
