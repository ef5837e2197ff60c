/** RangeStream (etcd API 1.14): a range of any length as a stream of messages, all of one revision. */
import type { FaultCode } from "@flotilla/api";
import type { HotCodec, RangeRequest } from "@flotilla/api/hot";
import { type RangeChunks, requestValidation, SortOrder, SortTarget } from "@flotilla/mvcc";
import type { Caller } from "@flotilla/replica";
import { Grpc, type MethodHandler, type StreamCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { isLearner } from "./door.ts";
import type { LongWork, Step } from "./long-work.ts";
import type { OpenStreams } from "./open-streams.ts";
import { afterBarrier } from "./replicated.ts";

/** A message holds about so much, or one pair. */
const MESSAGE_BYTES = 256 << 10;
/** Each open stream holds compaction back. */
const OPEN_MAX = 256;
/** A client that reads nothing for so long is given up, so that compaction goes on. */
const STALL_MS = 30_000;
/** One that reads, but so slowly that what it is shown was compacted so long ago, would hold memory and disk of everybody. */
const OVERTAKEN_MS = 60_000;
const STALLED = { code: Grpc.resourceExhausted, message: "etcdserver: the client of this range stream reads too slowly" } as const;

export function rangeStreamMethod(
	deps: ServiceDeps,
	streams: OpenStreams,
	codec: HotCodec,
	longRanges: LongWork,
): readonly [string, MethodHandler] {
	const validation = requestValidation(deps.bytes);
	let open = 0;
	const around: Surroundings = { deps, codec, longRanges, ended: () => void open-- };
	const read = (call: StreamCall, request: RangeRequest): void => {
		const { auth } = deps.member;
		if (!auth.enabled) {
			start(call, request);
			return;
		}
		const refuse = (fault: FaultCode): void => call.end(statusOf(fault));
		const judge = ({ caller }: { readonly caller: Caller }): void => {
			const fault = auth.rangeFault(caller, request);
			if (fault === null) start(call, request);
			else refuse(fault);
		};
		deps.callers.identify(call, judge, refuse);
	};
	const start = (call: StreamCall, request: RangeRequest): void => {
		if (open >= OPEN_MAX || longRanges.full) {
			call.end(statusOf("tooManyLongReads"));
			return;
		}
		const chunks = deps.member.store.rangeChunks(request);
		if ("code" in chunks) {
			call.end(statusOf(chunks.code));
			return;
		}
		open++;
		new RangeStream(call, chunks, around).start();
	};
	return streams.serverStream("/etcdserverpb.KV/RangeStream", (call) => {
		call.onMessage((message) => {
			const request = codec.decodeRangeRequest(message);
			const refusal = refusalOf(request, deps, validation.range(request));
			if (refusal !== null) call.end(statusOf(refusal));
			else if (request.serializable) read(call, request);
			else afterBarrier(deps, call, () => read(call, request));
		});
	});
}

function refusalOf(request: RangeRequest, deps: ServiceDeps, refusal: FaultCode | null): FaultCode | null {
	if (!request.serializable && isLearner(deps)) return "notSupportedForLearner";
	if (refusal !== null) return refusal;
	const { sortOrder, sortTarget } = request;
	const inKeyOrder = sortOrder === SortOrder.none || (sortTarget === SortTarget.key && sortOrder === SortOrder.ascend);
	if (!inKeyOrder) return "rangeStreamSorted";
	const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
	const filtered = minModRevision !== 0 || maxModRevision !== 0 || minCreateRevision !== 0 || maxCreateRevision !== 0;
	return filtered ? "rangeStreamFiltered" : null;
}

interface Surroundings {
	readonly deps: ServiceDeps;
	readonly codec: HotCodec;
	readonly longRanges: LongWork;
	/** Called once. */
	ended(): void;
}

/** One stream. It goes on as fast as its client reads: while that has unread messages, nothing is read for it. */
class RangeStream {
	private readonly call: StreamCall;
	private readonly chunks: RangeChunks;
	private readonly around: Surroundings;
	private readonly judgedAt: number;
	private over = false;
	private blocked = false;
	private stopWaiting: (() => void) | null = null;
	/** Set when the revision that it shows was found to be compacted. */
	private stopOvertaken: (() => void) | null = null;

	constructor(call: StreamCall, chunks: RangeChunks, around: Surroundings) {
		this.call = call;
		this.chunks = chunks;
		this.around = around;
		this.judgedAt = around.deps.member.auth.revision;
		call.onCancel(() => this.finish());
		call.onDrain(() => this.drained());
	}

	start(): void {
		this.around.longRanges.enqueue(this.step);
	}

	private readonly step: Step = (budget) => {
		if (this.over) return true;
		const { chunks, call } = this;
		if (this.rightsMoved) {
			this.finish();
			call.end(statusOf("authOldRevision"));
			return true;
		}
		this.noteOvertaken();
		const kvs = chunks.next(budget, MESSAGE_BYTES);
		if (chunks.done) this.sendLast(kvs);
		else if (kvs.length > 0 && !call.send(this.encode(false, kvs))) this.wait();
		return this.over || this.blocked;
	};

	/** The caller was judged by users and roles that have changed: it has to ask again. */
	private get rightsMoved(): boolean {
		const { auth } = this.around.deps.member;
		return auth.enabled && auth.revision !== this.judgedAt;
	}

	/** From now on the clean-up waits for this stream. */
	private noteOvertaken(): void {
		const { deps } = this.around;
		if (this.stopOvertaken !== null || deps.member.store.compactRevision <= this.chunks.revision) return;
		this.stopOvertaken = deps.afterTicks(Math.ceil(OVERTAKEN_MS / deps.member.tickMs), () => {
			this.finish();
			this.call.end(statusOf("compacted"));
		});
	}

	/** Only the last message has a header, and says what was counted. */
	private sendLast(kvs: readonly Uint8Array[]): void {
		this.call.send(this.encode(true, kvs));
		this.finish();
		this.call.end({ code: Grpc.ok, message: "" });
	}

	private encode(last: boolean, kvs: readonly Uint8Array[]): Uint8Array {
		const { chunks } = this;
		const { deps, codec } = this.around;
		const header = last ? headerOf(deps.member, chunks.revision) : null;
		return codec.encodeRangeStreamResponse(header, {
			revision: chunks.revision,
			kvs,
			more: last && chunks.more,
			count: last ? chunks.count : 0,
		});
	}

	private wait(): void {
		const { deps } = this.around;
		this.blocked = true;
		this.stopWaiting = deps.afterTicks(Math.ceil(STALL_MS / deps.member.tickMs), () => {
			this.finish();
			this.call.end(STALLED);
		});
	}

	private drained(): void {
		if (!this.blocked || this.over) return;
		this.blocked = false;
		this.stopWaiting?.();
		this.start();
	}

	private finish(): void {
		if (this.over) return;
		this.over = true;
		this.stopWaiting?.();
		this.stopOvertaken?.();
		this.chunks.abandon();
		this.around.ended();
	}
}
