/**
 * A long answer to a transaction or a delete: each of its ranges is read and encoded piece by piece, and the pieces are put together,
 * all in slices and under the bound of all long answers.
 */
import { type DeleteDone, type OpDone, RangeChunks, type ToRead, type TxnDone, type Unanswered } from "@flotilla/mvcc";
import { AnswerPieces } from "./answer-pieces.ts";
import { headerOf, statusOf } from "./answers.ts";
import { FIRST_SLICE, type Step } from "./long-work.ts";
import { answerTooLong, PIECE_BYTES, type RangeAnswers, type Surroundings, tooMuchToSort } from "./range-answer.ts";

/** Added to it in one step; the last piece may go beyond. */
const STEP_BYTES = 256 << 10;
const NO_PAIRS = { revision: 0, kvs: [], more: false, count: 0 };

export class ChangeAnswer {
	private readonly later: Unanswered<unknown>;
	private readonly around: Surroundings;
	private readonly all: RangeAnswers;
	private readonly pieces = new AnswerPieces();
	private readonly composing: Generator<number, void>;
	private composed = false;
	/** Held by a read of it that cannot be handed out in pieces. */
	private heldBytes = 0;
	private counted = 0;
	private over = false;

	/** From now on it is younger than all that came before. */
	constructor(later: Unanswered<unknown>, around: Surroundings, all: RangeAnswers) {
		this.later = later;
		this.around = around;
		this.all = all;
		this.composing = this.compose(later.op);
		all.enter(this);
	}

	readonly step: Step = (budget) => {
		if (this.over) return true;
		return this.composed ? this.assemble() : this.goOn(budget);
	};

	cancel(): void {
		if (this.over) return;
		this.end();
	}

	private goOn(budget: number): boolean {
		const { all, composing, pieces } = this;
		if (!all.mayGrow(this)) return false;
		const bytesEnd = pieces.bytes + STEP_BYTES;
		for (let left = budget; left > 0 && !this.composed && pieces.bytes < bytesEnd; ) {
			const next = composing.next();
			if (next.done) this.composed = true;
			else left -= next.value;
		}
		const bytes = pieces.bytes + this.heldBytes;
		all.grew(bytes - this.counted);
		this.counted = bytes;
		const refusal = answerTooLong(pieces.bytes) ?? tooMuchToSort(this.heldBytes);
		if (refusal === null) return false;
		this.end();
		this.around.call.fail(refusal);
		return true;
	}

	private assemble(): boolean {
		const message = this.pieces.assemble();
		if (message === null) return false;
		const { around } = this;
		this.end();
		if (around.mayStillRead()) around.call.respond(message);
		else around.call.fail(statusOf("authOldRevision"));
		return true;
	}

	private end(): void {
		this.over = true;
		this.later.close();
		this.all.ended(this, this.counted);
	}

	/** Yields how many keys were looked at. */
	private *compose(op: TxnDone | DeleteDone): Generator<number, void> {
		const { codec, member } = this.around;
		const header = headerOf(member, op.kind === "txn" ? op.txn.revision : op.revision);
		if (op.kind === "txn") {
			const { revision, succeeded } = op.txn;
			this.pieces.add(codec.encodeTxnResponse(header, { revision, succeeded, responses: [] }));
			yield* this.operations(op.txn.ops);
		} else {
			this.pieces.add(codec.encodeDeleteRangeResponse(header, { ...op, prevKvs: [] }));
			yield* this.formerPairs(op);
		}
	}

	private *operations(ops: readonly OpDone[]): Generator<number, void> {
		const { pieces } = this;
		for (const op of ops) {
			// Its length is known when it is read.
			const head = pieces.leaveRoom();
			const before = pieces.bytes;
			yield* this.operation(op);
			pieces.fill(head, this.around.codec.encodeOpHead(op.kind, pieces.bytes - before));
			yield 1;
		}
	}

	private *operation(op: OpDone): Generator<number, void> {
		const { codec } = this.around;
		const { pieces } = this;
		switch (op.kind) {
			case "range": {
				pieces.add(codec.encodeInnerHeader(op.read.view.headerRevision));
				const { more, count } = yield* this.pairs(op.read, (kvs) => codec.encodeRangeResponse(null, { ...NO_PAIRS, kvs }));
				pieces.add(codec.encodeRangeResponse(null, { ...NO_PAIRS, more, count }));
				return;
			}
			case "put":
				pieces.add(codec.encodeInnerHeader(op.revision));
				// A former pair of a put has the number that pairs of a range have.
				if (op.former !== null) yield* this.pairs(op.former, (kvs) => codec.encodeRangeResponse(null, { ...NO_PAIRS, kvs }));
				return;
			case "deleteRange":
				pieces.add(codec.encodeInnerHeader(op.revision));
				pieces.add(codec.encodeDeleteRangeResponse(null, { ...op, prevKvs: [] }));
				yield* this.formerPairs(op);
				return;
			case "txn": {
				const { revision, succeeded } = op.txn;
				pieces.add(codec.encodeInnerHeader(0));
				pieces.add(codec.encodeTxnResponse(null, { revision, succeeded, responses: [] }));
				yield* this.operations(op.txn.ops);
			}
		}
	}

	private *formerPairs({ revision, former }: DeleteDone): Generator<number, void> {
		const { codec } = this.around;
		if (former !== null) {
			yield* this.pairs(former, (prevKvs) => codec.encodeDeleteRangeResponse(null, { revision, deleted: 0, prevKvs }));
		}
	}

	private *pairs(
		read: ToRead,
		encode: (kvs: readonly Uint8Array[]) => Uint8Array,
	): Generator<number, { readonly more: boolean; readonly count: number }> {
		const work = this.later.read(read);
		if (work instanceof RangeChunks) {
			while (!work.done) {
				const kvs = work.next(FIRST_SLICE, PIECE_BYTES);
				if (kvs.length > 0) this.pieces.add(encode(kvs));
				yield Math.max(1, kvs.length);
			}
			return work;
		}
		while (!work.step(FIRST_SLICE)) {
			this.heldBytes = work.heldBytes;
			yield FIRST_SLICE;
		}
		const { kvs, more, count } = work.result();
		for (let at = 0; at < kvs.length; at += FIRST_SLICE) {
			this.pieces.add(encode(kvs.slice(at, at + FIRST_SLICE)));
			yield FIRST_SLICE;
		}
		this.heldBytes = 0;
		return { more, count };
	}
}
