import { describe, expect, test } from "vitest";
import { PeerAddress, parsePeerUrl } from "../../src/peers/peer-address.ts";

describe("peer URLs", () => {
	test.each([
		["http://127.0.0.1:2380", { host: "127.0.0.1", port: 2380, secure: false }],
		["http://member-1.example:80/", { host: "member-1.example", port: 80, secure: false }],
		["http://[::1]:2380", { host: "::1", port: 2380, secure: false }],
		["https://127.0.0.1:2380", { host: "127.0.0.1", port: 2380, secure: true }],
		["unix://127.0.0.1:2380", null],
		["http://127.0.0.1", null],
		["http://127.0.0.1:65536", null],
		["http://user@host:1", null],
		["http://host:1/path", null],
		["nonsense", null],
		["", null],
	])("%s", (url, target) => {
		expect(parsePeerUrl(url)).toEqual(target);
	});

	test("several are tried in turn; a list without a usable one gives none", () => {
		const address = new PeerAddress();
		expect(address.next()).toBeNull();
		expect(address.set(["http://a:1", "nonsense", "http://b:2"])).toBe(true);
		expect(address.set(["http://a:1", "http://b:2"])).toBe(false);
		expect(address.set(["http://a:1", "http://a:1", "http://b:2"])).toBe(false);
		expect([address.next(), address.next(), address.next()].map((target) => target?.host)).toEqual(["b", "a", "b"]);
		expect(address.set(["nonsense"])).toBe(true);
		expect(address.next()).toBeNull();
	});
});
