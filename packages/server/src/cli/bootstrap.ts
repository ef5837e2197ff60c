/** The first configuration: from `--initial-cluster` to members with ids, and the checks that a member makes before its first start. */
import { assert } from "@flotilla/base";
import type { InitialMember } from "../member-config.ts";
import { bootstrapMemberId, clusterId } from "./cluster-ids.ts";
import { parseMemberUrls, urlAddress } from "./member-urls.ts";
import { bad, good, type Parsed } from "./parsed.ts";

export interface Bootstrap {
	readonly initialCluster: readonly InitialMember[];
	readonly memberId: bigint;
	readonly clusterId: bigint;
}

/** Members by name, in the order of the text, URLs sorted. A name may come several times, once for each of its URLs. */
export function parseInitialCluster(text: string): Parsed<ReadonlyMap<string, readonly string[]>> {
	const urlsByName = new Map<string, string[]>();
	for (const item of text.split(",")) {
		if (item === "") continue;
		const equals = item.indexOf("=");
		const name = equals < 0 ? item : item.slice(0, equals);
		const url = parseMemberUrls(equals < 0 ? "" : item.slice(equals + 1));
		if (!url.ok) return bad(`error setting up initial cluster: ${url.reason}`);
		urlsByName.set(name, [...(urlsByName.get(name) ?? []), ...url.value].sort());
	}
	return good(urlsByName);
}

/** The text that stands for `--initial-cluster` when only name and advertised URLs are given. */
export function initialClusterOf(name: string, peerUrls: readonly string[]): string {
	return peerUrls.map((url) => `${name}=${url}`).join(",");
}

export interface BootstrapRequest {
	readonly name: string;
	readonly token: string;
	readonly state: "new" | "existing";
	readonly initialCluster: string;
	/** False: nobody named the cluster, and `initialCluster` was made from name and URLs. */
	readonly initialClusterGiven: boolean;
	readonly advertisedPeerUrls: readonly string[];
}

/** Resolves a host name to an address, or to null. */
export type ResolveHost = (host: string) => Promise<string | null>;

/** The first start of a member: everything is as the flags say, so they must be right. */
export async function planFirstStart(request: BootstrapRequest, resolveHost: ResolveHost): Promise<Parsed<Bootstrap>> {
	const parsed = parseInitialCluster(request.initialCluster);
	if (!parsed.ok) return parsed;
	const own = parsed.value.get(request.name);
	if (own === undefined) return bad(`couldn't find local name ${JSON.stringify(request.name)} in the initial cluster configuration`);
	const problem = await refuseFirstStart(request, parsed.value, own, resolveHost);
	if (problem !== null) return bad(problem);
	const members = describeMembers(parsed.value, request.token);
	const twin = members.find((member) => member.id === 0n || members.some((other) => other !== member && other.id === member.id));
	if (twin !== undefined) return bad(`member exists with identical ID ${twin.id.toString(16)}`);
	return good(identify(members, request.name));
}

/**
 * A start with data: the folder says who the member is, and the flags of the first start may be gone or outdated by now.
 * Deviation: etcd ignores them; here flags that name another member than the folder are kept, so that the start is refused.
 */
export function planRestart(folder: Bootstrap, request: BootstrapRequest): Bootstrap {
	if (!request.initialClusterGiven) return folder;
	const parsed = parseInitialCluster(request.initialCluster);
	if (!parsed.ok || !parsed.value.has(request.name)) return folder;
	const named = identify(describeMembers(parsed.value, request.token), request.name);
	return named.memberId === folder.memberId ? folder : named;
}

async function refuseFirstStart(
	request: BootstrapRequest,
	cluster: ReadonlyMap<string, readonly string[]>,
	own: readonly string[],
	resolveHost: ResolveHost,
): Promise<string | null> {
	const all = [...cluster.values()].flat();
	if (new Set(all).size !== all.length) return `initial cluster ${describeCluster(cluster)} has duplicate url`;
	if (request.state === "existing") return null;
	const advertised = request.advertisedPeerUrls;
	if (sameUrls(own, advertised)) return null;
	// The same place may have two spellings: names are compared by what they resolve to.
	if (sameUrls(await resolveAll(own, resolveHost), await resolveAll(advertised, resolveHost))) return null;
	const missing = own.filter((url) => !advertised.includes(url)).map((url) => `${request.name}=${url}`);
	if (missing.length > 0) {
		return `--initial-cluster has ${missing.join(",")} but missing from --initial-advertise-peer-urls=${advertised.join(",")}`;
	}
	const extra = advertised.filter((url) => !own.includes(url));
	return `--initial-advertise-peer-urls has ${extra.join(",")} but missing from --initial-cluster=${initialClusterOf(request.name, own)}`;
}

async function resolveAll(urls: readonly string[], resolveHost: ResolveHost): Promise<readonly string[]> {
	return Promise.all(
		urls.map(async (url) => {
			const address = urlAddress(url);
			// localhost stands for itself, as with etcd: what it resolves to depends on the machine that asks.
			if (address === null || address.host === "localhost") return url;
			const resolved = await resolveHost(address.host);
			return `${url.slice(0, url.indexOf("://"))}://${resolved ?? address.host}:${address.port}`;
		}),
	);
}

function describeMembers(cluster: ReadonlyMap<string, readonly string[]>, token: string): readonly InitialMember[] {
	return [...cluster].map(([name, peerUrls]) => ({ id: bootstrapMemberId(peerUrls, token), name, peerUrls }));
}

function identify(members: readonly InitialMember[], name: string): Bootstrap {
	const own = members.find((member) => member.name === name);
	assert(own !== undefined, "the local member is part of the initial cluster");
	return { initialCluster: members, memberId: own.id, clusterId: clusterId(members.map((member) => member.id)) };
}

function sameUrls(left: readonly string[], right: readonly string[]): boolean {
	return [...left].sort().join() === [...right].sort().join();
}

function describeCluster(cluster: ReadonlyMap<string, readonly string[]>): string {
	return [...cluster].map(([name, urls]) => initialClusterOf(name, urls)).join(",");
}
