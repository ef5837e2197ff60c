import { METHODS, mvccpb, etcdserverpb as pb } from "@flotilla/api";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGateway } from "../../src/front/gateway.ts";
import { createHttpRouter } from "../../src/front/http-router.ts";
import { type ClientPort, openClientPort } from "../../src/front/port.ts";
import { Grpc, type GrpcCode, type StreamCall, type UnaryCall } from "../../src/front/seam.ts";
import { Arrivals, arrivingAt } from "./test-service.ts";

const MESSAGE_BYTES_MAX = 10_000;

let unary: Arrivals<UnaryCall>;
let streams: Arrivals<StreamCall>;
let port: ClientPort;
let url: string;

beforeEach(async () => {
	unary = new Arrivals();
	streams = new Arrivals();
	const methods = arrivingAt(unary, streams);
	const http = createHttpRouter({ routes: new Map(), gateway: createGateway(methods, { messageBytesMax: MESSAGE_BYTES_MAX }) });
	port = await openClientPort({ addresses: [{ host: "127.0.0.1", port: 0 }], grpc: null, http });
	const [address] = port.addresses;
	url = `http://127.0.0.1:${address !== undefined && "port" in address ? address.port : 0}`;
});

afterEach(() => port.close(0));

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
	return fetch(url + path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers });
}

/** What a refusal of the gateway holds, with its HTTP status. */
async function refusalOf(answer: Promise<Response>): Promise<{ status: number; body: unknown }> {
	const response = await answer;
	return { status: response.status, body: await response.json() };
}

test.each([
	["empty messages", "/v3/watch", "{}".repeat(700_000)],
	["messages that begin a watch", "/v3/watch", '{"create_request":{"key":"YQ=="}}'.repeat(50_000)],
	["leases to renew", "/v3/lease/keepalive", '{"ID":1}'.repeat(200_000)],
	["operations", "/v3/kv/txn", `{"success":[${"{},".repeat(600_000)}{}]}`],
	["unknown fields", "/v3/kv/range", `{${Array.from({ length: 150_000 }, (_, at) => `"x${at}":1`).join(",")}}`],
	["lists in lists", "/v3/kv/range", `{"key":${"[".repeat(1_000_000)}`],
])("a body of hundreds of thousands of %s is refused before anything is built of it", async (_what, path, body) => {
	expect(await refusalOf(post(path, body))).toMatchObject({
		status: 400,
		body: { code: 3, message: "more than 20000 JSON values at once" },
	});
	// The largest that is taken apart.
	const messages = await refusalOf(post("/v3/watch", "{}".repeat(1_025)));
	expect(messages).toMatchObject({ status: 400, body: { code: 3, message: "more than 1024 messages at once" } });
});

