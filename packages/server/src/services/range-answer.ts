import type { HotCodec } from "@flotilla/api/hot";
import type { RangeChunks } from "@flotilla/mvcc";
import { Grpc, type Status, type UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { Step } from "./long-work.ts";
import type { MemberPort } from "./member-port.ts";

/** Encoded at once; pairs found are not kept beside their encoding. */
const PIECE_BYTES = 64 << 10;
/** Pieces put together in one slice. */
const COPY_BYTES = 1 << 20;
/** What a gRPC message may be long, as etcd's library has it. */
const ANSWER_BYTES_MAX = 2 ** 31 - 1;

/** Null, or what etcd's library says instead of an answer of so many bytes. */
export function answerTooLong(bytes: number): Status | null {
	if (bytes <= ANSWER_BYTES_MAX) return null;
	return { code: Grpc.resourceExhausted, message: `grpc: trying to send message larger than max (${bytes} vs. ${ANSWER_BYTES_MAX})` };
}

interface Surroundings {
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
	private pieces: Uint8Array[] = [];
	private bytes = 0;
	private message: Uint8Array | null = null;
	private copied = 0;
	private over = false;

	constructor(chunks: RangeChunks, around: Surroundings, all: RangeAnswers) {
		this.chunks = chunks;
		this.around = around;
		this.all = all;
	}

	readonly step: Step = (budget) => {
		if (this.over) return true;
		return this.chunks.done ? this.assemble() : this.read(budget);
	};

	add(kvs: readonly Uint8Array[]): void {
		if (kvs.length === 0) return;
		const piece = this.around.codec.encodeRangeResponse(null, { ...NO_PAIRS, kvs });
		this.pieces.push(piece);
		this.bytes += piece.length;
		this.all.grew(piece.length);
	}

	cancel(): void {
		if (this.over) return;
		this.over = true;
		this.chunks.abandon();
		this.pieces = [];
		this.message = null;
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
		this.message ??= this.frame();
		const until = this.copied + COPY_BYTES;
		let place = 0;
		for (; place < this.pieces.length && this.copied < until; place++) {
			const piece = this.pieces[place] as Uint8Array;
			this.message.set(piece, this.copied);
			this.copied += piece.length;
		}
		this.pieces = this.pieces.slice(place);
		if (this.pieces.length > 0) return false;
		this.over = true;
		this.all.ended(this, this.bytes);
		const { around } = this;
		if (around.mayStillRead()) around.call.respond(this.message);
		else around.call.fail(statusOf("authOldRevision"));
		return true;
	}

	/** Room for the whole answer. What stands before and behind the pairs is known only now. */
	private frame(): Uint8Array {
		const { revision, more, count } = this.chunks;
		const { codec, member } = this.around;
		const head = codec.encodeRangeResponse(headerOf(member, revision), NO_PAIRS);
		const tail = codec.encodeRangeResponse(null, { ...NO_PAIRS, more, count });
		this.pieces = [head, ...this.pieces, tail];
		return new Uint8Array(head.length + this.bytes + tail.length);
	}
}

const NO_PAIRS = { revision: 0, kvs: [], more: false, count: 0 };
