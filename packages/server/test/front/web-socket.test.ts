/** Calls of the JSON gateway over WebSockets, as clients see them; hostile ones are in hostile-sockets.test.ts. */
import { connect } from "node:net";
import { etcdserverpb as pb } from "@flotilla/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGateway } from "../../src/front/gateway.ts";
import { createHttpRouter } from "../../src/front/http-router.ts";
import { type ClientPort, openClientPort } from "../../src/front/port.ts";
import { Grpc, type StreamCall, type UnaryCall } from "../../src/front/seam.ts";
import { SocketClient } from "./socket-client.ts";
import { Arrivals, arrivingAt } from "./test-service.ts";

const MESSAGE_BYTES_MAX = 10_000;

let unary: Arrivals<UnaryCall>;
let streams: Arrivals<StreamCall>;
let port: ClientPort;
let number: number;
const clients: SocketClient[] = [];

beforeEach(async () => {
	unary = new Arrivals();
	streams = new Arrivals();
	const methods = arrivingAt(unary, streams);
	const http = createHttpRouter({
		routes: new Map([
			["/health", { methods: ["GET"], handle: (_request, respond) => respond({ status: 200, headers: [], body: "well" }) }],
		]),
		gateway: createGateway(methods, { messageBytesMax: MESSAGE_BYTES_MAX }),
		corsOrigins: ["https://a.example"],
	});
	port = await openClientPort({ addresses: [{ host: "127.0.0.1", port: 0 }], grpc: null, http });
	const [address] = port.addresses;
	number = address !== undefined && "port" in address ? address.port : 0;
});

afterEach(async () => {
	for (const client of clients.splice(0)) client.ws.terminate();
	await port.close(0);
});

function open(path: string, protocols: string[] = [], headers: Record<string, string> = {}): SocketClient {
	const client = new SocketClient(`ws://127.0.0.1:${number}${path}`, protocols, { headers });
	clients.push(client);
	return client;
}

function canceled(call: UnaryCall | StreamCall): Promise<void> {
	return new Promise((resolve) => call.onCancel(resolve));
}

const WATCH = { create_request: { key: "Zm9v" } };

describe("a call that streams both ways", () => {
	test("begins before the first message; each message is a request, each answer a message, while both go on", async () => {
		const client = open("/v3/watch");
		const call = await streams.next();
		expect(call.path).toBe("/etcdserverpb.Watch/Watch");
		const requests = new Arrivals<string | undefined>();
		call.onMessage((message) => requests.add(pb.WatchRequest.decode(message).requestUnion?.kind));
		await client.send(WATCH);
		expect(await requests.next()).toBe("createRequest");
		call.send(pb.WatchResponse.encode({ created: true }));
		expect(await client.next()).toBe('{"result":{"created":true}}');
		await client.send(Buffer.from('{"progress_request":{}}'));
		expect(await requests.next()).toBe("progressRequest");
		call.send(pb.WatchResponse.encode({ watchId: 3n }));
		expect(await client.next()).toBe('{"result":{"watch_id":"3"}}');
		call.end({ code: Grpc.unavailable, message: "etcdserver: no leader" });
		expect(await client.next()).toBe('{"error":{"code":14,"message":"etcdserver: no leader"}}');
		expect(await client.closed).toEqual({ code: 1000, reason: "" });
		call.send(new Uint8Array(0));
		expect(await client.next()).toBeNull();
	});

	test("one message may hold several objects, or none", async () => {
		const client = open("/v3beta/watch");
		const call = await streams.next();
		const requests = new Arrivals<Uint8Array>();
		call.onMessage((message) => requests.add(message));
		await client.send("");
		await client.send(" \n");
		await client.send(`${JSON.stringify(WATCH)}\n${JSON.stringify(WATCH)}`);
		expect(pb.WatchRequest.decode(await requests.next()).requestUnion?.kind).toBe("createRequest");
		await requests.next();
		expect(requests.count).toBe(2);
	});

	test("a handler that ends well closes the socket", async () => {
		const client = open("/v3/lease/keepalive");
		const call = await streams.next();
		call.send(pb.LeaseKeepAliveResponse.encode({ ID: 1n }));
		call.end({ code: Grpc.ok, message: "" });
		expect(await client.rest()).toEqual(['{"result":{"ID":"1"}}']);
		expect(await client.closed).toEqual({ code: 1000, reason: "" });
	});

	test.each([1_000, null])("a client that leaves (%s) calls it off", async (code) => {
		const client = open("/v3/watch");
		const call = await streams.next();
		const off = canceled(call);
		await client.opened;
		if (code === null) client.ws.terminate();
		else client.ws.close(code);
		await off;
		if (code !== null) expect((await client.closed).code).toBe(1_000);
		expect(call.send(new Uint8Array(0))).toBe(true);
		await expect.poll(() => port.connections).toBe(0);
	});

	test.each([
		["nonsense", '{"error":{"code":3,"message":"the body is not valid JSON"}}'],
		[`${JSON.stringify(WATCH)} nonsense`, '{"error":{"code":3,"message":"the body is not valid JSON"}}'],
		["{}".repeat(1_025), '{"error":{"code":3,"message":"more than 1024 messages at once"}}'],
		["{}".repeat(20_001), '{"error":{"code":3,"message":"more than 20000 JSON values at once"}}'],
		[
			JSON.stringify({ create_request: { key: Buffer.alloc(MESSAGE_BYTES_MAX).toString("base64") } }),
			`{"error":{"code":8,"message":"grpc: received message larger than max (${MESSAGE_BYTES_MAX + 6} vs. ${MESSAGE_BYTES_MAX})"}}`,
		],
	])("what is no request ends it, with a word, and calls it off", async (message, line) => {
		const client = open("/v3/watch");
		const call = await streams.next();
		const off = canceled(call);
		let heard = 0;
		call.onMessage(() => heard++);
		await client.send(message);
		expect(await client.rest()).toEqual([line]);
		expect((await client.closed).code).toBe(1_000);
		await off;
		expect(heard).toBe(0);
	});

	test("a handler may hold messages back: then no more is read", async () => {
		const client = open("/v3/lease/keepalive");
		const call = await streams.next();
		const ids = new Arrivals<bigint>();
		call.onMessage((message) => {
			ids.add(pb.LeaseKeepAliveRequest.decode(message).ID);
			call.holdBack();
		});
		await client.opened;
		// Far more than sockets keep for themselves.
		const padding = " ".repeat(1 << 20);
		for (let at = 1; at <= 64; at++) client.ws.send(`{"ID":"${at}"}${padding}`);
		expect(await ids.next()).toBe(1n);
		await new Promise((resolve) => setTimeout(resolve, 500));
		expect(client.ws.bufferedAmount).toBeGreaterThan(32 << 20);
		expect(ids.count).toBe(1);
		for (let at = 2; at <= 64; at++) {
			call.readOn();
			expect(await ids.next()).toBe(BigInt(at));
		}
	});

	test("a reader that stops holds the sender back; what it reads then is whole", async () => {
		const client = open("/v3/watch");
		const call = await streams.next();
		await client.opened;
		client.ws.pause();
		const drained = new Promise<void>((resolve) => call.onDrain(resolve));
		const large = pb.WatchResponse.encode({ cancelReason: "x".repeat(100_000) });
		let sent = 1;
		while (call.send(large)) expect(++sent).toBeLessThan(1_000);
		client.ws.resume();
		await drained;
		call.end({ code: Grpc.ok, message: "" });
		const lines = await client.rest();
		expect(lines).toHaveLength(sent);
		for (const line of lines) expect(JSON.parse(line)).toEqual({ result: { cancel_reason: "x".repeat(100_000) } });
	});
});

