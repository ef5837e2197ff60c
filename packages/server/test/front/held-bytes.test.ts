/** What hostile or careless clients can make the gRPC port keep in memory. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { DEFAULT_GRPC_OPTIONS, type GrpcFrontOptions } from "../../src/front/front-options.ts";
import { createGrpcJsFront } from "../../src/front/grpc-js-front.ts";
import { type CountedFront, HeldBytes, type UnfinishedRequest } from "../../src/front/held-bytes.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { Grpc } from "../../src/front/seam.ts";
import { frame, type RawCall, RawClient } from "./raw-client.ts";
import { BIDI, createTestService, ECHO, HELD, type TestService } from "./test-service.ts";

const KB = 1 << 10;
/** Longer than a busy machine holds up this process, in which both ends run. */
const STALL_MS = 1_000;
const CONNECTION_FULL = { code: Grpc.resourceExhausted, message: "etcdserver: too many bytes in unfinished requests of this connection" };
const PORT_FULL = { code: Grpc.resourceExhausted, message: "etcdserver: too many bytes in unfinished requests" };
const STALLED = { code: Grpc.deadlineExceeded, message: "etcdserver: the request did not arrive in time" };

let service: TestService;
let front: CountedFront;
let createFront: typeof createGrpcJsFront;
const cleanUp: Array<() => unknown> = [];

afterEach(async () => {
	for (const work of cleanUp.splice(0).reverse()) await work();
});

async function open(options: Partial<GrpcFrontOptions>): Promise<() => RawClient> {
	service = createTestService();
	front = createFront(service.methods, { ...DEFAULT_GRPC_OPTIONS, ...options });
	const sockets = new Set<Socket>();
	const listener: Server = createServer((socket) => {
		sockets.add(socket);
		front.accept(socket);
	});
	await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
	cleanUp.push(async () => {
		await front.close(0);
		for (const socket of sockets) socket.destroy();
		await new Promise((resolve) => listener.close(resolve));
	});
	return () => {
		const client = new RawClient((listener.address() as AddressInfo).port);
		cleanUp.push(() => client.close());
		return client;
	};
}

/** All of a message but its end. */
function half(client: RawClient, bytes: number, path = ECHO): RawCall {
	const call = client.open(path);
	call.stream.write(frame(new Uint8Array(bytes)).subarray(0, bytes - 4 * KB));
	return call;
}

