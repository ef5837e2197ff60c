/**
 * Changes of the members, each a single try that can be made again when its answer was lost: whoever asks for the same once more is told
 * what was done before, and not that it cannot be done.
 */
import type { Plain } from "./protocol.ts";
import { RpcError } from "./rpc-error.ts";

const PATIENCE_MS = 5_000;

export interface ListedMember {
	/** Decimal. */
	readonly ID: string;
	/** Empty: it has not announced itself. */
	readonly name: string;
	readonly peerURLs: readonly string[];
	readonly isLearner?: boolean;
}

/** What is used of a `KvClient`. */
export interface MemberClient {
	members(options?: { readonly timeoutMs?: number }): Promise<{ readonly members: readonly ListedMember[] }>;
	call(
		service: string,
		method: string,
		types: readonly [string, string],
		request: Plain,
		options?: { readonly timeoutMs?: number },
	): Promise<Plain>;
}

export interface Addition {
	readonly peerUrl: string;
	readonly learner?: boolean;
	/** Who had the URL before, in decimal: a member that lags may list it still. */
	readonly instead?: string;
}

/**
 * The id under which it was added, by this try or by one before. The list is looked at first: while a member has not announced itself no
 * other voter may be added, and that is said before anybody notices that it would be the same one.
 */
export async function addMember(client: MemberClient, { peerUrl, learner = false, instead = "" }: Addition): Promise<string> {
	const { members } = await client.members({ timeoutMs: PATIENCE_MS });
	const there = members.find(({ ID, peerURLs }) => ID !== instead && peerURLs.includes(peerUrl));
	if (there !== undefined) return there.ID;
	const answer = await change(client, "MemberAdd", { peerURLs: [peerUrl], isLearner: learner });
	return (answer.member as ListedMember).ID;
}

export async function removeMember(client: MemberClient, id: string): Promise<void> {
	await unless("etcdserver: member not found", change(client, "MemberRemove", { ID: id }));
}

export async function promoteMember(client: MemberClient, id: string): Promise<void> {
	await unless("etcdserver: can only promote a learner member", change(client, "MemberPromote", { ID: id }));
}

function change(client: MemberClient, method: string, request: Plain): Promise<Plain> {
	return client.call("Cluster", method, [`${method}Request`, `${method}Response`], request, { timeoutMs: PATIENCE_MS });
}

/** That refusal says that it has been done: these two are told of it before any other. */
async function unless(refusal: string, asked: Promise<unknown>): Promise<void> {
	try {
		await asked;
	} catch (error) {
		if (!(error instanceof RpcError && error.text === refusal)) throw error;
	}
}
