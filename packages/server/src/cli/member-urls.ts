/** URLs of members: which are accepted, in which form they are kept, and what each flag demands of them. */
import { isIP } from "node:net";
import { bad, good, type Parsed } from "./parsed.ts";

/** A comma-separated list, each trimmed; the result is sorted as strings. The reasons are etcd's texts. */
export function parseMemberUrls(list: string): Parsed<readonly string[]> {
	const urls: string[] = [];
	for (const item of list.split(",")) {
		const parsed = parseMemberUrl(item.trim());
		if (!parsed.ok) return parsed;
		urls.push(parsed.value);
	}
	return good(urls.sort());
}

function parseMemberUrl(text: string): Parsed<string> {
	const quoted = JSON.stringify(text);
	const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(text);
	if (match === null) {
		if (text.startsWith(":")) return bad(`parse ${quoted}: missing protocol scheme`);
		if (/^[^/]*:/.test(text)) return bad(`parse ${quoted}: first path segment in URL cannot contain colon`);
		return bad(`URL scheme must be http, https, unix, or unixs: ${text}`);
	}
	const [scheme, rest] = [(match[1] as string).toLowerCase(), match[2] as string];
	if (scheme === "unix" || scheme === "unixs") return good(`${scheme}:${rest}`);
	if (scheme !== "http" && scheme !== "https") return bad(`URL scheme must be http, https, unix, or unixs: ${text}`);
	const authority = /^\/\/([^/?#]*)(.*)$/s.exec(rest);
	// Credentials open nothing here, and are in no text and no line of a log.
	const host = (authority?.[1] ?? "").replace(/^.*@/, "");
	const port = splitHostPort(host)?.port;
	if (port === undefined) return bad(`URL address does not have the form "host:port": ${text}`);
	if (!/^[0-9]*$/.test(port)) return bad(`parse ${quoted}: invalid port ${JSON.stringify(`:${port}`)} after host`);
	if (authority?.[2] !== "") return bad(`URL must not contain a path: ${text}`);
	return good(`${scheme}://${host}`);
}

/** `host:port` or `[address]:port`; null when there is no port or the host has colons without brackets. */
export function splitHostPort(hostPort: string): { readonly host: string; readonly port: string } | null {
	const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:]*)$/.exec(hostPort);
	return match === null ? null : { host: match[1] ?? match[2] ?? "", port: match[3] as string };
}

/** Host and port of an http or https URL in our form; null for a Unix socket. */
export function urlAddress(url: string): { readonly host: string; readonly port: string } | null {
	const match = /^https?:\/\/(.*)$/.exec(url);
	return match === null ? null : splitHostPort(match[1] as string);
}

/** Null, or why this member cannot listen there: it must not depend on a name that resolves elsewhere tomorrow. */
export function refuseBinding(urls: readonly string[]): string | null {
	for (const url of urls) {
		const address = urlAddress(url);
		if (address === null) continue;
		if (address.host !== "localhost" && isIP(address.host) === 0) return `expected IP in URL for binding (${url})`;
		if (address.port === "" || Number(address.port) > 65_535) return `address ${address.port}: invalid port`;
	}
	return null;
}

/** Null, or why others could not reach this member there. */
export function refuseAdvertising(urls: readonly string[]): string | null {
	for (const url of urls) {
		if (urlAddress(url)?.host === "") return `unexpected empty host (${url})`;
	}
	return null;
}
