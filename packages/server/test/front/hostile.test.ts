/**
 * Clients that flood, trickle or do not read, on real sockets against a server of its own process: they are cut off within the
 * time and the memory that were promised, and a neighbour's calls go on meanwhile.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { HpackEncoder } from "../../src/http2/hpack-encoder.ts";
import { ErrorCode, Flag, FrameType as T } from "../../src/http2/protocol.ts";
import { frame, OPENING } from "../http2/two-ends.ts";
import { BIDI, ECHO, HELD, LARGE } from "./hostile-methods.ts";
import { frame as message, RawClient } from "./raw-client.ts";

const MB = 1 << 20;
const PROMISED_BYTES = 32 * MB;
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

async function ask(what: string): Promise<{ peakBytes: number; connections: number }> {
	child.send(what);
	const [answer] = (await once(child, "message")) as [{ peakBytes: number; connections: number }];
	return answer;
}

/** Everybody but the neighbour is gone, memory was bounded, and the neighbour was served all the while. */
async function expectCutOff(): Promise<void> {
	await expect.poll(async () => (await ask("state")).connections, { timeout: GONE_MS }).toBe(1);
	expect((await ask("state")).peakBytes).toBeLessThan(PROMISED_BYTES);
	done = true;
	expect(await neighbourCalls).toBeGreaterThan(0);
}

class Attacker {
	readonly socket: Socket;
	closed = false;
	/** Of the first GOAWAY. */
	goaway = -1;
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
		const block = this.#encoder.encode(fields.map(([name = "", value = ""]) => ({ name, value, repeats: value.length < 100 })));
		return frame(T.headers, flags, streamId, Buffer.from(block));
	}

	/** Sends until it is cut off. */
	async flood(frames: (at: number) => Buffer[]): Promise<void> {
		await once(this.socket, "connect");
		for (let at = 0; !this.closed && this.goaway < 0 && at < 1_000_000; ) {
			const batch: Buffer[] = [];
			for (let round = 0; round < 50; round++) batch.push(...frames(at++));
			if (!this.socket.write(Buffer.concat(batch))) await new Promise((resolve) => setTimeout(resolve, 1));
			await new Promise((resolve) => setImmediate(resolve));
		}
	}

	#read(chunk: Buffer): void {
		if (this.goaway >= 0) return;
		this.#rest = Buffer.concat([this.#rest, chunk]);
		while (this.#rest.length >= 9) {
			const end = 9 + this.#rest.readUIntBE(0, 3);
			if (this.#rest.length < end) return;
			if (this.#rest[3] === T.goaway) this.goaway = this.#rest.readUInt32BE(13);
			this.#rest = this.#rest.subarray(end);
		}
	}
}

const idOf = (at: number): number => 1 + 2 * at;
const NO_WINDOW = frame(T.settings, 0, 0, "000400000000");
const WIDE_WINDOW = Buffer.concat([frame(T.settings, 0, 0, "00047fffffff"), frame(T.windowUpdate, 0, 0, "7fff0000")]);

test.each<[string, (attacker: Attacker, at: number) => Buffer[]]>([
	["pings", () => [frame(T.ping, 0, 0, "0000000000000000")]],
	["settings", () => [frame(T.settings, 0, 0)]],
	["window updates", () => [frame(T.windowUpdate, 0, 0, "00000001")]],
	[
		"calls that are reset at once",
		(attacker, at) => [
			attacker.request(idOf(at), HELD, Flag.endHeaders),
			frame(T.data, Flag.endStream, idOf(at), message(Buffer.of(1))),
			frame(T.rstStream, 0, idOf(at), "00000008"),
		],
	],
	[
		"streams that are reset at once",
		(attacker, at) => [attacker.request(idOf(at), BIDI, Flag.endHeaders), frame(T.rstStream, 0, idOf(at), "00000008")],
	],
	[
		"streams that have to be reset",
		(attacker, at) => [attacker.request(idOf(at), BIDI, Flag.endHeaders), frame(T.windowUpdate, 0, idOf(at), "00000000")],
	],
	["empty data", (attacker, at) => [...(at === 0 ? [attacker.request(1, ECHO, Flag.endHeaders)] : []), frame(T.data, 0, 1)]],
	[
		"a header block without end",
		(attacker, at) => [at === 0 ? attacker.request(1, ECHO, 0) : frame(T.continuation, 0, 1, Buffer.alloc(1_000, 0x82))],
	],
])("a flood of %s", async (_what, frames) => {
	const attacker = new Attacker();
	await attacker.flood((at) => frames(attacker, at));
	expect(attacker.goaway === ErrorCode.enhanceYourCalm || attacker.closed).toBe(true);
	await expectCutOff();
});

