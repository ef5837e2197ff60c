/** What a gateway answers, without what differs between any two clusters. */

import { quoteLargeNumbers } from "../process/normalise.ts";
import type { Answered } from "../process/request.ts";

export interface JsonAnswer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string>>;
	/** Of each line; a text where it is no JSON. */
	readonly body: readonly unknown[];
}

/** What becomes of the connection, and when; and that of etcd 3.4 a refusal might be followed by trailers, which none is. */
const PASSING_HEADERS = new Set(["trailer", "date", "connection", "keep-alive", "content-length", "transfer-encoding"]);
const PASSING_FIELDS = new Set(["cluster_id", "member_id", "raft_term", "ID", "leader", "hash", "clientURLs", "peerURLs", "name"]);
/** Ids that servers draw are longer than those that tests choose, and so are revisions far ahead. */
const DRAWN = /^\d{13,18}$/;

export function comparable({ status, headers, text }: Answered): JsonAnswer {
	const kept = Object.entries(headers).flatMap(([name, value]) =>
		PASSING_HEADERS.has(name) || value === undefined ? [] : [[name, String(value)]],
	);
	return { status, headers: Object.fromEntries(kept.sort(byName)), body: linesOf(text).map(readLine) };
}

function linesOf(text: string): readonly string[] {
	return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function readLine(line: string): unknown {
	try {
		return plain("", JSON.parse(quoteLargeNumbers(line)));
	} catch {
		return line;
	}
}

function plain(name: string, value: unknown): unknown {
	if (Array.isArray(value)) {
		const items = value.map((item) => plain(name, item));
		// Leases and their keys are listed in any order.
		return name === "leases" || name === "keys" ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
	}
	if (typeof value === "object" && value !== null) {
		const members = Object.entries(value).sort(byName);
		return Object.fromEntries(members.map(([key, inner]) => [key, plain(key, inner)]));
	}
	if (name === "TTL" || name === "ttl") return Number(value) > 0 ? "some time" : value;
	if (PASSING_FIELDS.has(name)) return name === "ID" && /^\d{1,12}$/.test(String(value)) ? value : `<${name}>`;
	return typeof value === "string" && DRAWN.test(value) ? "<drawn>" : value;
}

function byName([left = ""]: readonly unknown[], [right = ""]: readonly unknown[]): number {
	return String(left) < String(right) ? -1 : 1;
}

export function revisionOf({ body }: JsonAnswer): number {
	const [first] = body as readonly { readonly header?: { readonly revision?: string } }[];
	return Number(first?.header?.revision ?? 0);
}
