/** The KV service (etcd API, chapter 2). */
import { createHotCodec, type RangeRequest, type TxnRequest } from "@flotilla/api/hot";
import { assert } from "@flotilla/base";
import { isReadOnlyTxn, isSerializableTxn, requestValidation } from "@flotilla/mvcc";
import { CommandKind } from "@flotilla/replica";
import type { MethodHandler, UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { isLearner, unary, unimplemented } from "./door.ts";
import { runSliced } from "./long-work.ts";
import { afterBarrier, propose } from "./replicated.ts";

export function kvService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	const service = new KvService(deps);
	return [
		unary("/etcdserverpb.KV/Range", deps, (call) => service.range(call)),
		unary("/etcdserverpb.KV/Put", deps, (call) => service.put(call)),
		unary("/etcdserverpb.KV/DeleteRange", deps, (call) => service.deleteRange(call)),
		unary("/etcdserverpb.KV/Txn", deps, (call) => service.txn(call)),
		unary("/etcdserverpb.KV/Compact", deps, (call) => service.compact(call)),
		unimplemented("/etcdserverpb.KV/RangeStream"),
	];
}

class KvService {
	private readonly deps: ServiceDeps;
	private readonly codec: ReturnType<typeof createHotCodec>;
	private readonly validation: ReturnType<typeof requestValidation>;

	constructor(deps: ServiceDeps) {
		this.deps = deps;
		this.codec = createHotCodec(deps.bytes);
		this.validation = requestValidation(deps.bytes);
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
		if (request.serializable) this.readRange(call, request);
		else afterBarrier(deps, call, () => this.readRange(call, request));
	}

	private readRange(call: UnaryCall, request: RangeRequest): void {
		const { member, soon } = this.deps;
		if (request.rangeEnd.length === 0) {
			const result = member.store.range(request);
			if (result.ok) call.respond(this.codec.encodeRangeResponse(headerOf(member, result.revision), result));
			else call.fail(statusOf(result.code));
			return;
		}
		const work = member.store.rangeSliced(request);
		if ("ok" in work) {
			call.fail(statusOf(work.code));
			return;
		}
		runSliced(work, call, soon, (result) => call.respond(this.codec.encodeRangeResponse(headerOf(member, result.revision), result)));
	}

	put(call: UnaryCall): void {
		const refusal = this.validation.put(this.codec.decodePutRequest(call.request));
		if (refusal !== null) {
			call.fail(statusOf(refusal));
			return;
		}
		propose(this.deps, call, CommandKind.put, call.request, (command) => {
			assert(command.kind === "put", "a put is answered by a put");
			call.respond(this.codec.encodePutResponse(headerOf(this.deps.member, command.result.revision), command.result));
		});
	}

	deleteRange(call: UnaryCall): void {
		const refusal = this.validation.deleteRange(this.codec.decodeDeleteRangeRequest(call.request));
		if (refusal !== null) {
			call.fail(statusOf(refusal));
			return;
		}
		propose(this.deps, call, CommandKind.deleteRange, call.request, (command) => {
			assert(command.kind === "deleteRange", "a delete is answered by a delete");
			call.respond(this.codec.encodeDeleteRangeResponse(headerOf(this.deps.member, command.result.revision), command.result));
		});
	}

	txn(call: UnaryCall): void {
		const request = this.codec.decodeTxnRequest(call.request);
		const refusal = this.validation.txn(request, this.deps.options.maxTxnOps);
		if (refusal !== null) {
			call.fail(statusOf(refusal));
			return;
		}
		if (isReadOnlyTxn(request)) {
			if (isSerializableTxn(request)) this.readTxn(call, request);
			else afterBarrier(this.deps, call, () => this.readTxn(call, request));
			return;
		}
		propose(this.deps, call, CommandKind.txn, call.request, (command) => {
			assert(command.kind === "txn", "a transaction is answered by a transaction");
			call.respond(this.codec.encodeTxnResponse(headerOf(this.deps.member, command.result.revision), command.result));
		});
	}

	private readTxn(call: UnaryCall, request: TxnRequest): void {
		const { member } = this.deps;
		const result = member.store.txn(request);
		if (result.ok) call.respond(this.codec.encodeTxnResponse(headerOf(member, result.revision), result));
		else call.fail(statusOf(result.code));
	}

	compact(call: UnaryCall): void {
		const { member } = this.deps;
		const { physical } = this.codec.decodeCompactionRequest(call.request);
		propose(this.deps, call, CommandKind.compact, call.request, (command) => {
			assert(command.kind === "compact", "a compaction is answered by a compaction");
			const answer = (): void => call.respond(this.codec.encodeCompactionResponse(headerOf(member, command.result.revision)));
			if (physical) member.afterCompaction(answer);
			else answer();
		});
	}
}
