/**
 * WebSockets of clients that flood, trickle, do not read or are very many, against a port of its own process: each is cut off within
 * the time and the memory that were promised, and a neighbour is served all the while.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { SocketClient } from "./socket-client.ts";

const MB = 1 << 20;
const PROMISED_BYTES = 32 * MB;
/** Short, so that the tests are; the product waits for 30 seconds. */
const QUIET_MS = 1_500;
const UNREAD_MS = 10_000;
const UNREAD_BYTES_MAX = 32 * MB;
const PONG_MS = 10_000;
const SOCKETS_MAX = 1_001;
/** For a machine that does much else. */
const HOOK_MS = 120_000;
const GONE_MS = 60_000;

interface State {
	readonly peakBytes: number;
	readonly usedBytes: number;
	readonly connections: number;
	readonly limits: Readonly<Record<string, number>>;
}

let child: ChildProcess;
let port: number;
let neighbour: SocketClient;
let answered: Promise<number>;
let done: boolean;
const sockets: Array<{ destroy(): void }> = [];

beforeAll(async () => {
	const limits = {
		...{ socketsMax: SOCKETS_MAX, pingMs: QUIET_MS, pongMs: PONG_MS, readMs: UNREAD_MS, stallMs: QUIET_MS },
		...{ unfinishedBytesMax: 16 * MB, unreadBytesMax: UNREAD_BYTES_MAX },
	};
	child = fork(fileURLToPath(new URL("./hostile-sockets-child.ts", import.meta.url)), {
		execArgv: ["--conditions=@flotilla/source", "--expose-gc"],
		env: { ...process.env, SOCKET_LIMITS: JSON.stringify(limits) },
	});
	[{ port }] = (await once(child, "message")) as [{ port: number }];
	neighbour = new SocketClient(`ws://127.0.0.1:${port}/v3/watch`);
	for (let calls = 0; calls < 50; calls++) await callNeighbour();
}, HOOK_MS);

afterAll(async () => {
	neighbour.ws.terminate();
	child.kill("SIGKILL");
	await once(child, "exit");
}, HOOK_MS);

beforeEach(async () => {
	await ask("begin");
	done = false;
	answered = callOn();
}, HOOK_MS);

afterEach(async () => {
	done = true;
	for (const socket of sockets.splice(0)) socket.destroy();
	expect(await answered).toBeGreaterThan(0);
	await expect.poll(async () => (await ask("state")).connections, { timeout: GONE_MS }).toBe(1);
}, HOOK_MS);

async function ask(what: string): Promise<State> {
	child.send(what);
	return ((await once(child, "message")) as [State])[0];
}

async function callNeighbour(): Promise<void> {
	await neighbour.send({ create_request: { key: "Zm9v" } });
	expect(await neighbour.next()).toBe('{"result":{"created":true}}');
}

async function callOn(): Promise<number> {
	let calls = 0;
	for (; !done; calls++) {
		await callNeighbour();
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
	return calls;
}

async function expectCutOff(): Promise<State> {
	await expect.poll(async () => (await ask("state")).connections, { timeout: GONE_MS }).toBe(1);
	const state = await ask("state");
	expect(state.peakBytes).toBeLessThan(PROMISED_BYTES);
	return state;
}

/** A connection without a client library: it reads only what it is asked to. */
class Wire {
	readonly socket: Socket;
	readonly closed: Promise<void>;
	text = "";

	constructor() {
		this.socket = connect(port, "127.0.0.1");
		this.socket.on("error", () => {});
		this.socket.on("data", (chunk) => {
			this.text += chunk.toString("latin1");
		});
		this.closed = new Promise((resolve) => this.socket.once("close", () => resolve()));
		sockets.push(this.socket);
	}

	/** The request of a handshake, with some of its lines replaced or, by null, left out. */
	shake(changed: Readonly<Record<string, string | null>> = {}, line = "GET /v3/watch HTTP/1.1"): this {
		const fields: Record<string, string | null> = {
			...{ host: "a", connection: "Upgrade", upgrade: "websocket" },
			...{ "sec-websocket-version": "13", "sec-websocket-key": randomBytes(16).toString("base64") },
			...changed,
		};
		const lines = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
		this.socket.write(`${[line, ...lines].join("\r\n")}\r\n\r\n`);
		return this;
	}

	async until(pattern: RegExp): Promise<this> {
		while (!pattern.test(this.text)) await once(this.socket, "data");
		return this;
	}

	opened(): Promise<this> {
		return this.until(/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/);
	}

	/** Writes until nobody takes it any more; its close says that it was cut off. */
	async pour(bytes: Buffer): Promise<void> {
		while (!this.socket.destroyed) {
			if (!this.socket.write(bytes)) await Promise.race([once(this.socket, "drain").catch(() => {}), this.closed]);
		}
	}
}

/** A masked frame of a client. `length`: what it claims to hold. */
function frame(opcode: number, payload: Uint8Array, { fin = true, length = payload.length, masked = true } = {}): Buffer {
	const mask = masked ? 0x80 : 0;
	const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
	head[0] = (fin ? 0x80 : 0) | opcode;
	head[1] = mask | (length < 126 ? length : length < 65_536 ? 126 : 127);
	if (length >= 65_536) head.writeBigUInt64BE(BigInt(length), 2);
	else if (length >= 126) head.writeUInt16BE(length, 2);
	// The mask is zero: what it covers stays as it is.
	return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), payload]);
}

