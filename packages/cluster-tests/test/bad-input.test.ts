/** What clients get wrong, and the exact code and text they must be told. */
import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KvClient, RpcError } from "../src/client/kv-client.ts";
import { encodeMessage, type Plain } from "../src/client/protocol.ts";
import { ProcessCluster } from "../src/process/cluster.ts";
import { drawnFront } from "../src/process/drawn-front.ts";

const text = (value: string): Buffer => Buffer.from(value);
const put = (key: string, value = "v", more: Plain = {}): Plain => ({ request_put: { key: text(key), value: text(value), ...more } });
const del = (key: string, end = ""): Plain => ({ request_delete_range: { key: text(key), range_end: text(end) } });
const get = (key: string, more: Plain = {}): Plain => ({ request_range: { key: text(key), ...more } });
const nest = (...success: Plain[]): Plain => ({ request_txn: { success } });

type Case = readonly [name: string, call: (client: KvClient) => Promise<unknown>, code: number, message: string | RegExp];

const cases: readonly Case[] = [
	["range with an empty key", (c) => c.range(""), 3, "etcdserver: key is not provided"],
	["put with an empty key", (c) => c.put("", "v"), 3, "etcdserver: key is not provided"],
	["delete with an empty key", (c) => c.deleteRange(""), 3, "etcdserver: key is not provided"],
	["compare with an empty key", (c) => c.txn({ compare: [{ key: text("") }] }), 3, "etcdserver: key is not provided"],
	["an empty key deep inside", (c) => c.txn({ success: [nest(nest(put("")))] }), 3, "etcdserver: key is not provided"],
	["an unknown sort order", (c) => c.range("a", { sort_order: 7 }), 3, "etcdserver: invalid sort option"],
	["an unknown sort target", (c) => c.range("a", { sort_target: 9 }), 3, "etcdserver: invalid sort option"],
	["ignore_value with a value", (c) => c.put("a", "v", { fields: { ignore_value: true } }), 3, "etcdserver: value is provided"],
	["ignore_lease with a lease", (c) => c.put("a", "v", { fields: { ignore_lease: true, lease: 5 } }), 3, "etcdserver: lease is provided"],
	["ignore_value on an absent key", (c) => c.put("absent", "", { fields: { ignore_value: true } }), 3, "etcdserver: key not found"],
	["ignore_lease on an absent key", (c) => c.put("absent", "v", { fields: { ignore_lease: true } }), 3, "etcdserver: key not found"],
	["an unknown lease", (c) => c.put("a", "v", { fields: { lease: 123456 } }), 5, "etcdserver: requested lease not found"],
	["a negative unknown lease", (c) => c.put("a", "v", { fields: { lease: -9 } }), 5, "etcdserver: requested lease not found"],
	["a future revision", (c) => c.range("a", { revision: 1_000_000 }), 11, "etcdserver: mvcc: required revision is a future revision"],
	[
		"a revision beyond 2^53",
		(c) => c.range("a", { revision: "9223372036854775807" }),
		11,
		"etcdserver: mvcc: required revision is a future revision",
	],
	["a compacted revision", (c) => c.range("a", { revision: 2 }), 11, "etcdserver: mvcc: required revision has been compacted"],
	["compaction of the future", (c) => c.compact(1_000_000), 11, "etcdserver: mvcc: required revision is a future revision"],
	["compaction twice", (c) => c.compact(4), 11, "etcdserver: mvcc: required revision has been compacted"],
	["compaction below", (c) => c.compact(-3), 11, "etcdserver: mvcc: required revision has been compacted"],
	[
		"too many operations",
		(c) => c.txn({ success: Array.from({ length: 129 }, (_, i) => put(`k${i}`)) }),
		3,
		"etcdserver: too many operations in txn request",
	],
	[
		"too many compares",
		(c) => c.txn({ compare: Array.from({ length: 129 }, () => ({ key: text("a") })) }),
		3,
		"etcdserver: too many operations in txn request",
	],
	[
		"a nested budget overrun",
		(c) => c.txn({ success: [nest(...Array.from({ length: 128 }, (_, i) => del(`k${i}`)))] }),
		3,
		"etcdserver: too many operations in txn request",
	],
	["the same key put twice", (c) => c.txn({ success: [put("d"), put("d")] }), 3, "etcdserver: duplicate key given in txn request"],
	[
		"a put inside a deleted range",
		(c) => c.txn({ success: [put("d2"), del("d", "e")] }),
		3,
		"etcdserver: duplicate key given in txn request",
	],
	[
		"a put against a nested put",
		(c) => c.txn({ success: [put("d"), nest(put("d"))] }),
		3,
		"etcdserver: duplicate key given in txn request",
	],
	[
		"sibling delete then put",
		(c) => c.txn({ success: [nest(del("d")), nest(put("d"))] }),
		3,
		"etcdserver: duplicate key given in txn request",
	],
	["an operation without content", (c) => c.txn({ success: [{}] }), 3, "etcdserver: key not found"],
	[
		"a range of the future inside",
		(c) => c.txn({ success: [put("x"), get("x", { revision: 1_000_000 })] }),
		11,
		"etcdserver: mvcc: required revision is a future revision",
	],
	[
		"a lease that is not there, inside",
		(c) => c.txn({ success: [put("y"), put("z", "v", { lease: 77 })] }),
		5,
		"etcdserver: requested lease not found",
	],
	["an unknown method", (c) => c.raw("/etcdserverpb.KV/Nope", Buffer.alloc(0)), 12, "unknown method Nope for service etcdserverpb.KV"],
	["an unknown service", (c) => c.raw("/foo.Bar/Baz", Buffer.alloc(0)), 12, "unknown service foo.Bar"],
	["malformed protobuf", (c) => c.raw("/etcdserverpb.KV/Put", Buffer.from([0x0a, 0x7f, 0x01])), 13, /^grpc: error unmarshalling request: /],
	[
		"malformed protobuf where nothing is asked",
		(c) => c.raw("/etcdserverpb.Maintenance/Defragment", Buffer.from([0x07])),
		13,
		/^grpc: error unmarshalling request: /,
	],
	["malformed protobuf in a read", (c) => c.raw("/etcdserverpb.KV/Range", Buffer.from([0xff])), 13, /^grpc: error unmarshalling request: /],
	["a request above the limit", (c) => c.put("big", Buffer.alloc(1_572_840).toString("latin1")), 3, "etcdserver: request is too large"],
	[
		"a message above the receive limit",
		(c) => c.put("big", Buffer.alloc(2_097_153).toString("latin1")),
		8,
		/^grpc: received message larger than max \(\d+ vs\. 2097152\)$/,
	],
];

