/** A member that joins a running cluster: who it is says the cluster, to which it was added before (etcd's `--initial-cluster-state existing`). */

import { nodeBytes } from "../node-bytes.ts";
import { askForView, type ClusterView } from "../peers/cluster-view.ts";
import type { LiveTls } from "../tls/live-tls.ts";
import { type Bootstrap, type BootstrapRequest, parseInitialCluster } from "./bootstrap.ts";
import { bad, good, type Parsed } from "./parsed.ts";

/** `tls`: for peer URLs of `https`. */
export function askOver(tls: LiveTls | null): AskForView {
	return (url) => askForView(url, nodeBytes, tls);
}

export type AskForView = (peerUrl: string) => Promise<ClusterView | null>;

/** Asks the other members that the flags name, one after another, and finds itself by its peer URLs in what the first one says. */
export async function planJoin(request: BootstrapRequest, ask: AskForView = askOver(null)): Promise<Parsed<Bootstrap>> {
	const parsed = parseInitialCluster(request.initialCluster);
	if (!parsed.ok) return parsed;
	const own = parsed.value.get(request.name);
	if (own === undefined) return bad(`couldn't find local name ${JSON.stringify(request.name)} in the initial cluster configuration`);
	const others = [...parsed.value].filter(([name]) => name !== request.name).flatMap(([, urls]) => urls);
	for (const url of others) {
		const view = await ask(url);
		if (view !== null && view.members.length > 0) return findSelf(view, own, parsed.value);
	}
	return bad(`cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs (${others.join(",")})`);
}

/** Who the member with these peer URLs is, and the first configuration it is started with. `named`: what the flags name, by name. */
export function findSelf(view: ClusterView, own: readonly string[], named: ReadonlyMap<string, readonly string[]>): Parsed<Bootstrap> {
	const { clusterId, members } = view;
	if (members.length !== named.size) {
		return bad(
			`error validating peerURLs: member count is unequal (the cluster has ${members.length}, --initial-cluster names ${named.size})`,
		);
	}
	const self = members.find(({ peerUrls }) => sameUrls(peerUrls, own));
	if (self === undefined)
		return bad(`error validating peerURLs: no member of the cluster has the peer URLs ${own.join(",")}; add it first`);
	const id = self.id.toString(16);
	if (self.name !== "") return bad(`member ${id} has already been bootstrapped`);
	return good({ clusterId, memberId: self.id, initialCluster: members });
}

function sameUrls(left: readonly string[], right: readonly string[]): boolean {
	return [...left].sort().join() === [...right].sort().join();
}
