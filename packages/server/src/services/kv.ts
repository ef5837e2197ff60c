/** The KV service (etcd API, chapter 2). */
import type { FaultCode } from "@flotilla/api";
import { createHotCodec, type DeleteRangeRequest, type RangeRequest, type TxnRequest } from "@flotilla/api/hot";
import { assert } from "@flotilla/base";
import { isPlain, isReadOnlyTxn, isSerializableTxn, requestValidation, type TxnResult, Unanswered } from "@flotilla/mvcc";
import { type Caller, CommandKind, putCost, txnCost } from "@flotilla/replica";
import type { MethodHandler, UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import { BoundedRead } from "./bounded-read.ts";
import { ChangeAnswer } from "./change-answer.ts";
import type { ServiceDeps } from "./deps.ts";
import { isLearner, unary } from "./door.ts";
import { FIRST_SLICE, LongWork } from "./long-work.ts";
import type { OpenStreams } from "./open-streams.ts";
import { RangeAnswers } from "./range-answer.ts";
import { rangeStreamMethod } from "./range-stream.ts";
import { afterBarrier, propose } from "./replicated.ts";

/** Ranges too long for one turn. Those that wait hold their position in the key space, and nothing else. */
export const LONG_RANGES = { runningMax: 64, waitingMax: 1_024 } as const;
/** Answers of them that are being put together. */
const LONG_ANSWERS_BYTES_MAX = 256 << 20;
/** Bytes that a range may read at once. */
const FIRST_BYTES = 1 << 20;

/**
 * Deviation: etcd limits each level of a transaction and not the whole, so that nested ones can hold hundreds of thousands of
 * operations in one request, all of which run in one go.
 */
const TXN_TREE_OPS_MAX = 8_192;

export function kvService(deps: ServiceDeps, streams: OpenStreams): ReadonlyArray<readonly [string, MethodHandler]> {
	const service = new KvService(deps);
	return [
		unary("/etcdserverpb.KV/Range", deps, (call) => service.range(call)),
		unary("/etcdserverpb.KV/Put", deps, (call) => service.put(call)),
		unary("/etcdserverpb.KV/DeleteRange", deps, (call) => service.deleteRange(call)),
		unary("/etcdserverpb.KV/Txn", deps, (call) => service.txn(call)),
		unary("/etcdserverpb.KV/Compact", deps, (call) => service.compact(call)),
		rangeStreamMethod(deps, streams, service.codec, service.longRanges),
	];
}

class KvService {
	private readonly deps: ServiceDeps;
	readonly codec: ReturnType<typeof createHotCodec>;
	private readonly validation: ReturnType<typeof requestValidation>;
	readonly longRanges: LongWork;
	private readonly longAnswers = new RangeAnswers(LONG_ANSWERS_BYTES_MAX);

	constructor(deps: ServiceDeps) {
		this.deps = deps;
		this.codec = createHotCodec(deps.bytes);
		this.validation = requestValidation(deps.bytes);
		this.longRanges = new LongWork(LONG_RANGES, deps.soon);
	}

	range(call: UnaryCall): void {
		const { deps } = this;
		const request = this.codec.decodeRangeRequest(call.request);
		if (!request.serializable && isLearner(deps)) {
			call.fail(statusOf("notSupportedForLearner"));
			return;
		}
		const refusal = this.validation.range(request);
		if (refusal !== null) {
			call.fail(statusOf(refusal));
			return;
		}
		const read = (): void =>
			this.guarded(
				call,
				(caller) => deps.member.auth.rangeFault(caller, request),
				() => this.readRange(call, request),
			);
		if (request.serializable) read();
		else afterBarrier(deps, call, read);
	}

	/** Reads are judged where they are made, in the same turn; and made only when the client has taken what was read for it before. */
	private guarded(call: UnaryCall, judge: (caller: Caller) => FaultCode | null, read: () => void): void {
		if (call.whenRead === undefined) this.judged(call, judge, read);
		else call.whenRead(() => this.judged(call, judge, read));
	}

	private judged(call: UnaryCall, judge: (caller: Caller) => FaultCode | null, read: () => void): void {
		if (!this.deps.member.auth.enabled) {
			read();
			return;
		}
		const refuse = (fault: FaultCode): void => call.fail(statusOf(fault));
		this.deps.callers.identify(
			call,
			({ caller }) => {
				const fault = judge(caller);
				if (fault === null) read();
				else refuse(fault);
			},
			refuse,
		);
	}

	private readRange(call: UnaryCall, request: RangeRequest): void {
		const { member } = this.deps;
		if (request.rangeEnd.length === 0) {
			const result = member.store.range(request);
			if (result.ok) call.respond(this.codec.encodeRangeResponse(headerOf(member, result.revision), result));
			else call.fail(statusOf(result.code));
			return;
		}
		if (isPlain(request)) {
			this.readPlain(call, request);
			return;
		}
		const work = member.store.rangeSliced(request);
		if ("ok" in work) {
			call.fail(statusOf(work.code));
			return;
		}
		const mayStillRead = this.stillJudged();
		this.longRanges.run(new BoundedRead(work, this.longAnswers), call, (result) => {
			if (!("ok" in result)) call.fail(result);
			else if (mayStillRead()) call.respond(this.codec.encodeRangeResponse(headerOf(member, result.revision), result));
			else call.fail(statusOf("authOldRevision"));
		});
	}

	/** The right to a long read may go while it runs: to be asked at its end. */
	private stillJudged(): () => boolean {
		const { auth } = this.deps.member;
		const judgedAt = auth.enabled ? auth.revision : 0;
		return () => !auth.enabled || auth.revision === judgedAt;
	}

	/** What is long is encoded as it is found, so that it costs its own bytes and no more. */
	private readPlain(call: UnaryCall, request: RangeRequest): void {
		const { member } = this.deps;
		const chunks = member.store.rangeChunks(request);
		if ("code" in chunks) {
			call.fail(statusOf(chunks.code));
			return;
		}
		const kvs = chunks.next(FIRST_SLICE, FIRST_BYTES);
		if (chunks.done) {
			const { revision, more, count } = chunks;
			call.respond(this.codec.encodeRangeResponse(headerOf(member, revision), { revision, kvs, more, count }));
			return;
		}
		if (this.longRanges.full) {
			chunks.abandon();
			call.fail(statusOf("tooManyLongReads"));
			return;
		}
		const answer = this.longAnswers.begin(chunks, kvs, { member, codec: this.codec, call, mayStillRead: this.stillJudged() });
		call.onCancel(() => answer.cancel());
		this.longRanges.enqueue(answer.step);
	}

	put(call: UnaryCall): void {
		if (!this.codec.isPlainPut(call.request)) {
			const request = this.codec.decodePutRequest(call.request);
			const refusal = this.validation.put(request);
			if (refusal !== null) {
				call.fail(statusOf(this.exceedsQuota(putCost(request)) ? "noSpace" : refusal));
				return;
			}
		}
		propose(this.deps, call, CommandKind.put, call.request, (command) => {
			assert(command.kind === "put", "a put is answered by a put");
			call.respond(this.codec.encodePutResponse(headerOf(this.deps.member, command.result.revision), command.result));
		});
	}

	deleteRange(call: UnaryCall): void {
		const request = this.codec.decodeDeleteRangeRequest(call.request);
		const refusal = this.validation.deleteRange(request) ?? (answersSpan(request) ? this.overload() : null);
		if (refusal !== null) {
			call.fail(statusOf(refusal));
			return;
		}
		propose(this.deps, call, CommandKind.deleteRange, call.request, (command) => {
			assert(command.kind === "deleteRange", "a delete is answered by a delete");
			this.told(command.result, call, (result) =>
				call.respond(this.codec.encodeDeleteRangeResponse(headerOf(this.deps.member, result.revision), result)),
			);
		});
	}

	txn(call: UnaryCall): void {
		const request = this.codec.decodeTxnRequest(call.request);
		const tooLarge = opsOf(request) > TXN_TREE_OPS_MAX;
		const refusal = tooLarge ? "tooManyOps" : this.validation.txn(request, this.deps.options.maxTxnOps);
		if (refusal !== null) {
			call.fail(statusOf(this.exceedsQuota(txnCost(request)) ? "noSpace" : refusal));
			return;
		}
		if (isReadOnlyTxn(request)) {
			const read = (): void =>
				this.guarded(
					call,
					(caller) => this.deps.member.auth.txnFault(caller, request),
					() => this.readTxn(call, request),
				);
			if (isSerializableTxn(request)) read();
			else afterBarrier(this.deps, call, read);
			return;
		}
		const overload = readsSpan(request) ? this.overload() : null;
		if (overload !== null) {
			call.fail(statusOf(overload));
			return;
		}
		propose(this.deps, call, CommandKind.txn, call.request, (command) => {
			assert(command.kind === "txn", "a transaction is answered by a transaction");
			this.told(command.result, call, (result) =>
				call.respond(this.codec.encodeTxnResponse(headerOf(this.deps.member, result.revision), result)),
			);
		});
	}

	/** Before the change: behind it nothing is refused. */
	private overload(): "tooManyLongReads" | null {
		return this.longRanges.full ? "tooManyLongReads" : null;
	}

	/**
	 * What a change has to answer and was too much for its turn: read like all that is long, when the client has taken what was read
	 * for it before. Meanwhile it holds its place in the history and no pairs.
	 */
	private told<T extends object>(result: T | Unanswered<T>, call: UnaryCall, respond: (result: T) => void): void {
		if (!(result instanceof Unanswered)) {
			respond(result);
			return;
		}
		result.begin();
		call.onCancel(() => result.close());
		const read = (): void => this.answerLong(result, call, () => true);
		if (call.whenRead === undefined) read();
		else call.whenRead(read);
	}

	private answerLong(later: Unanswered<unknown>, call: UnaryCall, mayStillRead: () => boolean): void {
		const answer = new ChangeAnswer(later, { member: this.deps.member, codec: this.codec, call, mayStillRead }, this.longAnswers);
		call.onCancel(() => answer.cancel());
		this.longRanges.enqueue(answer.step);
	}

	private readTxn(call: UnaryCall, request: TxnRequest): void {
		const { member } = this.deps;
		const mayStillRead = this.stillJudged();
		this.longRanges.run(member.store.readTxn(request), call, (result) => {
			if (!result.ok) call.fail(statusOf(result.code));
			else if (result instanceof Unanswered) this.readLong(result, call, mayStillRead);
			else if (mayStillRead()) call.respond(this.codec.encodeTxnResponse(headerOf(member, result.revision), result));
			else call.fail(statusOf("authOldRevision"));
		});
	}

	/** Nothing was changed: beyond the limit it is refused. */
	private readLong(later: Unanswered<TxnResult>, call: UnaryCall, mayStillRead: () => boolean): void {
		const overload = this.overload();
		if (overload === null) this.answerLong(later, call, mayStillRead);
		else {
			later.close();
			call.fail(statusOf(overload));
		}
	}

	/** Sound requests are measured by the replica; one that is not sound hears of the lack of space first, as from etcd. */
	private exceedsQuota(cost: number): boolean {
		const { member, options } = this.deps;
		const quotaBytes = options.quotaBytesShown;
		return cost > 0 && quotaBytes > 0 && member.store.logicalBytes + cost >= quotaBytes;
	}

	compact(call: UnaryCall): void {
		const { member } = this.deps;
		const { physical } = this.codec.decodeCompactionRequest(call.request);
		/** A physical compaction is over when no clean-up is pending, also one that was asked for before: then comes the answer. */
		const settle = (answer: () => void): void => (physical ? member.afterCompaction(answer) : answer());
		propose(
			this.deps,
			call,
			CommandKind.compact,
			call.request,
			(command) => {
				assert(command.kind === "compact", "a compaction is answered by a compaction");
				settle(() => call.respond(this.codec.encodeCompactionResponse(headerOf(member, command.result.revision))));
			},
			(fault) => (fault === "compacted" ? settle(() => call.fail(statusOf(fault))) : call.fail(statusOf(fault))),
		);
	}
}

/** May have very many pairs in its answer. */
function answersSpan({ prevKv, rangeEnd }: DeleteRangeRequest): boolean {
	return prevKv && rangeEnd.length > 0;
}

function readsSpan({ success, failure }: TxnRequest): boolean {
	return [success, failure].some((branch) =>
		branch.some(
			(op) =>
				(op.kind === "range" && op.range.rangeEnd.length > 0) ||
				(op.kind === "deleteRange" && answersSpan(op.deleteRange)) ||
				(op.kind === "txn" && readsSpan(op.txn)),
		),
	);
}

/** Compares and operations of all levels. The decoder bounds the depth. */
function opsOf(request: TxnRequest): number {
	let count = request.compare.length + request.success.length + request.failure.length;
	for (const branch of [request.success, request.failure]) for (const op of branch) if (op.kind === "txn") count += opsOf(op.txn);
	return count;
}
