/** The two ends of a connection, joined without a socket. */
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import type { HeaderField } from "../../src/http2/hpack-encoder.ts";
import { DEFAULT_WINDOW_BYTES, ErrorCode, FrameType } from "../../src/http2/protocol.ts";
import { carry, End, frame, framesOf, KeptStream, OPENING, REQUEST } from "./two-ends.ts";

const field = (name: string, value: string): HeaderField => ({ name, value, repeats: true });
const REQUEST_FIELDS = [field(":method", "POST"), field(":scheme", "http"), field(":path", "/x"), field("te", "trailers")];
const ANSWER_FIELDS = [field(":status", "200")];
const TRAILERS = [field("grpc-status", "0")];

function join(bytesMax?: number): { client: End; server: End; move: () => void } {
	const client = new End("client");
	const server = new End("server");
	const move = (): void => carry(client, server, bytesMax);
	move();
	return { client, server, move };
}

const messageOf = (stream: KeptStream): Buffer => Buffer.concat(stream.data).subarray(5);

test.each([Number.POSITIVE_INFINITY, 1, 7])("a call and its answer, in pieces of %d bytes", (bytesMax) => {
	const { client, server, move } = join(bytesMax);
	for (let calls = 0; calls < 20; calls++) {
		const call = new KeptStream();
		client.connection.open(call, REQUEST_FIELDS, false);
		client.connection.sendMessage(call, Buffer.from(`ask ${calls}`), true);
		move();
		const served = server.streams[calls] as KeptStream;
		expect(served.blocks[0]?.requestHead).toMatchObject({ fault: null, method: "POST", path: "/x" });
		expect(served).toMatchObject({ ends: true, id: 1 + 2 * calls });
		expect(messageOf(served).toString()).toBe(`ask ${calls}`);
		server.connection.sendHeaders(served, ANSWER_FIELDS, false);
		server.connection.sendMessage(served, Buffer.from(`answer ${calls}`), false);
		server.connection.sendHeaders(served, TRAILERS, true);
		move();
		expect(call.blocks.map((block) => block.names)).toEqual([[":status"], ["grpc-status"]]);
		expect(messageOf(call).toString()).toBe(`answer ${calls}`);
		expect(call).toMatchObject({ ends: true, gone: true, aborted: null });
	}
	expect(server.connection.streams.size).toBe(0);
	expect(client.connection.streams.size).toBe(0);
});

test.each([0, 1, 26, 49, 300, 1_000, 1_100])("a short answer in one go is the same as in parts: %d bytes", (bytes) => {
	const thirdAnswer = (inOneGo: boolean): Buffer => {
		const { client, server, move } = join();
		const { connection } = server;
		const [head, trailers] = [connection.prepare(ANSWER_FIELDS), connection.prepare(TRAILERS)];
		for (let calls = 0; calls < 3; calls++) {
			const call = new KeptStream();
			client.connection.open(call, REQUEST_FIELDS, false);
			client.connection.sendMessage(call, Buffer.from("ask"), true);
			move();
			const served = server.streams[calls] as KeptStream;
			const message = calls < 2 ? Buffer.from("first") : Buffer.alloc(bytes, "answer");
			const whole = inOneGo && connection.sendAnswer(served, head, message, trailers);
			// Before that the peer's table does not know the fields.
			if (inOneGo) expect(whole).toBe(calls === 2 && bytes <= 1_000);
			if (!whole) {
				connection.sendHeaders(served, head, false);
				connection.sendMessage(served, message, false);
				connection.sendHeaders(served, trailers, true);
			}
			expect(served.gone).toBe(true);
			if (calls < 2) move();
		}
		return server.take();
	};
	expect(framesOf(thirdAnswer(true))).toEqual(framesOf(thirdAnswer(false)));
});

