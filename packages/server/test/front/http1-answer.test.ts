/** Answers of HTTP/1.1 that are not read, or slowly, on real sockets. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DEFAULT_WEB_SOCKET_LIMITS } from "../../src/front/front-options.ts";
import { type ClientPort, openClientPort } from "../../src/front/port.ts";
import type { HttpStream } from "../../src/front/seam.ts";

/** More than sockets hold. */
const LARGE = Buffer.alloc(16 << 20, "l");
const LINE = "x".repeat(1 << 20);
const READ_MS = 2_000;

let port: ClientPort;
let socket: Socket;
let cut: string[];
let asked: string[];
let stream: HttpStream | undefined;

beforeEach(async () => {
	cut = [];
	asked = [];
	stream = undefined;
	port = await openClientPort({
		addresses: [{ host: "127.0.0.1", port: 0 }],
		grpc: null,
		http: {
			handle(request, respond) {
				asked.push(request.path);
				if (request.path === "/large") respond({ status: 200, headers: [], body: LARGE });
				else if (request.path === "/small") respond({ status: 200, headers: [], body: "small" });
				else stream = request.stream?.({ status: 200, headers: [] });
			},
		},
		limits: { webSockets: { ...DEFAULT_WEB_SOCKET_LIMITS, readMs: READ_MS, onCut: (reason) => cut.push(reason) } },
	});
	const [address] = port.addresses;
	socket = connect(address !== undefined && "port" in address ? address.port : 0, "127.0.0.1");
	socket.on("error", () => {});
	socket.pause();
	await once(socket, "connect");
});
afterEach(async () => {
	socket.destroy();
	await port.close(0);
});

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const connections = async (count: number): Promise<void> => {
	while (port.connections !== count) await new Promise((resolve) => setTimeout(resolve, 20));
};

test.each(["/large", "/stream"])("whoever reads nothing of %s is cut off, and it is said", async (path) => {
	socket.write(get(path));
	if (path === "/stream") {
		while (stream === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
		for (let at = 0; at < 16; at++) stream.write(LINE);
	}
	const begun = performance.now();
	await connections(0);
	expect(cut).toEqual(["answers are not read"]);
	expect(performance.now() - begun).toBeGreaterThan(READ_MS / 2);
});

test("whoever reads slowly gets all of it, and then the answers behind it", async () => {
	socket.write(get("/large") + get("/large") + get("/small"));
	let bytes = 0;
	let tail = "";
	const begun = performance.now();
	while (!tail.endsWith("small")) {
		const piece = socket.read() as Buffer | null;
		if (piece !== null) {
			bytes += piece.length;
			tail = (tail + piece.toString("latin1")).slice(-5);
		}
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
	expect(bytes).toBeGreaterThan(2 * LARGE.length);
	// The second one waited for longer than anybody may read nothing.
	expect(performance.now() - begun).toBeGreaterThan(READ_MS);
	expect(cut).toEqual([]);
});

test("a stream tells when it is full and when there is room again, and ends behind its last word", async () => {
	socket.write(get("/stream"));
	while (stream === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
	let drained = 0;
	stream.onDrain(() => drained++);
	expect(stream.write("first\n")).toBe(true);
	expect(stream.write(LINE)).toBe(false);
	for (let more = 0; more < 15; more++) stream.write(LINE);
	let bytes = 0;
	let tail = "";
	socket.on("data", (piece: Buffer) => {
		bytes += piece.length;
		tail = (tail + piece.toString("latin1")).slice(-20);
	});
	// Not before it is read.
	expect(drained).toBe(0);
	socket.resume();
	while (drained === 0) await new Promise((resolve) => setTimeout(resolve, 20));
	stream.write("last\n");
	stream.end();
	while (!tail.endsWith("last\n\r\n0\r\n\r\n")) await new Promise((resolve) => setTimeout(resolve, 20));
	expect(bytes).toBeGreaterThan(16 * LINE.length);
	expect([drained, cut]).toEqual([1, []]);
});

test("of requests that come at once the next one is looked at when the one before has its answer", async () => {
	socket.resume();
	socket.write(get("/stream") + get("/small") + get("/small"));
	while (stream === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
	stream.write("first");
	let text = "";
	socket.on("data", (piece: Buffer) => {
		text += piece.toString("latin1");
	});
	while (!text.includes("first")) await new Promise((resolve) => setTimeout(resolve, 20));
	expect(asked).toEqual(["/stream"]);
	stream.end();
	while (text.split("small").length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
	expect(asked).toEqual(["/stream", "/small", "/small"]);
});
