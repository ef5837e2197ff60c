/** Floods of frames that cost their sender little: each ends its connection at the very frame that rule D1 names, and honest use does not. */
import { describe, expect, test } from "vitest";
import { DEFAULT_FLOOD_LIMITS, TokenBucket } from "../../src/http2/flood-guard.ts";
import { Flag, FrameType as T } from "../../src/http2/protocol.ts";
import { End, frame, framesOf, type KeptStream, OPENING, REQUEST } from "./two-ends.ts";

const CALM = 11;
/** The bounds of rule D1, not read from the product: what passes at once, and what time gives back in a second. */
const CONTROL = { burst: 2_000, perSecond: 200 };
const RESETS = { burst: 1_000, perSecond: 100 };
const REPLIES_MAX = 1_000;
const UNREAD_BYTES_MAX = 4 << 20;
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

/** At which frame the connection ends: the first beyond the burst. */
const FLOODS: ReadonlyArray<readonly [string, number, (at: number, server: End) => Buffer[]]> = [
	["PING", CONTROL.burst + 1, () => [frame(T.ping, 0, 0, "0000000000000000")]],
	["acknowledgements of PING", CONTROL.burst + 1, () => [frame(T.ping, 1, 0, "0000000000000000")]],
	["SETTINGS", CONTROL.burst + 1, () => [frame(T.settings, 0, 0)]],
	["SETTINGS that move the windows", CONTROL.burst + 1, (at) => [frame(T.settings, 0, 0, at % 2 === 0 ? "000400000001" : "000400010000")]],
	["acknowledgements of SETTINGS", CONTROL.burst + 1, () => [frame(T.settings, 1, 0)]],
	["WINDOW_UPDATE of the connection", CONTROL.burst + 1, () => [frame(T.windowUpdate, 0, 0, "00000001")]],
	[
		"WINDOW_UPDATE of a stream",
		1 + CONTROL.burst + 1,
		(at) => [...(at === 0 ? [headers(1, 4)] : []), frame(T.windowUpdate, 0, 1, "00000001")],
	],
	[
		"WINDOW_UPDATE of a closed stream",
		2 + CONTROL.burst + 1,
		(at) => [...(at === 0 ? [headers(1, 4), frame(T.rstStream, 0, 1, "00000008")] : []), frame(T.windowUpdate, 0, 1, "00000001")],
	],
	[
		"WINDOW_UPDATE by single bytes, for an answer that waits",
		CONTROL.burst,
		(at, server) => {
			if (at > 0) return [frame(T.windowUpdate, 0, 1, "00000001")];
			server.connection.receive(frame(T.settings, 0, 0, "000400000000"));
			server.connection.receive(headers(1, ENDS));
			server.connection.sendMessage(server.streams[0] as KeptStream, new Uint8Array(100_000), true);
			return [];
		},
	],
	["PRIORITY", CONTROL.burst + 1, (at) => [frame(T.priority, 0, idOf(at), "0000000110")]],
	["frames of unknown types", CONTROL.burst + 1, () => [frame(0x20, 0, 0)]],
	["GOAWAY", CONTROL.burst + 1, () => [frame(T.goaway, 0, 0, "0000000000000000")]],
	["empty DATA", 1 + CONTROL.burst + 1, (at) => [...(at === 0 ? [headers(1, 4)] : []), frame(T.data, 0, 1)]],
	[
		"DATA of nothing but padding",
		1 + CONTROL.burst + 1,
		(at) => [...(at === 0 ? [headers(1, 4)] : []), frame(T.data, Flag.padded, 1, "00")],
	],
	["CONTINUATION", 17, (at) => [at === 0 ? headers(1, 0, "") : frame(T.continuation, 0, 1)]],
	["requests that are reset at once", 2 * (RESETS.burst + 1), (at) => [headers(idOf(at), 4), frame(T.rstStream, 0, idOf(at), "00000008")]],
	[
		"whole requests that are reset at once",
		2 * (RESETS.burst + 1),
		(at) => [headers(idOf(at), ENDS), frame(T.rstStream, 0, idOf(at), "00000008")],
	],
	[
		"RST_STREAM of a closed stream",
		2 + CONTROL.burst + 1,
		(at) => [...(at === 0 ? [headers(1, ENDS)] : []), frame(T.rstStream, 0, 1, "00000008")],
	],
	[
		"requests that have to be reset: a window update by nothing",
		2 * (RESETS.burst + 1),
		(at) => [headers(idOf(at), 4), frame(T.windowUpdate, 0, idOf(at), "00000000")],
	],
	[
		"requests that have to be reset: a window that overflows",
		2 * (RESETS.burst + 1),
		(at) => [headers(idOf(at), 4), frame(T.windowUpdate, 0, idOf(at), "7fffffff")],
	],
	[
		"requests that have to be reset: PRIORITY of a wrong length",
		2 * (RESETS.burst + 1),
		(at) => [headers(idOf(at), 4), frame(T.priority, 0, idOf(at), "00")],
	],
	[
		"requests that have to be reset: DATA behind the end",
		2 * (RESETS.burst + 1),
		(at) => [headers(idOf(at), ENDS), frame(T.data, 0, idOf(at), "00")],
	],
	[
		"requests that have to be reset: HEADERS behind the end",
		2 * (RESETS.burst + 1),
		(at) => [headers(idOf(at), ENDS), headers(idOf(at), ENDS)],
	],
	["malformed requests", RESETS.burst + 1, (at) => [headers(idOf(at), ENDS, "83")]],
	["requests of too many fields", RESETS.burst + 1, (at) => [headers(idOf(at), ENDS, REQUEST + "90".repeat(300))]],
];

