import { expect, test } from "vitest";
import { addedMemberId, bootstrapMemberId, clusterId } from "./cluster-ids.ts";

for (const [name, urls, token, want] of [
	["the default single member", ["http://localhost:2380"], "etcd-cluster", 0x8e9e05c52164694dn],
	["the default single member in decimal", ["http://localhost:2380"], "etcd-cluster", 10276657743932975437n],
	["three members: the first", ["http://127.0.0.1:12380"], "etcd-cluster-1", 0x8211f1d0f64f3269n],
	["three members: the second", ["http://127.0.0.1:22380"], "etcd-cluster-1", 0x91bc3c398fb3c146n],
	["three members: the third", ["http://127.0.0.1:32380"], "etcd-cluster-1", 0xfd422379fda50e48n],
	["URLs are sorted before they are hashed", ["http://b:2380", "http://a:2380"], "t", 0x32ae93545c0331f3n],
	["another port", ["http://127.0.0.1:41022"], "etcd-cluster", 3389013508941025544n],
] as Array<[string, string[], string, bigint]>) {
	test(`member id: ${name}`, () => expect(bootstrapMemberId(urls, token)).toBe(want));
}

test("a member added at run time is named by URLs and Unix time, without the token", () => {
	expect(addedMemberId(["http://127.0.0.1:42380"], 1_700_000_000)).toBe(4282348185719068004n);
	expect(addedMemberId(["http://127.0.0.1:42380"], 1_700_000_001)).not.toBe(4282348185719068004n);
});

for (const [name, ids, want] of [
	["a lone member", [0x8e9e05c52164694dn], 0xcdf818194e3a8c32n],
	["three members", [0x8211f1d0f64f3269n, 0x91bc3c398fb3c146n, 0xfd422379fda50e48n], 0xef37ad9dc622a7c4n],
	["three members in another order", [0xfd422379fda50e48n, 0x8211f1d0f64f3269n, 0x91bc3c398fb3c146n], 0xef37ad9dc622a7c4n],
	["another lone member", [3389013508941025544n], 9540276100025728922n],
] as Array<[string, bigint[], bigint]>) {
	test(`cluster id: ${name}`, () => expect(clusterId(ids)).toBe(want));
}
