/** Frames that break RFC 9113, each with the error that the RFC wants, of the stream or of the connection. */
import { randomInt } from "node:crypto";
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { DEFAULT_GRPC_OPTIONS } from "../../src/front/front-options.ts";
import { createNativeFront } from "../../src/front/native/native-front.ts";
import { huffmanBytes, huffmanEncode } from "../../src/http2/huffman.ts";
import { Flag, PREFACE, FrameType as T } from "../../src/http2/protocol.ts";
import { callHeaders, FakeSocket, servesNext } from "../front/fake-socket.ts";
import { End, frame, framesOf, OPENING, REQUEST, SETTINGS, verdictOf } from "./two-ends.ts";

const E = {
	none: 0,
	protocol: 1,
	flowControl: 3,
	streamClosed: 5,
	frameSize: 6,
	refused: 7,
	compression: 9,
	calm: 11,
};

const ENDS = Flag.endStream | Flag.endHeaders;
/** A stream whose client has not ended it. */
const open = (streamId: number): Buffer => frame(T.headers, Flag.endHeaders, streamId, REQUEST);
/** One whose client has. */
const ended = (streamId: number): Buffer => frame(T.headers, ENDS, streamId, REQUEST);
const text = (value: string): string => Buffer.from(value, "latin1").toString("hex");
const literal = (name: string, value: string): string =>
	[0, name.length].map((n) => n.toString(16).padStart(2, "0")).join("") +
	text(name) +
	value.length.toString(16).padStart(2, "0") +
	text(value);
const request = (block: string, flags = ENDS): Buffer => frame(T.headers, flags, 1, block);

type Row = readonly [what: string, frames: Buffer[], verdict: string];

const FRAME_BYTES_MAX = 16_384;
/** Frames of a block that goes on behind them. */
const pieces = (count: number): Buffer[] => Array.from({ length: count }, () => frame(T.continuation, 0, 1));
const LAST_FRAME = frame(T.continuation, Flag.endHeaders, 1);

/** HEADERS and CONTINUATION, none of which is the block's last. */
function inFrames(block: Buffer): Buffer[] {
	const frames: Buffer[] = [];
	for (let at = 0; at < block.length; at += FRAME_BYTES_MAX) {
		const content = block.subarray(at, at + FRAME_BYTES_MAX);
		frames.push(at === 0 ? frame(T.headers, Flag.endStream, 1, content) : frame(T.continuation, 0, 1, content));
	}
	return frames;
}

/** An integer of HPACK that does not fit its prefix of 7 bits; `first`: the octet with the prefix. */
function longLength(length: number, first = 0x7f): Buffer {
	const octets = [first];
	let left = length - 0x7f;
	for (; left >= 0x80; left >>>= 7) octets.push((left & 0x7f) | 0x80);
	return Buffer.from([...octets, left]);
}

/** A request whose fields count so much: three pseudo-headers (43, 43 and 38 bytes), and one that counts 33 bytes besides its value. */
function listOf(bytes: number): Buffer {
	const value = Buffer.alloc(bytes - 43 - 43 - 38 - 33, "v");
	return Buffer.concat([Buffer.from(`${REQUEST}000161`, "hex"), longLength(value.length), value]);
}

/** As long as a block may be, and shorter when it is decoded: in Huffman code rare characters take more bits than as they are. */
const BLOCK_OF_64_KIB = ((): Buffer => {
	const rare = "\x16".repeat(10_000);
	const coded = Buffer.alloc(huffmanBytes(rare));
	huffmanEncode(rare, coded, 0);
	const head = Buffer.concat([Buffer.from(`${REQUEST}000161`, "hex"), longLength(coded.length, 0xff), coded, Buffer.from("000162", "hex")]);
	const left = (64 << 10) - head.length;
	const value = Buffer.alloc(left - longLength(left).length, "v");
	return Buffer.concat([head, longLength(value.length), value]);
})();

