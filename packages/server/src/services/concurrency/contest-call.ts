import type { etcdserverpb, mvccpb } from "@flotilla/api";
import type { LeaseId, TxnResult } from "@flotilla/mvcc";
import type { Status, UnaryCall } from "../../front/seam.ts";
import { headerOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { createdAt, deleteOp, getOp, keyOf, type NameRange, pairIn, putOp, rangeOfName, Turn } from "./contest.ts";
import { InnerClient } from "./inner-client.ts";

/** Seconds of a lease that the server grants itself. */
export const SESSION_SECONDS = 60;
const NO_BYTES = new Uint8Array(0);

export interface ContestRequest {
	readonly name: Uint8Array;
	/** 0: the server grants one. */
	readonly lease: LeaseId;
	readonly value: Uint8Array;
}

/**
 * A call that puts a key under a name and waits until no older one is left there: Lock and Campaign. It leaves no key behind when
 * its client does not wait any more, or when it fails.
 *
 *   leased --key put, or found--> entered --an older one is there--> waiting --its turn--> answered
 */
export abstract class ContestCall {
	protected readonly deps: ServiceDeps;
	protected readonly client: InnerClient;
	protected readonly name: Uint8Array;
	protected readonly range: NameRange;
	protected readonly value: Uint8Array;
	protected lease: LeaseId;
	protected key: Uint8Array = NO_BYTES;
	/** Of its key, once that is there. */
	protected createRevision = 0;
	private readonly call: UnaryCall;
	private turn: Turn | null = null;
	/** Its client does not wait any more. */
	private gone = false;
	private answered = false;

	constructor(call: UnaryCall, deps: ServiceDeps, { lease, name, value }: ContestRequest) {
		this.call = call;
		this.deps = deps;
		this.name = name;
		this.value = value;
		this.range = rangeOfName(this.name);
		this.lease = lease;
		this.client = new InnerClient(deps, call, (status) => this.fail(status));
	}

	/** Read in the transaction that puts the key, behind the operation on the key itself. */
	protected alsoRead(): etcdserverpb.RequestOp[] {
		return [];
	}
	/** The key is there: `own` as it was before this call, null when this call has put it. */
	protected abstract entered(result: TxnResult, own: mvccpb.KeyValue | null): void;
	/** No key of the name is older. */
	protected abstract turnCame(): void;

	begin(): void {
		this.call.onCancel(() => {
			this.gone = true;
			this.turn?.stop();
			this.withdraw();
		});
		if (this.lease !== 0n) this.enter();
		else {
			this.client.grant(SESSION_SECONDS, (lease) => {
				this.lease = lease;
				if (!this.gone) this.enter();
			});
		}
	}

	/** Runs `next` unless the client has left: whatever was done by then is undone. */
	protected goOn(next: () => void): void {
		if (this.gone) this.withdraw();
		else next();
	}

	protected wait(): void {
		this.turn = new Turn(
			this.client,
			this.range,
			this.createRevision,
			() => this.turnCame(),
			(status) => this.fail(status),
		);
		this.turn.look();
	}

	protected respond(answer: Uint8Array): void {
		this.answered = true;
		this.call.respond(answer);
	}

	protected header(revision: number) {
		return headerOf(this.deps.member, revision);
	}

	protected fail(status: Status): void {
		if (this.answered) return;
		this.answered = true;
		this.turn?.stop();
		this.withdraw();
		this.call.fail(status);
	}

	private enter(): void {
		const { client, lease, name, value } = this;
		const key = keyOf(name, lease);
		this.key = key;
		const reads = this.alsoRead();
		const request = { compare: [createdAt(key, 0)], success: [putOp(key, value, lease), ...reads], failure: [getOp({ key }), ...reads] };
		client.txn(request, (result) => {
			const own = result.succeeded ? null : pairIn(result, 0);
			this.createRevision = own?.createRevision ?? result.revision;
			this.goOn(() => this.entered(result, own));
		});
	}

	/** A key that is another one by now stays. */
	private withdraw(): void {
		const { call, createRevision, deps, key } = this;
		if (createRevision === 0) return;
		this.createRevision = 0;
		const request = { compare: [createdAt(key, createRevision)], success: [deleteOp(key)] };
		new InnerClient(deps, call, () => {}).txn(request, () => {});
	}
}
