/** Clients that keep a server waiting, each against one rule of its patience; and slow ones that go on and are to be kept. */
import { Http2Flag as Flag, Http2FrameType as T } from "@flotilla/server/internal";
import { encodeMessage } from "../client/protocol.ts";
import { type Attacker, frame, framed } from "./attacker.ts";

export interface SlowClient {
	readonly name: string;
	/** What GOAWAY says; null: the connection is closed before HTTP/2 has begun. */
	readonly reason: string | null;
	/** It does not read: nothing can be told to it. */
	readonly deaf?: boolean;
	/** It speaks TLS where the port does; otherwise it has not even begun to. */
	readonly secure?: false;
	/** What it does first, and about once a second from then on. */
	readonly begin: (attacker: Attacker) => ((second: number) => void) | undefined;
}

/** Whoever asks for it and reads nothing has more waiting than sockets hold. */
export const LARGE_KEY = "large";
export const LARGE_BYTES = 1 << 20;
const LARGE_CALLS = 16;

const PUT = "/etcdserverpb.KV/Put";
const RANGE = "/etcdserverpb.KV/Range";
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const NO_WINDOW = "000400000000";
const WIDE_WINDOW = "00047fffffff";
/** More calls at once than may stall before it costs the connection. */
const SLOW_CALLS = 40;
const STEADY_BYTES = 8 << 10;
const LARGE_REQUEST = encodeMessage("etcdserverpb.RangeRequest", { key: Buffer.from(LARGE_KEY) });
const LONG_REQUEST = framed(encodeMessage("etcdserverpb.PutRequest", { key: Buffer.from("slow"), value: Buffer.alloc(1_400_000) }));

const UNREAD = "answers are not read";
const idOf = (at: number): number => 1 + 2 * at;
const update = (streamId: number, bytes: number): Buffer => {
	const content = Buffer.alloc(4);
	content.writeUInt32BE(bytes);
	return frame(T.windowUpdate, 0, streamId, content);
};

function askForMuch(attacker: Attacker, calls = LARGE_CALLS): void {
	for (let at = 0; at < calls; at++) attacker.socket.write(attacker.call(idOf(at), RANGE, LARGE_REQUEST));
}

function nothingMore(): undefined {}

export const SLOW_CLIENTS: readonly SlowClient[] = [
	{ name: "says nothing", reason: null, begin: nothingMore },
	{ name: "says nothing, where TLS is awaited too", reason: null, secure: false, begin: nothingMore },
	{ name: "sends half a preface", reason: null, begin: ({ socket }) => void socket.write(PREFACE.slice(0, 10)) },
	{ name: "sends no SETTINGS", reason: "no SETTINGS came", begin: ({ socket }) => void socket.write(PREFACE) },
	{
		name: "sends its headers in frames of a byte",
		reason: "a header block did not end",
		begin: (attacker) => {
			attacker.greet("", attacker.headers(1, PUT, 0));
			// As many as such a block may have.
			return (second) => void (second < 14 && attacker.socket.write(frame(T.continuation, 0, 1, "90")));
		},
	},
	{
		name: "sends a frame of headers byte by byte",
		reason: "a frame did not end",
		begin: (attacker) => {
			const headers = attacker.greet().headers(1, PUT, Flag.endHeaders, { authorization: "a".repeat(1_000) });
			return (second) => void attacker.socket.write(headers.subarray(second, second + 1));
		},
	},
	{
		name: "stops in the middle of a frame",
		reason: "a frame did not go on",
		begin: (attacker) => {
			attacker.greet("", attacker.headers(1, PUT), frame(T.data, 0, 1, LONG_REQUEST.subarray(0, 16_000)).subarray(0, 5_000));
			return undefined;
		},
	},
	{
		name: "sends its requests byte by byte",
		reason: "requests do not arrive",
		begin: (attacker) => {
			attacker.greet();
			const calls = Array.from({ length: SLOW_CALLS }, (_, at) => idOf(at));
			for (const id of calls) attacker.socket.write(attacker.headers(id, PUT));
			return (second) => {
				const byte = LONG_REQUEST.subarray(second, second + 1);
				for (const id of calls) if (!attacker.ended.includes(id)) attacker.socket.write(frame(T.data, 0, id, byte));
			};
		},
	},
	{
		name: "does not read its socket",
		reason: UNREAD,
		deaf: true,
		begin: (attacker) => {
			// Wide, and not so wide that a byte more would be too much before the member has sent its first.
			attacker.greet(WIDE_WINDOW, update(0, 0x7ffe_0000));
			attacker.socket.pause();
			askForMuch(attacker);
			// Only who writes learns that the other end is gone.
			return () => void attacker.socket.write(update(0, 1));
		},
	},
	{
		name: "does not read what it asked for by HTTP/1.1",
		reason: UNREAD,
		deaf: true,
		begin: ({ socket }) => {
			socket.pause();
			const body = JSON.stringify({ key: Buffer.from(LARGE_KEY).toString("base64") });
			const ask = `POST /v3/kv/range HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
			socket.write(ask.repeat(LARGE_CALLS));
			// Empty lines before the next request, which say nothing.
			return () => void socket.write("\r\n");
		},
	},
	{
		name: "never opens its window",
		reason: UNREAD,
		begin: (attacker) => {
			askForMuch(attacker.greet(NO_WINDOW));
			return undefined;
		},
	},
	{
		name: "opens its window byte by byte",
		reason: UNREAD,
		begin: (attacker) => {
			askForMuch(attacker.greet(NO_WINDOW));
			return () => void attacker.socket.write(update(1, 1));
		},
	},
];

/** Slow, and honest. */
export const STEADY_CLIENTS: readonly Omit<SlowClient, "reason">[] = [
	{ name: "has nothing to say", begin: (attacker) => void attacker.greet() },
	{
		name: "sends a long request piece by piece",
		begin: (attacker) => {
			attacker.greet("", attacker.headers(1, PUT));
			return (second) =>
				void attacker.socket.write(frame(T.data, 0, 1, LONG_REQUEST.subarray(second * STEADY_BYTES, (second + 1) * STEADY_BYTES)));
		},
	},
	{
		name: "reads a long answer piece by piece",
		begin: (attacker) => {
			askForMuch(attacker.greet(NO_WINDOW), 1);
			return () => void attacker.socket.write(Buffer.concat([update(0, STEADY_BYTES), update(1, STEADY_BYTES)]));
		},
	},
];
