import { expect, test } from "vitest";
import { isPeerUrl } from "./peer-urls.ts";

test.each([
	["http://a:1", true],
	[" https://10.0.0.1:65535 ", true],
	["http://[::1]:1", true],
	["http://:1", true],
	["unix:///run/x", true],
	["http://a", false],
	["http://a:65536", false],
	["http://a:1/path", false],
	["ftp://a:1", false],
	["nonsense", false],
	["", false],
])("a peer URL of MemberAdd: %j is taken: %s", (url, taken) => {
	expect(isPeerUrl(url)).toBe(taken);
});
