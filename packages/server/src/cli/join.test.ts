import { describe, expect, test } from "vitest";
import type { ClusterView } from "../peers/cluster-view.ts";
import type { BootstrapRequest } from "./bootstrap.ts";
import { planJoin } from "./join.ts";

const URLS = ["http://10.0.0.1:2380", "http://10.0.0.2:2380", "http://10.0.0.3:2380"] as const;
const VIEW: ClusterView = {
	clusterId: 0xc1n,
	members: [
		{ id: 1n, name: "m1", peerUrls: [URLS[0]] },
		{ id: 2n, name: "m2", peerUrls: [URLS[1]] },
		{ id: 0xabcn, name: "", peerUrls: [URLS[2]] },
	],
};

function request(change: Partial<BootstrapRequest> = {}): BootstrapRequest {
	const initialCluster = `m1=${URLS[0]},m2=${URLS[1]},m3=${URLS[2]}`;
	return { name: "m3", token: "t", state: "existing", initialCluster, initialClusterGiven: true, advertisedPeerUrls: [URLS[2]], ...change };
}

describe("a member that joins", () => {
	test("is who the cluster says it is, by its peer URLs, and asks the next one when one does not answer", async () => {
		const asked: string[] = [];
		const plan = await planJoin(request(), (url) => {
			asked.push(url);
			return Promise.resolve(url === URLS[1] ? VIEW : null);
		});
		expect(plan).toMatchObject({ ok: true, value: { memberId: 0xabcn, clusterId: 0xc1n } });
		expect(asked).toEqual([URLS[0], URLS[1]]);
	});

	test.each([
		["nobody answers", {}, null, "cannot fetch cluster info from peer urls"],
		["the cluster has another number of members", { initialCluster: `m1=${URLS[0]},m3=${URLS[2]}` }, VIEW, "member count is unequal"],
		["it was not added", { initialCluster: `m1=${URLS[0]},m2=${URLS[1]},m3=http://10.0.0.9:1` }, VIEW, "add it first"],
		["its name is not among those given", { name: "m9" }, VIEW, "couldn't find local name"],
		["it was there before, with a data folder that is gone", { name: "m2" }, VIEW, "member 2 has already been bootstrapped"],
	])("does not start when %s", async (_when, change, view, text) => {
		const plan = await planJoin(request(change), () => Promise.resolve(view));
		expect(plan.ok ? "" : plan.reason).toContain(text);
	});
});