describe("unary calls", () => {
	test("a put", async () => {
		const answer = post("/v3/kv/put", { key: "Zm9v", value: "YmFy", lease: "7587862094219239425", prev_kv: true });
		const call = await unary.next();
		expect(call.path).toBe("/etcdserverpb.KV/Put");
		const want = pb.PutRequest.encode({
			key: Buffer.from("foo"),
			value: Buffer.from("bar"),
			lease: 7_587_862_094_219_239_425n,
			prevKv: true,
		});
		expect(Buffer.compare(call.request, want)).toBe(0);
		call.respond(pb.PutResponse.encode({ header: { clusterId: 2n ** 64n - 1n, memberId: 5n, revision: 7, raftTerm: 2 } }));
		const response = await answer;
		expect(response.status).toBe(200);
		expect(response.headers.get("content-type")).toBe("application/json");
		expect(response.headers.get("grpc-metadata-content-type")).toBe("application/grpc");
		expect(response.headers.get("access-control-allow-origin")).toBe("*");
		expect(await response.text()).toBe('{"header":{"cluster_id":"18446744073709551615","member_id":"5","revision":"7","raft_term":"2"}}');
	});

	test("a range", async () => {
		const answer = post("/v3/kv/range", { key: "Zm9v" });
		(await unary.next()).respond(
			pb.RangeResponse.encode({
				kvs: [
					mvccpb.KeyValue.create({ key: Buffer.from("foo"), createRevision: 7, modRevision: 7, version: 1, value: Buffer.from("bar") }),
				],
				count: 1,
			}),
		);
		expect(await (await answer).text()).toBe(
			'{"kvs":[{"key":"Zm9v","create_revision":"7","mod_revision":"7","version":"1","value":"YmFy"}],"count":"1"}',
		);
	});

	test("an empty body is an empty request, an empty answer is {}", async () => {
		const answer = post("/v3/cluster/member/list", "");
		const call = await unary.next();
		expect(call.path).toBe("/etcdserverpb.Cluster/MemberList");
		expect(call.request).toHaveLength(0);
		call.respond(new Uint8Array(0));
		expect(await (await answer).text()).toBe("{}");
	});

	test("every path of the table reaches its method, also under its old prefix", async () => {
		for (const { path, shape, gatewayPaths } of METHODS.values()) {
			for (const gatewayPath of gatewayPaths) {
				if (shape !== "unary") continue;
				for (const asked of [gatewayPath, gatewayPath.replace("/v3/", "/v3beta/")]) {
					const answer = post(asked, {});
					const call = await unary.next();
					expect(call.path).toBe(path);
					call.respond(new Uint8Array(0));
					expect((await answer).status, asked).toBe(200);
				}
			}
		}
	});

	test("headers become metadata", async () => {
		const answer = post("/v3/kv/range", {}, { authorization: "Bearer abc", "grpc-metadata-hasleader": "true", accept: "text/x" });
		const call = await unary.next();
		expect(call.metadata("authorization")).toBe("Bearer abc");
		expect(call.metadata("hasleader")).toBe("true");
		expect(call.metadata("grpcgateway-accept")).toBe("text/x");
		expect(call.metadata("accept")).toBeUndefined();
		expect(call.metadata("token")).toBeUndefined();
		expect(call.remainingMs).toBe(Number.POSITIVE_INFINITY);
		expect(call.peer).toMatch(/^127\.0\.0\.1:\d+$/);
		call.respond(new Uint8Array(0));
		await answer;
	});

	test.each<[GrpcCode, number]>([
		[Grpc.canceled, 499],
		[Grpc.unknown, 500],
		[Grpc.invalidArgument, 400],
		[Grpc.deadlineExceeded, 504],
		[Grpc.notFound, 404],
		[Grpc.alreadyExists, 409],
		[Grpc.permissionDenied, 403],
		[Grpc.resourceExhausted, 429],
		[Grpc.failedPrecondition, 400],
		[Grpc.aborted, 409],
		[Grpc.outOfRange, 400],
		[Grpc.unimplemented, 501],
		[Grpc.internal, 500],
		[Grpc.unavailable, 503],
		[Grpc.dataLoss, 500],
		[Grpc.unauthenticated, 401],
	])("code %i is HTTP status %i", async (code, status) => {
		const answer = post("/v3/kv/range", {});
		(await unary.next()).fail({ code, message: "etcdserver: some text" });
		const response = await answer;
		expect(response.headers.get("www-authenticate")).toBe(status === 401 ? "etcdserver: some text" : null);
		expect({ status: response.status, text: await response.text() }).toEqual({
			status,
			text: `{"error":"etcdserver: some text","code":${code},"message":"etcdserver: some text"}`,
		});
	});

	test("the first answer counts", async () => {
		const answer = post("/v3/kv/range", {});
		const call = await unary.next();
		call.fail({ code: Grpc.unavailable, message: "first" });
		call.respond(new Uint8Array(0));
		expect((await answer).status).toBe(503);
	});

	test("a deadline ends the call, one far away does not", async () => {
		const answer = refusalOf(post("/v3/kv/range", {}, { "grpc-timeout": "30m" }));
		const call = await unary.next();
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		expect(call.remainingMs).toBeLessThanOrEqual(30);
		expect(await answer).toMatchObject({ status: 504, body: { code: Grpc.deadlineExceeded, message: "context deadline exceeded" } });
		await canceled;
		call.respond(new Uint8Array(0));
		const later = post("/v3/kv/range", {}, { "grpc-timeout": "99999999H" });
		(await unary.next()).respond(new Uint8Array(0));
		expect((await later).status).toBe(200);
		expect((await post("/v3/kv/range", {}, { "grpc-timeout": "soon" })).status).toBe(400);
		expect((await post("/v3/kv/range", {}, { "grpc-timeout": "-1S" })).status).toBe(504);
		for (const none of ["", "0S"]) {
			const unbounded = post("/v3/kv/range", {}, { "grpc-timeout": none });
			const handled = await unary.next();
			expect(handled.remainingMs).toBe(Number.POSITIVE_INFINITY);
			handled.respond(new Uint8Array(0));
			expect((await unbounded).status).toBe(200);
		}
	});

	test("a client that leaves cancels its call", async () => {
		const abort = new AbortController();
		const answer = fetch(`${url}/v3/kv/range`, { method: "POST", body: "{}", signal: abort.signal });
		const call = await unary.next();
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		abort.abort();
		await expect(answer).rejects.toThrow("aborted");
		await canceled;
		call.respond(new Uint8Array(0));
	});
});

describe("requests that reach no handler", () => {
	afterEach(() => expect(unary.count + streams.count).toBe(0));

	test.each(["/v3/kv/nothing", "/v3/kv/range/", "/v3/kv", "/v3/"])("POST %s is unknown", async (path) => {
		expect(await refusalOf(post(path, {}))).toEqual({
			status: 404,
			body: { error: "Not Found", code: Grpc.notFound, message: "Not Found" },
		});
	});

	test.each(["GET", "PUT", "DELETE"])("%s is not how a method is called", async (method) => {
		const answer = fetch(`${url}/v3/kv/range`, { method });
		expect(await refusalOf(answer)).toMatchObject({ status: 501, body: { code: Grpc.unimplemented, message: "Method Not Allowed" } });
	});

	test.each([
		["{", "the body is not valid JSON"],
		['{"key":"foo!"}', "key must be base64"],
		['{"limit":true}', "limit must be an integer"],
		["{}{}", "the body is not valid JSON"],
	])("the body %s is refused", async (body, message) => {
		expect(await refusalOf(post("/v3/kv/range", body))).toEqual({
			status: 400,
			body: { error: message, code: Grpc.invalidArgument, message },
		});
	});

	test("a message that is too large is refused with both sizes", async () => {
		const value = Buffer.alloc(MESSAGE_BYTES_MAX).toString("base64");
		const message = `grpc: received message larger than max (${MESSAGE_BYTES_MAX + 3} vs. ${MESSAGE_BYTES_MAX})`;
		expect(await refusalOf(post("/v3/kv/put", { value }))).toMatchObject({ status: 429, body: { code: Grpc.resourceExhausted, message } });
	});
});

