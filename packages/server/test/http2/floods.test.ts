/** Floods of frames that cost their sender little: each ends its connection long before 10,000 frames, and honest use does not. */
import { describe, expect, test } from "vitest";
import { DEFAULT_FLOOD_LIMITS, TokenBucket } from "../../src/http2/flood-guard.ts";
import { Flag, FrameType as T } from "../../src/http2/protocol.ts";
import { End, frame, framesOf, type KeptStream, OPENING, REQUEST } from "./two-ends.ts";

const CALM = 11;
const ENDS = Flag.endStream | Flag.endHeaders;
const headers = (streamId: number, flags: number, block = REQUEST): Buffer => frame(T.headers, flags, streamId, block);
const idOf = (at: number): number => 1 + 2 * at;

/** Feeds `frames(0)`, `frames(1)`, ... until the connection ends. Says how many frames that took, and how it ended. */
function flood(frames: (at: number, server: End) => Buffer[], server = new End("server")): { count: number; code: number; sent: number } {
	server.connection.receive(OPENING);
	let count = 0;
	let sent = server.take().length;
	for (let at = 0; at < 20_000 && !server.isEnded; at++) {
		for (const bytes of frames(at, server)) {
			if (server.isEnded) break;
			server.connection.receive(bytes);
			count++;
		}
		if (!server.isEnded) sent += server.take().length;
	}
	const last = framesOf(server.take()).findLast(({ type }) => type === T.goaway);
	return { count, code: last?.content.readUInt32BE(4) ?? -1, sent };
}

const FLOODS: ReadonlyArray<readonly [string, (at: number, server: End) => Buffer[]]> = [
	["PING", () => [frame(T.ping, 0, 0, "0000000000000000")]],
	["acknowledgements of PING", () => [frame(T.ping, 1, 0, "0000000000000000")]],
	["SETTINGS", () => [frame(T.settings, 0, 0)]],
	["SETTINGS that move the windows", (at) => [frame(T.settings, 0, 0, at % 2 === 0 ? "000400000001" : "000400010000")]],
	["acknowledgements of SETTINGS", () => [frame(T.settings, 1, 0)]],
	["WINDOW_UPDATE of the connection", () => [frame(T.windowUpdate, 0, 0, "00000001")]],
	["WINDOW_UPDATE of a stream", (at) => [...(at === 0 ? [headers(1, 4)] : []), frame(T.windowUpdate, 0, 1, "00000001")]],
	[
		"WINDOW_UPDATE of a closed stream",
		(at) => [...(at === 0 ? [headers(1, 4), frame(T.rstStream, 0, 1, "00000008")] : []), frame(T.windowUpdate, 0, 1, "00000001")],
	],
	[
		"WINDOW_UPDATE by single bytes, for an answer that waits",
		(at, server) => {
			if (at > 0) return [frame(T.windowUpdate, 0, 1, "00000001")];
			server.connection.receive(frame(T.settings, 0, 0, "000400000000"));
			server.connection.receive(headers(1, ENDS));
			server.connection.sendMessage(server.streams[0] as KeptStream, new Uint8Array(100_000), true);
			return [];
		},
	],
	["PRIORITY", (at) => [frame(T.priority, 0, idOf(at), "0000000110")]],
	["frames of unknown types", () => [frame(0x20, 0, 0)]],
	["GOAWAY", () => [frame(T.goaway, 0, 0, "0000000000000000")]],
	["empty DATA", (at) => [...(at === 0 ? [headers(1, 4)] : []), frame(T.data, 0, 1)]],
	["DATA of nothing but padding", (at) => [...(at === 0 ? [headers(1, 4)] : []), frame(T.data, Flag.padded, 1, "00")]],
	["CONTINUATION", (at) => [at === 0 ? headers(1, 0, "") : frame(T.continuation, 0, 1)]],
	["requests that are reset at once", (at) => [headers(idOf(at), 4), frame(T.rstStream, 0, idOf(at), "00000008")]],
	["whole requests that are reset at once", (at) => [headers(idOf(at), ENDS), frame(T.rstStream, 0, idOf(at), "00000008")]],
	["RST_STREAM of a closed stream", (at) => [...(at === 0 ? [headers(1, ENDS)] : []), frame(T.rstStream, 0, 1, "00000008")]],
	[
		"requests that have to be reset: a window update by nothing",
		(at) => [headers(idOf(at), 4), frame(T.windowUpdate, 0, idOf(at), "00000000")],
	],
	[
		"requests that have to be reset: a window that overflows",
		(at) => [headers(idOf(at), 4), frame(T.windowUpdate, 0, idOf(at), "7fffffff")],
	],
	["requests that have to be reset: PRIORITY of a wrong length", (at) => [headers(idOf(at), 4), frame(T.priority, 0, idOf(at), "00")]],
	["requests that have to be reset: DATA behind the end", (at) => [headers(idOf(at), ENDS), frame(T.data, 0, idOf(at), "00")]],
	["requests that have to be reset: HEADERS behind the end", (at) => [headers(idOf(at), ENDS), headers(idOf(at), ENDS)]],
	["malformed requests", (at) => [headers(idOf(at), ENDS, "83")]],
	["requests of too many fields", (at) => [headers(idOf(at), ENDS, REQUEST + "90".repeat(300))]],
];

