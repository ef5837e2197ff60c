/** /metrics of real members: etcd's names, values that are real and move. */

import { freePorts } from "@flotilla/server/internal";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { named, scrape, value } from "../src/process/scrape.ts";
import { haveProgram } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const handled = (method: string, code: string): string =>
	`grpc_server_handled_total{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="${method}",grpc_code="${code}"}`;

/** Names that the common alert rules and the common dashboard read. */
const WANTED = [
	"etcd_server_has_leader",
	"etcd_server_leader_changes_seen_total",
	"etcd_server_proposals_failed_total",
	"etcd_server_proposals_pending",
	"etcd_server_proposals_committed_total",
	"etcd_server_proposals_applied_total",
	"etcd_server_quota_backend_bytes",
	"etcd_disk_wal_fsync_duration_seconds_bucket",
	"etcd_disk_backend_commit_duration_seconds_bucket",
	"etcd_mvcc_db_total_size_in_bytes",
	"etcd_mvcc_db_total_size_in_use_in_bytes",
	"etcd_network_client_grpc_received_bytes_total",
	"etcd_network_client_grpc_sent_bytes_total",
	"etcd_network_peer_round_trip_time_seconds_bucket",
	"etcd_network_peer_sent_bytes_total",
	"etcd_network_peer_received_bytes_total",
	"etcd_network_peer_sent_failures_total",
	"etcd_debugging_mvcc_keys_total",
	"grpc_server_started_total",
	"grpc_server_handled_total",
	"process_resident_memory_bytes",
	"process_cpu_seconds_total",
	"process_open_fds",
	"process_start_time_seconds",
];

let cluster: ProcessCluster;

beforeAll(async () => {
	cluster = await ProcessCluster.start({ flags: ["--metrics", "extensive"] });
});
afterAll(() => cluster.dispose());

function leader(): Promise<{ url: string; client: KvClient }> {
	return eventually("a leader", async () => {
		for (const { clientUrl } of cluster.members) {
			const client = new KvClient(clientUrl.slice("http://".length));
			const status = await client.status();
			if (status.leader === status.header.member_id) return { url: clientUrl, client };
			client.close();
		}
		throw new Error("nobody leads");
	});
}