test("an answer whose window is too small is not sent in one go", () => {
	const { client, server, move } = join();
	const { connection } = server;
	const [head, trailers] = [connection.prepare(ANSWER_FIELDS), connection.prepare(TRAILERS)];
	for (let calls = 0; calls < 3; calls++) {
		client.connection.open(new KeptStream(), REQUEST_FIELDS, true);
		move();
		const served = server.streams[calls] as KeptStream;
		if (calls === 2) served.sendWindow = 9;
		expect(connection.sendAnswer(served, head, Buffer.from("12345"), trailers)).toBe(false);
		if (calls === 2) break;
		connection.sendHeaders(served, head, false);
		connection.sendHeaders(served, trailers, true);
	}
});

test("a large message waits for windows and arrives whole; what waited is told", () => {
	const { client, server, move } = join();
	const call = new KeptStream();
	const bytes = 10 * DEFAULT_WINDOW_BYTES;
	client.connection.open(call, REQUEST_FIELDS, false);
	const message = Buffer.from(Array.from({ length: bytes }, (_, at) => at % 251));
	expect(client.connection.sendMessage(call, message, true)).toBe(false);
	move();
	const served = server.streams[0] as KeptStream;
	for (let rounds = 0; !served.ends; rounds++) {
		expect(rounds).toBeLessThan(11);
		server.connection.grant(served, DEFAULT_WINDOW_BYTES);
		move();
	}
	expect(messageOf(served).equals(message)).toBe(true);
	expect(call.sent).toBe(bytes + 5);
	expect(client.connection.queuedBytes).toBe(0);
});

test.each([0, 1, 9_000, 16_379, 16_380, 40_000, 65_530, 65_531, 200_000])("a message in parts is the same as in one: %d bytes", (bytes) => {
	const message = Buffer.from(Array.from({ length: bytes }, (_, at) => at % 251));
	const framesSent = (send: (connection: End["connection"], served: KeptStream) => void): Buffer => {
		const { client, server, move } = join();
		client.connection.open(new KeptStream(), REQUEST_FIELDS, true);
		move();
		const [served] = server.streams as [KeptStream];
		server.connection.sendHeaders(served, ANSWER_FIELDS, false);
		send(server.connection, served);
		return server.take();
	};
	const inOne = framesSent((connection, served) => connection.sendMessage(served, message, true));
	const parts = [message.subarray(10, 10), message.subarray(10, 20_000), message.subarray(20_000)];
	const inParts = framesSent((connection, served) => connection.sendMessage(served, message.subarray(0, 10), true, parts));
	expect(inParts.equals(inOne)).toBe(true);
	const data = framesOf(inOne).filter(({ type }) => type === FrameType.data);
	expect(Buffer.concat(data.map(({ content }) => content)).subarray(5, bytes + 5)).toEqual(message.subarray(0, DEFAULT_WINDOW_BYTES - 5));
});

test("a message of several frames leaves at once where it may, and only what had to wait is told when it leaves", () => {
	const { client, server, move } = join();
	client.connection.open(new KeptStream(), REQUEST_FIELDS, true);
	move();
	const [served] = server.streams as [KeptStream];
	server.connection.sendHeaders(served, ANSWER_FIELDS, false);
	expect(server.connection.sendMessage(served, Buffer.alloc(40_000), false)).toBe(true);
	expect([served.pendingBytes, server.connection.queuedBytes]).toEqual([0, 0]);
	// That is more than its window has left.
	expect(server.connection.sendMessage(served, Buffer.alloc(40_000), false)).toBe(false);
	const data = framesOf(server.take()).filter(({ type }) => type === FrameType.data);
	expect(data.map(({ content }) => content.length)).toEqual([16_384, 16_384, 7_237, 16_384, 9_146]);
	expect([served.sent, served.pendingBytes]).toEqual([25_530, 40_005 - 25_530]);
});

test("streams take turns: a small answer does not wait for a large one", () => {
	const { client, server, move } = join();
	const calls = [new KeptStream(), new KeptStream()];
	for (const call of calls) {
		client.connection.open(call, REQUEST_FIELDS, true);
	}
	move();
	const [large, small] = server.streams as [KeptStream, KeptStream];
	for (const served of server.streams) server.connection.sendHeaders(served, ANSWER_FIELDS, false);
	server.connection.congested = true;
	server.connection.sendMessage(large, Buffer.alloc(60_000), false);
	server.connection.sendMessage(small, Buffer.alloc(20_000), false);
	server.connection.congested = false;
	const order = framesOf(server.take()).filter(({ type }) => type === FrameType.data);
	expect(order.map(({ streamId }) => streamId)).toEqual([1, 3, 1, 3, 1, 1]);
});