const TEXT = 1;
const CONTINUATION = 0;
const PING = 9;
const NOTHING = Buffer.alloc(0);

/** Of the close frame that came last. */
function closeCode(text: string): number {
	const bytes = Buffer.from(text, "latin1");
	const at = bytes.lastIndexOf(0x88);
	return at < 0 ? 0 : bytes.readUInt16BE(at + 2);
}

test("a message that claims to be huge is refused before it comes", async () => {
	const wire = await new Wire().shake().opened();
	wire.socket.write(frame(TEXT, Buffer.from("x"), { length: 5 * MB }));
	await wire.closed;
	expect(closeCode(wire.text)).toBe(1_009);
	expect((await expectCutOff()).peakBytes).toBeLessThan(8 * MB);
});

test("nor does one grow huge piece by piece", async () => {
	const wire = await new Wire().shake().opened();
	const piece = frame(CONTINUATION, Buffer.alloc(64 << 10, " "), { fin: false });
	wire.socket.write(frame(TEXT, NOTHING, { fin: false }));
	await wire.pour(piece);
	expect(closeCode(wire.text)).toBe(1_009);
	await expectCutOff();
});

test("messages that do not end take no more memory than all of them may", async () => {
	const wires = await Promise.all(Array.from({ length: 40 }, () => new Wire().shake().opened()));
	for (const wire of wires) {
		wire.socket.write(frame(TEXT, NOTHING, { fin: false }));
		for (let at = 0; at < 15; at++) wire.socket.write(frame(CONTINUATION, Buffer.alloc(200_000, " "), { fin: false }));
	}
	// 40 of 3 MB each: beyond 16 MiB the largest go at once, the others when they have stood still.
	expect((await expectCutOff()).limits.unfinishedBodies).toBeGreaterThan(0);
});

test("nor do bodies of plain requests; the largest are refused with a word, and the port serves on", async () => {
	const head = `POST /v3/kv/range HTTP/1.1\r\nhost: a\r\ncontent-length: ${4 * MB}\r\n\r\n`;
	const wires = Array.from({ length: 40 }, () => new Wire());
	for (const { socket } of wires) {
		socket.write(head);
		socket.write(Buffer.alloc(3 * MB, " "));
	}
	const refused = (): Wire[] => wires.filter(({ text }) => text !== "");
	await expect.poll(() => refused().length, { timeout: GONE_MS }).toBeGreaterThan(30);
	for (const { text } of refused()) {
		expect(text).toMatch(/^HTTP\/1\.1 503 /);
		expect(text).toContain("too many bytes in unfinished requests");
	}
	const served = new Wire();
	served.socket.write(head.replace("host: a", "host: a\r\nconnection: close").replace(String(4 * MB), String(MB)));
	served.socket.write(Buffer.alloc(MB, " "));
	await served.closed;
	expect(served.text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*\{\}$/);
	const { peakBytes, limits } = await ask("state");
	expect(peakBytes).toBeLessThan(PROMISED_BYTES);
	expect(limits.unfinishedBodies).toBe(refused().length);
	for (const { socket } of wires) socket.destroy();
});

test("a message that trickles in is given up", async () => {
	const wire = await new Wire().shake().opened();
	wire.socket.write(frame(TEXT, Buffer.from("{"), { length: 100_000 }));
	const trickle = setInterval(() => wire.socket.write(" "), 100);
	await wire.closed;
	clearInterval(trickle);
	await expectCutOff();
});

/** So many answers of 1 MiB are made for it. */
function wants(answers: number): Buffer {
	return frame(TEXT, Buffer.from(`{"cancel_request":{"watch_id":"${answers}"}}`));
}

test("a client that reads none of its answers is cut off when there are too many", async () => {
	const wire = await new Wire().shake().opened();
	wire.socket.pause();
	wire.socket.write(wants(100));
	const { limits } = await expectCutOff();
	expect(limits).toEqual({ webSocketAnswers: 1 });
});

test("or when it has read none for a while", async () => {
	const wire = await new Wire().shake().opened();
	wire.socket.pause();
	// More than systems keep for it, less than it may leave unread.
	wire.socket.write(wants(20));
	const { limits } = await expectCutOff();
	expect(limits).toEqual({});
});

test("many that read no answers do not take what each of them may", async () => {
	const wires = await Promise.all(Array.from({ length: 60 }, () => new Wire().shake().opened()));
	for (const wire of wires) {
		wire.socket.pause();
		wire.socket.write(frame(TEXT, Buffer.from('{"progress_request":{}}')));
	}
	await expect.poll(async () => (await ask("state")).connections, { timeout: GONE_MS }).toBe(1);
	expect((await ask("state")).peakBytes).toBeLessThan(2 * UNREAD_BYTES_MAX);
});