describe("a call that takes one request", () => {
	test("answers it and closes the socket", async () => {
		const client = open("/v3/kv/range");
		await client.send({ key: "Zm9v" });
		const call = await unary.next();
		expect(Buffer.compare(call.request, pb.RangeRequest.encode({ key: Buffer.from("foo") }))).toBe(0);
		await client.send({ key: "YmFy" });
		call.respond(pb.RangeResponse.encode({ count: 7 }));
		expect(await client.rest()).toEqual(['{"count":"7"}']);
		expect((await client.closed).code).toBe(1_000);
		expect(unary.count).toBe(1);
	});

	test("or refuses it", async () => {
		const client = open("/v3/kv/range");
		await client.send({ key: "Zm9v" });
		(await unary.next()).fail({ code: Grpc.outOfRange, message: "etcdserver: mvcc: required revision has been compacted" });
		const text = "etcdserver: mvcc: required revision has been compacted";
		expect(await client.rest()).toEqual([`{"error":"${text}","code":11,"message":"${text}"}`]);
		const other = open("/v3/kv/range");
		await other.send("nonsense");
		expect(JSON.parse((await other.next()) ?? "")).toMatchObject({ code: 3 });
		expect((await other.closed).code).toBe(1_000);
	});

	test("a client that leaves calls it off, and one that sends nothing begins nothing", async () => {
		const client = open("/v3/lock/lock");
		await client.send({ name: "eA==" });
		const off = canceled(await unary.next());
		client.ws.close();
		await off;
		const silent = open("/v3/lock/lock");
		await silent.opened;
		silent.ws.close();
		await silent.closed;
		expect(unary.count).toBe(1);
	});

	test("a stream of answers", async () => {
		const client = open("/v3/maintenance/snapshot");
		await client.send({});
		const call = await streams.next();
		const half = new Promise<void>((resolve) => call.onHalfClose(resolve));
		call.onMessage(() => {});
		await half;
		for (const blob of ["a", "b"]) call.send(pb.SnapshotResponse.encode({ blob: Buffer.from(blob) }));
		call.end({ code: Grpc.ok, message: "" });
		expect(await client.rest()).toEqual(['{"result":{"blob":"YQ=="}}', '{"result":{"blob":"Yg=="}}']);
	});

	test("an answer of many megabytes is one message", async () => {
		const client = open("/v3/kv/range");
		await client.send({ key: "Zm9v" });
		const value = Buffer.alloc(30 << 20, 7);
		(await unary.next()).respond(pb.RangeResponse.encode({ kvs: [{ key: Buffer.from("k"), value } as never] }));
		const answer = JSON.parse((await client.next()) ?? "") as { kvs: [{ value: string }] };
		expect(Buffer.compare(Buffer.from(answer.kvs[0].value, "base64"), value)).toBe(0);
		expect((await client.closed).code).toBe(1_000);
	});
});