test("answers that nobody reads: the window is open, the socket is not read", async () => {
	const attacker = new Attacker(WIDE_WINDOW);
	await once(attacker.socket, "connect");
	attacker.socket.pause();
	for (let at = 0; at < 2_000; at++) {
		attacker.socket.write(
			Buffer.concat([attacker.request(idOf(at), LARGE, Flag.endHeaders), frame(T.data, 1, idOf(at), message(Buffer.of(1)))]),
		);
	}
	await new Promise((resolve) => setTimeout(resolve, STALL_MS));
	// Only now does it look, to see that it was cut off.
	await expect.poll(async () => (await ask("state")).peakBytes, { timeout: GONE_MS }).toBeGreaterThan(1 * MB);
	expect((await ask("state")).peakBytes).toBeLessThan(PROMISED_BYTES);
	attacker.socket.destroy();
	await expectCutOff();
});

test("answers that nobody reads: the socket is read, the window is closed", async () => {
	const attacker = new Attacker(NO_WINDOW);
	await once(attacker.socket, "connect");
	for (let at = 0; at < 2_000; at++) {
		attacker.socket.write(
			Buffer.concat([attacker.request(idOf(at), LARGE, Flag.endHeaders), frame(T.data, 1, idOf(at), message(Buffer.of(1)))]),
		);
	}
	await expect.poll(() => attacker.closed || attacker.goaway === ErrorCode.enhanceYourCalm, { timeout: GONE_MS }).toBe(true);
	await expectCutOff();
});

test("requests without end: thousands of calls, each with all that a window lets in", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	const part = message(Buffer.alloc(60_000)).subarray(0, 16_000);
	for (let at = 0; at < 1_000 && !attacker.closed; at++) {
		attacker.socket.write(
			Buffer.concat([
				attacker.request(idOf(at), ECHO, Flag.endHeaders),
				...[part, part, part].map((data) => frame(T.data, 0, idOf(at), data)),
			]),
		);
		if (at % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
	}
	expect((await ask("state")).peakBytes).toBeLessThan(PROMISED_BYTES);
	await new Promise((resolve) => setTimeout(resolve, STALL_MS * 2));
	expect((await ask("state")).peakBytes).toBeLessThan(PROMISED_BYTES);
	attacker.socket.destroy();
	await expectCutOff();
});

test("as many calls as may be open, each with large headers, none with a request", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	for (let at = 0; at < 6_000 && !attacker.closed; at++) {
		attacker.socket.write(attacker.request(idOf(at), HELD, Flag.endHeaders, [["x-large", "x".repeat(10_000) + at]]));
		if (at % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
	}
	await new Promise((resolve) => setTimeout(resolve, 200));
	expect((await ask("state")).peakBytes).toBeLessThan(PROMISED_BYTES);
	attacker.socket.destroy();
	await expectCutOff();
});

test("as many calls as may be open, none with a request", async () => {
	const attacker = new Attacker();
	await once(attacker.socket, "connect");
	for (let at = 0; at < 16_384; at++) attacker.socket.write(attacker.request(idOf(at), HELD, Flag.endHeaders));
	await new Promise((resolve) => setTimeout(resolve, 300));
	expect((await ask("state")).peakBytes).toBeLessThan(PROMISED_BYTES);
	attacker.socket.destroy();
	await expectCutOff();
});
