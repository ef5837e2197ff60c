/** The Cluster service (etcd API, chapter 5). Revisions in its headers are 0. */
import { etcdserverpb } from "@flotilla/api";
import type { MemberInfo } from "@flotilla/replica";
import type { MethodHandler, UnaryCall } from "../front/seam.ts";
import { headerOf, statusOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { unary } from "./door.ts";
import { isPeerUrl, peerUrlOf } from "./peer-urls.ts";
import { afterBarrier, changeMembership } from "./replicated.ts";

export function clusterService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	return [
		unary("/etcdserverpb.Cluster/MemberList", deps, (call) => {
			const { linearizable } = etcdserverpb.MemberListRequest.decode(call.request);
			const answer = (): void => call.respond(etcdserverpb.MemberListResponse.encode(listed(deps)));
			if (linearizable) afterBarrier(deps, call, answer);
			else answer();
		}),
		unary("/etcdserverpb.Cluster/MemberAdd", deps, (call) => addMember(call, deps)),
		unary("/etcdserverpb.Cluster/MemberRemove", deps, (call) => {
			const { ID } = etcdserverpb.MemberRemoveRequest.decode(call.request);
			changeMembership(deps, call, { kind: "remove", id: ID }, () => call.respond(etcdserverpb.MemberRemoveResponse.encode(listed(deps))));
		}),
		// URLs are not looked at, as in etcd: any text replaces what was there.
		unary("/etcdserverpb.Cluster/MemberUpdate", deps, (call) => {
			const { ID, peerURLs } = etcdserverpb.MemberUpdateRequest.decode(call.request);
			changeMembership(deps, call, { kind: "update", id: ID, peerUrls: peerURLs }, () =>
				call.respond(etcdserverpb.MemberUpdateResponse.encode(listed(deps))),
			);
		}),
		unary("/etcdserverpb.Cluster/MemberPromote", deps, (call) => {
			const { ID } = etcdserverpb.MemberPromoteRequest.decode(call.request);
			changeMembership(deps, call, { kind: "promote", id: ID }, () =>
				call.respond(etcdserverpb.MemberPromoteResponse.encode(listed(deps))),
			);
		}),
	];
}

function addMember(call: UnaryCall, deps: ServiceDeps): void {
	const { peerURLs, isLearner } = etcdserverpb.MemberAddRequest.decode(call.request);
	if (peerURLs.length === 0 || !peerURLs.every(isPeerUrl)) {
		call.fail(statusOf("badMemberUrls"));
		return;
	}
	const peerUrls = peerURLs.map(peerUrlOf).sort();
	const member: MemberInfo = { id: deps.newMemberId(peerUrls), name: "", peerUrls, clientUrls: [], learner: isLearner };
	changeMembership(deps, call, { kind: "add", member }, () =>
		call.respond(etcdserverpb.MemberAddResponse.encode({ ...listed(deps), member: shown(member) })),
	);
}

function listed({ member }: ServiceDeps): Pick<etcdserverpb.MemberListResponse, "header" | "members"> {
	return { header: headerOf(member, 0), members: member.members.map(shown) };
}

function shown({ id, name, peerUrls, clientUrls, learner }: MemberInfo): etcdserverpb.Member {
	return { ID: id, name, peerURLs: peerUrls, clientURLs: clientUrls, isLearner: learner };
}