test("a reset is told to the other side once, and nothing is sent after it", () => {
	const { client, server, move } = join();
	const call = new KeptStream();
	client.connection.open(call, REQUEST_FIELDS, false);
	move();
	const served = server.streams[0] as KeptStream;
	client.connection.reset(call, ErrorCode.cancel);
	expect(server.connection.sendMessage(served, Buffer.from("crossing"), false)).toBe(true);
	move();
	expect(served).toMatchObject({ aborted: ErrorCode.cancel, gone: true });
	expect(call).toMatchObject({ aborted: null, data: [] });
	expect(server.connection.sendMessage(served, Buffer.from("late"), false)).toBe(true);
	expect(server.take()).toHaveLength(0);
	expect(client.isEnded || server.isEnded).toBe(false);
});

test("a stream that waits for its window gives its bytes back when it is reset", () => {
	const { client, server, move } = join();
	const call = new KeptStream();
	client.connection.open(call, REQUEST_FIELDS, false);
	client.connection.sendMessage(call, Buffer.alloc(1_000_000), true);
	move();
	expect(client.connection.queuedBytes).toBeGreaterThan(900_000);
	server.connection.reset(server.streams[0] as KeptStream, ErrorCode.noError);
	move();
	expect(call.aborted).toBe(ErrorCode.noError);
	expect(client.connection.queuedBytes).toBe(0);
	const next = new KeptStream();
	client.connection.open(next, REQUEST_FIELDS, true);
	move();
	expect(server.streams[1]?.ends).toBe(true);
});

test("windows that shrink below what is under way hold the sender back, and let it go on later", () => {
	const server = new End("server");
	server.connection.receive(Buffer.concat([OPENING, frame(FrameType.headers, 5, 1, REQUEST)]));
	const served = server.streams[0] as KeptStream;
	server.connection.sendMessage(served, Buffer.alloc(60_000 - 5), false);
	server.take();
	server.connection.receive(frame(FrameType.settings, 0, 0, "000400000064"));
	expect(served.sendWindow).toBe(100 - 60_000);
	expect(server.connection.sendMessage(served, Buffer.from("x"), true)).toBe(false);
	expect(framesOf(server.take()).filter(({ type }) => type === FrameType.data)).toEqual([]);
	server.connection.receive(frame(FrameType.windowUpdate, 0, 1, "0000ea60"));
	expect(framesOf(server.take()).map(({ content }) => content.toString("hex"))).toEqual(["000000000178"]);
});

test("padding and priority are passed over, and padding counts against the windows", () => {
	const server = new End("server");
	server.connection.receive(Buffer.concat([OPENING, frame(FrameType.headers, 0x2c, 1, `02800000030f${REQUEST}0000`)]));
	const served = server.streams[0] as KeptStream;
	expect(served.blocks[0]?.names).toEqual([":method", ":scheme", ":path"]);
	server.connection.receive(frame(FrameType.data, 0x9, 1, "03616263000000"));
	expect(served.text).toBe("abc");
	expect(served.receiveWindow).toBe(DEFAULT_WINDOW_BYTES - 7);
});

test("a header block in several frames", () => {
	const server = new End("server");
	server.connection.receive(
		Buffer.concat([
			OPENING,
			frame(FrameType.headers, 1, 1, "8386"),
			frame(FrameType.continuation, 0, 1, ""),
			frame(FrameType.continuation, 4, 1, "84"),
		]),
	);
	expect(server.streams[0]).toMatchObject({ ends: true, blocks: [{ names: [":method", ":scheme", ":path"] }] });
});

