/**
 * Clients that flood, trickle or do not read, on real sockets against a server of its own process: it ends their connections, in
 * the memory that was promised, and a neighbour's calls go on meanwhile. No attacker leaves by itself.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { HpackEncoder } from "../../src/http2/hpack-encoder.ts";
import { ErrorCode, Flag, FrameType as T } from "../../src/http2/protocol.ts";
import { frame, OPENING } from "../http2/two-ends.ts";
import { BIDI, ECHO, HELD, HOLDING, LARGE } from "./hostile-methods.ts";
import { frame as message, RawClient } from "./raw-client.ts";

const MB = 1 << 20;
const PROMISED_BYTES = 32 * MB;
const PROMISED_FRAMES = 10_000;
/** Short, so that the tests are; the product waits 30 seconds. */
const STALL_MS = 1_500;
/** For a machine that does much else. */
const HOOK_MS = 120_000;
const GONE_MS = 60_000;

let child: ChildProcess;
let port: number;
let neighbour: RawClient;
let neighbourCalls: Promise<number>;
let done: boolean;
const sockets: Socket[] = [];

beforeAll(async () => {
	child = fork(fileURLToPath(new URL("./hostile-child.ts", import.meta.url)), {
		execArgv: ["--conditions=@flotilla/source", "--expose-gc"],
		env: { ...process.env, FRONT_OPTIONS: JSON.stringify({ stallMs: STALL_MS }) },
	});
	[{ port }] = (await once(child, "message")) as [{ port: number }];
	neighbour = new RawClient(port);
	for (let calls = 0; calls < 50; calls++) await neighbour.call(ECHO, Buffer.from("warm"));
}, HOOK_MS);

afterAll(async () => {
	neighbour.close();
	child.kill("SIGKILL");
	await once(child, "exit");
}, HOOK_MS);

beforeEach(async () => {
	await ask("begin");
	done = false;
	neighbourCalls = callOn();
}, HOOK_MS);

afterEach(async () => {
	done = true;
	for (const socket of sockets.splice(0)) socket.destroy();
	await neighbourCalls;
	await expect.poll(async () => (await ask("state")).connections, { timeout: GONE_MS }).toBe(1);
}, HOOK_MS);

