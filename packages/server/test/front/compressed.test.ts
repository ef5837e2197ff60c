/** Requests compressed with gzip, in calls of every shape, by both adapters. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DEFAULT_GRPC_OPTIONS } from "../../src/front/front-options.ts";
import { createGrpcJsFront } from "../../src/front/grpc-js-front.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { Grpc, type GrpcFront } from "../../src/front/seam.ts";
import { frame, RawClient } from "./raw-client.ts";
import { BIDI, CLIENT_STREAM, createTestService, ECHO, SERVER_STREAM, type TestService } from "./test-service.ts";

const MESSAGE_BYTES_MAX = 100_000;
const OK = { code: Grpc.ok, message: "" };

/** As a client of gRPC frames a message that it has compressed. */
const packed = (message: Uint8Array): Buffer => {
	const framed = frame(gzipSync(message));
	framed[0] = 1;
	return framed;
};

describe.each([
	["grpc-js", createGrpcJsFront],
	["the native front", createNativeFront],
])("%s", (_name, createFront) => {
	const sockets = new Set<Socket>();
	let service: TestService;
	let front: GrpcFront;
	let listener: Server;
	let raw: RawClient;

	beforeEach(async () => {
		service = createTestService();
		front = createFront(service.methods, { ...DEFAULT_GRPC_OPTIONS, messageBytesMax: MESSAGE_BYTES_MAX });
		listener = createServer((socket) => {
			sockets.add(socket);
			front.accept(socket);
		});
		await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
		raw = new RawClient((listener.address() as AddressInfo).port);
	});
	afterEach(async () => {
		raw.close();
		await front.close(0);
		for (const socket of sockets) socket.destroy();
		sockets.clear();
		await new Promise((resolve) => listener.close(resolve));
	});

	test("a request may be compressed with gzip; the answer never is", async () => {
		const message = Buffer.alloc(50_000, "compressible ");
		const call = raw.open(ECHO, { "grpc-encoding": "gzip", "grpc-accept-encoding": "gzip" });
		call.stream.end(packed(message));
		const answer = await call.answer;
		expect(answer).toMatchObject({ code: 0 });
		expect(answer.messages[0]?.equals(message)).toBe(true);
		const plain = raw.open(ECHO, { "grpc-encoding": "gzip" });
		plain.stream.end(frame(Buffer.from("not compressed")));
		expect((await plain.answer).messages.map(String)).toEqual(["not compressed"]);
	});

	test("messages of a stream may be compressed, each or not, cut anywhere, and before anybody listens", async () => {
		const sent = Array.from({ length: 40 }, (_, at) => Buffer.alloc(1_000 * at + 1, `message ${at} `));
		const bytes = Buffer.concat(sent.map((message, at) => (at % 3 === 1 ? frame(message) : packed(message))));
		for (const path of [BIDI, CLIENT_STREAM]) {
			const client = raw.open(path, { "grpc-encoding": "gzip" });
			for (let at = 0; at < bytes.length; at += 777) client.stream.write(bytes.subarray(at, at + 777));
			client.stream.end();
			const call = await service.streams.next();
			await raw.call(ECHO, new Uint8Array(0));
			const taken: Buffer[] = [];
			call.onMessage((message) => void taken.push(Buffer.from(message)));
			call.onHalfClose(() => {
				call.send(Buffer.from("all"));
				call.end(OK);
			});
			expect(await client.answer).toMatchObject({ code: 0, messages: [Buffer.from("all")] });
			expect(taken.length).toBe(sent.length);
			expect(taken.every((message, at) => message.equals(sent[at] as Buffer))).toBe(true);
		}
		const one = raw.open(SERVER_STREAM, { "grpc-encoding": "gzip" });
		one.stream.end(packed(Buffer.from("give")));
		const call = await service.streams.next();
		const asked = new Promise<Uint8Array>((resolve) => call.onMessage(resolve));
		expect(Buffer.from(await asked).toString()).toBe("give");
		call.end(OK);
		expect((await one.answer).code).toBe(0);
	});

	test("a compressed message of a stream that grows beyond the limit, or is none, ends the stream, and its handler is told", async () => {
		for (const [bytes, code] of [
			[packed(Buffer.alloc(MESSAGE_BYTES_MAX + 1)), Grpc.resourceExhausted],
			[Buffer.concat([Buffer.of(1), frame(Buffer.from("no gzip")).subarray(1)]), Grpc.internal],
		] as const) {
			const client = raw.open(BIDI, { "grpc-encoding": "gzip" });
			const call = await service.streams.next();
			const taken: number[] = [];
			const told = new Promise<void>((resolve) => call.onCancel(resolve));
			call.onMessage((message) => void taken.push(message.length));
			client.stream.write(packed(Buffer.alloc(MESSAGE_BYTES_MAX)));
			await expect.poll(() => taken.length).toBe(1);
			client.stream.write(Buffer.concat([bytes, packed(Buffer.from("behind it"))]));
			expect(await client.answer).toMatchObject({ code });
			await told;
			expect(taken).toEqual([MESSAGE_BYTES_MAX]);
		}
		expect(await raw.call(ECHO, new Uint8Array(0))).toMatchObject({ code: 0 });
	});

	test("what is compressed may not grow beyond the limit", async () => {
		const call = raw.open(ECHO, { "grpc-encoding": "gzip" });
		call.stream.end(packed(Buffer.alloc(50 << 20)));
		expect(await call.answer).toMatchObject({ code: Grpc.resourceExhausted });
		const rubbish = frame(Buffer.from("no gzip"));
		rubbish[0] = 1;
		const other = raw.open(ECHO, { "grpc-encoding": "gzip" });
		other.stream.end(rubbish);
		expect((await other.answer).code).toBe(Grpc.internal);
		expect(service.echoed.count).toBe(0);
	});
});
