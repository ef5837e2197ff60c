/** The client port over TLS: who gets in, who does not, and what both are told. */
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { DEFAULT_GRPC_OPTIONS } from "../../src/front/front-options.ts";
import { createGrpcJsFront } from "../../src/front/grpc-js-front.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { openClientPort } from "../../src/front/port.ts";
import { LiveTls } from "../../src/tls/live-tls.ts";
import { NO_TLS_FILES, type TlsConfig } from "../../src/tls/tls-config.ts";
import { RawClient } from "../front/raw-client.ts";
import { createTestService, ECHO, HELD, type TestService } from "../front/test-service.ts";
import { Authority, type Certificate } from "./certificates.ts";

let authority: Authority;
let stranger: Authority;
let server: Certificate;
let alice: Certificate;
let service: TestService;
let refused: string[];
let problems: string[];
const cleanUp: Array<() => unknown> = [];

beforeAll(() => {
	authority = new Authority();
	stranger = new Authority("another authority");
	server = authority.issue("server");
	alice = authority.issue("alice", "");
}, 120_000);

afterAll(() => {
	authority.remove();
	stranger.remove();
});

afterEach(async () => {
	for (const work of cleanUp.splice(0).reverse()) await work();
});

async function open(
	config: TlsConfig,
	lookMs?: number,
	createFront: typeof createNativeFront = createNativeFront,
	{ handshakeMs, ...limits }: { readonly handshakeMs?: number; readonly sniffMs?: number } = {},
): Promise<number> {
	service = createTestService();
	refused = [];
	problems = [];
	const live = new LiveTls(config, (text) => problems.push(text), lookMs);
	const http = {
		handle: (_request: unknown, respond: (response: { status: number; headers: []; body: string }) => void) =>
			respond({ status: 200, headers: [], body: "hello" }),
	};
	const port = await openClientPort({
		addresses: [{ host: "127.0.0.1", port: 0, secure: true }],
		grpc: createFront(service.methods, DEFAULT_GRPC_OPTIONS, http),
		http,
		limits,
		tls: {
			live,
			onRefused: (address, reason) => refused.push(`${address} ${reason}`),
			...(handshakeMs === undefined ? {} : { handshakeMs }),
		},
	});
	cleanUp.push(() => live.close());
	cleanUp.push(() => port.close(0));
	return (port.addresses[0] as { port: number }).port;
}

function own(certificate: Certificate | null, ca: string = authority.caFile): ConnectionOptions {
	const shown = certificate === null ? {} : { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) };
	return { ...shown, ca: readFileSync(ca) };
}

function dial(port: number, options: ConnectionOptions): RawClient {
	const session: ClientHttp2Session = connectHttp2(`https://127.0.0.1:${port}`, options);
	const client = new RawClient(session);
	cleanUp.push(() => client.close());
	return client;
}

function get(port: number, options: ConnectionOptions): Promise<string> {
	return new Promise((resolve, reject) => {
		const asked = request({ ...options, host: "127.0.0.1", port, path: "/health", agent: false }, (response) => {
			let text = "";
			response.on("data", (chunk) => {
				text += chunk;
			});
			response.on("end", () => resolve(`${response.httpVersion} ${text}`));
		});
		asked.on("error", reject);
		asked.end();
	});
}

const ended = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once("close", () => resolve()));

test("gRPC, HTTP/1.1 and HTTP over HTTP/2 on one port, for whoever shows a good certificate; its name is told", async () => {
	const port = await open(authority.config(server));
	const client = dial(port, own(alice));
	expect(await client.call(ECHO, Buffer.from("secret"))).toMatchObject({ code: 0, messages: [Buffer.from("secret")] });
	expect(await client.call(ECHO, Buffer.alloc(300_000, 1))).toMatchObject({ code: 0 });
	void client.call(HELD, new Uint8Array(0));
	expect((await service.unary.next()).commonName).toBe("alice");
	expect(await get(port, own(alice))).toBe("1.1 hello");
	const health = client.session.request({ ":path": "/health" });
	let text = "";
	for await (const chunk of health.setEncoding("utf8")) text += chunk;
	expect(text).toBe("hello");
	expect(refused).toEqual([]);
});

test.each([
	["our own front", createNativeFront],
	["grpc-js", createGrpcJsFront],
])("a gRPC library as the client of %s", async (_name, createFront) => {
	const port = await open(authority.config(server), undefined, createFront);
	const shown = [readFileSync(alice.keyFile), readFileSync(alice.certFile)] as const;
	const client = new Client(`localhost:${port}`, credentials.createSsl(readFileSync(authority.caFile), ...shown), {
		"grpc.use_local_subchannel_pool": 1,
	});
	cleanUp.push(() => client.close());
	const asIs = (bytes: Buffer): Buffer => bytes;
	for (const bytes of [0, 1, 100_000]) {
		const answer = await new Promise((resolve, reject) => {
			const message = Buffer.alloc(bytes, 7);
			client.makeUnaryRequest(ECHO, asIs, asIs, message, (error, response) => (error === null ? resolve(response) : reject(error)));
		});
		expect(answer).toEqual(Buffer.alloc(bytes, 7));
	}
	client.makeUnaryRequest(HELD, asIs, asIs, Buffer.alloc(0), () => {});
	expect((await service.unary.next()).commonName).toBe("alice");
});