describe.each([
	["grpc-js", createGrpcJsFront],
	["the native front", createNativeFront],
])("%s", (_name, create) => {
	beforeAll(() => {
		createFront = create;
	});

	test("many connections with unfinished requests: the bytes held are bounded, and others are served", async () => {
		const unfinishedBytesMax = 4 << 20;
		const connect = await open({ unfinishedBytesPaused: 512 * KB, unfinishedBytesPerConnectionMax: 1 << 20, unfinishedBytesMax });
		let most = 0;
		let refused = 0;
		for (let connections = 0; connections < 10; connections++) {
			const client = connect();
			for (let calls = 0; calls < 40; calls++) {
				void half(client, 200 * KB).answer.then(({ code }) => {
					if (code === Grpc.resourceExhausted) refused++;
				});
			}
			expect(await connect().call(ECHO, Buffer.from("still"))).toMatchObject({ code: 0 });
			most = Math.max(most, front.held.requestBytes);
		}
		await expect.poll(() => refused).toBeGreaterThan(100);
		expect(most).toBeGreaterThan(1 << 20);
		expect(most).toBeLessThanOrEqual(unfinishedBytesMax);
		expect(front.held.requestBytes).toBeLessThanOrEqual(unfinishedBytesMax);
	});

	test("a client that sends more at once than may be held is slowed down and not refused", async () => {
		const connect = await open({ unfinishedBytesPaused: 300 * KB });
		const client = connect();
		const messages = Array.from({ length: 60 }, (_, at) => Buffer.alloc(150 * KB + at, at));
		const answers = await Promise.all(messages.map((message) => client.call(ECHO, message)));
		for (const [at, answer] of answers.entries()) {
			expect(answer.code).toBe(0);
			expect(answer.messages[0]?.equals(messages[at] as Buffer)).toBe(true);
		}
		expect(front.held.requestBytes).toBe(0);
		await expect.poll(() => front.held.answerBytes).toBe(0);
	});

	test("the connection with the most loses its unfinished calls, another keeps them", async () => {
		const told: string[] = [];
		const connect = await open({ unfinishedBytesMax: 1 << 20, onLimit: (limit, { path }) => void told.push(`${limit} ${path}`) });
		const small = connect();
		const kept = half(small, 100 * KB);
		await expect.poll(() => front.held.requestBytes).toBeGreaterThan(90 * KB);
		const large = connect();
		const lost = Array.from({ length: 8 }, () => half(large, 200 * KB));
		expect(await Promise.race(lost.map((call) => call.answer))).toMatchObject(PORT_FULL);
		kept.stream.end(new Uint8Array(4 * KB + 5));
		expect(await kept.answer).toMatchObject({ code: 0 });
		expect(await large.call(ECHO, new Uint8Array(1))).toMatchObject({ code: 0 });
		expect(new Set(told)).toEqual(new Set([`portFull ${ECHO}`]));
	});

	test("a message that is too large is told of, in a unary call and in a stream", async () => {
		const told: string[] = [];
		const connect = await open({ messageBytesMax: 10 * KB, onLimit: (limit, { path }) => void told.push(`${limit} ${path}`) });
		const client = connect();
		expect(await client.call(ECHO, new Uint8Array(10 * KB))).toMatchObject({ code: 0 });
		expect(told).toEqual([]);
		for (const path of [ECHO, BIDI]) {
			const call = client.open(path);
			if (path === BIDI) (await service.streams.next()).onMessage(() => {});
			call.send(new Uint8Array(10 * KB + 1));
			expect(await call.answer).toMatchObject({ code: Grpc.resourceExhausted });
		}
		expect(told).toEqual([`messageBytes ${ECHO}`, `messageBytes ${BIDI}`]);
	});

	test("a message counts until its client ends the call", async () => {
		const told: string[] = [];
		const onLimit: GrpcFrontOptions["onLimit"] = (limit, { path, peer }) => void told.push(`${limit} ${path} ${peer.replace(/:\d+$/, "")}`);
		const connect = await open({ unfinishedBytesPerConnectionMax: 500 * KB, onLimit });
		const client = connect();
		const whole = Array.from({ length: 4 }, () => {
			const call = client.open(ECHO);
			call.send(new Uint8Array(100 * KB));
			return call;
		});
		await expect.poll(() => front.held.requestBytes).toBeGreaterThanOrEqual(400 * KB);
		expect(await half(client, 200 * KB).answer).toMatchObject(CONNECTION_FULL);
		expect(told).toEqual([`connectionFull ${ECHO} 127.0.0.1`]);
		for (const call of whole) call.stream.end();
		for (const call of whole) expect(await call.answer).toMatchObject({ code: 0 });
		expect(front.held.requestBytes).toBe(0);
	});

	test("a client that goes away gives back what it held", async () => {
		const connect = await open({});
		const client = connect();
		for (let calls = 0; calls < 10; calls++) half(client, 100 * KB);
		half(client, 100 * KB, BIDI);
		(await service.streams.next()).onMessage(() => expect.unreachable("it never becomes whole"));
		await expect.poll(() => front.held.requestBytes).toBeGreaterThan(1_000 * KB);
		client.close();
		await expect.poll(() => front.held.requestBytes).toBe(0);
	});

	test("a request that stops, trickles or never begins ends its call; one that flows and a silent stream do not", async () => {
		const connect = await open({ stallMs: STALL_MS, stallBytes: 1 * KB });
		const client = connect();
		const silent = client.open(BIDI);
		await service.streams.next();
		const trickling = client.open(ECHO);
		const flowing = client.open(ECHO);
		trickling.stream.write(frame(new Uint8Array(100_000)).subarray(0, 10));
		// Not whole before the test is.
		flowing.stream.write(frame(new Uint8Array(1_500_000)).subarray(0, 10));
		let ended = false;
		const drip = setInterval(() => {
			if (!ended) trickling.stream.write(Buffer.of(0));
			flowing.stream.write(new Uint8Array(1 * KB));
		}, 20);
		try {
			const stopped = half(client, 50 * KB);
			const unbegun = client.open(ECHO);
			for (const call of [stopped, unbegun, trickling]) expect(await call.answer).toMatchObject(STALLED);
			ended = true;
			await new Promise((resolve) => setTimeout(resolve, STALL_MS + 300));
		} finally {
			clearInterval(drip);
		}
		expect(silent.stream.closed || flowing.stream.closed).toBe(false);
		flowing.cancel();
		await flowing.answer;
		await expect.poll(() => front.held.requestBytes).toBe(0);
	});

	test("a connection whose requests stall again and again is ended, and whoever is told hears why; another one is not", async () => {
		const cuts: string[] = [];
		const connect = await open({ stallMs: 300, stallsBurst: 3, stallsPerMinute: 0, onCut: (reason) => void cuts.push(reason) });
		const [bad, good] = [connect(), connect()];
		for (let at = 0; at < 3; at++) expect(await half(bad, 50 * KB).answer).toMatchObject(STALLED);
		expect(cuts).toEqual([]);
		expect(await half(bad, 50 * KB).answer).toMatchObject({ code: -1 });
		await expect.poll(() => bad.session.destroyed).toBe(true);
		expect(bad.goaways).toMatchObject([{ code: 11 }]);
		expect(cuts).toEqual(["requests do not arrive"]);
		expect(await half(good, 50 * KB).answer).toMatchObject(STALLED);
		expect(await good.call(ECHO, Buffer.from("on"))).toMatchObject({ code: 0 });
		await expect.poll(() => front.held.requestBytes).toBe(0);
	});

	test("a stream that its handler holds back is no slow client, whatever stands in its middle; when it is read on, it may be one", async () => {
		const connect = await open({ stallMs: 300, stallBytes: 1 * KB });
		const client = connect();
		const held = client.open(BIDI);
		const call = await service.streams.next();
		const taken: number[] = [];
		call.onMessage((message) => {
			taken.push(message.length);
			if (taken.length === 1) call.holdBack();
		});
		// Many and long: the library reads some ahead, and where it stops one is only half there.
		const sent = Array.from({ length: 40 }, (_, at) => 100_003 + at);
		for (const bytes of sent) held.send(new Uint8Array(bytes));
		await expect.poll(() => taken.length).toBe(1);
		await expect.poll(() => front.held.requestBytes).toBeGreaterThan(0);
		// They stood still after it did, so it has stood still for longer than they may.
		for (let others = 0; others < 2; others++) expect(await half(client, 50 * KB).answer).toMatchObject(STALLED);
		expect([taken, held.stream.closed]).toEqual([[sent[0]], false]);
		call.readOn();
		await expect.poll(() => taken).toEqual(sent);
		held.stream.write(frame(new Uint8Array(50 * KB)).subarray(0, 10 * KB));
		expect(await held.answer).toMatchObject(STALLED);
		await expect.poll(() => front.held.requestBytes).toBe(0);
	});

	test("answers that are not read: a single one may be large and leaves room for those of others, up to a bound", async () => {
		const told: string[] = [];
		const connect = await open({ unreadBytesPerConnectionMax: 800 * KB, onLimit: (limit, { path }) => void told.push(`${limit} ${path}`) });
		const client = connect();
		const large = client.open(HELD);
		large.stream.pause().end(frame(new Uint8Array(0)));
		(await service.unary.next()).respond(new Uint8Array(3 << 20));
		// The first of eight parts is taken by the large one.
		const calls = Array.from({ length: 8 }, () => client.open(HELD));
		for (const { stream } of calls) stream.pause().end(frame(new Uint8Array(0)));
		for (const _ of calls) (await service.unary.next()).respond(new Uint8Array(99 * KB));
		for (const { stream } of calls) stream.resume();
		const answers = await Promise.all(calls.map(({ answer }) => answer));
		const refused = answers.filter(({ code }) => code === Grpc.resourceExhausted);
		expect(refused).toMatchObject([{ message: "etcdserver: too many bytes in unread answers of this connection" }]);
		expect(answers.filter(({ messages }) => messages[0]?.length === 99 * KB).length).toBe(7);
		expect(told).toEqual([`unread ${HELD}`]);
		large.stream.resume();
		expect((await large.answer).messages[0]?.length).toBe(3 << 20);
		await expect.poll(() => front.held.answerBytes).toBe(0);
	});

	// grpc-js hands on one message of a stream after the other.
	if (create === createNativeFront) {
		test("answers that are not read: a stream that holds some may not hold more than the bound", async () => {
			const connect = await open({ unreadBytesPerConnectionMax: 800 * KB });
			const client = connect();
			const opened = client.open(BIDI);
			opened.stream.pause();
			const stream = await service.streams.next();
			const told = new Promise<void>((resolve) => stream.onCancel(resolve));
			stream.send(new Uint8Array(3 << 20));
			stream.send(new Uint8Array(200 * KB));
			await told;
			opened.cancel();
			await expect.poll(() => front.held.answerBytes).toBe(0);
		});
	}

	test("answers that are not read: the connection with the most is closed", async () => {
		const connect = await open({ unreadBytesMax: 3 << 20 });
		const [large, small] = [connect(), connect()];
		const unread = large.open(HELD);
		unread.stream.pause().end(frame(new Uint8Array(0)));
		(await service.unary.next()).respond(new Uint8Array(2 << 20));
		const read = small.call(HELD, new Uint8Array(0));
		(await service.unary.next()).respond(new Uint8Array(3 << 19));
		expect((await read).messages[0]?.length).toBe(3 << 19);
		await expect.poll(() => large.session.destroyed).toBe(true);
		expect(large.goaways.map(({ code }) => code)).toContain(11);
		await expect.poll(() => front.held.answerBytes).toBe(0);
	});

	test.each([
		["compressed without an encoding", "01000000020a00", "grpc: compressed flag set with identity or empty encoding"],
		["a flag that is none", "0200000000", "grpc: received unexpected payload format 2"],
		["two messages", "00000000010a00000000010a", "cardinality violation: received multiple request messages for a method that takes one"],
	])("%s is refused", async (_name, hex, message) => {
		const client = (await open({}))();
		const call = client.open(ECHO);
		call.stream.end(Buffer.from(hex, "hex"));
		expect(await call.answer).toMatchObject({ code: Grpc.internal, message });
		expect(service.echoed.count).toBe(0);
	});

	test.each(["1X", "abc", "99999999999S", "-1S", "1 S", ""])("a timeout of %j is refused", async (timeout) => {
		const client = (await open({}))();
		const answer = await client.call(ECHO, new Uint8Array(0), { "grpc-timeout": timeout });
		expect(answer).toMatchObject({ code: Grpc.internal, message: "malformed grpc-timeout" });
	});
});

