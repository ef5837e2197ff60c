/** What one client asks to be told beside its change must not hold up the changes of others. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { KvClient, RpcError } from "../src/client/kv-client.ts";
import { decodeMessage, encodeMessage } from "../src/client/protocol.ts";
import { ProcessCluster, STAYS } from "../src/process/cluster.ts";
import { pause } from "../src/process/wait.ts";

const KEYS = 500;
const VALUE = Buffer.alloc(20_000, "v");
const FILLERS = 8;
/** All keys, 10 MB, so many times over. */
const TOLD = 16;
const TOO_MANY = 60;

let cluster: ProcessCluster;
let clients: readonly KvClient[];

beforeAll(async () => {
	cluster = await ProcessCluster.start({ flags: STAYS });
	clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	let next = 0;
	const fill = async (): Promise<void> => {
		for (let key = next++; key < KEYS; key = next++) await (clients[0] as KvClient).put(`k/${String(key).padStart(4, "0")}`, VALUE);
	};
	await Promise.all(Array.from({ length: FILLERS }, fill));
});
afterAll(async () => {
	for (const client of clients) client.close();
	await cluster.dispose();
});

function changeAndTell(own: string, times: number): Buffer {
	const all = { request_range: { key: Buffer.from("k/"), range_end: Buffer.from("k0") } };
	const put = { request_put: { key: Buffer.from(own), value: Buffer.from("x") } };
	return encodeMessage("etcdserverpb.TxnRequest", { success: [put, ...Array.from({ length: times }, () => all)] });
}

/** Somebody else's writes, one after the other, until `work` is done; how many there were. */
async function besides(work: Promise<unknown>): Promise<number> {
	let over = false;
	const ended = work.finally(() => {
		over = true;
	});
	let writes = 0;
	for (; !over; writes++) {
		await (clients[0] as KvClient).put("other", String(writes));
		await pause(5);
	}
	await ended;
	return writes;
}

async function terms(): Promise<readonly string[]> {
	return Promise.all(clients.map(async (client) => (await client.status()).header.raft_term));
}

test("a transaction that wants a hundred and sixty megabytes at each member: all are told, and nobody else's write fails", async () => {
	const before = await terms();
	const answers = Promise.all(clients.map((client, at) => client.raw("/etcdserverpb.KV/Txn", changeAndTell(`own${at}`, TOLD))));
	expect(await besides(answers)).toBeGreaterThan(10);
	for (const bytes of await answers) {
		expect(bytes.length).toBeGreaterThan(TOLD * KEYS * VALUE.length);
		const { succeeded, responses } = decodeMessage<{
			succeeded: boolean;
			responses: ReadonlyArray<{ response_range?: { count: string; kvs: readonly unknown[] } }>;
		}>("etcdserverpb.TxnResponse", bytes);
		expect([succeeded, responses.length]).toEqual([true, TOLD + 1]);
		for (const { response_range } of responses.slice(1)) expect([response_range?.count, response_range?.kvs.length]).toEqual(["500", 500]);
	}
	expect(await terms()).toEqual(before);
});

test("one that wants more than an answer may hold is told so; its change is made", async () => {
	const [client] = clients as [KvClient];
	const asked = client.raw("/etcdserverpb.KV/Txn", changeAndTell("made", TOO_MANY)).then(
		() => null,
		(error: unknown) => error as RpcError,
	);
	await besides(asked);
	const refusal = await asked;
	expect(refusal).toBeInstanceOf(RpcError);
	expect(refusal?.message).toMatch(/^8: grpc: trying to send message larger than max \(\d+ vs\. 536870912\)$/);
	expect((await client.range("made")).kvs.length).toBe(1);
});