test("without authorities nobody is asked for a certificate, and nobody has a name", async () => {
	const port = await open({ ...NO_TLS_FILES, ...server });
	const client = dial(port, own(alice));
	expect(await dial(port, own(null)).call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
	void client.call(HELD, new Uint8Array(0));
	expect((await service.unary.next()).commonName).toBeUndefined();
});

test.each<[string, () => ConnectionOptions]>([
	["no certificate", () => own(null)],
	["a certificate of another authority", () => own(stranger.issue("alice"))],
	["a certificate that has expired", () => own(authority.issue("alice", "", -1))],
])("%s: no call gets through, and the refusal is told", async (_what, options) => {
	const port = await open(authority.config(server));
	const answer = await dial(port, options()).call(ECHO, Buffer.from("x"));
	expect(answer).toMatchObject({ code: -1, messages: [] });
	await expect(get(port, options())).rejects.toThrow();
	await expect.poll(() => refused.length).toBeGreaterThanOrEqual(2);
	expect(refused[0]).toMatch(/^127\.0\.0\.1:\d+ \S+/);
	expect(service.echoed.count).toBe(0);
	expect(await dial(port, own(alice)).call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
});

test.each([
	["our own front", createNativeFront],
	["grpc-js", createGrpcJsFront],
])(
	"a revoked certificate gets nowhere at %s, one line says so, and nobody else is disturbed; a new list holds at once",
	async (_name, createFront) => {
		const [bob, carol] = [authority.issue("bob", ""), authority.issue("carol", "")];
		const crlFile = join(authority.folder, "live.crl");
		copyFileSync(authority.revoke([bob]), crlFile);
		const port = await open(authority.config(server, { crlFile }), 20, createFront);
		const [others, carols] = [dial(port, own(alice)), dial(port, own(carol))];
		for (const client of [others, carols]) expect(await client.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
		expect(await dial(port, own(bob)).call(ECHO, Buffer.from("x"))).toMatchObject({ code: -1, messages: [] });
		expect(refused).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+ the certificate with the serial number [0-9a-f]+ was revoked$/)]);
		expect(await others.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
		copyFileSync(authority.revoke([carol]), crlFile);
		await expect.poll(async () => (await dial(port, own(carol)).call(ECHO, Buffer.from("x"))).code).toBe(-1);
		// What is open goes on, as with etcd.
		expect(await carols.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
		writeFileSync(crlFile, "rubbish");
		await expect.poll(() => problems).toEqual([expect.stringContaining(`${crlFile}: cannot read the revocation list`)]);
		expect(await dial(port, own(carol)).call(ECHO, Buffer.from("x"))).toMatchObject({ code: -1 });
		expect(await dial(port, own(alice)).call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
	},
);

test("a resumed session is looked at, too", async () => {
	const bob = authority.issue("bob", "");
	const crlFile = join(authority.folder, "resumed.crl");
	copyFileSync(authority.revoke([]), crlFile);
	const port = await open(authority.config(server, { crlFile }), 20);
	const resume = async (session: Buffer | undefined): Promise<{ session: Buffer | undefined; reused: boolean; answered: boolean }> => {
		const socket = connectTls({ ...own(bob), host: "127.0.0.1", port, maxVersion: "TLSv1.2", ...(session ? { session } : {}) });
		socket.on("error", () => {});
		let ticket = session;
		let said = "";
		socket.on("session", (made) => {
			ticket = made;
		});
		socket.on("data", (chunk) => {
			said += chunk.toString("latin1");
		});
		socket.write("GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
		// Whoever is refused may never hear that the handshake was done.
		let reused = false;
		socket.once("secureConnect", () => {
			reused = socket.isSessionReused();
		});
		await ended(socket);
		return { session: ticket, reused, answered: said.includes("hello") };
	};
	const first = await resume(undefined);
	expect(await resume(first.session)).toMatchObject({ reused: true, answered: true });
	copyFileSync(authority.revoke([bob]), crlFile);
	await expect.poll(() => resume(first.session), { timeout: 10_000 }).toMatchObject({ answered: false });
	expect(refused.at(-1)).toContain("was revoked");
});

test("only certificates that are good for an allowed host name", async () => {
	const port = await open(authority.config(server, { allowedHostNames: ["one.client.example", "10.1.2.3"] }));
	for (const [names, code] of [
		["DNS:one.client.example", 0],
		["IP:10.1.2.3", 0],
		["DNS:*.client.example", 0],
		["DNS:other.example", -1],
		["", -1],
	] as const) {
		const answer = await dial(port, own(authority.issue("one.client.example", names))).call(ECHO, Buffer.from("x"));
		expect([names, answer.code]).toEqual([names, code]);
	}
	expect(refused).toHaveLength(2);
	expect(refused[0]).toContain("not good for any of the allowed host names");
});

test("only the cipher suites that are named, and those of TLS 1.3", async () => {
	const port = await open(authority.config(server, { cipherSuites: ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"] }));
	const agreed = (options: ConnectionOptions): Promise<string> =>
		new Promise((resolve) => {
			const socket = connectTls({ ...own(alice), host: "127.0.0.1", port, ...options });
			socket.once("error", () => resolve("none"));
			socket.once("secureConnect", () => {
				resolve(socket.getCipher().standardName);
				socket.destroy();
			});
		});
	expect(await agreed({ maxVersion: "TLSv1.2" })).toBe("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
	expect(await agreed({ maxVersion: "TLSv1.2", ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256" })).toBe("none");
	expect(await agreed({})).toMatch(/^TLS_AES_/);
});

test("named authorities demand certificates by themselves, as with etcd", async () => {
	const port = await open(authority.config(server, { clientCertAuth: false }));
	expect(await dial(port, own(null)).call(ECHO, Buffer.from("x"))).toMatchObject({ code: -1 });
});

test("a client refuses a server whose certificate is no good", async () => {
	for (const certificate of [
		stranger.issue("server"),
		authority.issue("server", "IP:127.0.0.1", -1),
		authority.issue("server", "DNS:elsewhere"),
	]) {
		const port = await open(authority.config(certificate));
		await expect(get(port, own(alice))).rejects.toThrow(/self.signed|issuer|expired|altnames|verify/i);
	}
});

test("old protocols, plain text and silence get nowhere", async () => {
	const port = await open(authority.config(server, { minVersion: "TLSv1.3" }));
	const old = connectTls({ ...own(alice), host: "127.0.0.1", port, maxVersion: "TLSv1.2" });
	old.on("error", () => {});
	const plain = connect(port, "127.0.0.1");
	plain.on("error", () => {});
	plain.write("GET /health HTTP/1.1\r\nhost: a\r\n\r\n");
	let said = "";
	plain.on("data", (chunk) => {
		said += chunk.toString("latin1");
	});
	await Promise.all([ended(old), ended(plain)]);
	expect(said).not.toContain("hello");
	expect(refused.length).toBeGreaterThanOrEqual(2);
	expect(await get(port, own(alice))).toBe("1.1 hello");

	const begunMs = performance.now();
	const silent = connect(await open(authority.config(server), undefined, createNativeFront, { handshakeMs: 400 }), "127.0.0.1");
	silent.on("error", () => {});
	await ended(silent);
	expect(performance.now() - begunMs).toBeGreaterThanOrEqual(400);
	expect(refused).toEqual([expect.stringMatching(/ ERR_TLS_HANDSHAKE_TIMEOUT$/)]);
	// Who shook hands and then says nothing was not refused: its time is up.
	const shaken = connectTls({
		...own(alice),
		host: "127.0.0.1",
		port: await open(authority.config(server), undefined, createNativeFront, { sniffMs: 400 }),
	});
	shaken.on("error", () => {});
	await new Promise((resolve) => shaken.once("secureConnect", resolve));
	await ended(shaken);
	expect(refused).toEqual([]);
});

test("a renewed certificate holds for the next handshake; half of one, and rubbish, change nothing", async () => {
	const [certFile, keyFile] = [join(authority.folder, "live.pem"), join(authority.folder, "live.key")];
	copyFileSync(server.certFile, certFile);
	copyFileSync(server.keyFile, keyFile);
	const port = await open(authority.config({ certFile, keyFile }), 20);
	const seen = async (): Promise<string> => {
		const socket = connectTls({ ...own(alice), host: "127.0.0.1", port });
		await new Promise((resolve) => socket.once("secureConnect", resolve));
		const { subject } = socket.getPeerCertificate();
		socket.destroy();
		return String(subject.CN);
	};
	const before = dial(port, own(alice));
	expect(await before.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
	expect(await seen()).toBe("server");
	const renewed = authority.issue("renewed");
	copyFileSync(renewed.certFile, certFile);
	await expect.poll(() => problems.length).toBe(1);
	expect(await seen()).toBe("server");
	copyFileSync(renewed.keyFile, keyFile);
	await expect.poll(seen).toBe("renewed");
	writeFileSync(certFile, "rubbish");
	await expect.poll(() => problems.length).toBe(2);
	expect(await seen()).toBe("renewed");
	expect(await before.call(ECHO, Buffer.from("x"))).toMatchObject({ code: 0 });
});

test("files that are missing or do not belong together are told at the start", () => {
	expect(() => new LiveTls(authority.config({ certFile: "/no/such.pem", keyFile: server.keyFile }), () => {})).toThrow(/no such file/);
	expect(() => new LiveTls(authority.config({ certFile: server.certFile, keyFile: alice.keyFile }), () => {})).toThrow(
		/key values mismatch/,
	);
});
