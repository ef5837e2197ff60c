/** The client's own gRPC against Node's HTTP/2 server: messages cut anywhere, statuses, lost connections, and the open loop. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { etcdserverpb } from "@flotilla/api";
import { ChunkPool } from "@flotilla/server/internal";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type LoadReport, loadCommand } from "../src/cli/load-command.ts";
import { type LoadCall, readBenchCall } from "../src/cli/options.ts";
import { OPEN_ACCESS } from "../src/client/access.ts";
import { GrpcConnection } from "../src/client/grpc-connection.ts";
import { MessageStream } from "../src/client/message-stream.ts";
import { LeaseLoad } from "../src/load/lease-load.ts";
import { UnaryLoad } from "../src/load/unary-load.ts";
import { WatchLoad } from "../src/load/watch-load.ts";
import { Recorder } from "../src/measure/recorder.ts";

let server: Http2Server;
let endpoint: string;
let sessions: Set<ServerHttp2Session>;
let handle: (stream: ServerHttp2Stream) => void;
const open: GrpcConnection[] = [];
const paths = new WeakMap<ServerHttp2Stream, string>();

function pathOf(stream: ServerHttp2Stream): string {
	return paths.get(stream) ?? "";
}

beforeEach(async () => {
	sessions = new Set();
	server = createServer();
	server.on("session", (session) => void sessions.add(session));
	server.on("stream", (stream, headers) => {
		paths.set(stream, String(headers[":path"]));
		stream.on("error", () => {});
		stream.resume();
		handle(stream);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
	for (const connection of open.splice(0)) connection.close();
	for (const session of sessions) session.destroy();
	await new Promise((resolve) => server.close(resolve));
});

async function dial(): Promise<GrpcConnection> {
	const connection = await GrpcConnection.dial(endpoint, OPEN_ACCESS, "", new ChunkPool());
	open.push(connection);
	return connection;
}

function framed(message: Uint8Array): Buffer {
	const head = Buffer.alloc(5);
	head.writeUInt32BE(message.length, 1);
	return Buffer.concat([head, message]);
}

function answer(stream: ServerHttp2Stream, body: Uint8Array, trailers: Record<string, string> = { "grpc-status": "0" }): void {
	if (stream.destroyed) return;
	stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
	stream.on("wantTrailers", () => stream.sendTrailers(trailers));
	stream.end(body);
}

class Kept extends MessageStream {
	readonly messages: Buffer[] = [];
	readonly done: Promise<readonly [number, string]>;
	private finish: (status: readonly [number, string]) => void = () => {};

	constructor(connection: GrpcConnection) {
		super(connection.http2);
		this.done = new Promise((resolve) => {
			this.finish = resolve;
		});
	}
	onMessage(bytes: Buffer, start: number, end: number): void {
		this.messages.push(Buffer.from(bytes.subarray(start, end)));
	}
	onStatus(code: number, text: string): void {
		this.finish([code, text]);
	}
}

async function call(connection: GrpcConnection): Promise<Kept> {
	const stream = new Kept(connection);
	connection.open(stream, connection.method("/a/b"));
	connection.http2.sendMessage(stream, Buffer.from("question"), true);
	await stream.done;
	return stream;
}

test("messages arrive whole wherever they were cut, and larger than any window", async () => {
	const messages = [Buffer.alloc(0), Buffer.from("x"), Buffer.alloc(70_000, "y"), Buffer.alloc(3_000_000, "z"), Buffer.from("last")];
	const bytes = Buffer.concat(messages.map(framed));
	for (const piece of [1 << 20, 16_383, 4_099]) {
		handle = (stream) => {
			stream.respond({ ":status": 200 }, { waitForTrailers: true });
			stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
			for (let at = 0; at < bytes.length; at += piece) stream.write(bytes.subarray(at, at + piece));
			stream.end();
		};
		const stream = await call(await dial());
		expect(await stream.done).toEqual([0, ""]);
		expect(stream.messages.map(({ length }) => length)).toEqual(messages.map(({ length }) => length));
		expect(Buffer.concat(stream.messages).equals(Buffer.concat(messages))).toBe(true);
	}
});

test("heads of messages that come byte by byte are put together", async () => {
	const bytes = Buffer.concat([framed(Buffer.from("one")), framed(Buffer.from("two"))]);
	handle = (stream) => {
		stream.respond({ ":status": 200 }, { waitForTrailers: true });
		stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
		void (async () => {
			for (const byte of bytes) {
				stream.write(Buffer.from([byte]));
				await pause(1);
			}
			stream.end();
		})();
	};
	const stream = await call(await dial());
	expect(stream.messages.map(String)).toEqual(["one", "two"]);
});

test("statuses: by trailers, by headers alone, none at all, of HTTP, and a reset", async () => {
	const connection = await dial();
	for (const [server, wanted] of [
		[
			(stream: ServerHttp2Stream) => answer(stream, Buffer.alloc(0), { "grpc-status": "9", "grpc-message": "no 100%25 %C3%A4" }),
			[9, "no 100% ä"],
		],
		[
			(stream: ServerHttp2Stream) => stream.respond({ ":status": 200, "grpc-status": "12", "grpc-message": "none" }, { endStream: true }),
			[12, "none"],
		],
		[(stream: ServerHttp2Stream) => stream.end("x"), [2, "the stream ended without a status"]],
		[(stream: ServerHttp2Stream) => stream.respond({ ":status": 503 }, { endStream: true }), [2, ""]],
		[(stream: ServerHttp2Stream) => stream.close(7), [14, "stream or connection ended, HTTP/2 code 7"]],
	] as const) {
		handle = server;
		expect(await (await call(connection)).done).toEqual(wanted);
	}
});

test("a connection that nobody answers is refused with its name", async () => {
	await expect(GrpcConnection.dial("127.0.0.1:1", OPEN_ACCESS, "", new ChunkPool())).rejects.toThrow("cannot connect to 127.0.0.1:1");
});

test("a lost connection is a failure, is dialed anew, and the load goes on", async () => {
	handle = (stream) => answer(stream, framed(Buffer.alloc(0)));
	const recorder = new Recorder();
	recorder.beginMeasuring();
	const load = new UnaryLoad([await dial()], {
		clients: 4,
		rate: 0,
		recorder,
		requests: () => ({ path: "/a/b", message: Buffer.alloc(1) }),
		redial: dial,
	});
	load.start();
	await until(() => recorder.operations > 20);
	for (const session of sessions) session.destroy();
	await until(() => recorder.failedCount > 0);
	const before = recorder.operations;
	await until(() => recorder.operations > before + 20);
	await load.stop();
});

test("an open loop charges a stall to all that it held up; a closed one hardly notices it", async () => {
	const STALL_MS = 600;
	const shares: number[] = [];
	for (const rate of [200, 0]) {
		let stalledUntil = 0;
		let answered = 0;
		handle = (stream) => {
			if (++answered === 50) stalledUntil = performance.now() + STALL_MS;
			setTimeout(() => answer(stream, framed(Buffer.alloc(0))), Math.max(4, stalledUntil - performance.now()));
		};
		const recorder = new Recorder();
		recorder.beginMeasuring();
		const slow: number[] = [];
		const took = recorder.took.bind(recorder);
		recorder.took = (ms) => {
			slow.push(ms);
			took(ms);
		};
		const load = new UnaryLoad([await dial()], {
			clients: 1,
			rate,
			recorder,
			requests: () => ({ path: "/a/b", message: Buffer.alloc(1) }),
			redial: dial,
		});
		load.start();
		await pause(2_500);
		await load.stop();
		expect(answered).toBeGreaterThan(50);
		shares.push(slow.filter((ms) => ms > STALL_MS / 3).length / slow.length);
	}
	const [openLoop = 0, closedLoop = 0] = shares;
	expect(openLoop).toBeGreaterThan(0.1);
	expect(openLoop).toBeGreaterThan(3 * closedLoop);
});

test("renewals at a rate are due at fixed times: one stall is charged to all that it held up, on as few leases as there are", async () => {
	const STALL_MS = 600;
	let renewals = 0;
	let stalledUntil = 0;
	handle = (stream) => {
		const path = pathOf(stream);
		if (path.endsWith("LeaseGrant")) return answer(stream, framed(etcdserverpb.LeaseGrantResponse.encode({ ID: 7n, TTL: 600 })));
		if (path.endsWith("LeaseRevoke")) return answer(stream, framed(etcdserverpb.LeaseRevokeResponse.encode({})));
		stream.respond({ ":status": 200, "content-type": "application/grpc" });
		stream.on("data", () => {
			if (++renewals === 50) stalledUntil = performance.now() + STALL_MS;
			const renewal = framed(etcdserverpb.LeaseKeepAliveResponse.encode({ ID: 7n, TTL: 600 }));
			setTimeout(() => !stream.destroyed && stream.write(renewal), Math.max(1, stalledUntil - performance.now()));
		});
	};
	const recorder = new Recorder();
	const took: number[] = [];
	recorder.took = (ms) => void took.push(ms);
	const load = new LeaseLoad([await dial()], { clients: 2, rate: 200, recorder });
	await load.prepare();
	load.start();
	await until(() => took.length > 300);
	await load.stop();
	// 600 ms of 200 a second are 120, of which those in the first two thirds waited for more than a third of it.
	expect(took.filter((ms) => ms > STALL_MS / 3).length).toBeGreaterThan(60);
	expect(recorder.failedCount).toBe(0);
});

test("events count from when their put was due: a put that waits for the watchers is charged for that", async () => {
	const STALL_MS = 600;
	let puts = 0;
	let stalledUntil = 0;
	let watcher: ServerHttp2Stream | null = null;
	handle = (stream) => {
		if (pathOf(stream).endsWith("Watch")) {
			watcher = stream;
			stream.respond({ ":status": 200, "content-type": "application/grpc" });
			stream.once("data", () => stream.write(framed(etcdserverpb.WatchResponse.encode({ watchId: 0n, created: true }))));
			return;
		}
		stream.on("data", (message: Buffer) => {
			const { key, value } = etcdserverpb.PutRequest.decode(message.subarray(5));
			answer(stream, framed(etcdserverpb.PutResponse.encode({})));
			if (++puts === 50) stalledUntil = performance.now() + STALL_MS;
			const event = framed(
				etcdserverpb.WatchResponse.encode({
					watchId: 0n,
					events: [{ type: 0, kv: { key, value, createRevision: 1, modRevision: 1, version: 1, lease: 0n }, prevKv: null }],
				}),
			);
			setTimeout(() => watcher?.write(event), Math.max(1, stalledUntil - performance.now()));
		});
	};
	const recorder = new Recorder();
	const took: number[] = [];
	recorder.latencyOf = (ms) => void took.push(ms);
	const load = new WatchLoad([await dial()], {
		watchers: 1,
		streams: 1,
		rate: 200,
		ahead: 2,
		valueBytes: 16,
		recorder,
		everyLatency: true,
	});
	await load.prepare();
	load.start();
	await until(() => took.length > 300);
	await load.stop();
	expect(took.filter((ms) => ms > STALL_MS / 3).length).toBeGreaterThan(60);
	expect([recorder.failedCount, load.doubt()]).toEqual([0, null]);
});

test("a server that answers writes and does not make them is doubted, and the command ends with 1", async () => {
	handle = (stream) => {
		const header = { clusterId: 1n, memberId: 5n, revision: 9, raftTerm: 2 };
		if (pathOf(stream).endsWith("Status")) answer(stream, framed(etcdserverpb.StatusResponse.encode({ header, version: "3", leader: 5n })));
		else if (pathOf(stream).endsWith("Range")) answer(stream, framed(etcdserverpb.RangeResponse.encode({ header })));
		else answer(stream, framed(etcdserverpb.PutResponse.encode({ header })));
	};
	const file = join(await mkdtemp(join(tmpdir(), "flotilla-bench-")), "report.json");
	const args = ["put", "--endpoints", endpoint, "--seconds", "1", "--warm-up", "0", "--json", file];
	expect(await loadCommand(readBenchCall(args, {}) as LoadCall)).toBe(1);
	const [run] = (JSON.parse(await readFile(file, "utf8")) as LoadReport).runs;
	expect(run?.doubt).toBe(`${run?.operations} writes were acknowledged, the revision rose by 0`);
	await rm(dirname(file), { recursive: true });
});

async function until(holds: () => boolean): Promise<void> {
	const deadline = performance.now() + 60_000;
	while (!holds()) {
		if (performance.now() > deadline) throw new Error("it did not come to that within a minute");
		await pause(10);
	}
}