describe("headers", () => {
	test.each<[string, string[], Record<string, string>, string | undefined]>([
		["none", [], {}, undefined],
		["Authorization", [], { authorization: "plain" }, "plain"],
		["a protocol", ["Bearer", "by-protocol"], {}, "Bearer by-protocol"],
		["a cookie", [], { cookie: "a=b; token=by-cookie; c=d" }, "Bearer by-cookie"],
		["a cookie of another name", [], { cookie: "mytoken=x" }, undefined],
		["a cookie before a protocol before a header", ["Bearer", "p"], { cookie: "token=c", authorization: "h" }, "Bearer c"],
		["a protocol before a header", ["Bearer", "p"], { authorization: "h" }, "Bearer p"],
	])("the token by %s", async (_name, protocols, headers, token) => {
		const client = open("/v3/watch", protocols, headers);
		expect((await streams.next()).metadata("authorization")).toBe(token);
		await client.opened;
		expect(client.ws.protocol).toBe(protocols.length > 0 ? "Bearer" : "");
	});

	test("a browser's own WebSocket, with a token", async () => {
		const ws = new WebSocket(`ws://127.0.0.1:${number}/v3/watch`, ["Bearer", "a.b-c_d"]);
		const call = await streams.next();
		expect(call.metadata("authorization")).toBe("Bearer a.b-c_d");
		const heard = new Promise((resolve) => {
			ws.onmessage = ({ data }) => resolve(data);
		});
		const closed = new Promise<number>((resolve) => {
			ws.onclose = ({ code, wasClean }) => resolve(wasClean ? code : 0);
		});
		call.send(pb.WatchResponse.encode({ created: true }));
		expect(await heard).toBe('{"result":{"created":true}}');
		call.end({ code: Grpc.ok, message: "" });
		expect(await closed).toBe(1_000);
	});

	test("metadata and the deadline", async () => {
		const client = open("/v3/watch", [], { "grpc-metadata-hasleader": "true", "grpc-timeout": "50m" });
		const call = await streams.next();
		const off = canceled(call);
		expect(call.metadata("hasleader")).toBe("true");
		expect(call.remainingMs).toBeLessThanOrEqual(50);
		expect(await client.rest()).toEqual(['{"error":{"code":4,"message":"context deadline exceeded"}}']);
		await off;
		const wrong = open("/v3/watch", [], { "grpc-timeout": "soon" });
		expect(await wrong.status).toBe(400);
		expect(JSON.parse(wrong.refusal)).toMatchObject({ code: 3 });
	});
});

describe("before it opens", () => {
	test("unknown paths are refused, others answer as always", async () => {
		const unknown = open("/v3/nothing");
		expect(await unknown.status).toBe(404);
		expect(JSON.parse(unknown.refusal)).toMatchObject({ code: 5, message: "Not Found" });
		const health = open("/health");
		expect(await health.status).toBe(200);
		expect(health.refusal).toBe("well");
		await expect.poll(() => port.connections).toBe(0);
	});

	test("a page of another origin is kept out", async () => {
		const wrong = open("/v3/watch", [], { origin: "https://b.example" });
		expect(await wrong.status).toBe(403);
		expect(streams.count).toBe(0);
		const right = open("/v3/watch", [], { origin: "https://a.example" });
		expect(await right.status).toBe(101);
	});

	test("another protocol that a client would like to go on in is passed over", async () => {
		const answer = await new Promise<string>((resolve) => {
			const socket = connect(number, "127.0.0.1");
			let text = "";
			socket.on("data", (chunk) => {
				text += chunk.toString();
			});
			socket.on("close", () => resolve(text));
			const lines = ["GET /health HTTP/1.1", "Host: a", "Connection: Upgrade, close", "Upgrade: h2c", "", ""];
			socket.write(lines.join("\r\n"));
		});
		expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
		expect(answer).toMatch(/well$/);
	});
});

describe("when the port closes", () => {
	test("calls may end, whoever waits for nothing is told to go, and none holds it up", async () => {
		const busy = open("/v3/kv/range");
		await busy.send({ key: "Zm9v" });
		const call = await unary.next();
		const idle = open("/v3/kv/range");
		await idle.opened;
		const closing = port.close(60_000);
		expect(await idle.closed).toEqual({ code: 1_001, reason: "the member stops" });
		call.respond(new Uint8Array(0));
		expect(await busy.rest()).toEqual(["{}"]);
		await closing;
	});

	test("after the grace all are cut", async () => {
		const client = open("/v3/watch");
		const call = await streams.next();
		const off = canceled(call);
		const heard = new Promise((resolve) => call.onMessage(resolve));
		await client.send(WATCH);
		await heard;
		await port.close(10);
		expect((await client.closed).code).toBe(1_006);
		await off;
	});
});
