import { expect, test } from "vitest";
import { passes, SideError } from "./refusals.ts";

test.each([
	[2, "etcdserver: too many requests", true],
	[2, "context deadline exceeded", true],
	[3, "etcdserver: revision of auth store is old", true],
	[14, "etcdserver: leader changed", true],
	[0, "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", true],
	[7, "etcdserver: permission denied", false],
	[3, "etcdserver: authentication failed, invalid user ID or password", false],
	[8, "etcdserver: mvcc: database space exceeded", false],
	[12, "unknown method", false],
])("%i %s passes by itself: %s", (code, text, wanted) => expect(passes(code, text)).toBe(wanted));

test("a refusal that an operator can mend says how", () => {
	const message = (text: string): string => new SideError("target", "/etcdserverpb.KV/Txn", 0, text).message;
	expect(message("etcdserver: user name is empty")).toBe(
		"the target, asked for Txn: etcdserver: user name is empty (logins are demanded there: --to-user)",
	);
	expect(message("etcdserver: request is too large")).toContain("raise its --max-request-bytes");
	expect(message("etcdserver: mvcc: database space exceeded")).toContain("raise its --quota-backend-bytes");
});
