/** The Cluster service (etcd API, chapter 5). Revisions in its headers are 0. */
import { etcdserverpb } from "@flotilla/api";
import type { MethodHandler } from "../front/seam.ts";
import { headerOf } from "./answers.ts";
import type { ServiceDeps } from "./deps.ts";
import { unary, unimplemented } from "./door.ts";
import { afterBarrier } from "./replicated.ts";

export function clusterService(deps: ServiceDeps): ReadonlyArray<readonly [string, MethodHandler]> {
	const { member } = deps;
	const list = (): Uint8Array =>
		etcdserverpb.MemberListResponse.encode({
			header: headerOf(member, 0),
			members: member.members.map(({ id, name, peerUrls, clientUrls, learner }) => ({
				ID: id,
				name,
				peerURLs: peerUrls,
				clientURLs: clientUrls,
				isLearner: learner,
			})),
		});
	return [
		unary("/etcdserverpb.Cluster/MemberList", deps, (call) => {
			const { linearizable } = etcdserverpb.MemberListRequest.decode(call.request);
			if (linearizable) afterBarrier(deps, call, () => call.respond(list()));
			else call.respond(list());
		}),
		unimplemented("/etcdserverpb.Cluster/MemberAdd"),
		unimplemented("/etcdserverpb.Cluster/MemberRemove"),
		unimplemented("/etcdserverpb.Cluster/MemberUpdate"),
		unimplemented("/etcdserverpb.Cluster/MemberPromote"),
	];
}
