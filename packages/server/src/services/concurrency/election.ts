/** The Election service (etcd API 8.3): the leader is who has the oldest key under a name, and its value is what it proclaims. */

import { v3electionpb } from "@flotilla/api";
import { bytesEqual } from "@flotilla/base";
import type { LeaseId } from "@flotilla/mvcc";
import type { MethodHandler, Status, UnaryCall } from "../../front/seam.ts";
import { headerOf, statusOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { unary } from "../door.ts";
import type { OpenStreams } from "../open-streams.ts";
import { createdAt, deleteOp, firstPair, getOp, keyOf, OLDEST, pairIn, putOp, rangeOfName, Turn } from "./contest.ts";
import { InnerClient } from "./inner-client.ts";
import { SESSION_SECONDS, withdraw } from "./lock.ts";
import { observe } from "./observe.ts";

const NO_BYTES = new Uint8Array(0);

export function electionService(deps: ServiceDeps, streams: OpenStreams): ReadonlyArray<readonly [string, MethodHandler]> {
	return [
		unary("/v3electionpb.Election/Campaign", deps, (call) => new CampaignCall(call, deps).begin()),
		unary("/v3electionpb.Election/Proclaim", deps, (call) => proclaim(call, deps)),
		unary("/v3electionpb.Election/Leader", deps, (call) => leader(call, deps)),
		unary("/v3electionpb.Election/Resign", deps, (call) => resign(call, deps)),
		streams.serverStream("/v3electionpb.Election/Observe", (call) => observe(call, deps)),
	];
}

function clientOf(call: UnaryCall, deps: ServiceDeps): InnerClient {
	return new InnerClient(deps, call, (status) => call.fail(status));
}

function leader(call: UnaryCall, deps: ServiceDeps): void {
	const { name } = v3electionpb.LeaderRequest.decode(call.request);
	clientOf(call, deps).get({ ...rangeOfName(name.slice()), ...OLDEST }, (result) => {
		const kv = firstPair(result);
		if (kv === null) call.fail(statusOf("electionNoLeader"));
		else call.respond(v3electionpb.LeaderResponse.encode({ header: headerOf(deps.member, result.revision), kv }));
	});
}

function proclaim(call: UnaryCall, deps: ServiceDeps): void {
	const { leader: own, value } = v3electionpb.ProclaimRequest.decode(call.request);
	if (own === null) {
		call.fail(statusOf("leaderMissing"));
		return;
	}
	const client = clientOf(call, deps);
	const put = (lease: LeaseId): void =>
		client.txn({ compare: [createdAt(own.key, own.rev)], success: [putOp(own.key, value, lease)] }, ({ succeeded, revision }) => {
			if (succeeded) call.respond(v3electionpb.ProclaimResponse.encode({ header: headerOf(deps.member, revision) }));
			else call.fail(statusOf("electionNotLeader"));
		});
	if (own.lease === 0n) client.grant(SESSION_SECONDS, put);
	else put(own.lease);
}

/** A key that is another one by now stays, and that is no error. */
function resign(call: UnaryCall, deps: ServiceDeps): void {
	const { leader: own } = v3electionpb.ResignRequest.decode(call.request);
	if (own === null) {
		call.fail(statusOf("leaderMissing"));
		return;
	}
	clientOf(call, deps).txn({ compare: [createdAt(own.key, own.rev)], success: [deleteOp(own.key)] }, ({ revision }) =>
		call.respond(v3electionpb.ResignResponse.encode({ header: headerOf(deps.member, revision) })),
	);
}

class CampaignCall {
	private readonly call: UnaryCall;
	private readonly deps: ServiceDeps;
	private readonly client: InnerClient;
	private readonly name: Uint8Array;
	private readonly value: Uint8Array;
	private lease: LeaseId;
	private key: Uint8Array = NO_BYTES;
	private createRevision = 0;
	private turn: Turn | null = null;
	private gone = false;
	private answered = false;

	constructor(call: UnaryCall, deps: ServiceDeps) {
		const { name, lease, value } = v3electionpb.CampaignRequest.decode(call.request);
		this.call = call;
		this.deps = deps;
		this.name = name.slice();
		this.value = value.slice();
		this.lease = lease;
		this.client = new InnerClient(deps, call, (status) => this.fail(status));
	}

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
				this.enter();
			});
		}
	}

	private enter(): void {
		if (this.gone) return;
		const { client, lease, name, value } = this;
		const key = keyOf(name, lease);
		this.key = key;
		client.txn({ compare: [createdAt(key, 0)], success: [putOp(key, value, lease)], failure: [getOp({ key })] }, (result) => {
			const own = result.succeeded ? null : pairIn(result, 0);
			this.createRevision = own === null ? result.revision : own.createRevision;
			if (this.gone) this.withdraw();
			else if (own !== null && !bytesEqual(own.value, value)) this.proclaimAnew(result.revision);
			else this.wait(result.revision);
		});
	}

	/** The candidate of this lease had another value. */
	private proclaimAnew(revision: number): void {
		const { client, createRevision, key, lease, value } = this;
		client.txn({ compare: [createdAt(key, createRevision)], success: [putOp(key, value, lease)] }, ({ succeeded }) => {
			if (this.gone) this.withdraw();
			else if (succeeded) this.wait(revision);
			else this.fail(statusOf("electionNotLeader"));
		});
	}

	/** `revision`: of the transaction that entered the key, which the answer's header names whenever it comes. */
	private wait(revision: number): void {
		const { client, createRevision, name } = this;
		const fail = (status: Status): void => this.fail(status);
		this.turn = new Turn(client, rangeOfName(name), createRevision, () => this.respond(revision), fail);
		this.turn.look();
	}

	private respond(revision: number): void {
		this.answered = true;
		const { createRevision, deps, key, lease, name } = this;
		this.call.respond(
			v3electionpb.CampaignResponse.encode({
				header: headerOf(deps.member, revision),
				leader: { name, key, rev: createRevision, lease },
			}),
		);
	}

	private fail(status: Status): void {
		if (this.answered) return;
		this.answered = true;
		this.turn?.stop();
		this.withdraw();
		this.call.fail(status);
	}

	private withdraw(): void {
		if (this.createRevision === 0) return;
		const { call, createRevision, deps, key } = this;
		this.createRevision = 0;
		withdraw(new InnerClient(deps, call, () => {}), key, createRevision);
	}
}
