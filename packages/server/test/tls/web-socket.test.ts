/** WebSockets over TLS: the same certificates, the same tokens. */
import { readFileSync } from "node:fs";
import { etcdserverpb as pb } from "@flotilla/api";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ClientOptions } from "ws";
import { createGateway } from "../../src/front/gateway.ts";
import { createHttpRouter } from "../../src/front/http-router.ts";
import { openClientPort } from "../../src/front/port.ts";
import { LiveTls } from "../../src/tls/live-tls.ts";
import { SocketClient } from "../front/socket-client.ts";
import { BIDI, createTestService, type TestService } from "../front/test-service.ts";
import { Authority, type Certificate } from "./certificates.ts";

let authority: Authority;
let stranger: Authority;
let server: Certificate;
let alice: Certificate;
let service: TestService;
let url: string;
let certificatesName = false;
const refused: string[] = [];
const cleanUp: Array<() => unknown> = [];

beforeAll(async () => {
	authority = new Authority();
	stranger = new Authority("another authority");
	server = authority.issue("server");
	alice = authority.issue("alice", "");
	service = createTestService();
	const live = new LiveTls(authority.config(server), () => {});
	const port = await openClientPort({
		addresses: [{ host: "127.0.0.1", port: 0, secure: true }],
		grpc: null,
		// Whoever has shown a certificate may call it by any name.
		http: createHttpRouter({
			routes: new Map(),
			gateway: createGateway(service.methods, { messageBytesMax: 1 << 20 }),
			hostWhitelist: ["elsewhere"],
			certificatesName: () => certificatesName,
		}),
		tls: { live, onRefused: (_address, reason) => refused.push(reason) },
	});
	cleanUp.push(
		() => authority.remove(),
		() => stranger.remove(),
		() => live.close(),
		() => port.close(0),
	);
	url = `wss://127.0.0.1:${(port.addresses[0] as { port: number }).port}/v3/watch`;
}, 120_000);

afterAll(async () => {
	for (const work of cleanUp.splice(0).reverse()) await work();
});

const clients: SocketClient[] = [];
afterEach(() => {
	for (const client of clients.splice(0)) client.ws.terminate();
});

function open(certificate: Certificate | null, protocols: string[] = [], options: ClientOptions = {}): SocketClient {
	const shown = certificate === null ? {} : { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) };
	const client = new SocketClient(url, protocols, { ...shown, ca: readFileSync(authority.caFile), ...options });
	clients.push(client);
	return client;
}

test.each<[string, string[], Record<string, string>, string | undefined]>([
	["no token", [], {}, undefined],
	["a token by header", [], { authorization: "Bearer t.1" }, "Bearer t.1"],
	["a token by protocol", ["Bearer", "t.2"], {}, "Bearer t.2"],
])("a dialogue with %s; the certificate's name is nobody's here", async (_name, protocols, headers, token) => {
	const client = open(alice, protocols, { headers });
	const call = await service.streams.next();
	expect(call.path).toBe(BIDI);
	expect(call.metadata("authorization")).toBe(token);
	expect(call.commonName).toBeUndefined();
	const heard = new Promise<Uint8Array>((resolve) => call.onMessage(resolve));
	await client.send({ create_request: { key: Buffer.alloc(200_000, 1).toString("base64") } });
	expect((await heard).length).toBeGreaterThan(200_000);
	call.send(pb.WatchResponse.encode({ cancelReason: "x".repeat(300_000) }));
	expect(await client.next()).toBe(`{"result":{"cancel_reason":"${"x".repeat(300_000)}"}}`);
	client.ws.close();
	await new Promise<void>((resolve) => call.onCancel(resolve));
	expect(refused).toEqual([]);
});

test("without a good certificate there is no handshake", async () => {
	for (const certificate of [null, stranger.issue("mallory")]) {
		const client = open(certificate);
		expect((await client.closed).code).toBe(1_006);
		expect(await client.status).toBe(0);
	}
	expect(service.streams.count).toBe(3);
	await expect.poll(() => refused.length).toBe(2);
});

test("where certificates name users, one with a name opens no socket: it would not be believed", async () => {
	certificatesName = true;
	const client = open(alice);
	expect(await client.status).toBe(400);
	expect(client.refusal).toContain("CommonName of client");
	certificatesName = false;
	expect(await open(alice).status).toBe(101);
});