test("ten requests of a connection may stand still for 30 s at once, and five a minute in the long run; the next one costs the connection", () => {
	let nowMs = 1_000_000;
	vi.spyOn(performance, "now").mockImplementation(() => nowMs);
	cleanUp.push(() => vi.restoreAllMocks());
	const held = new HeldBytes(DEFAULT_GRPC_OPTIONS);
	const cuts: string[] = [];
	const connection = held.connect((reason) => void cuts.push(reason));
	let abandoned = 0;
	/** So many that stand still from now on. */
	const stall = (count: number): void => {
		for (let at = 0; at < count; at++) {
			const request: UnfinishedRequest = {
				paused: false,
				held: false,
				progressBytes: 0,
				watchedSinceMs: Number.NaN,
				pause() {},
				resume() {},
				abandon: () => {
					abandoned++;
					connection.settled(request);
				},
			};
			connection.expect(request);
		}
		held.endStalled(nowMs);
	};
	const pass = (ms: number): void => {
		nowMs += ms;
		held.endStalled(nowMs);
	};
	stall(10);
	pass(29_999);
	expect(abandoned).toBe(0);
	pass(1);
	expect([abandoned, cuts]).toEqual([10, []]);
	// A minute gave back five.
	stall(2);
	pass(30_000);
	expect([abandoned, cuts]).toEqual([12, []]);
	// Three were left, and a minute gave back five.
	pass(30_000);
	stall(8);
	pass(30_000);
	expect([abandoned, cuts]).toEqual([20, []]);
	// Half a minute gives two and a half.
	stall(4);
	pass(30_000);
	expect([abandoned, cuts]).toEqual([22, ["requests do not arrive"]]);
});
