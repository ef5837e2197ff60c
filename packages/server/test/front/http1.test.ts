/** HTTP/1.1 by careless and hostile clients, on real sockets (rule D8): what is refused, how, and what stands just below each bound. */
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_PORT_LIMITS, DEFAULT_WEB_SOCKET_LIMITS, type PortLimits } from "../../src/front/front-options.ts";
import { openClientPort } from "../../src/front/port.ts";
import type { HttpRequest, HttpResponse } from "../../src/front/seam.ts";

const cleanUp: Array<() => unknown> = [];

afterEach(async () => {
	for (const work of cleanUp.splice(0).reverse()) await work();
});

interface Server {
	readonly port: number;
	/** Requests in the order in which their handler ran, as `GET /path body`. */
	readonly served: string[];
	/** Those to `/held...`, to be answered by the test. */
	readonly held: Array<(response: HttpResponse) => void>;
}

async function open(limits: Partial<PortLimits> = {}): Promise<Server> {
	const served: string[] = [];
	const held: Server["held"] = [];
	const handle = (request: HttpRequest, respond: (response: HttpResponse) => void): void => {
		served.push(`${request.method} ${request.path} ${Buffer.from(request.body).toString()}`.trimEnd());
		if (request.path.startsWith("/held")) held.push(respond);
		else respond(answer(request.path));
	};
	const port = await openClientPort({ addresses: [{ host: "127.0.0.1", port: 0 }], grpc: null, http: { handle }, limits });
	cleanUp.push(() => port.close(0));
	return { port: (port.addresses[0] as { port: number }).port, served, held };
}

const answer = (body: string): HttpResponse => ({ status: 200, headers: [], body: `<${body}>\n` });

class Wire {
	readonly socket: Socket;
	readonly closed: Promise<void>;
	text = "";
	/** Of this side: before the server has heard of the connection, and when it was closed. */
	readonly begunMs = performance.now();
	closedMs = 0;

	constructor(port: number, ...pieces: string[]) {
		this.socket = connect(port, "127.0.0.1");
		this.socket.on("error", () => {});
		this.socket.on("data", (chunk) => {
			this.text += chunk.toString("latin1");
		});
		this.closed = new Promise((resolve) =>
			this.socket.once("close", () => {
				this.closedMs = performance.now();
				resolve();
			}),
		);
		cleanUp.push(() => this.socket.destroy());
		this.socket.write(pieces.join(""));
	}

	async until(pattern: RegExp): Promise<string> {
		while (!pattern.test(this.text)) await new Promise((resolve) => this.socket.once("data", resolve));
		return this.text;
	}

