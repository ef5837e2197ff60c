/** The Lock service (etcd API 8.2). */
import { type etcdserverpb, type mvccpb, v3lockpb } from "@flotilla/api";
import type { TxnResult } from "@flotilla/mvcc";
import type { MethodHandler, UnaryCall } from "../../front/seam.ts";
import { headerOf, innerStatus, statusOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { unary } from "../door.ts";
import { firstPair, getOp, OLDEST, pairIn } from "./contest.ts";
import { ContestCall } from "./contest-call.ts";
import { InnerClient } from "./inner-client.ts";

const NO_BYTES = new Uint8Array(0);

export function lockService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	return [
		unary("/v3lockpb.Lock/Lock", deps, (call) => new LockCall(call, deps).begin()),
		unary("/v3lockpb.Lock/Unlock", deps, (call) => unlock(call, deps)),
	];
}

/** Whoever's key it is: a plain delete. */
function unlock(call: UnaryCall, deps: ServiceDeps): void {
	const { key } = v3lockpb.UnlockRequest.decode(call.request);
	if (key.length === 0) {
		call.fail(innerStatus("emptyKey"));
		return;
	}
	new InnerClient(deps, call, (status) => call.fail(status)).delete(key, ({ revision }) =>
		call.respond(v3lockpb.UnlockResponse.encode({ header: headerOf(deps.member, revision) })),
	);
}

class LockCall extends ContestCall {
	constructor(call: UnaryCall, deps: ServiceDeps) {
		const { lease, name } = v3lockpb.LockRequest.decode(call.request);
		super(call, deps, { name, lease, value: NO_BYTES });
	}

	protected override alsoRead(): etcdserverpb.RequestOp[] {
		return [getOp({ ...this.range, ...OLDEST })];
	}

	protected override entered(result: TxnResult, _own: mvccpb.KeyValue | null): void {
		const oldest = pairIn(result, 1);
		if (oldest === null || oldest.createRevision === this.createRevision) this.acquired(result.revision);
		else this.wait();
	}

	/** It has the lock if its key is still there: the lease may have ended while it waited. */
	protected override turnCame(): void {
		this.client.get({ key: this.key }, (result) =>
			this.goOn(() => {
				if (firstPair(result)?.createRevision === this.createRevision) this.acquired(result.revision);
				else this.fail(statusOf("sessionExpired"));
			}),
		);
	}

	private acquired(revision: number): void {
		this.respond(v3lockpb.LockResponse.encode({ header: this.header(revision), key: this.key }));
	}
}