describe("a flood is cut off", () => {
	test.each(FLOODS)("%s", (_what, frames) => {
		const { count, code, sent } = flood(frames);
		expect(count).toBeLessThanOrEqual(10_000);
		expect(code).toBe(CALM);
		expect(sent).toBeLessThan(200_000);
	});

	test("requests above the limit of streams", () => {
		const { count, code } = flood((at) => [headers(idOf(at), 4)], new End("server", { concurrentStreamsMax: 10 }));
		expect(count).toBeLessThanOrEqual(10_000);
		expect(code).toBe(CALM);
	});

	test("a header bomb: one byte a field that decodes to four thousand", () => {
		const server = new End("server");
		const bomb = `4001617fa11f${"78".repeat(4_000)}${"be".repeat(16_000)}`.slice(0, 2 * 16_384);
		const { count, code } = flood((at) => [headers(idOf(at), ENDS, at === 0 ? bomb : "be".repeat(16_384))], server);
		expect(code === CALM || code === 9).toBe(true);
		expect(count).toBeLessThanOrEqual(2_000);
		expect(server.streams).toHaveLength(0);
	});

	test("acknowledgements that are not read are bounded", () => {
		const server = new End("server", { floods: { ...DEFAULT_FLOOD_LIMITS, controlBurst: 1e9 } });
		server.connection.receive(OPENING);
		server.take();
		server.connection.congested = true;
		let count = 0;
		while (!server.isEnded) {
			server.connection.receive(frame(T.ping, 0, 0, "0000000000000000"));
			expect(++count).toBeLessThanOrEqual(1_001);
		}
		server.connection.congested = false;
		expect(server.take().length).toBeLessThan(20_000);
	});

	test("answers that are not read are bounded, however small", () => {
		const server = new End("server", { unreadBytesMax: 100_000 });
		server.connection.receive(OPENING);
		server.take();
		server.connection.congested = true;
		let answers = 0;
		while (!server.isEnded) {
			server.connection.receive(headers(idOf(answers), ENDS));
			const stream = server.streams.pop();
			if (stream !== undefined)
				server.connection.sendHeaders(stream, [{ name: "grpc-message", value: "x".repeat(100), repeats: false }], true);
			expect(++answers).toBeLessThan(2_000);
		}
		server.connection.congested = false;
		expect(framesOf(server.take()).at(-1)?.content.toString("latin1", 8)).toBe("answers are not read");
	});
});

describe("honest use is not", () => {
	test("a hundred thousand calls, each with window updates and a ping", () => {
		const server = new End("server");
		server.connection.receive(OPENING);
		server.take();
		for (let at = 0; at < 100_000; at++) {
			const id = idOf(at);
			server.connection.receive(
				Buffer.concat([
					headers(id, 4),
					frame(T.data, 1, id, "0000000000"),
					frame(T.windowUpdate, 0, 0, "00000006"),
					frame(T.ping, 0, 0, "0000000000000000"),
				]),
			);
			const stream = server.streams.pop() as KeptStream;
			server.connection.sendHeaders(stream, [{ name: ":status", value: "200", repeats: true }], false);
			server.connection.sendMessage(stream, Buffer.of(1), true);
			server.take();
		}
		expect(server.isEnded).toBe(false);
	});

	test("cancelling fifty calls a second, for an hour", () => {
		const server = new End("server");
		server.connection.receive(OPENING);
		for (let at = 0; at < 50 * 3_600; at++) {
			server.now += 20;
			server.connection.receive(Buffer.concat([headers(idOf(at), 4), frame(T.rstStream, 0, idOf(at), "00000008")]));
			server.streams.length = 0;
			server.take();
		}
		expect(server.isEnded).toBe(false);
	});
});

test("a bucket holds its burst, refills with time, and is filled by useful work", () => {
	let now = 0;
	const bucket = new TokenBucket(10, 100, () => now);
	const take = (): number => {
		let count = 0;
		while (bucket.take()) count++;
		return count;
	};
	expect(take()).toBe(10);
	now += 55;
	expect(take()).toBe(5);
	now += 1_000_000;
	expect(take()).toBe(10);
	bucket.give(3);
	expect(take()).toBe(3);
	bucket.give(100);
	expect(take()).toBe(10);
});