test("a block longer than a frame goes out in several", () => {
	const { client, server, move } = join();
	const call = new KeptStream();
	const value = "~".repeat(40_000);
	client.connection.open(call, [...REQUEST_FIELDS, { name: "large", value, repeats: false }], true);
	move();
	expect(server.streams[0]?.blocks[0]?.get("large")).toBe(value);
});

test("leaving lets streams finish and takes no new ones", () => {
	const { client, server, move } = join();
	const calls = [new KeptStream(), new KeptStream()];
	client.connection.open(calls[0] as KeptStream, REQUEST_FIELDS, true);
	move();
	server.connection.leave();
	client.connection.open(calls[1] as KeptStream, REQUEST_FIELDS, true);
	move();
	expect(server.streams).toHaveLength(1);
	expect(client.goneAwayCode).toBe(ErrorCode.noError);
	expect(calls[1]?.aborted).toBe(ErrorCode.refusedStream);
	expect(client.connection.canOpen).toBe(false);
	expect(server.isEnded).toBe(false);
	server.connection.sendHeaders(server.streams[0] as KeptStream, TRAILERS, true);
	move();
	expect(calls[0]?.ends).toBe(true);
	expect(server.isEnded && client.isEnded).toBe(true);
});

test("an end without streams leaves at once; one whose socket is gone aborts them", () => {
	const idle = new End("server");
	idle.connection.receive(OPENING);
	idle.connection.leave();
	expect(idle.isEnded).toBe(true);
	const { client, server, move } = join();
	client.connection.open(new KeptStream(), REQUEST_FIELDS, true);
	move();
	server.connection.abort();
	expect(server.streams[0]?.aborted).toBe(ErrorCode.cancel);
});

test("a peer's limit of streams is kept to", () => {
	const client = new End("client");
	const server = new End("server", { concurrentStreamsMax: 2 });
	carry(client, server);
	client.connection.open(new KeptStream(), REQUEST_FIELDS, true);
	expect(client.connection.canOpen).toBe(true);
	client.connection.open(new KeptStream(), REQUEST_FIELDS, true);
	expect(client.connection.canOpen).toBe(false);
	carry(client, server);
	server.connection.sendHeaders(server.streams[0] as KeptStream, TRAILERS, true);
	carry(client, server);
	expect(client.connection.canOpen).toBe(true);
});

test("both ends keep in step over thousands of random calls", () => {
	const dice = new Dice(11);
	const { client, server } = join();
	const open = new Map<KeptStream, string>();
	let finished = 0;
	for (let step = 0; step < 20_000; step++) {
		if (dice.chance(1, 2) && open.size < 50) {
			const call = new KeptStream();
			const text = "x".repeat(dice.chance(1, 20) ? dice.range(0, 100_000) : dice.range(0, 300));
			client.connection.open(call, [...REQUEST_FIELDS, field(`n${dice.range(0, 99)}`, String(dice.range(0, 9)))], false);
			client.connection.sendMessage(call, Buffer.from(text), true);
			open.set(call, text);
		}
		for (const served of server.streams.splice(0)) {
			if (served.gone) continue;
			if (!served.ends) {
				server.connection.grant(served, Math.max(0, DEFAULT_WINDOW_BYTES - served.receiveWindow));
				server.streams.push(served);
			} else if (dice.chance(1, 10)) server.connection.reset(served, ErrorCode.cancel);
			else {
				server.connection.sendHeaders(served, ANSWER_FIELDS, false);
				server.connection.sendMessage(served, messageOf(served), true);
			}
		}
		carry(client, server, dice.chance(1, 10) ? dice.range(1, 50) : Number.POSITIVE_INFINITY);
		for (const [call, text] of open) {
			if (call.aborted !== null) open.delete(call);
			else if (call.ends) {
				expect(messageOf(call).toString()).toBe(text);
				open.delete(call);
				finished++;
			} else client.connection.grant(call, Math.max(0, DEFAULT_WINDOW_BYTES - call.receiveWindow));
		}
	}
	expect(finished).toBeGreaterThan(5_000);
	expect(client.isEnded || server.isEnded).toBe(false);
});