test("a client that says nothing is pinged, and goes when it says nothing to that", async () => {
	const wire = await new Wire().shake().opened();
	await wire.until(/\u0089[\s\S]$/);
	await wire.closed;
	await expectCutOff();
});

test("one that answers pings may say nothing else for as long as it likes", async () => {
	const client = new SocketClient(`ws://127.0.0.1:${port}/v3/watch`);
	sockets.push({ destroy: () => client.ws.terminate() });
	await expect.poll(() => client.pings, { timeout: GONE_MS }).toBeGreaterThan(3);
	await client.send({ create_request: {} });
	expect(await client.next()).toBe('{"result":{"created":true}}');
});

test.each<[string, Buffer]>([
	["pings", frame(PING, Buffer.alloc(125))],
	["pongs", frame(10, NOTHING)],
	["empty messages", frame(TEXT, NOTHING)],
	["messages of white space", frame(TEXT, Buffer.from(" "))],
])("a flood of %s ends", async (_name, one) => {
	const wire = await new Wire().shake().opened();
	wire.socket.pause();
	await wire.pour(Buffer.concat(Array.from({ length: 500 }, () => one)));
	await expectCutOff();
});

test("what is no frame of a client ends with the code for it", async () => {
	for (const [bytes, code] of [
		[frame(TEXT, Buffer.from("{}"), { masked: false }), 1_002],
		[Buffer.of(0xff, 0xff, 0xff, 0xff), 1_002],
		[frame(CONTINUATION, Buffer.from("{}")), 1_002],
		[frame(PING, Buffer.alloc(126)), 1_002],
		[frame(TEXT, Buffer.of(0xff, 0xfe)), 1_007],
	] as const) {
		const wire = await new Wire().shake().opened();
		wire.socket.write(bytes);
		await wire.closed;
		expect(closeCode(wire.text)).toBe(code);
	}
});

test("a handshake that is none opens nothing, and the connection is closed", async () => {
	for (const [changed, line, status] of [
		[{ "sec-websocket-key": null }, undefined, 400],
		[{ "sec-websocket-key": "short" }, undefined, 400],
		[{ "sec-websocket-version": "7" }, undefined, 400],
		[{ "sec-websocket-protocol": "Bearer, not a token" }, undefined, 400],
		[{ "sec-websocket-protocol": "Bearer, same, same" }, undefined, 400],
		[{}, "GET /v3/nothing HTTP/1.1", 404],
		[{}, "GET /v3/%zz HTTP/1.1", 400],
	] as const) {
		const wire = new Wire().shake(changed, line);
		await wire.closed;
		expect(wire.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
	}
	// By another method it is a call like any other: of the gateway, by POST.
	const post = new Wire().shake({ "content-length": "0", connection: "Upgrade, close" }, "POST /v3/kv/range HTTP/1.1");
	await post.closed;
	expect(post.text).toMatch(/^HTTP\/1\.1 200 OK/);
	const halfway = new Wire();
	halfway.socket.write("GET /v3/watch HTTP/1.1\r\nhost: a\r\nupgrade: webso");
	await halfway.until(/^$/);
	halfway.socket.destroy();
	await expectCutOff();
});

test("bytes that come with the handshake are heard", async () => {
	const wire = new Wire();
	wire.socket.cork();
	wire.shake().socket.write(frame(TEXT, Buffer.from('{"create_request":{}}')));
	wire.socket.uncork();
	await wire.until(/\{"result":\{"created":true\}\}$/);
	wire.socket.destroy();
	await expectCutOff();
});

test("a thousand are served, those beyond the bound are told, and there is room again when some have gone", {
	timeout: HOOK_MS,
}, async () => {
	const clients: SocketClient[] = [];
	sockets.push({
		destroy() {
			for (const client of clients) client.ws.terminate();
		},
	});
	const openOne = (): SocketClient => {
		const client = new SocketClient(`ws://127.0.0.1:${port}/v3/watch`);
		clients.push(client);
		return client;
	};
	// Thousands of collections a minute are more than the objects of so many sockets are worth.
	await ask("calm");
	// The neighbour has one.
	for (let at = 1; at < SOCKETS_MAX; at += 50) {
		const some = Array.from({ length: Math.min(50, SOCKETS_MAX - at) }, openOne);
		expect(new Set(await Promise.all(some.map((client) => client.status)))).toEqual(new Set([101]));
	}
	const { usedBytes } = await ask("calm");
	expect(usedBytes / SOCKETS_MAX).toBeLessThan(64 << 10);
	const refused = openOne();
	expect(await refused.status).toBe(503);
	expect(refused.refusal).toBe("too many WebSockets\n");
	expect((await ask("calm")).limits.webSockets).toBe(1);
	await Promise.all(
		clients.slice(0, SOCKETS_MAX - 1).map(async (client) => {
			await client.send({ create_request: {} });
			expect(await client.next()).toBe('{"result":{"created":true}}');
		}),
	);
	clients[0]?.ws.close();
	await clients[0]?.closed;
	await expect.poll(async () => await openOne().status, { timeout: GONE_MS }).toBe(101);
});
