import { expect, test } from "vitest";
import { readEndpoints } from "./endpoints.ts";

test.each([
	["127.0.0.1:2379", ["127.0.0.1:2379"]],
	["a:1,b-c.d:65535,,", ["a:1", "b-c.d:65535"]],
	["http://a:1,https://[::1]:2,[fe80::1%eth0]:3", ["http://a:1", "https://[::1]:2", "[fe80::1%eth0]:3"]],
	["", []],
] as const)("%s", (text, endpoints) => {
	expect(readEndpoints("--to", text)).toEqual(endpoints);
});

test.each([
	...["127.0.0.1", "a:", ":1", "a:0", "a:65536", "a:1234567", "a:1/", "a:b", "::1:2", "[::1]", "foo bar", "foo bar:1", " a:1", "a:1 "],
	...["http://a", "ftp://a:1", "user@a:1", "http://u:p@a:1", "unix:x:1", "a:1\n"],
])("%j is refused by name", (endpoint) => {
	expect(() => readEndpoints("--to", `b:1,${endpoint}`)).toThrow(`--to ${endpoint}: need HOST:PORT`);
});
