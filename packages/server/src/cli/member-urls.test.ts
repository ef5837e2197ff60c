import { expect, test } from "vitest";
import { parseMemberUrls, refuseAdvertising, refuseBinding } from "./member-urls.ts";

for (const [name, text, want] of [
	["one", "http://127.0.0.1:2379", ["http://127.0.0.1:2379"]],
	["a list is trimmed and sorted", " http://b:1 ,http://a:2", ["http://a:2", "http://b:1"]],
	["the scheme is case-blind", "HTTP://a:1", ["http://a:1"]],
	["IPv6", "http://[::1]:2379", ["http://[::1]:2379"]],
	["https", "https://a:2379", ["https://a:2379"]],
	["a Unix socket", "unix:///run/x.sock", ["unix:///run/x.sock"]],
	["no scheme, address", "127.0.0.1:2379", 'parse "127.0.0.1:2379": first path segment in URL cannot contain colon'],
	["no scheme, name", "localhost:2379", "URL scheme must be http, https, unix, or unixs: localhost:2379"],
	["no scheme at all", "nonsense", "URL scheme must be http, https, unix, or unixs: nonsense"],
	["nothing between commas", "http://a:1,,http://b:1", "URL scheme must be http, https, unix, or unixs: "],
	["colon first", ":1", 'parse ":1": missing protocol scheme'],
	["unknown scheme", "ftp://127.0.0.1:1", "URL scheme must be http, https, unix, or unixs: ftp://127.0.0.1:1"],
	["no port", "http://127.0.0.1", 'URL address does not have the form "host:port": http://127.0.0.1'],
	["IPv6 without brackets", "http://::1:2379", 'URL address does not have the form "host:port": http://::1:2379'],
	["a path", "http://127.0.0.1:2379/x", "URL must not contain a path: http://127.0.0.1:2379/x"],
	["a lone slash is a path", "http://127.0.0.1:2379/", "URL must not contain a path: http://127.0.0.1:2379/"],
	["credentials are dropped", "http://user:word@a:1", ["http://a:1"]],
	["a port of letters", "http://a:xy", 'parse "http://a:xy": invalid port ":xy" after host'],
] as Array<[string, string, readonly string[] | string]>) {
	test(`URLs: ${name}`, () => {
		const parsed = parseMemberUrls(text);
		expect(parsed.ok ? parsed.value : parsed.reason).toEqual(want);
	});
}

for (const [url, want] of [
	["http://127.0.0.1:2379", null],
	["http://0.0.0.0:2379", null],
	["http://[::]:2379", null],
	["http://localhost:2379", null],
	["http://example.com:2379", "expected IP in URL for binding (http://example.com:2379)"],
	["http://:2379", "expected IP in URL for binding (http://:2379)"],
	["http://127.0.0.1:99999", "address 99999: invalid port"],
] as Array<[string, string | null]>) {
	test(`binding to ${url}: ${want ?? "allowed"}`, () => expect(refuseBinding([url])).toBe(want));
}

test("an advertised URL needs a host", () => {
	expect(refuseAdvertising(["http://example.com:2379", "http://:1"])).toBe("unexpected empty host (http://:1)");
	expect(refuseAdvertising(["http://example.com:2379"])).toBeNull();
});
