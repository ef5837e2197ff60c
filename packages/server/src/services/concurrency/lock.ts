/** The Lock service (etcd API 8.2). */
import { v3lockpb } from "@flotilla/api";
import type { LeaseId } from "@flotilla/mvcc";
import type { MethodHandler, Status, UnaryCall } from "../../front/seam.ts";
import { headerOf, statusOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { unary } from "../door.ts";
import { createdAt, deleteOp, firstPair, getOp, keyOf, OLDEST, pairIn, putOp, rangeOfName, Turn } from "./contest.ts";
import { InnerClient, innerStatus } from "./inner-client.ts";

/** Seconds of a lease that the server grants itself. */
export const SESSION_SECONDS = 60;
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

class LockCall {
	private readonly call: UnaryCall;
	private readonly deps: ServiceDeps;
	private readonly client: InnerClient;
	private readonly name: Uint8Array;
	private readonly lease: LeaseId;
	private key: Uint8Array = NO_BYTES;
	/** Create revision of the key once it is there. */
	private createRevision = 0;
	private turn: Turn | null = null;
	private gone = false;
	private answered = false;

	constructor(call: UnaryCall, deps: ServiceDeps) {
		const { name, lease } = v3lockpb.LockRequest.decode(call.request);
		this.call = call;
		this.deps = deps;
		this.name = name.slice();
		this.lease = lease;
		this.client = new InnerClient(deps, call, (status) => this.fail(status));
	}

	begin(): void {
		this.call.onCancel(() => {
			this.gone = true;
			this.turn?.stop();
			this.withdraw();
		});
		if (this.lease === 0n) this.client.grant(SESSION_SECONDS, (lease) => this.enter(lease));
		else this.enter(this.lease);
	}

	private enter(lease: LeaseId): void {
		if (this.gone) return;
		const { client, name } = this;
		const key = keyOf(name, lease);
		const range = rangeOfName(name);
		const oldest = getOp({ ...range, ...OLDEST });
		this.key = key;
		const request = {
			compare: [createdAt(key, 0)],
			success: [putOp(key, NO_BYTES, lease), oldest],
			failure: [getOp({ key }), oldest],
		};
		client.txn(request, (result) => {
			this.createRevision = result.succeeded ? result.revision : (pairIn(result, 0)?.createRevision ?? 0);
			if (this.gone) {
				this.withdraw();
				return;
			}
			const owner = pairIn(result, 1);
			if (owner === null || owner.createRevision === this.createRevision) {
				this.respond(result.revision);
				return;
			}
			const fail = (status: Status): void => this.fail(status);
			this.turn = new Turn(client, range, this.createRevision, () => this.verify(), fail);
			this.turn.look();
		});
	}

	/** Its turn has come, if its key is still there: the lease may have ended while it waited. */
	private verify(): void {
		this.client.get({ key: this.key }, (result) => {
			if (this.gone) return;
			const own = firstPair(result);
			if (own?.createRevision === this.createRevision) this.respond(result.revision);
			else this.fail(statusOf("sessionExpired"));
		});
	}

	private respond(revision: number): void {
		this.answered = true;
		this.call.respond(v3lockpb.LockResponse.encode({ header: headerOf(this.deps.member, revision), key: this.key }));
	}

	private fail(status: Status): void {
		if (this.answered) return;
		this.answered = true;
		this.turn?.stop();
		this.withdraw();
		this.call.fail(status);
	}

	/** Whoever does not wait any more leaves no key behind. */
	private withdraw(): void {
		if (this.createRevision === 0) return;
		const { call, createRevision, deps, key } = this;
		this.createRevision = 0;
		withdraw(new InnerClient(deps, call, () => {}), key, createRevision);
	}
}

/** Deletes a key unless it is another one by now. */
export function withdraw(client: InnerClient, key: Uint8Array, createRevision: number): void {
	client.txn({ compare: [createdAt(key, createRevision)], success: [deleteOp(key)] }, () => {});
}
