/** Header truth: who answered, in which term, at which revision. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Header, KvClient } from "../src/client/kv-client.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { drawnFront } from "../src/process/drawn-front.ts";
import { eventually } from "../src/process/wait.ts";

const front = drawnFront("headers");

describe(`response headers of a 3-member cluster (${front.told})`, () => {
	let cluster: ProcessCluster;
	let clients: KvClient[];

	beforeAll(async () => {
		cluster = await ProcessCluster.start({ flags: front.flags });
		clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	});
	afterAll(async () => {
		for (const client of clients ?? []) client.close();
		await cluster?.dispose();
	});

	const first = (): KvClient => clients[0] as KvClient;

	test("an empty store is at revision 1, the first put is 2", async () => {
		expect((await first().range("nothing")).header.revision).toBe("1");
		const put = await first().put("a", "1");
		expect(put.header.revision).toBe("2");
		const [kv] = (await first().range("a")).kvs;
		expect([kv?.create_revision, kv?.mod_revision, kv?.version]).toEqual(["2", "2", "1"]);
	});

	test("member_id is the answerer's and matches the member list; cluster_id is one", async () => {
		const list = await first().members();
		const headers = await Promise.all(clients.map(async (client) => (await client.range("a")).header));
		expect(new Set(headers.map((header) => header.member_id)).size).toBe(3);
		expect(new Set(headers.map((header) => header.cluster_id)).size).toBe(1);
		for (const [i, header] of headers.entries()) {
			const member = list.members.find((row) => row.clientURLs.includes(cluster.member(i).clientUrl));
			expect(member?.ID).toBe(header.member_id);
			expect(member?.name).toBe(cluster.member(i).name);
		}
		expect(list.header.revision).toBe("0");
	});

	test("the revision of each call is what the protocol says", async () => {
		const revisionOf = async (call: Promise<{ header: Header }>): Promise<number> => Number((await call).header.revision);
		const start = await revisionOf(first().put("k1", "v"));
		expect(await revisionOf(first().range("k1", { revision: start }))).toBe(start);
		expect(await revisionOf(first().put("k2", "v"))).toBe(start + 1);
		// At an old revision the header still tells the present one.
		expect(await revisionOf(first().range("k1", { revision: start }))).toBe(start + 1);
		expect(await revisionOf(first().deleteRange("nothing"))).toBe(start + 1);
		expect(await revisionOf(first().deleteRange("k", { range_end: Buffer.from("l") }))).toBe(start + 2);
		const txn = await first().txn({
			success: [
				{ request_put: { key: Buffer.from("t1"), value: Buffer.from("x") } },
				{ request_put: { key: Buffer.from("t2"), value: Buffer.from("y") } },
				{ request_range: { key: Buffer.from("t1") } },
			],
		});
		expect(Number(txn.header.revision)).toBe(start + 3);
		const inner = txn.responses as { response_put?: { header: Header }; response_range?: { header: Header } }[];
		for (const response of inner) {
			const header = response.response_put?.header ?? response.response_range?.header;
			expect(header).toMatchObject({ cluster_id: "0", member_id: "0", raft_term: "0", revision: String(start + 3) });
		}
		expect(await revisionOf(first().txn({ compare: [], success: [{ request_range: { key: Buffer.from("t1") } }] }))).toBe(start + 3);
		expect(await revisionOf(first().compact(start))).toBe(start + 3);
	});

	test("a nested transaction's header is present and empty", async () => {
		const txn = await first().txn({
			success: [{ request_txn: { success: [{ request_put: { key: Buffer.from("n"), value: Buffer.from("1") } }] } }],
		});
		const nested = (txn.responses[0] as { response_txn: { header: Header } }).response_txn.header;
		expect(nested).toEqual({ cluster_id: "0", member_id: "0", revision: "0", raft_term: "0" });
	});

	test("raft_term rises by an election and never falls, restarts included", async () => {
		const terms = async (): Promise<number[]> =>
			Promise.all(clients.map(async (client) => Number((await client.range("a", { serializable: true })).header.raft_term)));
		const before = await terms();
		const leaderId = (await first().status()).leader;
		const headers = await Promise.all(clients.map(async (client) => (await client.range("a")).header.member_id));
		const leaderAt = headers.indexOf(leaderId);
		await cluster.member(leaderAt).process.kill("SIGKILL");
		const survivor = clients[(leaderAt + 1) % 3] as KvClient;
		await eventually("a write after the election", () => survivor.put("after", "election", { timeoutMs: 2_000 }));
		const risen = Number((await survivor.range("a")).header.raft_term);
		expect(risen).toBeGreaterThan(Math.max(...before));
		await cluster.member(leaderAt).process.start();
		const after = await eventually("an answer of the restarted member", terms);
		for (const term of after) expect(term).toBeGreaterThanOrEqual(risen);
	});

	test("a restarted member never shows an older revision than before", async () => {
		const client = clients[2] as KvClient;
		const before = Number((await client.put("last", "seen")).header.revision);
		await cluster.member(2).process.kill("SIGKILL");
		await cluster.member(2).process.start();
		const after = await eventually("a serializable read", () => client.range("last", { serializable: true }));
		expect(Number(after.header.revision)).toBeGreaterThanOrEqual(before);
		expect(after.kvs[0]?.value.toString()).toBe("seen");
	});
});
