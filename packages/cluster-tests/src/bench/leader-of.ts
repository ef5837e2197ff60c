import { KvClient } from "../client/kv-client.ts";
import type { ClusterMember, ProcessCluster } from "../process/cluster.ts";

export async function leaderOf(cluster: ProcessCluster): Promise<ClusterMember> {
	for (const member of cluster.members) {
		const client = new KvClient(member.clientUrl.slice("http://".length));
		const status = await client.status().finally(() => client.close());
		if (status.leader === status.header.member_id) return member;
	}
	throw new Error("nobody leads");
}