const front = drawnFront("bad-input");

describe(`bad input (${front.told})`, () => {
	let cluster: ProcessCluster;
	let clients: KvClient[];

	beforeAll(async () => {
		cluster = await ProcessCluster.start({ flags: front.flags });
		clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
		const [client] = clients as [KvClient];
		for (let i = 0; i < 4; i++) await client.put("a", String(i));
		await client.compact(4);
	});
	afterAll(async () => {
		for (const client of clients ?? []) client.close();
		await cluster?.dispose();
	});

	for (const [at, [name, call, code, message]] of cases.entries()) {
		test(name, async () => {
			const client = clients[at % 3] as KvClient;
			const before = (await client.range("a")).header.revision;
			const error = await call(client).then(
				() => null,
				(caught: unknown) => caught as RpcError,
			);
			expect(error).toBeInstanceOf(RpcError);
			if (typeof message === "string") expect({ code: error?.code, text: error?.text }).toEqual({ code, text: message });
			else {
				expect(error?.code).toBe(code);
				expect(error?.text).toMatch(message);
			}
			// It costs nothing: no revision moved, the same connection goes on.
			expect((await client.range("a")).header.revision).toBe(before);
		});
	}

	test("the largest value with a 1-byte key has 1,572,839 bytes", async () => {
		const client = clients[0] as KvClient;
		const value = Buffer.alloc(1_572_839, "x");
		const ok = await client.put("b", value, { timeoutMs: 20_000 });
		expect(Number(ok.header.revision)).toBeGreaterThan(1);
		expect((await client.range("b")).kvs[0]?.value.length).toBe(1_572_839);
	});

	test("unknown fields are ignored", async () => {
		const extra = Buffer.concat([encodeMessage("etcdserverpb.RangeRequest", { key: text("a") }), Buffer.from([0xa2, 0x06, 0x03, 1, 2, 3])]);
		await (clients[0] as KvClient).raw("/etcdserverpb.KV/Range", extra);
	});

	test("/health and /version answer on the client port, other paths are 404", async () => {
		const url = cluster.member(1).clientUrl;
		const health = await fetch(`${url}/health`);
		expect([health.status, await health.text()]).toEqual([200, '{"health":"true","reason":""}']);
		const version = (await (await fetch(`${url}/version`)).json()) as { etcdserver: string; etcdcluster: string };
		expect(version.etcdserver).toMatch(/^3\.6\.\d+$/);
		expect(version.etcdcluster).toBe("3.6.0");
		expect((await fetch(`${url}/version`, { method: "POST" })).status).toBe(405);
		const missing = await fetch(`${url}/v2/keys`);
		expect([missing.status, await missing.text()]).toEqual([404, "404 page not found\n"]);
	});

	test("a POST that is not gRPC is refused on HTTP/2 without harm", async () => {
		const session = connect(cluster.member(0).clientUrl);
		const status = await new Promise<number>((resolve, reject) => {
			session.on("error", reject);
			const stream = session.request({ ":method": "POST", ":path": "/etcdserverpb.KV/Range", "content-type": "text/plain" });
			stream.on("response", (headers) => resolve(Number(headers[":status"])));
			stream.on("error", reject);
			stream.end("hello");
		});
		session.destroy();
		expect(status).toBe(415);
		await (clients[0] as KvClient).range("a");
	});
});
