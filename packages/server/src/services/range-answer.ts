import type { HotCodec } from "@flotilla/api/hot";
import type { RangeChunks } from "@flotilla/mvcc";
import { ANSWER_BYTES_MAX, Grpc, type Status, type UnaryCall } from "../front/seam.ts";
import { AnswerPieces } from "./answer-pieces.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { Step } from "./long-work.ts";
import type { MemberPort } from "./member-port.ts";

/** Encoded at once; pairs found are not kept beside their encoding. */
export const PIECE_BYTES = 64 << 10;

/** What one read may hold to sort or filter it: a million pairs of some hundred bytes and more. */
const SORTED_BYTES_MAX = 1 << 30;

/** Null, or what is said of a read that would have to hold so much. */
export function tooMuchToSort(bytes: number): Status | null {
	if (bytes <= SORTED_BYTES_MAX) return null;
	return { code: Grpc.resourceExhausted, message: "etcdserver: too much to sort or filter at once" };
}

/** Null, or what etcd's library says instead of an answer of so many bytes, with our limit. */
export function answerTooLong(bytes: number): Status | null {
	if (bytes <= ANSWER_BYTES_MAX) return null;
	return { code: Grpc.resourceExhausted, message: `grpc: trying to send message larger than max (${bytes} vs. ${ANSWER_BYTES_MAX})` };
}

export interface Surroundings {
	readonly member: MemberPort;
	readonly codec: HotCodec;
	readonly call: UnaryCall;
	/** Asked when the answer is ready. */
	mayStillRead(): boolean;
}

/**
 * Answers to long reads while they grow. All together stay below a bound: at it only the oldest goes on, so that one after
 * the other is finished.
 */
export class RangeAnswers {
	private readonly bytesMax: number;
	private readonly answers = new Set<object>();
	private bytes = 0;

	constructor(bytesMax: number) {
		this.bytesMax = bytesMax;
	}

	/** `kvs`: what was read of it already. */
	begin(chunks: RangeChunks, kvs: readonly Uint8Array[], around: Surroundings): RangeAnswer {
		const answer = new RangeAnswer(chunks, around, this);
		this.enter(answer);
		answer.add(kvs);
		return answer;
	}

	/** It is younger than all that came before. */
	enter(answer: object): void {
		this.answers.add(answer);
	}

	mayGrow(answer: object): boolean {
		return this.bytes < this.bytesMax || this.answers.values().next().value === answer;
	}

	grew(bytes: number): void {
		this.bytes += bytes;
	}

	ended(answer: object, bytes: number): void {
		if (this.answers.delete(answer)) this.bytes -= bytes;
	}
}

/** One answer: the range is read and encoded piece by piece, then the pieces are put together, all in slices. */
export class RangeAnswer {
	private readonly chunks: RangeChunks;
	private readonly around: Surroundings;
	private readonly all: RangeAnswers;
	private pieces = new AnswerPieces();
	/** What it is for the bound. */
	private bytes = 0;
	private readonly head: number;
	private whole = false;
	private over = false;

	constructor(chunks: RangeChunks, around: Surroundings, all: RangeAnswers) {
		this.chunks = chunks;
		this.around = around;
		this.all = all;
		this.head = this.pieces.leaveRoom();
	}

	readonly step: Step = (budget) => {
		if (this.over) return true;
		return this.chunks.done ? this.assemble() : this.read(budget);
	};

	add(kvs: readonly Uint8Array[]): void {
		if (kvs.length === 0) return;
		const piece = this.around.codec.encodeRangeResponse(null, { ...NO_PAIRS, kvs });
		this.pieces.add(piece);
		this.bytes += piece.length;
		this.all.grew(piece.length);
	}

	cancel(): void {
		if (this.over) return;
		this.over = true;
		this.chunks.abandon();
		this.pieces = new AnswerPieces();
		this.all.ended(this, this.bytes);
	}

	private read(budget: number): boolean {
		if (!this.all.mayGrow(this)) return false;
		this.add(this.chunks.next(budget, PIECE_BYTES));
		const refusal = answerTooLong(this.bytes);
		if (refusal === null) return false;
		this.cancel();
		this.around.call.fail(refusal);
		return true;
	}

	private assemble(): boolean {
		if (!this.whole) this.frame();
		const message = this.pieces.assemble();
		if (message === null) return false;
		this.over = true;
		this.all.ended(this, this.bytes);
		const { around } = this;
		if (around.mayStillRead()) around.call.respond(message);
		else around.call.fail(statusOf("authOldRevision"));
		return true;
	}

	/** What stands before and behind the pairs is known only now. */
	private frame(): void {
		const { revision, more, count } = this.chunks;
		const { codec, member } = this.around;
		this.pieces.fill(this.head, codec.encodeRangeResponse(headerOf(member, revision), NO_PAIRS));
		this.pieces.add(codec.encodeRangeResponse(null, { ...NO_PAIRS, more, count }));
		this.whole = true;
	}
}

const NO_PAIRS = { revision: 0, kvs: [], more: false, count: 0 };