describe("streams", () => {
	test("each message is a line; the body's end does not end the stream", async () => {
		const response = post("/v3/watch", '{"create_request":{"key":"Zm9v"}} \n{"progress_request":{}}');
		const call = await streams.next();
		expect(call.path).toBe("/etcdserverpb.Watch/Watch");
		const messages: Array<string | undefined> = [];
		call.onMessage((message) => messages.push(pb.WatchRequest.decode(message).requestUnion?.kind));
		await new Promise<void>((resolve) => call.onHalfClose(resolve));
		expect(messages).toEqual(["createRequest", "progressRequest"]);
		call.send(pb.WatchResponse.encode({ created: true }));
		const answer = await response;
		expect(answer.status).toBe(200);
		expect(answer.headers.get("access-control-allow-origin")).toBe("*");
		const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
		const next = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString();
		expect(await next()).toBe('{"result":{"created":true}}\n');
		call.send(pb.WatchResponse.encode({ watchId: 3n }));
		expect(await next()).toBe('{"result":{"watch_id":"3"}}\n');
		call.end({ code: Grpc.unavailable, message: "etcdserver: no leader" });
		expect(await next()).toBe('{"error":{"code":14,"message":"etcdserver: no leader"}}\n');
		expect((await reader.read()).done).toBe(true);
	});

	test("a refusal before the first message has its HTTP status", async () => {
		const answer = refusalOf(post("/v3/lease/keepalive", { ID: "1" }));
		(await streams.next()).end({ code: Grpc.unavailable, message: "etcdserver: no leader" });
		expect(await answer).toEqual({ status: 503, body: { error: { code: 14, message: "etcdserver: no leader" } } });
	});

	test("a stream of answers to one request ends by itself", async () => {
		const response = post("/v3/maintenance/snapshot", "");
		const call = await streams.next();
		call.onMessage(() => {
			call.send(pb.SnapshotResponse.encode({ blob: Buffer.from("a") }));
			call.send(pb.SnapshotResponse.encode({ blob: Buffer.from("b") }));
			call.end({ code: Grpc.ok, message: "" });
			call.send(pb.SnapshotResponse.encode({ blob: Buffer.from("c") }));
		});
		expect(await (await response).text()).toBe('{"result":{"blob":"YQ=="}}\n{"result":{"blob":"Yg=="}}\n');
	});

	test("a reader that stops holds the sender back", async () => {
		const response = post("/v3/maintenance/snapshot", "");
		const call = await streams.next();
		const drained = new Promise<void>((resolve) => call.onDrain(resolve));
		const blob = pb.SnapshotResponse.encode({ blob: Buffer.alloc(64 << 10) });
		let sent = 0;
		while (call.send(blob)) expect(++sent).toBeLessThan(1_000);
		sent++;
		const text = (await response).text();
		await drained;
		call.end({ code: Grpc.ok, message: "" });
		expect((await text).split("\n")).toHaveLength(sent + 1);
	});

	test("a handler may hold messages of the body back", async () => {
		const response = post("/v3/lease/keepalive", '{"ID":"1"}{"ID":"2"}{"ID":"3"}');
		const call = await streams.next();
		const taken: bigint[] = [];
		let told = (): void => {};
		const first = new Promise<void>((resolve) => {
			told = resolve;
		});
		call.onMessage((message) => {
			taken.push(pb.LeaseKeepAliveRequest.decode(message).ID);
			if (taken.length > 1) return;
			call.holdBack();
			told();
		});
		const ended = new Promise<void>((resolve) => call.onHalfClose(resolve));
		await first;
		await new Promise((resolve) => setImmediate(resolve));
		expect(taken).toEqual([1n]);
		call.readOn();
		await ended;
		expect(taken).toEqual([1n, 2n, 3n]);
		call.end({ code: Grpc.ok, message: "" });
		expect((await response).status).toBe(200);
	});

	test("a client that leaves cancels the stream", async () => {
		const abort = new AbortController();
		const answer = fetch(`${url}/v3/watch`, { method: "POST", body: "{}", signal: abort.signal });
		const call = await streams.next();
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		call.send(new Uint8Array(0));
		await answer;
		abort.abort();
		await canceled;
		expect(call.send(new Uint8Array(0))).toBe(true);
	});

	test("a message that is no JSON is refused before the stream begins", async () => {
		expect((await post("/v3/watch", '{"create_request":{}} nonsense')).status).toBe(400);
		expect(streams.count).toBe(0);
	});
});
