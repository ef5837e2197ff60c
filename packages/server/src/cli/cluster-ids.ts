/** Member and cluster ids as etcd derives them, so that the same flags give the same ids (etcd API, "Member ID and cluster ID"). */
import { createHash } from "node:crypto";

/** Id of a member of the first configuration. `token` is the cluster token. The order of the URLs does not matter. */
export function bootstrapMemberId(peerUrls: readonly string[], token: string): bigint {
	return firstEightBytes(Buffer.from(sortedUrls(peerUrls) + token, "utf8"));
}

/** Id of a member added to a running cluster at `unixSeconds`: the token is empty, the time takes its place. */
export function addedMemberId(peerUrls: readonly string[], unixSeconds: number): bigint {
	return firstEightBytes(Buffer.from(sortedUrls(peerUrls) + String(unixSeconds), "utf8"));
}

/** Id of the cluster that starts with these members; it never changes later, whatever members come and go. */
export function clusterId(initialMemberIds: readonly bigint[]): bigint {
	const ascending = [...initialMemberIds].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
	const bytes = Buffer.alloc(ascending.length * 8);
	for (const [at, id] of ascending.entries()) bytes.writeBigUInt64BE(id, at * 8);
	return firstEightBytes(bytes);
}

function sortedUrls(peerUrls: readonly string[]): string {
	return [...peerUrls].sort().join("");
}

function firstEightBytes(input: Buffer): bigint {
	return createHash("sha1").update(input).digest().readBigUInt64BE(0);
}
