/** The client's end on a real socket against Node's HTTP/2 server: an independent reader of our frames and header blocks. */
import { createServer, type Http2Server, type IncomingHttpHeaders } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ConnectionOwner, Http2Connection } from "../../src/http2/connection.ts";
import { DEFAULT_CONNECTION_OPTIONS } from "../../src/http2/connection-options.ts";
import { ChunkPool } from "../../src/http2/frame-writer.ts";
import { statusOf } from "../../src/http2/header-block.ts";
import type { HeaderField } from "../../src/http2/hpack-encoder.ts";
import { SocketLink } from "../../src/http2/socket-link.ts";
import { KeptStream } from "./two-ends.ts";

class WiredClient implements ConnectionOwner {
	readonly connection = new Http2Connection("client", this, DEFAULT_CONNECTION_OPTIONS, new ChunkPool());
	private readonly link: SocketLink;
	readonly closed: Promise<void>;

	constructor(port: number) {
		let close: () => void = () => {};
		this.closed = new Promise((resolve) => {
			close = resolve;
		});
		this.link = new SocketLink(connect(port, "127.0.0.1"), this.connection, () => close());
	}

	outputWaits(): void {
		this.link?.outputWaits();
	}
	createStream(): never {
		throw new Error("a server opens no streams");
	}
	pinged(): boolean {
		return true;
	}
	goneAway(): void {}
	ended(): void {
		this.link.end();
	}
	nowMs(): number {
		return performance.now();
	}
}

class WaitedStream extends KeptStream {
	readonly done: Promise<void>;
	private finish: () => void = () => {};

	constructor() {
		super();
		this.done = new Promise((resolve) => {
			this.finish = resolve;
		});
	}
	override onHeaders(...args: Parameters<KeptStream["onHeaders"]>): void {
		super.onHeaders(...args);
		if (this.ends) this.finish();
	}
	override onData(...args: Parameters<KeptStream["onData"]>): void {
		super.onData(...args);
		if (this.ends) this.finish();
	}
	override onAbort(...args: Parameters<KeptStream["onAbort"]>): void {
		super.onAbort(...args);
		this.finish();
	}
}

let server: Http2Server;
let client: WiredClient;
let seen: IncomingHttpHeaders[];

beforeEach(async () => {
	seen = [];
	server = createServer();
	server.on("stream", (stream, headers) => {
		seen.push(headers);
		const parts: Buffer[] = [];
		stream.on("data", (part: Buffer) => parts.push(part));
		stream.on("end", () => {
			stream.respond({ ":status": 200, "x-echo": headers["x-sent"] ?? "" }, { waitForTrailers: true });
			stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-bytes": "\u00e9" }));
			stream.end(Buffer.concat(parts));
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	client = new WiredClient((server.address() as AddressInfo).port);
});

afterEach(async () => {
	client.connection.leave();
	await client.closed;
	await new Promise((resolve) => server.close(resolve));
});

async function call(message: Uint8Array, sent: string, repeats = true): Promise<WaitedStream> {
	const stream = new WaitedStream();
	const fields: HeaderField[] = [
		{ name: ":method", value: "POST", repeats: true },
		{ name: ":scheme", value: "http", repeats: true },
		{ name: ":path", value: "/etcdserverpb.KV/Put", repeats: true },
		{ name: ":authority", value: "localhost", repeats: true },
		{ name: "te", value: "trailers", repeats: true },
		{ name: "x-sent", value: sent, repeats },
	];
	client.connection.open(stream, fields, false);
	client.connection.sendMessage(stream, message, true);
	await stream.done;
	return stream;
}

test("calls and their answers, headers and trailers", async () => {
	for (let calls = 0; calls < 5; calls++) {
		const stream = await call(Buffer.from("hello"), "sent");
		const [head, trailers] = stream.blocks;
		expect(head && statusOf(head)).toBe(200);
		expect(head?.get("x-echo")).toBe("sent");
		expect(trailers?.get("x-bytes")).toBe("\u00e9");
		expect(stream.text.slice(5)).toBe("hello");
	}
	expect(seen).toHaveLength(5);
	expect(seen[4]).toMatchObject({ ":path": "/etcdserverpb.KV/Put", te: "trailers", "x-sent": "sent" });
});

test("every character that a field may have, in Huffman code and without, kept in the table and not", async () => {
	for (let code = 0x21; code < 256; code++) {
		if (code === 0x7f) continue;
		const character = String.fromCharCode(code);
		for (const sent of [`aeiost${character}aeiost`, `${character}${character}\u00ff${character}`]) {
			const stream = await call(new Uint8Array(0), sent, code % 2 === 0);
			expect(seen.at(-1)?.["x-sent"]).toBe(sent);
			expect(stream.blocks[0]?.get("x-echo")).toBe(sent);
		}
	}
});

test("large messages both ways, many at once", async () => {
	const sizes = [0, 1, 16_379, 16_380, 65_530, 65_536, 1_000_000];
	const streams = sizes.map((bytes) => {
		const stream = new GrantingStream(client.connection);
		client.connection.open(
			stream,
			[
				{ name: ":method", value: "POST", repeats: true },
				{ name: ":scheme", value: "http", repeats: true },
				{ name: ":path", value: "/x", repeats: true },
				{ name: ":authority", value: "localhost", repeats: true },
			],
			false,
		);
		client.connection.sendMessage(stream, Buffer.alloc(bytes, bytes % 256), true);
		return stream;
	});
	await Promise.all(streams.map((stream) => stream.done));
	for (const [at, stream] of streams.entries()) {
		const bytes = sizes[at] as number;
		expect(
			Buffer.concat(stream.data)
				.subarray(5)
				.equals(Buffer.alloc(bytes, bytes % 256)),
		).toBe(true);
	}
});

/** Lets the server send on as soon as something came. */
class GrantingStream extends WaitedStream {
	private readonly connection: Http2Connection;

	constructor(connection: Http2Connection) {
		super();
		this.connection = connection;
	}
	override onData(bytes: Buffer, start: number, end: number, ends: boolean): void {
		super.onData(bytes, start, end, ends);
		this.connection.grant(this, end - start);
	}
}
