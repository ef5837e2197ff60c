/** The Cluster service (etcd API, chapter 5). Revisions in its headers are 0. */
import { etcdserverpb } from "@flotilla/api";
import { CommandKind, type MemberInfo } from "@flotilla/replica";
import type { MethodHandler, UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { notServed, unary } from "./door.ts";
import { isPeerUrl } from "./peer-urls.ts";
import { afterBarrier, propose } from "./replicated.ts";

export function clusterService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	return [
		unary("/etcdserverpb.Cluster/MemberList", deps, (call) => {
			const { linearizable } = etcdserverpb.MemberListRequest.decode(call.request);
			const answer = (): void => call.respond(etcdserverpb.MemberListResponse.encode(listed(deps)));
			if (linearizable) afterBarrier(deps, call, answer);
			else answer();
		}),
		unary("/etcdserverpb.Cluster/MemberUpdate", deps, (call) => updateMember(call, deps)),
		// The configuration is fixed in this version: what is wrong with a request is still told as etcd tells it.
		unary("/etcdserverpb.Cluster/MemberAdd", deps, (call) => {
			const { peerURLs } = etcdserverpb.MemberAddRequest.decode(call.request);
			const sound = peerURLs.length > 0 && peerURLs.every(isPeerUrl);
			call.fail(sound ? notServed(call.path) : statusOf("badMemberUrls"));
		}),
		unary("/etcdserverpb.Cluster/MemberRemove", deps, (call) => {
			const { ID } = etcdserverpb.MemberRemoveRequest.decode(call.request);
			call.fail(memberOf(deps, ID) === undefined ? statusOf("memberNotFound") : notServed(call.path));
		}),
		unary("/etcdserverpb.Cluster/MemberPromote", deps, (call) => {
			const { ID } = etcdserverpb.MemberPromoteRequest.decode(call.request);
			const member = memberOf(deps, ID);
			if (member === undefined) call.fail(statusOf("memberNotFound"));
			else call.fail(member.learner ? notServed(call.path) : statusOf("memberNotLearner"));
		}),
	];
}

/** URLs are not looked at, as in etcd: any text replaces what was there. */
function updateMember(call: UnaryCall, deps: ServiceDeps): void {
	const { ID, peerURLs } = etcdserverpb.MemberUpdateRequest.decode(call.request);
	const payload = etcdserverpb.Member.encode({ ID, peerURLs });
	propose(deps, call, CommandKind.memberUpdate, payload, () => call.respond(etcdserverpb.MemberUpdateResponse.encode(listed(deps))));
}

function memberOf({ member }: ServiceDeps, wanted: bigint): MemberInfo | undefined {
	return member.members.find(({ id }) => id === wanted);
}

function listed({ member }: ServiceDeps): Pick<etcdserverpb.MemberListResponse, "header" | "members"> {
	return {
		header: headerOf(member, 0),
		members: member.members.map(({ id, name, peerUrls, clientUrls, learner }) => ({
			ID: id,
			name,
			peerURLs: peerUrls,
			clientURLs: clientUrls,
			isLearner: learner,
		})),
	};
}
