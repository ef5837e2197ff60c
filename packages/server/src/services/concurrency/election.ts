/** The Election service (etcd API 8.3): the leader is who has the oldest key under a name, and its value is what it proclaims. */

import { type mvccpb, v3electionpb } from "@flotilla/api";
import { bytesEqual } from "@flotilla/base";
import type { LeaseId, TxnResult } from "@flotilla/mvcc";
import type { MethodHandler, UnaryCall } from "../../front/seam.ts";
import { headerOf, innerStatus, statusOf } from "../answers.ts";
import type { ServiceDeps } from "../deps.ts";
import { unary } from "../door.ts";
import type { OpenStreams } from "../open-streams.ts";
import { createdAt, deleteOp, firstPair, OLDEST, putOp, rangeOfName } from "./contest.ts";
import { ContestCall, SESSION_SECONDS } from "./contest-call.ts";
import { InnerClient } from "./inner-client.ts";
import { observe } from "./observe.ts";

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
	clientOf(call, deps).get({ ...rangeOfName(name), ...OLDEST }, (result) => {
		const kv = firstPair(result);
		if (kv === null) call.fail(statusOf("electionNoLeader"));
		else call.respond(v3electionpb.LeaderResponse.encode({ header: headerOf(deps.member, result.revision), kv }));
	});
}

function proclaim(call: UnaryCall, deps: ServiceDeps): void {
	const { leader: own, value } = v3electionpb.ProclaimRequest.decode(call.request);
	if (own === null || own.key.length === 0) {
		call.fail(own === null ? statusOf("leaderMissing") : innerStatus("emptyKey"));
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
	if (own === null || own.key.length === 0) {
		call.fail(own === null ? statusOf("leaderMissing") : innerStatus("emptyKey"));
		return;
	}
	clientOf(call, deps).txn({ compare: [createdAt(own.key, own.rev)], success: [deleteOp(own.key)] }, ({ revision }) =>
		call.respond(v3electionpb.ResignResponse.encode({ header: headerOf(deps.member, revision) })),
	);
}

class CampaignCall extends ContestCall {
	/** Of the transaction that entered the key, which the answer's header names whenever it comes. */
	private enteredRevision = 0;

	constructor(call: UnaryCall, deps: ServiceDeps) {
		super(call, deps, v3electionpb.CampaignRequest.decode(call.request));
	}

	protected override entered({ revision }: TxnResult, own: mvccpb.KeyValue | null): void {
		this.enteredRevision = revision;
		if (own === null || bytesEqual(own.value, this.value)) this.wait();
		else this.proclaimAnew();
	}

	/** The candidate of this lease had another value. */
	private proclaimAnew(): void {
		const { client, createRevision, key, lease, value } = this;
		client.txn({ compare: [createdAt(key, createRevision)], success: [putOp(key, value, lease)] }, ({ succeeded }) =>
			this.goOn(() => {
				if (succeeded) this.wait();
				else this.fail(statusOf("electionNotLeader"));
			}),
		);
	}

	protected override turnCame(): void {
		const { createRevision, enteredRevision, key, lease, name } = this;
		const leader = { name, key, rev: createRevision, lease };
		this.respond(v3electionpb.CampaignResponse.encode({ header: this.header(enteredRevision), leader }));
	}
}
