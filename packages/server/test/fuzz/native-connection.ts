/** A whole connection of the native front as a target: calls of every shape, changed anywhere, cut anywhere, read fast or slowly. */
import { gzipSync } from "node:zlib";
import { assert, type Dice } from "@flotilla/base";
import { DEFAULT_GRPC_OPTIONS } from "../../src/front/front-options.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { Grpc, type MethodHandler, type StreamCall } from "../../src/front/seam.ts";
import { Flag, FrameType } from "../../src/http2/protocol.ts";
import { callHeaders, FakeSocket, servesNext } from "../front/fake-socket.ts";
import { frame as message } from "../front/raw-client.ts";
import { frame, OPENING } from "../http2/two-ends.ts";
import { inPieces, mutate } from "./mutate.ts";

const ECHO = "/etcdserverpb.KV/Put";
const HELD = "/etcdserverpb.KV/Range";
const LARGE = "/etcdserverpb.KV/Txn";
const BIDI = "/etcdserverpb.Watch/Watch";
const HOLDING = "/etcdserverpb.Lease/LeaseKeepAlive";
const SERVER_STREAM = "/etcdserverpb.Maintenance/Snapshot";
const ANSWER = new Uint8Array(70_000);
const OUTPUT_BYTES_MAX = 1 << 20;

const echoing = (call: StreamCall): void => {
	call.onMessage((bytes) => call.send(Buffer.from(bytes)));
	call.onHalfClose(() => call.end({ code: Grpc.ok, message: "" }));
};
const front = createNativeFront(
	new Map<string, MethodHandler>([
		[ECHO, { shape: "unary", handle: (call) => call.respond(call.request) }],
		[HELD, { shape: "unary", handle: () => {} }],
		[LARGE, { shape: "unary", handle: (call) => call.whenRead?.(() => call.respond(ANSWER)) }],
		[BIDI, { shape: "stream", clientStreams: true, serverStreams: true, handle: echoing }],
		[HOLDING, { shape: "stream", clientStreams: true, serverStreams: true, handle: (call) => call.onMessage(() => call.holdBack()) }],
		[SERVER_STREAM, { shape: "stream", clientStreams: false, serverStreams: true, handle: echoing }],
	]),
	{ ...DEFAULT_GRPC_OPTIONS, messageBytesMax: 5_000 },
);

const packed = message(gzipSync(Buffer.alloc(4_000, "grows ")));
packed[0] = 1;
const bomb = message(gzipSync(Buffer.alloc(6_000)));
bomb[0] = 1;
const GZIP = [["grpc-encoding", "gzip"]] as const;
const data = (streamId: number, flags: number, ...contents: Buffer[]): Buffer =>
	frame(FrameType.data, flags, streamId, Buffer.concat(contents));
const short = message(Buffer.from("short"));
const half = message(Buffer.alloc(3_000, 1)).subarray(0, 1_000);

/** Frames of one call each, in the order of their streams. */
const CALLS: ReadonlyArray<readonly Buffer[]> = [
	[callHeaders(1, ECHO), data(1, Flag.endStream, short)],
	[callHeaders(3, ECHO, GZIP), data(3, 0, packed), data(3, Flag.endStream)],
	[callHeaders(5, BIDI, GZIP), data(5, 0, short, packed, short), data(5, Flag.endStream, packed)],
	[callHeaders(7, BIDI), data(7, 0, half), frame(FrameType.rstStream, 0, 7, "00000008")],
	[callHeaders(9, SERVER_STREAM, [["grpc-timeout", "10S"]]), data(9, Flag.endStream, short)],
	[callHeaders(11, HOLDING, GZIP), data(11, 0, short, packed, bomb), data(11, 0, short)],
	[callHeaders(13, HELD), data(13, Flag.endStream, short)],
	[callHeaders(15, LARGE), data(15, Flag.endStream, short), frame(FrameType.windowUpdate, 0, 0, "00010000")],
	[callHeaders(17, ECHO, GZIP), data(17, Flag.endStream, bomb)],
	[callHeaders(19, "/nobody.Knows/It"), data(19, Flag.endStream, short)],
	[callHeaders(21, ECHO, [["grpc-timeout", "1X"]]), data(21, 0, half)],
	[callHeaders(23, BIDI), data(23, Flag.padded, Buffer.of(3), short, Buffer.alloc(3)), data(23, 0, short.subarray(0, 3))],
];
const FRAMES = [...CALLS.flat(), frame(FrameType.settings, 0, 0, "000400000003"), frame(FrameType.ping, 0, 0, "0102030405060708")];

/** What became of one client's bytes: nobody is hurt, little is said, and when it has left nothing is held. */
export function nativeConnection(dice: Dice): () => Promise<void> {
	return async () => {
		const session: Buffer[] = [OPENING];
		for (const call of CALLS) {
			if (dice.chance(2, 3)) continue;
			for (const bytes of call) session.push(dice.chance(3, 4) ? bytes : mutate(dice, dice.chance(1, 2) ? [bytes] : FRAMES));
		}
		const fake = new FakeSocket();
		front.accept(fake.socket);
		for (const piece of inPieces(dice, Buffer.concat(session))) {
			fake.writableNeedDrain = dice.chance(1, 5);
			fake.receive(piece);
			// Streams hand on what came when the turn is over.
			if (dice.chance(1, 4)) await Promise.resolve();
			if (!fake.destroyed && dice.chance(1, 2)) fake.emit("drain");
		}
		await new Promise((resolve) => setImmediate(resolve));
		assert(fake.take().length < OUTPUT_BYTES_MAX, "a few frames are answered by little");
		fake.destroy();
		assert(front.held.requestBytes === 0 && front.held.answerBytes === 0, "nothing is held for who has left");
		if (dice.chance(1, 10)) assert(servesNext(front, ECHO), "the next one is served");
	};
}