const connectionError = (code: number, why: string): string => `goaway ${code}: ${why}`;

const ROWS: readonly Row[] = [
	// Frames in general (4.2, 5.1, 6).
	["DATA on stream 0", [frame(T.data, 0, 0, "00")], connectionError(E.protocol, "DATA on stream 0")],
	["HEADERS on stream 0", [frame(T.headers, ENDS, 0, REQUEST)], connectionError(E.protocol, "HEADERS on stream 0")],
	["PRIORITY on stream 0", [frame(T.priority, 0, 0, "0000000000")], connectionError(E.protocol, "PRIORITY on stream 0")],
	["RST_STREAM on stream 0", [frame(T.rstStream, 0, 0, "00000000")], connectionError(E.protocol, "RST_STREAM on an idle stream")],
	["SETTINGS on a stream", [frame(T.settings, 0, 1)], connectionError(E.protocol, "SETTINGS on a stream")],
	["PING on a stream", [frame(T.ping, 0, 1, "0000000000000000")], connectionError(E.protocol, "PING on a stream")],
	["GOAWAY on a stream", [frame(T.goaway, 0, 1, "0000000000000000")], connectionError(E.protocol, "GOAWAY on a stream")],
	[
		"PUSH_PROMISE of a client",
		[open(1), frame(T.pushPromise, 4, 1, "00000002")],
		connectionError(E.protocol, "PUSH_PROMISE is not allowed"),
	],
	[
		"a frame longer than allowed",
		[frame(T.data, 0, 1, Buffer.alloc(16_385))],
		connectionError(E.frameSize, "a frame is longer than was allowed"),
	],
	["PING of 7 bytes", [frame(T.ping, 0, 0, "00000000000000")], connectionError(E.frameSize, "PING of a wrong length")],
	["PING of 9 bytes", [frame(T.ping, 0, 0, "000000000000000000")], connectionError(E.frameSize, "PING of a wrong length")],
	["RST_STREAM of 3 bytes", [open(1), frame(T.rstStream, 0, 1, "000000")], connectionError(E.frameSize, "RST_STREAM of a wrong length")],
	["WINDOW_UPDATE of 3 bytes", [frame(T.windowUpdate, 0, 0, "000001")], connectionError(E.frameSize, "WINDOW_UPDATE of a wrong length")],
	["GOAWAY of 7 bytes", [frame(T.goaway, 0, 0, "00000000000000")], connectionError(E.frameSize, "GOAWAY of a wrong length")],
	[
		"PRIORITY of 4 bytes on an idle stream",
		[frame(T.priority, 0, 1, "00000000")],
		connectionError(E.frameSize, "PRIORITY of a wrong length"),
	],
	["PRIORITY of 4 bytes on an open stream", [open(1), frame(T.priority, 0, 1, "00000000")], "reset 1: 6"],
	["a frame of an unknown type", [frame(0xfe, 0xff, 7, "0102")], "nothing"],
	["PRIORITY, also on itself", [open(1), frame(T.priority, 0, 1, "0000000110"), frame(T.priority, 0, 9, "0000000910")], "nothing"],
	// Settings (6.5).
	["SETTINGS of 5 bytes", [frame(T.settings, 0, 0, "0001000000")], connectionError(E.frameSize, "SETTINGS of a wrong length")],
	[
		"an acknowledgement with content",
		[frame(T.settings, 1, 0, "000100000000")],
		connectionError(E.frameSize, "SETTINGS of a wrong length"),
	],
	["ENABLE_PUSH of 2", [frame(T.settings, 0, 0, "000200000002")], connectionError(E.protocol, "SETTINGS_ENABLE_PUSH out of range")],
	[
		"a window of 2^31",
		[frame(T.settings, 0, 0, "000480000000")],
		connectionError(E.flowControl, "SETTINGS_INITIAL_WINDOW_SIZE out of range"),
	],
	["frames of 16,383", [frame(T.settings, 0, 0, "000500003fff")], connectionError(E.protocol, "SETTINGS_MAX_FRAME_SIZE out of range")],
	["frames of 2^24", [frame(T.settings, 0, 0, "000501000000")], connectionError(E.protocol, "SETTINGS_MAX_FRAME_SIZE out of range")],
	["a setting that nobody knows", [frame(T.settings, 0, 0, "00ff12345678")], "nothing"],
	[
		"a window that overflows by settings",
		[open(1), frame(T.windowUpdate, 0, 1, "7fff0000"), frame(T.settings, 0, 0, "00047fffffff")],
		connectionError(E.flowControl, "a stream's window overflows"),
	],
	// Windows (6.9).
	[
		"a window update by 0 on the connection",
		[frame(T.windowUpdate, 0, 0, "00000000")],
		connectionError(E.protocol, "WINDOW_UPDATE by nothing"),
	],
	["a window update by 0 on a stream", [open(1), frame(T.windowUpdate, 0, 1, "80000000")], "reset 1: 1"],
	[
		"a window update on an idle stream",
		[frame(T.windowUpdate, 0, 1, "00000001")],
		connectionError(E.protocol, "WINDOW_UPDATE on an idle stream"),
	],
	[
		"a connection's window that overflows",
		[frame(T.windowUpdate, 0, 0, "7fffffff")],
		connectionError(E.flowControl, "the connection's window overflows"),
	],
	["a stream's window that overflows", [open(1), frame(T.windowUpdate, 0, 1, "7fffffff")], "reset 1: 3"],
	[
		"more DATA than the stream's window",
		[open(1), ...Array.from({ length: 4 }, () => frame(T.data, 0, 1, Buffer.alloc(16_384)))],
		"reset 1: 3",
	],
	[
		"DATA of just the stream's window",
		[open(1), ...Array.from({ length: 3 }, () => frame(T.data, 0, 1, Buffer.alloc(16_384))), frame(T.data, 1, 1, Buffer.alloc(16_383))],
		"nothing",
	],
	// States of streams (5.1).
	["DATA on an idle stream", [frame(T.data, 0, 1, "00")], connectionError(E.protocol, "DATA on an idle stream")],
	["RST_STREAM on an idle stream", [frame(T.rstStream, 0, 1, "00000000")], connectionError(E.protocol, "RST_STREAM on an idle stream")],
	["DATA behind END_STREAM", [ended(1), frame(T.data, 0, 1, "00")], "reset 1: 5"],
	["HEADERS behind END_STREAM", [ended(1), ended(1)], "reset 1: 5"],
	["RST_STREAM behind END_STREAM", [ended(1), frame(T.rstStream, 0, 1, "00000008")], "nothing"],
	[
		"DATA behind RST_STREAM",
		[open(1), frame(T.rstStream, 0, 1, "00000008"), frame(T.data, 0, 1, "00")],
		connectionError(E.streamClosed, "DATA on a closed stream"),
	],
	[
		"HEADERS behind RST_STREAM",
		[open(1), frame(T.rstStream, 0, 1, "00000008"), ended(1)],
		connectionError(E.streamClosed, "HEADERS on a closed stream"),
	],
	["an even stream", [frame(T.headers, ENDS, 2, REQUEST)], connectionError(E.protocol, "HEADERS on an idle stream")],
	["a stream of a lower number", [ended(5), ended(3)], connectionError(E.protocol, "HEADERS on a stream of a lower number")],
	[
		"what was under way to a stream that had to be reset",
		[open(1), frame(T.windowUpdate, 0, 1, "00000000"), frame(T.data, 1, 1, "0000"), ended(3)],
		"reset 1: 1",
	],
	// Header blocks (4.3, 6.2, 6.10).
	["CONTINUATION of nothing", [frame(T.continuation, 4, 1, REQUEST)], connectionError(E.protocol, "CONTINUATION without HEADERS")],
	[
		"CONTINUATION behind a whole block",
		[ended(1), frame(T.continuation, 4, 1, "82")],
		connectionError(E.protocol, "CONTINUATION without HEADERS"),
	],
	[
		"a frame inside of a block",
		[request(REQUEST, 0), frame(T.data, 0, 1, "00")],
		connectionError(E.protocol, "a frame inside of a header block"),
	],
	[
		"a frame of no known type inside of a block",
		[request(REQUEST, 0), frame(0x42, 0, 0)],
		connectionError(E.protocol, "a frame inside of a header block"),
	],
	[
		"CONTINUATION of another stream",
		[request(REQUEST, 0), frame(T.continuation, 4, 3, "82")],
		connectionError(E.protocol, "a frame inside of a header block"),
	],
	["a block in 16 frames", [request(REQUEST, Flag.endStream), ...pieces(14), LAST_FRAME], "nothing"],
	[
		"a block in 17 frames",
		[request(REQUEST, Flag.endStream), ...pieces(15), LAST_FRAME],
		connectionError(E.calm, "a header block is too long or in too many pieces"),
	],
	["a block of 64 KiB", [...inFrames(BLOCK_OF_64_KIB), LAST_FRAME], "nothing"],
	[
		"a block of 64 KiB and one byte",
		[...inFrames(BLOCK_OF_64_KIB), frame(T.continuation, Flag.endHeaders, 1, "82")],
		connectionError(E.calm, "a header block is too long or in too many pieces"),
	],
	["no HPACK", [request("80")], connectionError(E.compression, "header block: index 0")],
	["no HPACK in trailers", [open(1), request("ff")], connectionError(E.compression, "header block: an integer that does not end")],
	[
		"no HPACK on a stream that is closed",
		[open(1), frame(T.rstStream, 0, 1, "00000008"), request("80")],
		connectionError(E.compression, "header block: index 0"),
	],
	["a list of 64 KiB, as it is counted", [...inFrames(listOf(64 << 10)), LAST_FRAME], "nothing"],
	["a list of one byte more", [...inFrames(listOf((64 << 10) + 1)), LAST_FRAME], "reset 1: 11"],
	["256 fields", [request(REQUEST + "90".repeat(253))], "nothing"],
	["257 fields", [request(REQUEST + "90".repeat(254))], "reset 1: 11"],
	[
		"padding longer than its frame",
		[open(1), frame(T.data, Flag.padded, 1, "0500")],
		connectionError(E.protocol, "padding longer than its frame"),
	],
	[
		"padding of a frame without content",
		[open(1), frame(T.data, Flag.padded, 1)],
		connectionError(E.protocol, "padding longer than its frame"),
	],
	[
		"padding longer than its block",
		[frame(T.headers, 0x0c, 1, "0482")],
		connectionError(E.protocol, "padding or priority longer than its frame"),
	],
	[
		"a block shorter than its priority",
		[frame(T.headers, 0x24, 1, "82")],
		connectionError(E.protocol, "padding or priority longer than its frame"),
	],
	// Requests (8.2, 8.3).
	["no method", [request("8684")], "reset 1: 1"],
	["no scheme", [request("8384")], "reset 1: 1"],
	["no path", [request("8386")], "reset 1: 1"],
	["an empty path", [request(`8386${literal(":path", "")}`)], "reset 1: 1"],
	["two methods", [request(`83${REQUEST}`)], "reset 1: 1"],
	["a pseudo-header behind other fields", [request(`8386${literal("a", "b")}84`)], "reset 1: 1"],
	["a pseudo-header of answers", [request(`${REQUEST}88`)], "reset 1: 1"],
	["an unknown pseudo-header", [request(`${REQUEST}${literal(":x", "y")}`)], "reset 1: 1"],
	["upper case", [request(`${REQUEST}${literal("Accept", "y")}`)], "reset 1: 1"],
	["a name with a space", [request(`${REQUEST}${literal("a b", "y")}`)], "reset 1: 1"],
	["an empty name", [request(`${REQUEST}${literal("", "y")}`)], "reset 1: 1"],
	["a value with a line end", [request(`${REQUEST}${literal("a", "b\r\nc: d")}`)], "reset 1: 1"],
	["a value with a zero byte", [request(`${REQUEST}${literal("a", "b\0")}`)], "reset 1: 1"],
	["a value that begins with a space", [request(`${REQUEST}${literal("a", " b")}`)], "reset 1: 1"],
	["connection", [request(`${REQUEST}${literal("connection", "close")}`)], "reset 1: 1"],
	["transfer-encoding", [request(`${REQUEST}${literal("transfer-encoding", "chunked")}`)], "reset 1: 1"],
	["te: gzip", [request(`${REQUEST}${literal("te", "gzip")}`)], "reset 1: 1"],
	["te: trailers", [request(`${REQUEST}${literal("te", "trailers")}`)], "nothing"],
	["content-length of a request without content", [request(`${REQUEST}${literal("content-length", "5")}`)], "reset 1: 1"],
	["content-length that is no number", [request(`${REQUEST}${literal("content-length", "-1")}`)], "reset 1: 1"],
	["two content-lengths", [request(`${REQUEST}${literal("content-length", "0")}${literal("content-length", "1")}`)], "reset 1: 1"],
	["less than content-length", [request(`${REQUEST}${literal("content-length", "5")}`, 4), frame(T.data, 1, 1, "00000000")], "reset 1: 1"],
	["more than content-length", [request(`${REQUEST}${literal("content-length", "1")}`, 4), frame(T.data, 0, 1, "0000")], "reset 1: 1"],
	["just content-length", [request(`${REQUEST}${literal("content-length", "2")}`, 4), frame(T.data, 1, 1, "0000")], "nothing"],
	["trailers that do not end the stream", [open(1), request(literal("a", "b"), Flag.endHeaders)], "reset 1: 1"],
	["trailers with a pseudo-header", [open(1), request("83")], "reset 1: 1"],
	["trailers", [open(1), request(literal("a", "b"))], "nothing"],
];

