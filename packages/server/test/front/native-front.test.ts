import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_GRPC_OPTIONS, type GrpcFrontOptions } from "../../src/front/front-options.ts";
import { percentEncode } from "../../src/front/native/answer-headers.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { PingPolicy } from "../../src/front/native/ping-policy.ts";
import { Grpc, type HttpHandler, type HttpRequest, type HttpStream } from "../../src/front/seam.ts";
import { OPENING } from "../http2/two-ends.ts";
import { testFront } from "./front.suite.ts";
import { frame, RawClient } from "./raw-client.ts";
import { BIDI, createTestService, ECHO, HELD, type TestService } from "./test-service.ts";

describe("the seam served natively", () => testFront(createNativeFront));

describe("what the library does not do", () => {
	let service: TestService;
	const cleanUp: Array<() => unknown> = [];

	afterEach(async () => {
		for (const work of cleanUp.splice(0).reverse()) await work();
	});

	async function open(options: Partial<GrpcFrontOptions> = {}, http: HttpHandler | null = null): Promise<RawClient> {
		service = createTestService();
		const front = createNativeFront(service.methods, { ...DEFAULT_GRPC_OPTIONS, ...options }, http);
		const sockets = new Set<Socket>();
		const listener: Server = createServer((socket) => {
			sockets.add(socket);
			front.accept(socket);
		});
		await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
		const client = new RawClient((listener.address() as AddressInfo).port);
		cleanUp.push(async () => {
			client.close();
			await front.close(0);
			for (const socket of sockets) socket.destroy();
			await new Promise((resolve) => listener.close(resolve));
		});
		return client;
	}

	const ping = (client: RawClient): Promise<void> => new Promise((resolve) => client.session.ping(() => resolve()));

	test("a client that pings too often is told so, and cut off", async () => {
		const client = await open();
		void client.call(HELD, new Uint8Array(0));
		await service.unary.next();
		const debug = new Promise<string>((resolve) => client.session.once("goaway", (_code, _last, data?: Buffer) => resolve(String(data))));
		for (let pings = 0; pings < 4; pings++) void ping(client);
		expect(await debug).toBe("too_many_pings");
		expect(client.goaways[0]?.code).toBe(11);
		await expect.poll(() => client.session.destroyed).toBe(true);
	});

	test("pings between answers, which measure the line, are welcome", async () => {
		const client = await open();
		for (let calls = 0; calls < 20; calls++) {
			expect(await client.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
			await ping(client);
		}
		expect(client.goaways).toEqual([]);
	});

	test("a client that is silent is pinged, and stays while it answers", async () => {
		const client = await open({ keepaliveIntervalMs: 40, keepaliveTimeoutMs: 5_000 });
		let pinged = 0;
		client.session.on("ping", () => pinged++);
		await expect.poll(() => pinged).toBeGreaterThan(2);
		expect(await client.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
	});

	test("one that does not answer is cut off", async () => {
		// The other client must answer in time, also where this process, in which both ends run, is held up.
		const client = await open({ keepaliveIntervalMs: 40, keepaliveTimeoutMs: 1_500 });
		expect(await client.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
		const mute = connect(Number(client.session.socket.remotePort), "127.0.0.1");
		mute.on("error", () => {});
		mute.resume();
		const closed = new Promise<void>((resolve) => mute.once("close", () => resolve()));
		mute.write(OPENING);
		await closed;
		expect(await client.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
	});

	test("an encoding that nobody knows is not implemented, and those that are known are named", async () => {
		const client = await open();
		const answer = await client.call(ECHO, Buffer.from("x"), { "grpc-encoding": "brotli" });
		expect(answer).toMatchObject({ code: Grpc.unimplemented, headers: { "grpc-accept-encoding": "identity,gzip" } });
		expect(service.echoed.count).toBe(0);
	});

	test("a deadline of nothing has passed: no handler runs", async () => {
		const client = await open();
		expect(await client.call(ECHO, Buffer.from("x"), { "grpc-timeout": "0m" })).toMatchObject({ code: Grpc.deadlineExceeded });
		expect(service.echoed.count).toBe(0);
	});

	test.each([
		["another verb", { ":method": "GET" }, 405],
		["no content type", { "content-type": "" }, 415],
		["almost a content type", { "content-type": "application/grpcx" }, 415],
		["a content type with a codec", { "content-type": "application/grpc+proto" }, 200],
	])("%s is answered %j", async (_what, headers, status) => {
		const client = await open();
		expect((await client.call(ECHO, Buffer.from("x"), headers)).headers[":status"]).toBe(status);
	});

	test("binary metadata that is no base64 is refused", async () => {
		const client = await open();
		expect(await client.call(ECHO, Buffer.from("x"), { "x-bin": "a%" })).toMatchObject({ code: Grpc.internal });
		expect(service.echoed.count).toBe(0);
	});

	test("a large answer waits until those before it have been read", async () => {
		const client = await open();
		const calls = [client.open(HELD), client.open(HELD)];
		for (const { stream } of calls) stream.pause().end(frame(new Uint8Array(0)));
		const [first, second] = [await service.unary.next(), await service.unary.next()];
		first.whenRead?.(() => first.respond(new Uint8Array(8 << 20)));
		let made = false;
		second.whenRead?.(() => {
			made = true;
			second.respond(Buffer.from("small"));
		});
		await new Promise((resolve) => setTimeout(resolve, 50));
		expect(made).toBe(false);
		for (const { stream } of calls) stream.resume();
		expect((await calls[1]?.answer)?.messages.map(String)).toEqual(["small"]);
		expect((await calls[0]?.answer)?.messages[0]?.length).toBe(8 << 20);
	});

	test("an answer that waits to be made is forgotten when its call is called off", async () => {
		const client = await open();
		const blocking = client.open(HELD);
		blocking.stream.pause().end(frame(new Uint8Array(0)));
		(await service.unary.next()).respond(new Uint8Array(8 << 20));
		const waiting = client.open(HELD);
		waiting.stream.end(frame(new Uint8Array(1_000)));
		const call = await service.unary.next();
		call.whenRead?.(() => expect.unreachable("it was called off"));
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		waiting.cancel();
		await canceled;
		blocking.stream.resume();
		expect((await blocking.answer).messages[0]?.length).toBe(8 << 20);
	});

	test("HTTP that is no gRPC goes to its handler, with body, query and headers", async () => {
		const seen: HttpRequest[] = [];
		const client = await open(
			{},
			{
				handle(request, respond) {
					seen.push(request);
					respond({
						status: 201,
						headers: [
							["X-Answer", "yes"],
							["Connection", "close"],
						],
						body: `got ${Buffer.from(request.body).toString()}`,
					});
				},
			},
		);
		const asked = client.session.request({ ":method": "POST", ":path": "/v3/a%20b?x=1", "content-type": "application/json", cookie: "a" });
		asked.end("body");
		const headers = new Promise<Record<string, unknown>>((resolve) => asked.once("response", resolve as never));
		let text = "";
		for await (const chunk of asked.setEncoding("utf8")) text += chunk;
		expect(text).toBe("got body");
		expect(await headers).toMatchObject({ ":status": 201, "x-answer": "yes", "content-length": "8" });
		expect(seen[0]).toMatchObject({ method: "POST", path: "/v3/a b" });
		expect(seen[0]?.query.get("x")).toBe("1");
		expect(seen[0]?.headers.get("cookie")).toBe("a");
		expect((await client.call(ECHO, Buffer.from("x"), { "content-type": "application/json" })).headers[":status"]).toBe(415);
		expect(await client.call(ECHO, Buffer.from("grpc"))).toMatchObject({ code: 0 });
	});

	test("an answer that comes piece by piece, and a client that leaves", async () => {
		let stream: HttpStream | undefined;
		let left = 0;
		const client = await open(
			{},
			{
				handle(request) {
					request.onCancel?.(() => left++);
					stream = request.stream?.({ status: 200, headers: [] });
					stream?.write("one ");
				},
			},
		);
		const asked = client.session.request({ ":path": "/watch" });
		asked.setEncoding("utf8");
		const [first] = await new Promise<string[]>((resolve) => asked.once("data", (chunk: string) => resolve([chunk])));
		expect(first).toBe("one ");
		stream?.write("two");
		stream?.end();
		let rest = "";
		for await (const chunk of asked) rest += chunk;
		expect(rest).toBe("two");
		expect(left).toBe(0);
		const leaver = client.session.request({ ":path": "/watch" });
		await new Promise((resolve) => leaver.once("data", resolve));
		leaver.close(8);
		await expect.poll(() => left).toBe(1);
		expect(stream?.write("to nobody")).toBe(true);
	});

	test("a body that is too large is answered 413", async () => {
		const client = await open({}, { handle: () => expect.unreachable("the body is too large") });
		const asked = client.session.request({ ":method": "POST", ":path": "/" });
		asked.on("error", () => {});
		const status = new Promise((resolve) => asked.once("response", (headers) => resolve(headers[":status"])));
		asked.end(Buffer.alloc(5 << 20));
		expect(await status).toBe(413);
	});

	test("a stream's client that sends before anybody listens is held back, and loses nothing", async () => {
		const client = await open();
		const call = client.open(BIDI);
		for (let at = 0; at < 200; at++) call.send(Buffer.alloc(1_000, at));
		const served = await service.streams.next();
		await client.call(ECHO, new Uint8Array(0));
		const taken: number[] = [];
		served.onMessage((message) => void taken.push(message[0] as number));
		await expect.poll(() => taken.length).toBe(200);
		expect(taken).toEqual(Array.from({ length: 200 }, (_, at) => at));
	});
});

test("texts of statuses travel as gRPC has it", () => {
	expect(percentEncode("etcdserver: no leader")).toBe("etcdserver: no leader");
	expect(percentEncode("100 % \u00fc\n")).toBe("100 %25 %C3%BC%0A");
	expect(percentEncode(" x ")).toBe("%20x%20");
	expect(percentEncode("%")).toBe("%25");
});

test("pings: three strikes, forgiven by whatever the server sends", () => {
	const policy = new PingPolicy(5_000);
	expect(policy.pinged(0, 0, true)).toBe(true);
	expect(policy.pinged(5_000, 0, true)).toBe(true);
	expect([policy.pinged(5_001, 0, true), policy.pinged(5_002, 0, true), policy.pinged(5_003, 0, true)]).toEqual([true, true, false]);
	const idle = new PingPolicy(5_000);
	expect([0, 60_000, 120_000, 180_000].map((ms) => idle.pinged(ms, 0, false))).toEqual([true, true, true, false]);
	const forgiven = new PingPolicy(5_000);
	for (let at = 0; at < 20; at++) expect(forgiven.pinged(at, at, true)).toBe(true);
});