describe("a flood is cut off", () => {
	test.each(FLOODS)("%s: at frame %d", (_what, last, frames) => {
		const { count, code, sent } = flood(frames);
		expect(count).toBe(last);
		expect(code).toBe(CALM);
		expect(sent).toBeLessThan(200_000);
	});

	test("requests above the limit of streams", () => {
		const { count, code } = flood((at) => [headers(idOf(at), 4)], new End("server", { concurrentStreamsMax: 10 }));
		expect(count).toBe(10 + RESETS.burst + 1);
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
		for (; !server.isEnded; count++) server.connection.receive(frame(T.ping, 0, 0, "0000000000000000"));
		expect(count).toBe(REPLIES_MAX + 1);
		server.connection.congested = false;
		expect(server.take().length).toBeLessThan(20_000);
	});

	test("answers that are not read are bounded, however small", () => {
		const server = new End("server");
		server.connection.receive(OPENING);
		server.take();
		server.connection.congested = true;
		for (let answers = 0; !server.isEnded; answers++) {
			server.connection.receive(headers(idOf(answers), ENDS));
			const stream = server.streams.pop();
			if (stream !== undefined)
				server.connection.sendHeaders(stream, [{ name: "grpc-message", value: "x".repeat(1_000), repeats: false }], true);
		}
		server.connection.congested = false;
		const waiting = server.take();
		expect(framesOf(waiting).at(-1)?.content.toString("latin1", 8)).toBe("answers are not read");
		// Up to the bound all were taken; the one that goes beyond is the last.
		expect(waiting.length).toBeGreaterThan(UNREAD_BYTES_MAX);
		expect(waiting.length).toBeLessThan(UNREAD_BYTES_MAX + 2_000);
	});
});

describe("up to the bound nothing happens; time and useful work give back as much as was promised", () => {
	const PING = frame(T.ping, 0, 0, "0000000000000000");
	let next = 0;
	const reset = (): Buffer => Buffer.concat([headers(idOf(next), 4), frame(T.rstStream, 0, idOf(next++), "00000008")]);
	const opened = (): End => {
		next = 0;
		const server = new End("server");
		server.connection.receive(OPENING);
		server.take();
		return server;
	};
	/** How many pass until the connection ends, or `most`. */
	const passing = (server: End, most: number, bytes: () => Buffer): number => {
		for (let count = 0; count < most; count++) {
			server.connection.receive(bytes());
			server.take();
			server.streams.length = 0;
			if (server.isEnded) return count;
		}
		return most;
	};

	test.each([
		["control frames", CONTROL, () => PING],
		["resets", RESETS, reset],
	] as const)("%s", (_what, { burst, perSecond }, bytes) => {
		const server = opened();
		expect(passing(server, burst, bytes)).toBe(burst);
		server.now += 1_000;
		expect(passing(server, perSecond, bytes)).toBe(perSecond);
		server.now += 100;
		expect(passing(server, burst, bytes)).toBe(perSecond / 10);
	});

	test("a long rest gives back the burst and no more", () => {
		const server = opened();
		expect(passing(server, CONTROL.burst, () => PING)).toBe(CONTROL.burst);
		server.now += 3_600_000;
		expect(passing(server, 10_000, () => PING)).toBe(CONTROL.burst);
	});

	test("a call gives back six control frames and a reset", () => {
		const server = opened();
		const call = (): void => {
			server.connection.receive(headers(idOf(next++), ENDS));
			const stream = server.streams.pop() as KeptStream;
			server.connection.sendHeaders(stream, [{ name: ":status", value: "200", repeats: true }], false);
			server.connection.sendMessage(stream, Buffer.of(1), true);
			server.take();
		};
		expect(passing(server, CONTROL.burst, () => PING)).toBe(CONTROL.burst);
		call();
		expect(passing(server, 6, () => PING)).toBe(6);
		expect(passing(server, RESETS.burst, reset)).toBe(RESETS.burst);
		call();
		expect(passing(server, 10_000, reset)).toBe(1);
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
