import { connect, createServer, type Server, type Socket } from "node:net";
import { freePorts } from "@flotilla/server/internal";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dialerOf } from "./dialer.ts";
import { Links } from "./links.ts";

/** A member's peer port that sends everything back. */
class Echo {
	readonly server: Server = createServer((socket) => {
		socket.on("error", () => {});
		socket.pipe(socket);
	});
	port = 0;

	async open(): Promise<void> {
		await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
		this.port = (this.server.address() as { port: number }).port;
	}
}

function hello(id: number): Buffer {
	const bytes = Buffer.alloc(48);
	bytes.write("FLOT", 0, "latin1");
	bytes.writeBigUInt64LE(BigInt(id), 20);
	return bytes;
}

/** A connection of one member to another, which counts what came back. */
class Dialed {
	received = 0;
	closed = false;
	private readonly socket: Socket;
	private waiters: Array<() => void> = [];

	constructor(port: number) {
		this.socket = connect(port, "127.0.0.1");
		this.socket.on("error", () => {});
		this.socket.on("close", () => this.changed(() => (this.closed = true)));
		this.socket.on("data", (chunk) => this.changed(() => (this.received += chunk.length)));
	}

	send(bytes: Buffer): void {
		this.socket.write(bytes);
	}

	async until(done: () => boolean): Promise<void> {
		while (!done()) await new Promise<void>((resolve) => this.waiters.push(resolve));
	}

	end(): void {
		this.socket.destroy();
	}

	private changed(change: () => void): void {
		change();
		const waiters = this.waiters;
		this.waiters = [];
		for (const wake of waiters) wake();
	}
}

describe("links between members", () => {
	const echo = new Echo();
	let links: Links;
	let port = 0;
	let a: Dialed;
	let b: Dialed;

	beforeEach(async () => {
		await echo.open();
		links = new Links("seed");
		port = (await freePorts(1))[0] as number;
		await links.add({ name: "c", targetPort: echo.port, listenPort: port });
		links.identify("1", "a");
		links.identify("2", "b");
		a = new Dialed(port);
		b = new Dialed(port);
		a.send(hello(1));
		b.send(hello(2));
		await a.until(() => a.received === 48);
		await b.until(() => b.received === 48);
	});

	afterEach(async () => {
		a.end();
		b.end();
		await links.close();
		await new Promise((resolve) => echo.server.close(resolve));
	});

	test("a direction that is held keeps its bytes, in order, until it is healed; others do not notice", async () => {
		links.set("a", "c", { held: true });
		a.send(Buffer.from("first"));
		a.send(Buffer.from("second"));
		// Each round of the other member is time in which the held bytes could have come.
		for (let round = 1; round <= 20; round++) {
			b.send(Buffer.from("x"));
			await b.until(() => b.received === 48 + round);
		}
		expect(a.received).toBe(48);
		links.heal();
		await a.until(() => a.received === 48 + "firstsecond".length);
	});

	test("the way back is a direction of its own: requests arrive, answers are held", async () => {
		links.set("c", "a", { held: true });
		a.send(Buffer.from("question"));
		for (let round = 1; round <= 20; round++) {
			b.send(Buffer.from("x"));
			await b.until(() => b.received === 48 + round);
		}
		expect(a.received).toBe(48);
		links.set("c", "a", { held: false });
		await a.until(() => a.received === 56);
	});

	test("a refused link closes the connections that are open and new ones as soon as they say who dials", async () => {
		links.set("a", "c", { refused: true, held: true });
		await a.until(() => a.closed);
		expect(b.closed).toBe(false);
		const again = new Dialed(port);
		again.send(hello(1));
		await again.until(() => again.closed);
		expect(again.received).toBe(0);
	});

	test("a slow link delivers everything in order", async () => {
		links.set("a", "c", { delayMs: 5, jitterMs: 10, lossPerMille: 100, bytesPerSecond: 1_000_000 });
		for (let n = 0; n < 50; n++) a.send(Buffer.alloc(100, n));
		await a.until(() => a.received === 48 + 5_000);
	});

	test("what one side stops reading is held up to a bound, and the sender is read no more", async () => {
		links.set("a", "c", { held: true });
		const chunk = Buffer.alloc(1 << 20);
		for (let n = 0; n < 32; n++) a.send(chunk);
		for (let round = 1; round <= 50; round++) {
			b.send(Buffer.from("x"));
			await b.until(() => b.received === 48 + round);
		}
		expect(links.heldBytes).toBeLessThan(8 << 20);
		links.heal();
		await a.until(() => a.received === 48 + (32 << 20));
		expect(links.heldBytes).toBe(0);
	});
});

describe("who dials", () => {
	for (const [name, head, id] of [
		["a hello of flotilla", hello(0xabc), "abc"],
		["half a hello", hello(0xabc).subarray(0, 21), null],
		["etcd's stream", Buffer.from("GET /raft/stream/msgapp/8e9e05c52164694d HTTP/1.1\r\nHost: x\r\n\r\n"), "8e9e05c52164694d"],
		["etcd's header", Buffer.from("POST /raft HTTP/1.1\r\nHost: x\r\nX-Server-From: 91bc3c398fb3c146\r\n\r\n"), "91bc3c398fb3c146"],
		["a probe", Buffer.from("GET /raft/probing HTTP/1.1\r\nHost: x\r\n\r\n"), null],
	] as const) {
		test(name, () => expect(dialerOf(head)).toBe(id));
	}
});
