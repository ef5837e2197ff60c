import { Agent, type ClientRequest, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { DEFAULT_GRPC_OPTIONS } from "../../src/front/front-options.ts";
import { createGrpcJsFront } from "../../src/front/grpc-js-front.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { type ClientPort, type ClientPortOptions, openClientPort } from "../../src/front/port.ts";
import { HTTP2_PREFACE } from "../../src/front/preface.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../../src/front/seam.ts";
import { RawClient } from "./raw-client.ts";
import { Arrivals, createTestService, ECHO, HELD, type TestService } from "./test-service.ts";

interface HeldRequest {
	readonly request: HttpRequest;
	readonly respond: (response: HttpResponse) => void;
}

let service: TestService;
let createFront: typeof createGrpcJsFront;
let held: Arrivals<HeldRequest>;
const cleanUp: Array<() => unknown> = [];

afterEach(async () => {
	for (const work of cleanUp.splice(0).reverse()) await work();
});

async function open(options: Partial<ClientPortOptions> = {}): Promise<{ port: ClientPort; number: number }> {
	service = createTestService();
	held = new Arrivals();
	const port = await openClientPort({
		addresses: [{ host: "127.0.0.1", port: 0 }],
		grpc: createFront(service.methods, DEFAULT_GRPC_OPTIONS),
		http: {
			handle(request, respond) {
				if (request.path === "/held") held.add({ request, respond });
				else respond({ status: 200, headers: [["x-path", request.path]], body: request.body.length > 0 ? request.body : "hello" });
			},
		},
		...options,
	});
	cleanUp.push(() => port.close(0));
	const [address] = port.addresses;
	return { port, number: address !== undefined && "port" in address ? address.port : 0 };
}

function rawClient(port: number): RawClient {
	const client = new RawClient(port);
	cleanUp.push(() => client.close());
	return client;
}

const GET = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
/** Empty. */
const SETTINGS = Buffer.from("000000040000000000", "hex");

class Wire {
	readonly socket: Socket;
	readonly closed: Promise<void>;
	text = "";

	constructor(target: number | string) {
		this.socket = typeof target === "number" ? connect(target, "127.0.0.1") : connect(target);
		this.socket.on("error", () => {});
		this.socket.on("data", (chunk) => {
			this.text += chunk.toString("latin1");
		});
		this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
		cleanUp.push(() => this.socket.destroy());
	}

	connected(): Promise<void> {
		return new Promise((resolve) => this.socket.once("connect", () => resolve()));
	}

	async until(pattern: RegExp): Promise<string> {
		while (!pattern.test(this.text)) await new Promise((resolve) => this.socket.once("data", resolve));
		return this.text;
	}
}

describe.each([
	["grpc-js", createGrpcJsFront],
	["the native front", createNativeFront],
])("a port with %s", (_name, create) => {
	beforeAll(() => {
		createFront = create;
	});

	test("one port serves gRPC and HTTP/1.1", async () => {
		const { number } = await open();
		expect(await rawClient(number).call(ECHO, Buffer.from("grpc"))).toMatchObject({ code: 0, messages: [Buffer.from("grpc")] });
		const answer = await fetch(`http://127.0.0.1:${number}/v3/a%20b?x=1`, { method: "POST", body: "http" });
		expect(answer.headers.get("x-path")).toBe("/v3/a b");
		expect(await answer.text()).toBe("http");
	});

	test("the first bytes may come one by one, for either protocol", async () => {
		const { number } = await open();
		const http = new Wire(number);
		for (const byte of Buffer.from("PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok")) {
			http.socket.write(Buffer.of(byte));
			await new Promise((resolve) => setImmediate(resolve));
		}
		expect(await http.until(/ok$/)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
		const http2 = new Wire(number);
		for (const byte of HTTP2_PREFACE) {
			http2.socket.write(Buffer.of(byte));
			await new Promise((resolve) => setImmediate(resolve));
		}
		// Empty SETTINGS; the server answers with its own, whose frame type is the fourth byte.
		http2.socket.write(Buffer.from("000000040000000000", "hex"));
		expect((await http2.until(/^.{4}/s)).charCodeAt(3)).toBe(4);
	});

	test("an authority that is a URL, as clients of etcd 3.4 send it, is taken", async () => {
		const { number } = await open();
		const client = rawClient(number);
		for (const authority of ["http://127.0.0.1:2379", "http://127.0.0.1:2379", "localhost:1"]) {
			expect(await client.call(ECHO, Buffer.from("grpc"), { ":authority": authority })).toMatchObject({ code: 0 });
		}
	});

	test("a whole URL as the target is taken apart, and its host counts", async () => {
		const http: HttpHandler = {
			handle: ({ path, query, headers }, respond) =>
				respond({ status: 200, headers: [], body: `<${headers.get("host")} ${path} ${query.toString()}>` }),
		};
		const { number } = await open({ http });
		for (const [target, seen] of [
			["http://db.example:2379/version", "<db.example:2379 /version >"],
			["HTTPS://[::1]:1/v3/a%20b?x=http://y/", "<[::1]:1 /v3/a b x=http%3A%2F%2Fy%2F>"],
			["http://db.example", "<db.example / >"],
			["http://db.example?x=1", "<db.example / x=1>"],
			["/http://db.example/", "<header.example /http://db.example/ >"],
		] as const) {
			const wire = new Wire(number);
			wire.socket.write(`GET ${target} HTTP/1.1\r\nhost: header.example\r\n\r\n`);
			expect([target, (await wire.until(/>$/)).split("\r\n\r\n")[1]]).toEqual([target, seen]);
		}
		for (const target of ["http:///version", "http://:1/version", "http://root@db.example/version"]) {
			const wire = new Wire(number);
			wire.socket.write(`GET ${target} HTTP/1.1\r\nhost: header.example\r\n\r\n`);
			expect([target, await wire.until(/^HTTP\/1\.1 \d+/)]).toEqual([target, expect.stringMatching(/^HTTP\/1\.1 400 /)]);
		}
	});

	test("two requests on one connection", async () => {
		const { number, port } = await open();
		const wire = new Wire(number);
		wire.socket.write("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
		await wire.until(/hello$/);
		wire.socket.write("GET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
		expect(await wire.until(/\/2[\s\S]*hello$/)).toContain("x-path: /1");
		expect(port.connections).toBe(1);
	});

	test("a request to change over to HTTP/2 is served as what it is", async () => {
		const { number } = await open();
		const wire = new Wire(number);
		wire.socket.write(
			"GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n",
		);
		expect(await wire.until(/hello$/)).toMatch(/^HTTP\/1\.1 200/);
	});

	test("a client that closed its half still gets its answer", async () => {
		const { number } = await open();
		const wire = new Wire(number);
		wire.socket.end("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
		expect(await wire.until(/hello$/)).toMatch(/^HTTP\/1\.1 200/);
	});

	test("what is neither protocol is answered 400", async () => {
		const { number } = await open();
		const wire = new Wire(number);
		wire.socket.write("\x16\x03\x01\x02\x00garbage\r\n\r\n");
		await wire.closed;
		expect(wire.text).toMatch(/^HTTP\/1\.1 400/);
	});

	test.each([
		["silent", ""],
		["stuck in the preface", "PRI * HTTP"],
	])("a connection that is %s is closed when patience ends", async (_name, bytes) => {
		const { number, port } = await open({ limits: { sniffMs: 40 } });
		const wire = new Wire(number);
		wire.socket.write(bytes);
		await wire.closed;
		expect(wire.text).toBe("");
		await expect.poll(() => port.connections).toBe(0);
	});

	test("a client that leaves without a word leaves nothing behind", async () => {
		const { number, port } = await open();
		const wire = new Wire(number);
		wire.socket.end("PR");
		await wire.closed;
		await expect.poll(() => port.connections).toBe(0);
	});

	test("a gRPC client that stops sending is disconnected", async () => {
		const { number, port } = await open();
		const client = rawClient(number);
		const answer = client.call(HELD, new Uint8Array(0));
		const call = await service.unary.next();
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		client.session.socket.destroySoon();
		await canceled;
		expect((await answer).code).toBe(-1);
		await expect.poll(() => port.connections).toBe(0);
	});

	test("one connection above the limit is closed; after another ends there is room again", async () => {
		const surplusOf: string[] = [];
		const { number } = await open({ limits: { connectionsMax: 2, onConnectionsFull: (peer) => void surplusOf.push(peer) } });
		const wires = [new Wire(number), new Wire(number)];
		for (const wire of wires) {
			wire.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
			await wire.until(/hello$/);
		}
		const surplus = new Wire(number);
		await surplus.closed;
		expect(surplus.text).toBe("");
		expect(surplusOf).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
		wires[0]?.socket.destroy();
		await expect
			.poll(async () => {
				const wire = new Wire(number);
				wire.socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
				await wire.closed;
				return wire.text;
			})
			.toMatch(/hello$/);
	});

	test("beyond a thousand that say nothing the one that came first goes, if it had time to speak; so do silent ones where the port is full", async () => {
		for (const limits of [
			{ strangersMax: 2, strangerMs: 0 },
			{ connectionsMax: 2, strangerMs: 0 },
		]) {
			const { number } = await open({ limits });
			const silent: Wire[] = [];
			for (let at = 0; at < 2; at++) {
				silent.push(new Wire(number));
				await silent[at]?.connected();
			}
			const third = new Wire(number);
			third.socket.write(GET);
			await silent[0]?.closed;
			expect(await third.until(/hello$/)).toMatch(/^HTTP\/1\.1 200/);
			silent[1]?.socket.write(GET);
			expect(await silent[1]?.until(/hello$/)).toMatch(/^HTTP\/1\.1 200/);
		}
		const { number } = await open({ limits: { strangersMax: 2, strangerMs: 60_000 } });
		const burst = Array.from({ length: 10 }, () => new Wire(number));
		await Promise.all(burst.map((wire) => wire.connected()));
		for (const wire of burst) wire.socket.write(GET);
		for (const wire of burst) expect(await wire.until(/hello$/)).toMatch(/^HTTP\/1\.1 200/);
		// Those that have spoken are strangers no more, also before their first call.
		const crowded = await open({ limits: { strangersMax: 1, strangerMs: 0 } });
		const idle = new Wire(crowded.number);
		idle.socket.write(Buffer.concat([HTTP2_PREFACE, SETTINGS]));
		await idle.until(/^.{4}/s);
		const other = new Wire(crowded.number);
		other.socket.write(GET);
		await other.until(/hello$/);
		// An acknowledgement, and PING.
		idle.socket.write(Buffer.concat([Buffer.from("000000040100000000000008060000000000", "hex"), Buffer.from("question")]));
		await idle.until(/question/);
	});

	test("a body at the limit is taken, one byte more is answered 413", async () => {
		const { number } = await open({ limits: { httpBodyBytesMax: 100_000 } });
		const url = `http://127.0.0.1:${number}/`;
		expect((await (await fetch(url, { method: "POST", body: new Uint8Array(100_000) })).arrayBuffer()).byteLength).toBe(100_000);
		expect((await fetch(url, { method: "POST", body: new Uint8Array(100_001) })).status).toBe(413);
	});

	test("a request whose client leaves is told so, an answered one is not", async () => {
		const { number } = await open();
		const wire = new Wire(number);
		wire.socket.write("GET /held HTTP/1.1\r\nhost: a\r\n\r\n");
		const first = await held.next();
		const canceled = new Promise<void>((resolve) => first.request.onCancel?.(resolve));
		wire.socket.destroy();
		await canceled;
		first.respond({ status: 200, headers: [], body: "to nobody" });

		const answer = fetch(`http://127.0.0.1:${number}/held`);
		const second = await held.next();
		let told = 0;
		second.request.onCancel?.(() => told++);
		second.respond({ status: 204, headers: [], body: "" });
		expect((await answer).status).toBe(204);
		expect(told).toBe(0);
	});

	test("a protocol without a handler is not let in", async () => {
		const onlyHttp = await open({ grpc: null });
		const grpc = new Wire(onlyHttp.number);
		grpc.socket.write(HTTP2_PREFACE);
		await grpc.closed;
		const onlyGrpc = await open({ http: null });
		const http = new Wire(onlyGrpc.number);
		http.socket.write("GET / HTTP/1.1\r\n\r\n");
		await http.closed;
		expect(grpc.text + http.text).toBe("");
	});

	test("an address that is taken is named, and nothing stays open", async () => {
		const { number } = await open();
		const taken = { host: "127.0.0.1", port: number };
		const socketPath = join(tmpdir(), `flotilla-port-${process.pid}.sock`);
		await expect(open({ addresses: [{ socketPath }, taken] })).rejects.toThrow(`EADDRINUSE: address already in use 127.0.0.1:${number}`);
		const { port } = await open({ addresses: [{ socketPath }] });
		expect(port.addresses).toEqual([{ socketPath }]);
		const wire = new Wire(socketPath);
		wire.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
		await wire.until(/hello$/);
	});

	test("closing answers what is open, refuses what is new, and drops what is idle", async () => {
		const { port, number } = await open();
		const idle = new Wire(number);
		idle.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
		await idle.until(/hello$/);
		const stranger = new Wire(number);
		await stranger.connected();
		const agent = new Agent({ keepAlive: true });
		cleanUp.push(() => agent.destroy());
		const open1: ClientRequest = request({ agent, port: number, path: "/held" }).end();
		const answered = new Promise<string | undefined>((resolve) => {
			open1.once("response", (response) => resolve(response.resume().headers.connection));
		});
		const http = await held.next();
		const client = rawClient(number);
		const grpcAnswer = client.call(HELD, new Uint8Array(0));
		const grpc = await service.unary.next();

		let closed = false;
		const closing = port.close(20_000).then(() => {
			closed = true;
		});
		await Promise.all([idle.closed, stranger.closed]);
		await expect(fetch(`http://127.0.0.1:${number}/`)).rejects.toThrow("fetch failed");
		expect(closed).toBe(false);
		http.respond({ status: 200, headers: [], body: "bye" });
		expect(await answered).toBe("close");
		grpc.respond(Buffer.from("bye"));
		expect((await grpcAnswer).messages.map(String)).toEqual(["bye"]);
		await closing;
		expect(port.connections).toBe(0);
	});

	test("closing cuts what is still open when the grace ends", async () => {
		const { port, number } = await open();
		const wire = new Wire(number);
		wire.socket.write("GET /held HTTP/1.1\r\nhost: a\r\n\r\n");
		await held.next();
		void rawClient(number).call(HELD, new Uint8Array(0));
		await service.unary.next();
		const startedMs = performance.now();
		await port.close(50);
		await wire.closed;
		expect(performance.now() - startedMs).toBeLessThan(20_000);
		expect(port.connections).toBe(0);
	});
});