describe("a cluster under some load", () => {
	test("what alerts and dashboards read is there, and moves with what happens", async () => {
		const { url, client } = await leader();
		await eventually("heartbeats have come back", async () => {
			expect(named(await scrape(url), "etcd_network_peer_round_trip_time_seconds_count").length).toBe(2);
		});
		const before = await scrape(url);
		for (const name of WANTED) expect(named(before, name).length, name).toBeGreaterThan(0);
		for (let i = 0; i < 20; i++) await client.put(`m${i}`, "value");
		await client.range("m1");
		await client.deleteRange("m1");
		await expect(client.put("", "no key")).rejects.toThrow();
		const after = await scrape(url);
		const moved = (name: string): number => value(after, name) - value(before, name);
		expect(moved(handled("Put", "OK"))).toBe(20);
		expect(moved(handled("Put", "InvalidArgument"))).toBe(1);
		expect(moved(handled("Range", "OK"))).toBe(1);
		expect(moved("etcd_mvcc_put_total")).toBe(20);
		expect(moved("etcd_mvcc_delete_total")).toBe(1);
		expect(moved("etcd_debugging_mvcc_keys_total")).toBe(19);
		expect(moved("etcd_debugging_mvcc_current_revision")).toBe(21);
		expect(moved("etcd_server_proposals_applied_total")).toBeGreaterThanOrEqual(21);
		expect(moved("etcd_disk_wal_fsync_duration_seconds_count")).toBeGreaterThanOrEqual(21);
		expect(moved("etcd_disk_wal_write_bytes_total")).toBeGreaterThan(20 * 20);
		expect(moved("etcd_network_client_grpc_received_bytes_total")).toBeGreaterThan(20 * 10);
		expect(Math.min(...named(after, "etcd_network_peer_sent_bytes_total"))).toBeGreaterThan(0);
		expect(value(after, 'grpc_server_handling_seconds_count{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put"}')).toBe(21);
		expect([value(after, "etcd_server_has_leader"), value(after, "etcd_server_is_leader")]).toEqual([1, 1]);
		expect(value(after, "etcd_mvcc_db_total_size_in_use_in_bytes")).toBeGreaterThan(0);
		client.close();
	});

	test("leases are counted as etcd counts them: where they are applied, renewals and expiries at the leader", async () => {
		const { url, client } = await leader();
		const [other = ""] = cluster.members.map(({ clientUrl }) => clientUrl).filter((each) => each !== url);
		const counts = async (from: string): Promise<number[]> => {
			const values = await scrape(from);
			const [prefix, bucket] = ["etcd_debugging_lease_", "etcd_debugging_lease_ttl_total_bucket"];
			return [
				...["granted_total", "revoked_total", "renewed_total", "ttl_total_count", "ttl_total_sum"].map((name) =>
					value(values, prefix + name),
				),
				...["1", "2", "64", "8388608", "+Inf"].map((bound) => value(values, `${bucket}{le="${bound}"}`)),
				value(values, "etcd_debugging_server_lease_expired_total"),
			];
		};
		const [atLeader, elsewhere] = [await counts(url), await counts(other)];
		const post = (path: string, body: object): Promise<Response> => fetch(other + path, { method: "POST", body: JSON.stringify(body) });
		for (const [ID, TTL] of [
			[1, 2],
			[2, 60],
			[3, 9_000_000_000],
		])
			expect((await post("/v3/lease/grant", { ID, TTL })).status).toBe(200);
		for (let i = 0; i < 4; i++) expect(await (await post("/v3/lease/keepalive", { ID: 2 })).text()).toContain('"TTL":"60"');
		expect(await (await post("/v3/lease/keepalive", { ID: 404 })).text()).not.toContain("TTL");
		expect((await post("/v3/lease/revoke", { ID: 2 })).status).toBe(200);
		const since = async (from: string, before: readonly number[]): Promise<number[]> =>
			(await counts(from)).map((count, at) => count - (before[at] ?? 0));
		const buckets = [0, 1, 2, 2, 3];
		// The first lease ends by itself.
		await eventually("the leader has counted", async () =>
			expect(await since(url, atLeader)).toEqual([3, 2, 4, 3, 9_000_000_062, ...buckets, 1]),
		);
		await eventually("the others have, too", async () =>
			expect(await since(other, elsewhere)).toEqual([3, 2, 0, 3, 9_000_000_062, ...buckets, 0]),
		);
		client.close();
	});

	test("a member that follows applies the same and does not lead", async () => {
		const { url } = await leader();
		const others = cluster.members.filter(({ clientUrl }) => clientUrl !== url);
		for (const { clientUrl } of others) {
			await eventually(`${clientUrl} follows`, async () => {
				const values = await scrape(clientUrl);
				expect(value(values, "etcd_server_is_leader")).toBe(0);
				expect(value(values, "etcd_mvcc_put_total")).toBe(20);
				expect(Math.min(...named(values, "etcd_network_active_peers"))).toBe(1);
			});
		}
	});

	test("every method and code from the start, and each has its kind", async () => {
		const values = await scrape((await leader()).url);
		const ends = [...values.keys()].filter((name) => name.startsWith("grpc_server_handled_total{"));
		expect(ends.length % 17).toBe(0);
		expect(ends.length / 17).toBeGreaterThan(50);
		expect(ends.some((name) => name.includes('grpc_type="bidi_stream",grpc_service="etcdserverpb.Watch"'))).toBe(true);
	});
});

test("--listen-metrics-urls has metrics and probes, and nothing else", async () => {
	const [port] = await freePorts(1);
	const metricsUrl = `http://127.0.0.1:${port}`;
	const single = await ProcessCluster.start({ size: 1, flags: ["--listen-metrics-urls", metricsUrl] });
	try {
		const values = await scrape(metricsUrl);
		expect(value(values, "etcd_server_has_leader")).toBe(1);
		expect(named(values, "grpc_server_handling_seconds_count"), "only with --metrics extensive").toEqual([]);
		const status = async (path: string): Promise<number> => (await fetch(metricsUrl + path)).status;
		expect(await Promise.all(["/health", "/readyz", "/livez"].map(status))).toEqual([200, 200, 200]);
		expect(await Promise.all(["/version", "/v3/kv/range"].map(status))).toEqual([404, 404]);
		expect(value(await scrape(metricsUrl), "etcd_server_health_success")).toBe(1);
	} finally {
		await single.dispose();
	}
});

describe.skipIf(!haveProgram("etcd"))("beside etcd", () => {
	test("names that both have are of the same type", async () => {
		const etcd = await ProcessCluster.start({ size: 1, program: "etcd" });
		try {
			const typesOf = async (url: string): Promise<Map<string, string>> => {
				const text = await (await fetch(`${url}/metrics`)).text();
				return new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]));
			};
			const theirs = await typesOf(etcd.member(0).clientUrl);
			const ours = await typesOf(cluster.member(0).clientUrl);
			const both = [...ours].filter(([name]) => theirs.has(name));
			expect(both.length).toBeGreaterThan(50);
			expect(both.filter(([name, type]) => theirs.get(name) !== type)).toEqual([]);
		} finally {
			await etcd.dispose();
		}
	});
});