	/** Statuses of all answers that came until the server closed. */
	async statuses(): Promise<number[]> {
		await this.closed;
		return [...this.text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
	}

	get openMs(): number {
		return this.closedMs - this.begunMs;
	}
}

const HOST = "host: a\r\n";
const CLOSE = "connection: close\r\n";
const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\n${HOST}${more}\r\n`;
const post = (path: string, body: string): string => `POST ${path} HTTP/1.1\r\n${HOST}content-length: ${body.length}\r\n\r\n${body}`;

describe("time: what does not come is not waited for, and not a moment less than was promised", () => {
	/** Bounds are kept to the left: how late a busy machine looks is no matter. */
	test("half a head: 408", async () => {
		const { port } = await open({ httpHeadersMs: 400 });
		for (const begun of ["GET / HTTP/1.1\r\nhost: ", "GET /very-lo", "GET / HTTP/1.1\r\nhost: a\r\n"]) {
			const wire = new Wire(port, begun);
			expect(await wire.statuses()).toEqual([408]);
			expect(wire.openMs).toBeGreaterThanOrEqual(400);
		}
	});

	test("half a head behind a whole request: 408", async () => {
		const { port } = await open({ httpHeadersMs: 400 });
		const wire = new Wire(port, get("/1"));
		await wire.until(/<\/1>/);
		wire.socket.write("GET /2");
		expect(await wire.statuses()).toEqual([200, 408]);
	});

	test("a body that stands still or trickles: 408, and its handler never runs; one that comes on is taken", async () => {
		const stallMs = 600;
		const { port, served } = await open({ webSockets: { ...DEFAULT_WEB_SOCKET_LIMITS, stallMs, stallBytes: 1_000 } });
		const head = `POST /slow HTTP/1.1\r\n${HOST}content-length: 1000000\r\n\r\n`;
		const still = new Wire(port, head, "x");
		const unbegun = new Wire(port, head);
		const trickling = new Wire(port, head);
		const flowing = new Wire(port, head.replace("/slow", "/flowing"));
		let left = 1_000_000;
		const drip = setInterval(() => {
			trickling.socket.write("x");
			const bytes = Math.min(left, 10_000);
			flowing.socket.write("x".repeat(bytes));
			left -= bytes;
		}, 10);
		cleanUp.push(() => clearInterval(drip));
		for (const wire of [still, unbegun, trickling]) {
			expect(await wire.statuses()).toEqual([408]);
			expect(wire.openMs).toBeGreaterThanOrEqual(stallMs);
			expect(wire.text).toMatch(/\r\n\r\nthe request did not arrive in time\n$/);
		}
		await flowing.until(/<\/flowing>\n$/);
		expect(served.map((request) => request.slice(0, 20))).toEqual(["POST /flowing xxxxxx"]);
	});

	test("a body that comes on, but not to its end: 408", async () => {
		const { port, served } = await open({ httpHeadersMs: 100, httpRequestMs: 500 });
		const wire = new Wire(port, `POST / HTTP/1.1\r\n${HOST}content-length: 1000000\r\n\r\n`);
		const drip = setInterval(() => wire.socket.write("x".repeat(100)), 20);
		cleanUp.push(() => clearInterval(drip));
		expect(await wire.statuses()).toEqual([408]);
		expect(wire.openMs).toBeGreaterThanOrEqual(500);
		expect(served).toEqual([]);
	});

	test("an idle connection is closed without a word, one with a request under way is not", async () => {
		const { port, held } = await open({ httpIdleMs: 300 });
		const busy = new Wire(port, get("/held"));
		const idle = new Wire(port, get("/"));
		await idle.until(/<\/>\n$/);
		const answeredMs = performance.now();
		expect(await idle.statuses()).toEqual([200]);
		// It got its answer before this side saw it.
		expect(idle.closedMs - answeredMs).toBeGreaterThan(200);
		held[0]?.(answer("late"));
		expect(await busy.until(/<late>\n$/)).toMatch(/^HTTP\/1\.1 200/);
	});

	test("who has not shown which protocol it speaks is closed, and not sooner; who has may take its time", async () => {
		const { port } = await open({ sniffMs: 400 });
		const spoken = new Wire(port, get("/1"));
		await spoken.until(/<\/1>\n$/);
		const silent = new Wire(port);
		expect(await silent.statuses()).toEqual([]);
		expect(silent.openMs).toBeGreaterThanOrEqual(400);
		spoken.socket.write(get("/2"));
		await spoken.until(/<\/2>\n$/);
	});

	test("the times of the product", () => {
		expect(DEFAULT_PORT_LIMITS).toMatchObject({
			sniffMs: 10_000,
			httpHeadersMs: 10_000,
			httpRequestMs: 300_000,
			httpIdleMs: 120_000,
			webSockets: { stallMs: 30_000, stallBytes: 16_384 },
		});
	});
});

describe("size", () => {
	/** Head of so many bytes, in one header or in the target. */
	const headOf = (bytes: number, where: "header" | "target"): string => {
		const bare = get("/", `${CLOSE}x: \r\n`).length;
		const filler = "y".repeat(bytes - bare);
		return where === "header" ? get("/", `${CLOSE}x: ${filler}\r\n`) : get(`/${filler}`, `${CLOSE}x: \r\n`);
	};

	test.each(["header", "target"] as const)("16 KiB of %s are taken, more is answered 431", async (where) => {
		const { port, served } = await open();
		// What stands between names and values is not counted.
		expect(await new Wire(port, headOf(16_384, where)).statuses()).toEqual([200]);
		expect(await new Wire(port, headOf(16_384 + 60, where)).statuses()).toEqual([431]);
		expect(served).toHaveLength(1);
	});

	test("100 headers are taken, 101 are answered 431, whatever comes behind them, and so is a WebSocket", async () => {
		const { port, served } = await open();
		const headers = (count: number): string => CLOSE + Array.from({ length: count - 2 }, (_, at) => `x-${at}: y\r\n`).join("");
		expect(await new Wire(port, get("/", headers(100))).statuses()).toEqual([200]);
		for (const count of [101, 102, 500]) {
			const wire = new Wire(port, get("/", headers(count)), get("/smuggled", CLOSE));
			expect(await wire.statuses()).toEqual([431]);
		}
		const upgrade = "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
		expect(await new Wire(port, get("/", `connection: upgrade\r\n${upgrade}${headers(101)}`)).statuses()).toEqual([431]);
		expect(served).toEqual(["GET /"]);
	});
});

describe("two readers must not see two requests: 400, and nothing of it is served", () => {
	const smuggled = get("/smuggled", CLOSE);
	const chunks = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
	const length = (count: number): string => `content-length: ${count}\r\n`;
	const CHUNKED = "transfer-encoding: chunked\r\n";
	const request = (headers: string, body: string): string => `POST / HTTP/1.1\r\n${HOST}${headers}\r\n${body}`;

	test.each([
		["two lengths", request(length(0) + length(smuggled.length), smuggled)],
		["the same length twice", request(length(0) + length(0), smuggled)],
		["two lengths in one header", request(`content-length: 0, ${smuggled.length}\r\n`, smuggled)],
		["a length and chunks", request(length(5) + CHUNKED, `0\r\n\r\n${smuggled}`)],
		["chunks and a length", request(CHUNKED + length(5), `0\r\n\r\n${smuggled}`)],
		["an encoding that nobody knows", request("transfer-encoding: cow\r\n", chunks)],
		["chunks that are not the last encoding", request("transfer-encoding: chunked, identity\r\n", chunks)],
		["an encoding with a tab before it", request(`transfer-encoding: \tchunked-\r\n${length(5)}`, `0\r\n\r\n${smuggled}`)],
		["a header with a blank before its colon", request(`content-length : ${smuggled.length}\r\n`, smuggled)],
		["a header that goes on in the next line", request(`x: y\r\n content-length: ${smuggled.length}\r\n`, smuggled)],
		["a length that is no number", request("content-length: 0x10\r\n", smuggled)],
		["a length with a sign", request("content-length: +5\r\n", smuggled)],
		["a length beyond any number", request("content-length: 99999999999999999999999\r\n", smuggled)],
		["a length of a chunk that is no number", request(CHUNKED, `zz\r\n${smuggled}`)],
		["a chunk that is longer than it says", request(CHUNKED, `1\r\nabc\r\n0\r\n\r\n${smuggled}`)],
		["a lone line feed behind a header", `POST / HTTP/1.1\r\n${HOST}x: y\n${length(0)}\r\n${smuggled}`],
		["a carriage return inside of a header", request("x: y\rcontent-length: 5\r\n", smuggled)],
		["a zero byte inside of a header", request("x: \0\r\n", smuggled)],
		["no host", `GET / HTTP/1.1\r\n\r\n${smuggled}`],
		["a version that is none", `GET / HTTP/1.7\r\n${HOST}\r\n${smuggled}`],
		["a method that is none", `GE T / HTTP/1.1\r\n${HOST}\r\n${smuggled}`],
		["a target with a blank", `GET /a b HTTP/1.1\r\n${HOST}\r\n${smuggled}`],
	])("%s", async (_what, bytes) => {
		const { port, served } = await open();
		expect(await new Wire(port, bytes).statuses()).toEqual([400]);
		expect(served).toEqual([]);
	});

	test("chunks as they should be are taken", async () => {
		const { port, served } = await open();
		const wire = new Wire(port, request(CHUNKED, "2\r\nab\r\n1;name=value\r\nc\r\n0\r\ntrailer: t\r\n\r\n"), get("/next", CLOSE));
		expect(await wire.statuses()).toEqual([200, 200]);
		expect(served).toEqual(["POST / abc", "GET /next"]);
	});
});

describe("requests that do not wait for the answer before", () => {
	test("are served one after another, in their order, each when the one before is answered", async () => {
		const { port, served, held } = await open();
		const wire = new Wire(port, get("/1"), get("/held/2"), post("/3", "body"), get("/4", CLOSE));
		await expect.poll(() => held.length).toBe(1);
		await wire.until(/<\/1>\n$/);
		// Another one is not held up, and has come after all of them.
		await new Wire(port, get("/other")).until(/<\/other>\n$/);
		expect(served).toEqual(["GET /1", "GET /held/2", "GET /other"]);
		held[0]?.(answer("second"));
		expect(await wire.statuses()).toEqual([200, 200, 200, 200]);
		expect([...wire.text.matchAll(/<(.*?)>/g)].map(([, body]) => body)).toEqual(["/1", "second", "/3", "/4"]);
		expect(served.slice(3)).toEqual(["POST /3 body", "GET /4"]);
	});

	test("sixteen may wait; one more ends the connection without an answer, and none of those that waited is served", async () => {
		const { port, served, held } = await open();
		const waiting = (count: number): string[] => Array.from({ length: count }, (_, at) => get(`/w${at}`));
		const honest = new Wire(port, get("/held"), ...waiting(16));
		await expect.poll(() => held.length).toBe(1);
		held[0]?.(answer("first"));
		await honest.until(/<\/w15>\n$/);
		expect(served).toHaveLength(17);
		const flood = new Wire(port, get("/held"), ...waiting(17));
		expect(await flood.statuses()).toEqual([]);
		expect(served.slice(17)).toEqual(["GET /held"]);
		held[1]?.(answer("to nobody"));
		await new Wire(port, get("/after")).until(/<\/after>\n$/);
		expect(served.slice(18)).toEqual(["GET /after"]);
	});

	test("a hundred thousand of them cost one handler", async () => {
		const { port, served } = await open();
		const flood = new Wire(port, get("/held"), get("/x").repeat(100_000));
		await flood.closed;
		expect(served).toEqual(["GET /held"]);
	});

	test("nothing is served behind an answer that was to be the last, nor on a connection that is left", async () => {
		const { port, served, held } = await open();
		const last = new Wire(port, get("/held/1", CLOSE), get("/2"), "rubbish\r\n\r\n");
		await expect.poll(() => held.length).toBe(1);
		held[0]?.(answer("first"));
		expect(await last.statuses()).toEqual([200]);
		const left = new Wire(port, get("/held/3"), get("/4"));
		await expect.poll(() => held.length).toBe(2);
		left.socket.destroy();
		await left.closed;
		held[1]?.(answer("to nobody"));
		await new Wire(port, get("/after")).until(/<\/after>\n$/);
		expect(served).toEqual(["GET /held/1", "GET /held/3", "GET /after"]);
	});

	test("rubbish behind a request that is not answered ends the connection, and is not told as that one's answer", async () => {
		const { port, served } = await open();
		for (const behind of ["rubbish\r\n\r\n", get("/", `x: ${"y".repeat(20_000)}\r\n`), "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\n"]) {
			expect(await new Wire(port, get("/held"), behind).statuses()).toEqual([]);
		}
		expect(served.filter((request) => request !== "GET /held")).toEqual([]);
	});

	test("a WebSocket behind a request that is not answered ends the connection", async () => {
		const { port, served, held } = await open();
		const upgrade =
			"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
		const wire = new Wire(port, get("/held"), get("/ws", upgrade));
		expect(await wire.statuses()).toEqual([]);
		expect([served, held.length]).toEqual([["GET /held"], 1]);
	});
});