describe("a server", () => {
	test.each(ROWS)("%s", (_what, frames, verdict) => {
		expect(verdictOf(new End("server"), ...frames)).toBe(verdict);
	});

	test.each(ROWS)("%s, byte by byte", (_what, frames, verdict) => {
		const bytes = Buffer.concat(frames);
		const pieces = Array.from(bytes, (_, at) => Buffer.from(bytes.subarray(at, at + 1)));
		expect(verdictOf(new End("server"), ...pieces)).toBe(verdict);
	});

	test("one stream more than allowed is refused, and the others go on", () => {
		const server = new End("server", { concurrentStreamsMax: 2 });
		expect(verdictOf(server, open(1), open(3), open(5), frame(T.data, 1, 3, "00"))).toBe("reset 5: 7");
		expect(server.streamsRefused).toBe(1);
		expect(server.streams.map((stream) => stream.ends)).toEqual([false, true]);
	});

	test("a stream that is reset for its own fault is told to whoever serves it", () => {
		const server = new End("server");
		verdictOf(server, open(1), frame(T.windowUpdate, 0, 1, "00000000"));
		expect(server.streams[0]?.aborted).toBe(E.protocol);
	});

	test.each([
		["a preface that is none", Buffer.from(`${PREFACE.toString("latin1").slice(0, 20)}XXXX`), "the preface is wrong"],
		["no SETTINGS", Buffer.concat([PREFACE, frame(T.ping, 0, 0, "0000000000000000")]), "the first frame is not SETTINGS"],
		["an acknowledgement first", Buffer.concat([PREFACE, frame(T.settings, 1, 0)]), "the first frame is not SETTINGS"],
	])("%s", (_what, bytes, why) => {
		const server = new End("server");
		server.connection.receive(bytes);
		expect(framesOf(server.take()).at(-1)?.content.toString("latin1", 8)).toBe(why);
		expect(server.isEnded).toBe(true);
	});

	test("nothing is heard or said after the end", () => {
		const server = new End("server");
		verdictOf(server, frame(T.data, 0, 0, "00"));
		server.connection.receive(Buffer.concat([open(1), frame(T.ping, 0, 0, "0000000000000000")]));
		expect(server.take()).toHaveLength(0);
		expect(server.streams).toHaveLength(0);
	});

	test("GOAWAY names the newest stream that was looked at", () => {
		const server = new End("server");
		server.connection.receive(Buffer.concat([OPENING, open(1), open(3), frame(T.data, 0, 0, "00")]));
		expect(framesOf(server.take()).at(-1)?.content.readUInt32BE(0)).toBe(3);
		expect(server.streams.map((stream) => stream.aborted)).toEqual([E.protocol, E.protocol]);
	});
});