/** Calls one after another until the test is done: each must be answered. */
async function callOn(): Promise<number> {
	let calls = 0;
	for (; !done; calls++) {
		expect(await neighbour.call(ECHO, Buffer.alloc(100, calls))).toMatchObject({ code: 0 });
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
	return calls;
}

interface State {
	readonly peakBytes: number;
	readonly connections: number;
	/** Reasons for which connections were ended. */
	readonly cuts: readonly string[];
}

async function ask(what: string): Promise<State> {
	child.send(what);
	const [answer] = (await once(child, "message")) as [State];
	return answer;
}

/** The server has ended its connection for this reason and for no other one, memory was bounded, and the neighbour was served all the while. */
async function expectCutOff(attacker: Attacker, reason: string | RegExp): Promise<void> {
	await expect.poll(async () => (await ask("state")).cuts, { timeout: GONE_MS }).toEqual([expect.stringMatching(reason)]);
	await expect.poll(async () => (await ask("state")).connections, { timeout: GONE_MS }).toBe(1);
	const { peakBytes } = await ask("state");
	expect(attacker.leftByItself).toBe(false);
	expect(peakBytes).toBeLessThan(PROMISED_BYTES);
	done = true;
	expect(await neighbourCalls).toBeGreaterThan(0);
}

/** The same of one that reads, and was told. */
async function expectGoaway(attacker: Attacker, reason: string | RegExp): Promise<void> {
	const told = { code: ErrorCode.enhanceYourCalm, reason: expect.stringMatching(reason) };
	await expect.poll(() => attacker.goaway, { timeout: GONE_MS }).toEqual(told);
	await expect.poll(() => attacker.closed, { timeout: GONE_MS }).toBe(true);
	await expectCutOff(attacker, reason);
}

class Attacker {
	readonly socket: Socket;
	closed = false;
	/** The first GOAWAY. */
	goaway: { readonly code: number; readonly reason: string } | null = null;
	/** PING and its answers. */
	pongs = 0;
	readonly #encoder = new HpackEncoder();
	#rest: Buffer = Buffer.alloc(0);

	constructor(settings: Buffer = Buffer.alloc(0)) {
		this.socket = connect(port, "127.0.0.1");
		sockets.push(this.socket);
		this.socket.on("error", () => {});
		this.socket.on("close", () => {
			this.closed = true;
		});
		this.socket.on("data", (chunk: Buffer) => this.#read(chunk));
		this.socket.write(Buffer.concat([OPENING, settings]));
	}

	request(streamId: number, path: string, flags: number, more: ReadonlyArray<readonly [string, string]> = []): Buffer {
		const fields = [
			[":method", "POST"],
			[":scheme", "http"],
			[":path", path],
			["content-type", "application/grpc"],
			["te", "trailers"],
			...more,
		];
		const block = this.#encoder.encode(
			fields.map(([name = "", value = ""]) => ({ name, value, repeats: name === "x" || value.length < 100 })),
		);
		return frame(T.headers, flags, streamId, Buffer.from(block));
	}

	/** A field of four thousand bytes goes into the table; each byte behind it stands for that field. */
	bomb(streamId: number): Buffer {
		const request = this.request(streamId, ECHO, Flag.endHeaders | Flag.endStream, [["x", "x".repeat(3_000)]]);
		const content = Buffer.concat([request.subarray(9), Buffer.alloc(8_000, NEWEST_FIELD)]);
		return frame(T.headers, Flag.endHeaders | Flag.endStream, streamId, content);
	}

	/** This side did it. */
	get leftByItself(): boolean {
		return this.socket.destroyed && !this.closed;
	}

	/** Sends as many frames as a flood may have, and not one more: whoever cuts it off then has not taken more. */
	async flood(frames: (at: number) => Buffer[]): Promise<void> {
		await once(this.socket, "connect");
		let left = PROMISED_FRAMES;
		for (let at = 0; left > 0 && this.goaway === null && !this.closed; ) {
			const batch: Buffer[] = [];
			for (let round = 0; round < 50; round++) batch.push(...frames(at++));
			await this.send(...batch.slice(0, left));
			left -= batch.length;
		}
	}

	/** Resolves when the socket has room again, at the latest a moment later. */
	async send(...frames: Buffer[]): Promise<void> {
		if (!this.socket.write(Buffer.concat(frames))) await new Promise((resolve) => setTimeout(resolve, 1));
		await new Promise((resolve) => setImmediate(resolve));
	}

	#read(chunk: Buffer): void {
		if (this.goaway !== null) return;
		this.#rest = Buffer.concat([this.#rest, chunk]);
		while (this.#rest.length >= 9) {
			const end = 9 + this.#rest.readUIntBE(0, 3);
			if (this.#rest.length < end) return;
			if (this.#rest[3] === T.ping) this.pongs++;
			if (this.#rest[3] === T.goaway) {
				this.goaway = { code: this.#rest.readUInt32BE(13), reason: this.#rest.toString("latin1", 17, end) };
				return;
			}
			this.#rest = this.#rest.subarray(end);
		}
	}
}

/** As an indexed field: the one that the table took last. */
const NEWEST_FIELD = 0x80 | 62;
const idOf = (at: number): number => 1 + 2 * at;
const NO_WINDOW = frame(T.settings, 0, 0, "000400000000");
const WIDE_WINDOW = Buffer.concat([frame(T.settings, 0, 0, "00047fffffff"), frame(T.windowUpdate, 0, 0, "7fff0000")]);

const WASTE = "too many frames without use";

test.each<[string, string | RegExp, (attacker: Attacker, at: number) => Buffer[]]>([
	["pings", "too_many_pings", () => [frame(T.ping, 0, 0, "0000000000000000")]],
	["acknowledgements of pings", WASTE, () => [frame(T.ping, Flag.ack, 0, "0000000000000000")]],
	// Those of one read are answered together: to many of them that is as if nobody read the answers.
	["settings", /too many (frames without use|acknowledgements are not read)/, () => [frame(T.settings, 0, 0)]],
	["window updates", WASTE, () => [frame(T.windowUpdate, 0, 0, "00000001")]],
	["priorities", WASTE, (_attacker, at) => [frame(T.priority, 0, idOf(at), "0000000110")]],
	["frames of unknown types", WASTE, () => [frame(0x20, 0, 0, "00")]],
	[
		"calls that are reset at once",
		"too many resets",
		(attacker, at) => [
			attacker.request(idOf(at), HELD, Flag.endHeaders),
			frame(T.data, Flag.endStream, idOf(at), message(Buffer.of(1))),
			frame(T.rstStream, 0, idOf(at), "00000008"),
		],
	],
	[
		"streams that are reset at once",
		"too many resets",
		(attacker, at) => [attacker.request(idOf(at), BIDI, Flag.endHeaders), frame(T.rstStream, 0, idOf(at), "00000008")],
	],
	[
		"streams that have to be reset",
		"too many streams had to be reset",
		(attacker, at) => [attacker.request(idOf(at), BIDI, Flag.endHeaders), frame(T.windowUpdate, 0, idOf(at), "00000000")],
	],
	["empty data", WASTE, (attacker, at) => [...(at === 0 ? [attacker.request(1, ECHO, Flag.endHeaders)] : []), frame(T.data, 0, 1)]],
	[
		"a header block without end",
		"a header block is too long or in too many pieces",
		(attacker, at) => [at === 0 ? attacker.request(1, ECHO, 0) : frame(T.continuation, 0, 1, Buffer.alloc(1_000, 0x82))],
	],
	[
		"headers of one byte a field that grow to four thousand",
		"too many streams had to be reset",
		(attacker, at) => [attacker.bomb(idOf(at))],
	],
])("a flood of %s", async (_what, reason, frames) => {
	const attacker = new Attacker();
	await attacker.flood((at) => frames(attacker, at));
	await expectGoaway(attacker, reason);
});

/** Calls whose answers are large. */
async function askForMuch(attacker: Attacker): Promise<void> {
	for (let at = 0; at < 2_000; at++) {
		await attacker.send(attacker.request(idOf(at), LARGE, Flag.endHeaders), frame(T.data, 1, idOf(at), message(Buffer.of(1))));
	}
}

test("answers that nobody reads: the window is open, the socket is not read", async () => {
	const attacker = new Attacker(WIDE_WINDOW);
	await once(attacker.socket, "connect");
	attacker.socket.pause();
	await askForMuch(attacker);
	// It cannot be told, since it does not read. When it looks at last, its connection is gone.
	await expectCutOff(attacker, "answers are not read");
	attacker.socket.resume();
	await expect.poll(() => attacker.closed, { timeout: GONE_MS }).toBe(true);
});

test("answers that nobody reads: the socket is read, the window is closed", async () => {
	const attacker = new Attacker(NO_WINDOW);
	await once(attacker.socket, "connect");
	await askForMuch(attacker);
	await expectGoaway(attacker, "answers are not read");
});

test("requests without end: a thousand calls, each with all that a window lets in", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	const part = message(Buffer.alloc(60_000)).subarray(0, 16_000);
	for (let at = 0; at < 1_000; at++) {
		const parts = [part, part, part].map((data) => frame(T.data, 0, idOf(at), data));
		await attacker.send(attacker.request(idOf(at), ECHO, Flag.endHeaders), ...parts);
	}
	await expectGoaway(attacker, "requests do not arrive");
});

/** A thousandth of the megabyte that it grows to. */
const PACKED = message(gzipSync(Buffer.alloc(MB)));
PACKED[0] = 1;
const GZIP = [["grpc-encoding", "gzip"]] as const;

test("requests that would grow a thousandfold, whole but never ended: they wait as they came", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	for (let at = 0; at < 1_000; at++) {
		await attacker.send(attacker.request(idOf(at), ECHO, Flag.endHeaders, GZIP), frame(T.data, 0, idOf(at), PACKED));
	}
	await expectGoaway(attacker, "requests do not arrive");
});

test("messages that would grow a thousandfold, in streams that are held back: they wait as they came", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	const messages = Buffer.concat(Array.from({ length: 30 }, () => PACKED));
	for (let at = 0; at < 30; at++) {
		const parts = [0, 1, 2].map((part) => messages.subarray(part * 16_000, (part + 1) * 16_000)).filter((data) => data.length > 0);
		await attacker.send(
			attacker.request(idOf(at), HOLDING, Flag.endHeaders, GZIP),
			...parts.map((data) => frame(T.data, 0, idOf(at), data)),
		);
	}
	// Answered behind all of it.
	await attacker.send(frame(T.ping, 0, 0, "0102030405060708"));
	await expect.poll(() => attacker.pongs, { timeout: GONE_MS }).toBe(1);
	expect((await ask("state")).peakBytes).toBeLessThan(PROMISED_BYTES);
	expect(attacker.goaway).toBeNull();
});

test("as many calls as may be open, each with large headers, none with a request", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	for (let at = 0; at < 6_000; at++) {
		await attacker.send(attacker.request(idOf(at), HELD, Flag.endHeaders, [["x-large", "x".repeat(10_000) + at]]));
	}
	await expectGoaway(attacker, "requests do not arrive");
});

test("as many calls as may be open, none with a request", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	for (let at = 0; at < 16_384; at++) {
		const request = attacker.request(idOf(at), HELD, Flag.endHeaders);
		if (at % 100 === 99) await attacker.send(request);
		else attacker.socket.write(request);
	}
	await expectGoaway(attacker, "requests do not arrive");
});

test("one request that stops costs its call alone: the connection goes on", async () => {
	const client = new RawClient(port);
	const call = client.open(ECHO);
	call.stream.write(message(Buffer.alloc(1_000)).subarray(0, 500));
	expect(await call.answer).toMatchObject({ code: 4 });
	expect(await client.call(ECHO, Buffer.from("on"))).toMatchObject({ code: 0 });
	client.close();
	expect((await ask("state")).cuts).toEqual([]);
});
