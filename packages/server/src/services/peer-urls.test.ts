import { expect, test } from "vitest";
import { isPeerUrl } from "./peer-urls.ts";

test.each([
	["http://a:1", true],
	[" https://10.0.0.1:65535 ", true],
	["http://[::1]:1", true],
	["http://:1", true],
	["unix:///run/x", true],
	["http://a", false],
	["http://a:65536", true],
	["http://a:", true],
	["http://:", true],
	["HTTP://a:1", true],
	["http://a_b:1?x=1#f", true],
	["http://u:p@a:1", true],
	["http://[::1:1", false],
	["http://::1:1", false],
	["http://a b:1", false],
	["http://a:-1", false],
	["http://a:1:2", false],
	["//a:1", false],
	["http://a:1/path", false],
	["ftp://a:1", false],
	["nonsense", false],
	["", false],
])("a peer URL of MemberAdd: %j is taken: %s", (url, taken) => {
	expect(isPeerUrl(url)).toBe(taken);
});