describe("a client", () => {
	test.each<[string, Buffer, string]>([
		["a promise", frame(T.pushPromise, 4, 1, "00000002"), "PUSH_PROMISE is not allowed"],
		["a stream that it did not open", frame(T.headers, ENDS, 1, "88"), "HEADERS on an idle stream"],
		["a stream of the server", frame(T.headers, ENDS, 2, "88"), "HEADERS on an idle stream"],
		["a wish for promises", frame(T.settings, 0, 0, "000200000001"), "SETTINGS_ENABLE_PUSH out of range"],
	])("%s", (_what, bytes, why) => {
		const client = new End("client");
		client.connection.receive(Buffer.concat([SETTINGS, bytes]));
		expect(framesOf(client.take().subarray(PREFACE.length)).at(-1)?.content.toString("latin1", 8)).toBe(why);
	});
});

const seed = process.env.FLOTILLA_SEED ?? String(randomInt(2 ** 40));

test(`a thousand changed calls: each is answered, refused or ends the connection, and the same front serves the next one (FLOTILLA_SEED=${seed})`, async () => {
	const dice = new Dice(`${seed}/changed calls`);
	const ECHO = "/etcdserverpb.KV/Put";
	const front = createNativeFront(
		new Map([[ECHO, { shape: "unary", handle: (call) => call.respond(call.request) }]]),
		DEFAULT_GRPC_OPTIONS,
	);
	const message = Buffer.from("000000000568656c6c6f", "hex");
	const calls = [1, 3].map((id) => Buffer.concat([callHeaders(id, ECHO), frame(T.data, Flag.endStream, id, message)]));
	const whole = Buffer.concat([...calls, frame(T.ping, 0, 0, "0000000000000000")]);
	const seen = new Map<number, number>();
	for (let run = 0; run < 1_000; run++) {
		const bytes = Buffer.from(whole);
		for (let changes = dice.range(1, 3); changes > 0; changes--) bytes[dice.range(0, bytes.length - 1)] = dice.range(0, 255);
		const fake = new FakeSocket();
		front.accept(fake.socket);
		fake.receive(Buffer.concat([OPENING, bytes]));
		const frames = framesOf(fake.take());
		for (const type of [T.data, T.rstStream, T.goaway])
			if (frames.some((one) => one.type === type)) seen.set(type, (seen.get(type) ?? 0) + 1);
		fake.destroy();
		if (!servesNext(front, ECHO)) expect.unreachable(`not served behind ${bytes.toString("hex")}`);
	}
	expect([front.held.requestBytes, front.held.answerBytes]).toEqual([0, 0]);
	for (const type of [T.data, T.rstStream, T.goaway]) expect(seen.get(type)).toBeGreaterThan(10);
	await front.close(0);
});
