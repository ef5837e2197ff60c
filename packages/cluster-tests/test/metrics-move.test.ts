/** What alerts and dashboards read of /metrics, seen to move: under load, without a majority, and when a leader is there again. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { named, scrape, type Values, value } from "../src/process/scrape.ts";
import { eventually } from "../src/process/wait.ts";

let cluster: ProcessCluster;
let leader: ClusterMember;
let client: KvClient;

beforeAll(async () => {
	cluster = await ProcessCluster.start({ flags: ["--feature-gates=CompactHashCheck=true,AllBeta=false"] });
	leader = await eventually("a leader", async () => {
		for (const member of cluster.members) if (value(await scrape(member.clientUrl), "etcd_server_is_leader") === 1) return member;
		throw new Error("nobody leads");
	});
	client = new KvClient(leader.clientUrl.slice("http://".length));
});
afterAll(async () => {
	client?.close();
	await cluster?.dispose();
});

const least = (values: Values, name: string): number => Math.min(...named(values, name));
const started = 'grpc_server_started_total{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put"}';

test("features are shown as they were set, each with its stage", async () => {
	const values = await scrape(leader.clientUrl);
	const shown = [...values].filter(([name]) => name.startsWith("etcd_server_feature_enabled"));
	const row = (name: string, stage: string, on: number) => [`etcd_server_feature_enabled{name="${name}",stage="${stage}"}`, on];
	expect(Object.fromEntries(shown)).toMatchObject(
		Object.fromEntries([
			row("CompactHashCheck", "ALPHA", 1),
			row("InitialCorruptCheck", "ALPHA", 0),
			row("TxnModeWriteWithSharedBuffer", "BETA", 0),
			row("AllBeta", "BETA", 0),
		]),
	);
});

describe("in this order", () => {
	test("under load", async () => {
		const before = await scrape(leader.clientUrl);
		for (let i = 0; i < 10; i++) await client.put(`m${i}`, "x".repeat(20_000));
		await client.range("m1");
		await eventually("all of it has been counted", async () => {
			const after = await scrape(leader.clientUrl);
			const moved = (name: string): number => least(after, name) - least(before, name);
			expect(moved(started)).toBe(10);
			expect(moved("etcd_server_proposals_committed_total")).toBeGreaterThanOrEqual(10);
			expect(moved("etcd_server_proposals_applied_total")).toBeGreaterThanOrEqual(10);
			expect(moved("etcd_network_client_grpc_sent_bytes_total")).toBeGreaterThan(20_000);
			expect(moved("etcd_disk_backend_commit_duration_seconds_count")).toBeGreaterThan(0);
			expect(moved("etcd_mvcc_db_total_size_in_bytes")).toBeGreaterThan(0);
			expect(moved("etcd_network_peer_sent_bytes_total")).toBeGreaterThan(200_000);
			expect(moved("etcd_network_peer_received_bytes_total")).toBeGreaterThan(0);
			expect(moved("etcd_network_peer_round_trip_time_seconds_count")).toBeGreaterThan(0);
		});
	});

	test("both peers are killed: lost connections, dropped messages, a write that waits, no leader, a write that failed", async () => {
		const others = cluster.members.filter((member) => member !== leader);
		const before = await scrape(leader.clientUrl);
		expect(named(before, "etcd_network_disconnected_peers_total")).toEqual([0, 0]);
		expect(named(before, "etcd_network_active_peers")).toEqual([1, 1]);
		expect([value(before, "etcd_server_has_leader"), value(before, "etcd_server_proposals_pending")]).toEqual([1, 0]);
		await Promise.all(others.map(({ process }) => process.kill()));
		const write = client.put("waits", "for a majority").then(
			() => "done",
			() => "failed",
		);
		await eventually("connections are lost and the write waits", async () => {
			const values = await scrape(leader.clientUrl);
			expect(named(values, "etcd_network_disconnected_peers_total")).toEqual([1, 1]);
			expect(named(values, "etcd_network_active_peers")).toEqual([0, 0]);
			expect(value(values, "etcd_server_proposals_pending")).toBe(1);
		});
		expect(await write).toBe("failed");
		await eventually("no leader, and what that led to", async () => {
			const values = await scrape(leader.clientUrl);
			expect(value(values, "etcd_server_has_leader")).toBe(0);
			expect(value(values, "etcd_server_proposals_pending")).toBe(0);
			expect(value(values, "etcd_server_proposals_failed_total") - value(before, "etcd_server_proposals_failed_total")).toBe(1);
			expect(least(values, "etcd_network_peer_sent_failures_total")).toBeGreaterThan(
				least(before, "etcd_network_peer_sent_failures_total"),
			);
		});
	});

	test("they come back: a leader again", async () => {
		const before = value(await scrape(leader.clientUrl), "etcd_server_leader_changes_seen_total");
		await Promise.all(cluster.members.filter((member) => member !== leader).map(({ process }) => process.start()));
		await eventually("a leader is seen", async () => {
			const values = await scrape(leader.clientUrl);
			expect(value(values, "etcd_server_has_leader")).toBe(1);
			expect(value(values, "etcd_server_leader_changes_seen_total")).toBeGreaterThan(before);
			expect(named(values, "etcd_network_active_peers")).toEqual([1, 1]);
		});
	});
});
