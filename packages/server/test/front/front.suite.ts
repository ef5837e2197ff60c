/** What every adapter behind the seam must do, seen from bare HTTP/2 and from a gRPC library. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { WireError } from "@flotilla/base";
import type { ServiceError } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DEFAULT_GRPC_OPTIONS, type GrpcFrontOptions } from "../../src/front/front-options.ts";
import { Grpc, type GrpcFront, type MethodTable } from "../../src/front/seam.ts";
import { failed, LibraryClient } from "./library-client.ts";
import { frame, RawClient } from "./raw-client.ts";
import {
	BIDI,
	CLIENT_STREAM,
	createTestService,
	DECODED,
	DECODED_BIDI,
	ECHO,
	HELD,
	SERVER_STREAM,
	type TestService,
} from "./test-service.ts";

const MESSAGE_BYTES_MAX = 100_000;
const OK = { code: Grpc.ok, message: "" };

export function testFront(createFront: (methods: MethodTable, options: GrpcFrontOptions) => GrpcFront): void {
	let service: TestService;
	let front: GrpcFront;
	let listener: Server;
	let sockets: Set<Socket>;
	let raw: RawClient;
	let library: LibraryClient;

	beforeEach(async () => {
		service = createTestService();
		front = createFront(service.methods, { ...DEFAULT_GRPC_OPTIONS, messageBytesMax: MESSAGE_BYTES_MAX });
		sockets = new Set();
		listener = createServer((socket) => {
			sockets.add(socket);
			front.accept(socket);
		});
		await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
		const { port } = listener.address() as AddressInfo;
		raw = new RawClient(port);
		library = new LibraryClient(port);
	});

	afterEach(async () => {
		raw.close();
		library.close();
		await front.close(0);
		for (const socket of sockets) socket.destroy();
		await new Promise((resolve) => listener.close(resolve));
	});

	test("a unary call carries its bytes both ways", async () => {
		const message = Uint8Array.from({ length: 256 }, (_, at) => at);
		const answer = await raw.call(ECHO, message);
		expect(answer.headers).toMatchObject({ ":status": 200 });
		expect(answer.headers["content-type"]).toMatch(/^application\/grpc/);
		expect(answer).toMatchObject({ code: 0, message: "", resetCode: 0 });
		expect(answer.messages).toEqual([Buffer.from(message)]);
		expect(await library.call(ECHO, message)).toMatchObject({ code: 0, response: Buffer.from(message) });
	});

	test("an empty message is a message", async () => {
		expect((await raw.call(ECHO, new Uint8Array(0))).messages).toEqual([Buffer.alloc(0)]);
	});

	test("a call without a message is refused", async () => {
		const call = raw.open(ECHO);
		call.stream.end();
		expect(await call.answer).toMatchObject({ code: Grpc.unknown, message: "EOF" });
		expect(service.echoed.count).toBe(0);
	});

	test("a message may come in any pieces", async () => {
		const call = raw.open(ECHO);
		for (const byte of frame(Buffer.from("in pieces"))) call.stream.write(Buffer.of(byte));
		call.stream.end();
		expect((await call.answer).messages.map(String)).toEqual(["in pieces"]);
	});

	test("the handler sees path, metadata, deadline and peer", async () => {
		const answer = raw.call(HELD, Buffer.from("x"), { hasleader: "true", authorization: "Bearer abc", "grpc-timeout": "30S" });
		const call = await service.unary.next();
		expect(call.path).toBe(HELD);
		expect(call.metadata("hasleader")).toBe("true");
		expect(call.metadata("authorization")).toBe("Bearer abc");
		expect(call.metadata("token")).toBeUndefined();
		expect(call.peer).toMatch(/^127\.0\.0\.1:\d+$/);
		expect(call.remainingMs).toBeGreaterThan(20_000);
		expect(call.remainingMs).toBeLessThanOrEqual(30_000);
		call.respond(new Uint8Array(0));
		expect(await answer).toMatchObject({ code: 0 });
	});

	test("a call without a deadline has all the time", async () => {
		const answer = library.call(HELD, new Uint8Array(0));
		const call = await service.unary.next();
		expect(call.remainingMs).toBe(Number.POSITIVE_INFINITY);
		call.respond(new Uint8Array(0));
		await answer;
	});

	test.each(["etcdserver: requested lease not found", 'a "quoted", 100 % (ü, 漢) text: with/every?thing', "two\nlines"])(
		"a refusal arrives with code and text: %j",
		async (message) => {
			const seen = Promise.all([raw.call(HELD, new Uint8Array(0)), library.call(HELD, new Uint8Array(0))]);
			for (let calls = 0; calls < 2; calls++) (await service.unary.next()).fail({ code: Grpc.notFound, message });
			for (const answer of await seen) expect(answer).toMatchObject({ code: Grpc.notFound, message });
		},
	);

	test("the first answer counts", async () => {
		const seen = library.call(HELD, new Uint8Array(0));
		const call = await service.unary.next();
		call.respond(Buffer.from("first"));
		call.fail({ code: Grpc.internal, message: "second" });
		call.respond(Buffer.from("third"));
		expect(await seen).toMatchObject({ code: 0, response: Buffer.from("first") });
	});

	test("bytes that are no protobuf are refused, and the connection goes on", async () => {
		const refusal = { code: Grpc.internal, message: "grpc: error unmarshalling request: malformed protobuf" };
		expect(await raw.call(DECODED, Uint8Array.of(0x0a, 5, 1))).toMatchObject(refusal);
		expect(await library.call(DECODED, Uint8Array.of(0xff))).toMatchObject(refusal);
		expect(await raw.call(DECODED, new Uint8Array(0))).toMatchObject({ code: 0 });
		const stream = raw.open(DECODED_BIDI);
		stream.send(Uint8Array.of(0x0a, 5, 1));
		expect(await stream.answer).toMatchObject({
			...refusal,
			message: "grpc: failed to unmarshal the received message: malformed protobuf",
		});
	});

	test("whoever serves a stream is told when bytes that are no protobuf have ended it", async () => {
		const stream = raw.open(BIDI);
		const call = await service.streams.next();
		const told = new Promise<void>((resolve) => call.onCancel(resolve));
		call.onMessage(() => {
			throw new WireError("no protobuf");
		});
		stream.send(Uint8Array.of(0x0a, 5, 1));
		expect(await stream.answer).toMatchObject({ code: Grpc.internal });
		await told;
	});

	test("a message at the limit is taken, one byte more is refused with both sizes", async () => {
		expect(await raw.call(ECHO, new Uint8Array(MESSAGE_BYTES_MAX))).toMatchObject({ code: 0 });
		const refusal = {
			code: Grpc.resourceExhausted,
			message: `grpc: received message larger than max (${MESSAGE_BYTES_MAX + 1} vs. ${MESSAGE_BYTES_MAX})`,
		};
		expect(await raw.call(ECHO, new Uint8Array(MESSAGE_BYTES_MAX + 1))).toMatchObject(refusal);
		expect(await library.call(ECHO, new Uint8Array(MESSAGE_BYTES_MAX + 1))).toMatchObject(refusal);
		expect(service.echoed.count).toBe(1);
		const stream = raw.open(BIDI);
		const call = await service.streams.next();
		call.onMessage(() => expect.unreachable("the message is too large"));
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		stream.send(new Uint8Array(MESSAGE_BYTES_MAX + 1));
		expect(await stream.answer).toMatchObject(refusal);
		await canceled;
		expect(await raw.call(ECHO, new Uint8Array(1))).toMatchObject({ code: 0 });
	});

	test("a length that is a lie is refused before anything is allocated for it", async () => {
		const call = raw.open(ECHO);
		call.stream.write(Buffer.of(0, 0xff, 0xff, 0xff, 0xff));
		expect(await call.answer).toMatchObject({
			code: Grpc.resourceExhausted,
			message: `grpc: received message larger than max (4294967295 vs. ${MESSAGE_BYTES_MAX})`,
		});
	});

	test.each([
		["/etcdserverpb.KV/Nothing", "unknown method Nothing for service etcdserverpb.KV"],
		["/etcdserverpb.KV/", "unknown method  for service etcdserverpb.KV"],
		["/foo.Bar/Put", "unknown service foo.Bar"],
		["/etcdserverpb.kv/Put", "unknown service etcdserverpb.kv"],
		["/nothing", 'malformed method name: "/nothing"'],
	])("%s is not implemented", async (path, message) => {
		expect(await raw.call(path, new Uint8Array(0))).toMatchObject({ code: Grpc.unimplemented, message });
		expect(await library.call(path, new Uint8Array(0))).toMatchObject({ code: Grpc.unimplemented, message });
	});

	test("a message that breaks off is refused", async () => {
		const call = raw.open(ECHO);
		call.stream.end(frame(Buffer.from("whole")).subarray(0, 7));
		expect((await call.answer).code).not.toBe(0);
		expect(service.echoed.count).toBe(0);
	});

	test("the first value of a field counts", async () => {
		const answer = raw.call(HELD, new Uint8Array(0), { token: ["one", "two"] as never, constructor: "odd", "x-bin": "aGVsbG8" });
		const call = await service.unary.next();
		expect(call.metadata("token")).toMatch(/^one/);
		expect(call.metadata("constructor")).toBe("odd");
		expect(call.metadata("toString")).toBeUndefined();
		expect(call.metadata("__proto__")).toBeUndefined();
		call.respond(new Uint8Array(0));
		await answer;
	});

	test("what is not gRPC is answered 415", async () => {
		const answer = await raw.call(ECHO, new Uint8Array(0), { "content-type": "application/json" });
		expect(answer.headers[":status"]).toBe(415);
	});

	test("a deadline that passes ends the call on both sides", async () => {
		const seen = raw.call(HELD, new Uint8Array(0), { "grpc-timeout": "60m" });
		const call = await service.unary.next();
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		expect(await seen).toMatchObject({ code: Grpc.deadlineExceeded, message: "context deadline exceeded" });
		await canceled;
		call.respond(Buffer.from("too late"));
		expect(await library.call(HELD, new Uint8Array(0), {}, 60)).toMatchObject({ code: Grpc.deadlineExceeded });
	});

	test.each(["2592000S", "99999999H"])("a deadline of %s has not passed yet", async (timeout) => {
		const seen = raw.call(HELD, new Uint8Array(0), { "grpc-timeout": timeout });
		const call = await service.unary.next();
		await raw.call(ECHO, new Uint8Array(0), { "grpc-timeout": "20S" });
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(call.remainingMs).toBeGreaterThan(0x7fff_ffff);
		call.respond(new Uint8Array(0));
		expect(await seen).toMatchObject({ code: 0 });
	});

	test("a canceled call is told once, and its late answer goes nowhere", async () => {
		const stream = raw.open(HELD);
		stream.stream.end(frame(new Uint8Array(0)));
		const call = await service.unary.next();
		let told = 0;
		const canceled = new Promise<void>((resolve) => {
			call.onCancel(() => {
				told++;
				resolve();
			});
		});
		stream.cancel();
		await canceled;
		call.respond(Buffer.from("late"));
		call.fail({ code: Grpc.internal, message: "later" });
		expect((await stream.answer).messages).toEqual([]);
		expect(await raw.call(ECHO, new Uint8Array(0))).toMatchObject({ code: 0 });
		expect(told).toBe(1);
	});

	test("an answered call is never told that it was canceled", async () => {
		const seen = raw.call(HELD, new Uint8Array(0));
		const call = await service.unary.next();
		let told = 0;
		call.onCancel(() => told++);
		call.respond(new Uint8Array(0));
		await seen;
		const stream = raw.open(BIDI);
		const bidi = await service.streams.next();
		bidi.onCancel(() => told++);
		bidi.end(OK);
		await stream.answer;
		const gone = new Promise((resolve) => raw.session.once("close", resolve));
		raw.close();
		await gone;
		expect(await library.call(ECHO, new Uint8Array(0))).toMatchObject({ code: 0 });
		expect(told).toBe(0);
	});

	test("a connection that breaks cancels every call on it", async () => {
		const calls = [];
		for (let at = 0; at < 3; at++) {
			void raw.call(HELD, new Uint8Array(0));
			calls.push(await service.unary.next());
		}
		raw.open(BIDI);
		calls.push(await service.streams.next());
		const half = raw.open(ECHO);
		half.stream.write(frame(Buffer.from("never whole")).subarray(0, 8));
		await raw.call(ECHO, new Uint8Array(0));
		const canceled = calls.map((call) => new Promise<void>((resolve) => call.onCancel(resolve)));
		for (const socket of sockets) socket.resetAndDestroy();
		await Promise.all(canceled);
		for (const call of calls) if ("send" in call) call.send(Buffer.from("to nobody"));
		expect(service.echoed.count).toBe(1);
	});

	test("500 calls at once on one connection are answered in any order", async () => {
		const count = 500;
		const seen = Array.from({ length: count }, (_, at) => raw.call(HELD, Buffer.from(`call ${at}`)));
		const calls = [];
		for (let at = 0; at < count; at++) calls.push(await service.unary.next());
		for (const call of calls.reverse()) call.respond(call.request);
		expect((await Promise.all(seen)).map((answer) => String(answer.messages[0]))).toEqual(
			Array.from({ length: count }, (_, at) => `call ${at}`),
		);
	});

	test("an answer may be far larger than a request", async () => {
		const seen = library.call(HELD, new Uint8Array(0));
		const large = new Uint8Array(12 << 20).fill(7);
		(await service.unary.next()).respond(large);
		const answer = await seen;
		expect(answer.code).toBe(0);
		expect(Buffer.compare(answer.response as Uint8Array, large)).toBe(0);
	});

	test("both directions of a stream keep their order and end by themselves", async () => {
		const count = 1_000;
		const client = library.bidi(BIDI);
		const received: string[] = [];
		client.on("data", (message: Buffer) => received.push(String(message)));
		const status = new Promise<{ code: number }>((resolve) => client.on("status", resolve));
		const call = await service.streams.next();
		const taken: string[] = [];
		call.onMessage((message) => {
			taken.push(Buffer.from(message).toString());
			call.send(message);
		});
		call.onHalfClose(() => {
			call.send(Buffer.from("last"));
			call.end(OK);
			call.send(Buffer.from("after the end"));
		});
		const sent = Array.from({ length: count }, (_, at) => `message ${at}`);
		for (const text of sent) client.write(Buffer.from(text));
		client.end();
		expect((await status).code).toBe(0);
		expect(taken).toEqual(sent);
		expect(received).toEqual([...sent, "last"]);
	});

	test("a server may speak first, and end with a refusal after its messages", async () => {
		const client = raw.open(BIDI);
		const call = await service.streams.next();
		call.send(Buffer.from("one"));
		call.send(Buffer.from("two"));
		expect((await client.messagesUpTo(2)).map(String)).toEqual(["one", "two"]);
		call.send(Buffer.from("three"));
		call.end({ code: Grpc.unavailable, message: "etcdserver: no leader" });
		const answer = await client.answer;
		expect(answer.messages.map(String)).toEqual(["one", "two", "three"]);
		expect(answer).toMatchObject({ code: Grpc.unavailable, message: "etcdserver: no leader" });
	});

	test("a stream may end with a refusal before any message", async () => {
		const client = library.bidi(BIDI);
		const refused = new Promise<{ code: number; message: string }>((resolve) =>
			client.on("error", (error) => resolve(failed(error as never))),
		);
		(await service.streams.next()).end({ code: Grpc.unauthenticated, message: "etcdserver: invalid auth token" });
		expect(await refused).toMatchObject({ code: Grpc.unauthenticated, message: "etcdserver: invalid auth token" });
	});

	test("a canceled stream is told once; what is sent then goes nowhere", async () => {
		const client = library.bidi(BIDI);
		client.on("error", () => {});
		client.write(Buffer.from("hello"));
		const call = await service.streams.next();
		const message = new Promise((resolve) => call.onMessage((bytes) => resolve(Buffer.from(bytes).toString())));
		let told = 0;
		const canceled = new Promise<void>((resolve) => {
			call.onCancel(() => {
				told++;
				resolve();
			});
		});
		expect(await message).toBe("hello");
		client.cancel();
		await canceled;
		for (let at = 0; at < 100; at++) call.send(Buffer.from("nobody"));
		call.end(OK);
		expect(await raw.call(ECHO, new Uint8Array(0))).toMatchObject({ code: 0 });
		expect(told).toBe(1);
	});

	test("one request, a stream of answers", async () => {
		const client = library.serverStream(SERVER_STREAM, Buffer.from("give"));
		const received: string[] = [];
		client.on("data", (message: Buffer) => received.push(String(message)));
		const status = new Promise<{ code: number }>((resolve) => client.on("status", resolve));
		const call = await service.streams.next();
		const asked = await new Promise<Uint8Array>((resolve) => call.onMessage(resolve));
		await new Promise<void>((resolve) => call.onHalfClose(resolve));
		expect(Buffer.from(asked).toString()).toBe("give");
		for (let at = 0; at < 100; at++) call.send(Buffer.from(`part ${at}`));
		call.end(OK);
		expect((await status).code).toBe(0);
		expect(received).toEqual(Array.from({ length: 100 }, (_, at) => `part ${at}`));
	});

	test("many messages, one answer", async () => {
		const { stream: client, answer } = library.clientStream(CLIENT_STREAM);
		const call = await service.streams.next();
		const received: string[] = [];
		call.onMessage((message) => void received.push(String(message)));
		call.onHalfClose(() => {
			call.send(Buffer.from(received.join(" ")));
			call.end(OK);
		});
		for (const text of ["one", "two", "three"]) client.write(Buffer.from(text));
		client.end();
		expect(await answer).toMatchObject({ code: 0, response: Buffer.from("one two three") });
		const none = raw.open(CLIENT_STREAM);
		const empty = await service.streams.next();
		let messages = 0;
		empty.onMessage(() => messages++);
		empty.onHalfClose(() => {
			empty.send(Buffer.of(messages));
			empty.end(OK);
		});
		none.stream.end();
		expect(await none.answer).toMatchObject({ code: 0, messages: [Buffer.of(0)], resetCode: 0 });
	});

	test("many messages are refused before their end, or answered", async () => {
		for (const refused of [true, false]) {
			const { stream: client, answer } = library.clientStream(CLIENT_STREAM);
			const call = await service.streams.next();
			call.onMessage(() => {
				if (!refused) call.send(Buffer.from("enough"));
				call.end(refused ? { code: Grpc.failedPrecondition, message: "no more" } : OK);
			});
			client.on("error", () => {});
			client.write(Buffer.from("first"));
			expect(await answer).toMatchObject(
				refused ? { code: Grpc.failedPrecondition, message: "no more" } : { code: 0, response: Buffer.from("enough") },
			);
		}
	});

	test("a refusal may carry details for programs: alone, behind messages, and of any bytes", async () => {
		const details = Uint8Array.from({ length: 257 }, (_, at) => at);
		const status = { code: Grpc.failedPrecondition, message: "not now", details };
		const unary = [library.call(HELD, new Uint8Array(0)), raw.call(HELD, new Uint8Array(0))] as const;
		for (const _ of unary) (await service.unary.next()).fail(status);
		expect(await unary[0]).toMatchObject({ code: status.code, message: "not now", details: Buffer.from(details) });
		const trailer = (await unary[1]).headers["grpc-status-details-bin"];
		expect(Buffer.from(String(trailer), "base64")).toEqual(Buffer.from(details));
		const stream = library.bidi(BIDI);
		const call = await service.streams.next();
		const failure = new Promise<ServiceError>((resolve) => stream.once("error", (error) => resolve(error as ServiceError)));
		stream.resume();
		call.send(Buffer.from("before"));
		call.end({ ...status, details: Uint8Array.of(0, 255) });
		expect(failed(await failure)).toMatchObject({ code: status.code, details: Buffer.of(0, 255) });
		const plain = library.call(HELD, new Uint8Array(0));
		(await service.unary.next()).fail({ code: Grpc.notFound, message: "nothing more to say" });
		expect(await plain).not.toHaveProperty("details");
	});

	test("a reader that stops holds the sender back, and loses nothing when it goes on", async () => {
		const client = library.bidi(BIDI);
		client.pause();
		const call = await service.streams.next();
		const part = Buffer.alloc(64 << 10, 1);
		let sent = 0;
		while (call.send(part)) expect(++sent).toBeLessThan(1_000);
		sent++;
		let bytes = 0;
		client.on("data", (message: Buffer) => {
			bytes += message.length;
		});
		client.resume();
		await new Promise<void>((resolve) => call.onDrain(resolve));
		call.end(OK);
		await new Promise((resolve) => client.on("status", resolve));
		expect(bytes).toBe(sent * part.length);
	});

	test("a handler that holds its stream back makes the client wait, and loses nothing when it reads on", async () => {
		const count = 300;
		const client = library.bidi(BIDI);
		const call = await service.streams.next();
		const taken: number[] = [];
		let told = (): void => {};
		const first = new Promise<void>((resolve) => {
			told = resolve;
		});
		call.onMessage((message) => {
			taken.push(Buffer.from(message).readUInt32BE(0));
			if (taken.length > 1) return;
			call.holdBack();
			told();
		});
		const ended = new Promise<void>((resolve) => call.onHalfClose(resolve));
		let left = 0;
		for (let at = 0; at < count; at++) {
			const message = Buffer.alloc(4_096);
			message.writeUInt32BE(at, 0);
			client.write(message, () => left++);
		}
		client.end();
		await first;
		for (let trips = 0; trips < 5; trips++) await raw.call(ECHO, new Uint8Array(0));
		expect(taken).toEqual([0]);
		expect(left).toBeLessThan(count);
		call.readOn();
		await ended;
		expect(taken).toEqual(Array.from({ length: count }, (_, at) => at));
		client.on("data", () => {});
		call.end(OK);
		await new Promise((resolve) => client.on("status", resolve));
	});

	test("closing lets open calls finish, takes no new ones, and tells the client so", async () => {
		const open = raw.call(HELD, new Uint8Array(0));
		const call = await service.unary.next();
		const stream = raw.open(BIDI);
		const bidi = await service.streams.next();
		const goaway = new Promise((resolve) => raw.session.once("goaway", resolve));
		let closed = false;
		const closing = front.close(20_000).then(() => {
			closed = true;
		});
		await goaway;
		expect(raw.goaways[0]).toMatchObject({ code: 0 });
		expect(closed).toBe(false);
		call.respond(Buffer.from("finished"));
		expect((await open).messages.map(String)).toEqual(["finished"]);
		bidi.send(Buffer.from("last words"));
		bidi.end(OK);
		expect((await stream.answer).messages.map(String)).toEqual(["last words"]);
		await closing;
		expect((await library.call(ECHO, new Uint8Array(0), {}, 5_000)).code).not.toBe(0);
		expect(service.echoed.count).toBe(0);
	});

	test("closing cuts what is still open when the grace ends", async () => {
		const open = raw.call(HELD, new Uint8Array(0));
		const call = await service.unary.next();
		const canceled = new Promise<void>((resolve) => call.onCancel(resolve));
		const startedMs = performance.now();
		await Promise.all([front.close(50), front.close(50), canceled]);
		expect(performance.now() - startedMs).toBeLessThan(20_000);
		expect((await open).code).not.toBe(0);
	});
}
