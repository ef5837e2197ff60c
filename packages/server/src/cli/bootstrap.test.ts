import { expect, test } from "vitest";
import { type BootstrapRequest, planFirstStart, planRestart, type ResolveHost } from "./bootstrap.ts";

const THREE = "m1=http://127.0.0.1:12380,m2=http://127.0.0.1:22380,m3=http://127.0.0.1:32380";
const REQUEST: BootstrapRequest = {
	name: "m2",
	token: "etcd-cluster-1",
	state: "new",
	initialCluster: THREE,
	initialClusterGiven: true,
	advertisedPeerUrls: ["http://127.0.0.1:22380"],
};
const noHost: ResolveHost = async () => null;

async function plan(change: Partial<BootstrapRequest>, resolveHost = noHost) {
	return planFirstStart({ ...REQUEST, ...change }, resolveHost);
}

test("three members: ids of all, the own id, the cluster's id", async () => {
	expect(await plan({})).toEqual({
		ok: true,
		value: {
			initialCluster: [
				{ id: 0x8211f1d0f64f3269n, name: "m1", peerUrls: ["http://127.0.0.1:12380"] },
				{ id: 0x91bc3c398fb3c146n, name: "m2", peerUrls: ["http://127.0.0.1:22380"] },
				{ id: 0xfd422379fda50e48n, name: "m3", peerUrls: ["http://127.0.0.1:32380"] },
			],
			memberId: 0x91bc3c398fb3c146n,
			clusterId: 0xef37ad9dc622a7c4n,
		},
	});
});

test("a name that comes twice has both URLs", async () => {
	const urls = ["http://a:2380", "http://b:2380"];
	const planned = await plan({ name: "x", token: "t", initialCluster: "x=http://b:2380,x=http://a:2380", advertisedPeerUrls: urls });
	expect(planned.ok && planned.value.initialCluster).toEqual([{ id: 0x32ae93545c0331f3n, name: "x", peerUrls: urls }]);
});

for (const [name, change, want] of [
	["a name that is not in the cluster", { name: "x1" }, `couldn't find local name "x1" in the initial cluster configuration`],
	[
		"advertised elsewhere",
		{ advertisedPeerUrls: ["http://127.0.0.1:2380"] },
		"--initial-cluster has m2=http://127.0.0.1:22380 but missing from --initial-advertise-peer-urls=http://127.0.0.1:2380",
	],
	[
		"advertised twice",
		{ advertisedPeerUrls: ["http://127.0.0.1:2380", "http://127.0.0.1:22380"] },
		"--initial-advertise-peer-urls has http://127.0.0.1:2380 but missing from --initial-cluster=m2=http://127.0.0.1:22380",
	],
	[
		"one URL for two members",
		{ initialCluster: "m1=http://a:1,m2=http://a:1" },
		"initial cluster m1=http://a:1,m2=http://a:1 has duplicate url",
	],
	["a member without URL", { initialCluster: "m2" }, "error setting up initial cluster: URL scheme must be http, https, unix, or unixs: "],
] as Array<[string, Partial<BootstrapRequest>, string]>) {
	test(`a first start is refused: ${name}`, async () => expect(await plan(change)).toEqual({ ok: false, reason: want }));
}

test("two spellings of one place are the same", async () => {
	const resolve = async (host: string): Promise<string | null> => (host === "host-b" ? "127.0.0.1" : null);
	expect((await plan({ advertisedPeerUrls: ["http://host-b:22380"] }, resolve)).ok).toBe(true);
	expect((await plan({ advertisedPeerUrls: ["http://host-c:22380"] }, resolve)).ok).toBe(false);
});

test("localhost is not another spelling of an address", async () => {
	const everything = async (): Promise<string | null> => "127.0.0.1";
	expect((await plan({ advertisedPeerUrls: ["http://localhost:22380"] }, everything)).ok).toBe(false);
});

test("a member that joins need not advertise what the others know it by", async () => {
	expect((await plan({ state: "existing", advertisedPeerUrls: ["http://127.0.0.1:1"] })).ok).toBe(true);
});

async function folderOf(change: Partial<BootstrapRequest> = {}) {
	const planned = await plan(change);
	if (!planned.ok) throw new Error(planned.reason);
	return planned.value;
}

for (const [name, change] of [
	["the same flags", {}],
	["a name the list does not have", { name: "x1" }],
	["a broken list", { initialCluster: "m2" }],
	["other advertised URLs", { advertisedPeerUrls: ["http://127.0.0.1:1"] }],
	["no list", { initialCluster: "m2=http://127.0.0.1:1", initialClusterGiven: false, token: "another" }],
	["a longer list", { initialCluster: `${THREE},m4=http://127.0.0.1:4` }],
] as Array<[string, Partial<BootstrapRequest>]>) {
	test(`once there is data the folder says who the member is: ${name}`, async () => {
		const folder = await folderOf();
		expect(planRestart(folder, { ...REQUEST, ...change })).toEqual(folder);
	});
}

test("flags that name another member than the folder are kept, so that the start is refused", async () => {
	const folder = await folderOf({ name: "m3", advertisedPeerUrls: ["http://127.0.0.1:32380"] });
	expect(planRestart(folder, REQUEST)).toMatchObject({ memberId: 0x91bc3c398fb3c146n, clusterId: folder.clusterId });
	const otherCluster = await folderOf({ token: "another" });
	expect(planRestart(otherCluster, REQUEST)).toMatchObject({ memberId: 0x91bc3c398fb3c146n, clusterId: 0xef37ad9dc622a7c4n });
});
