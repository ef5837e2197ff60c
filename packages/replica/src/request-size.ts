/**
 * The size that a request is measured by (etcd API, limits): that of etcd's own encoding of the proposal, so that the same
 * requests pass here and there, whatever this log's envelope costs.
 *
 *   size = 14 + [user] + 1 + varintLen(n) + n            n: bytes of the client's request
 *
 * 14 is a header field (tag 2, length 1) with a request id (tag 1, varint 10). With auth the header also holds the user
 * (tag 1, length, bytes) and the auth revision (tag 1, varint). A put of a 1-byte key then passes up to a value of
 * 1,572,839 bytes at the default limit of 1,572,864.
 */
import { encodeUtf8 } from "./utf8.ts";

const HEADER_BYTES = 14;

/** Compare with the limit: a request is too large when this exceeds it. */
export function proposalBytes(requestBytes: number, user: string, authRevision: number): number {
	return HEADER_BYTES + authBytes(user, authRevision) + 1 + varintBytes(requestBytes) + requestBytes;
}

function authBytes(user: string, authRevision: number): number {
	if (user === "") return 0;
	const userBytes = encodeUtf8(user).length;
	const fields = 1 + varintBytes(userBytes) + userBytes + 1 + varintBytes(authRevision);
	// The header's own length takes a second byte once its content (11 bytes of request id, and these) exceeds 127.
	return fields + varintBytes(11 + fields) - 1;
}

function varintBytes(value: number): number {
	let bytes = 1;
	for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
	return bytes;
}
