import { describe, expect, test } from "vitest";
import { EventTap } from "./event-tap.ts";
import { type LineSink, LogOutput } from "./log-output.ts";
import { formatTimestamp, Logger, type LogLevel } from "./logger.ts";
import { logTap } from "./tap-log.ts";

/** A sink whose writes end when the test says so. */
class ManualSink implements LineSink {
	readonly chunks: string[] = [];
	readonly lastWords: string[] = [];
	private readonly pending: Array<(ok: boolean) => void> = [];
	write(chunk: string, done: (ok: boolean) => void): void {
		this.chunks.push(chunk);
		this.pending.push(done);
	}
	writeNow(chunk: string): void {
		this.lastWords.push(chunk);
	}
	finish(ok = true): void {
		this.pending.shift()?.(ok);
	}
}

const WALL_MS = Date.UTC(2025, 4, 15, 10, 0, 0, 123) + 0.4567;
const describeDropped = (count: number): string => `dropped ${count}\n`;

function loggerOn(sink: LineSink, level: LogLevel = "info"): Logger {
	return new Logger({ level, wallMs: () => WALL_MS }, [new LogOutput(sink, describeDropped)]);
}

describe("log lines", () => {
	test("a line is one JSON object: level, ts in microseconds with Z, caller, msg, then the fields", () => {
		const sink = new ManualSink();
		loggerOn(sink).info("published local member", { "local-member-id": 0x8e9e05c52164694dn, "took-ms": 3, error: new Error("EIO") });
		const line = sink.chunks[0] as string;
		expect(line.endsWith("}\n")).toBe(true);
		expect(Object.keys(JSON.parse(line))).toEqual(["level", "ts", "caller", "msg", "local-member-id", "took-ms", "error"]);
		expect(JSON.parse(line)).toMatchObject({
			level: "info",
			ts: "2025-05-15T10:00:00.123456Z",
			msg: "published local member",
			"local-member-id": "8e9e05c52164694d",
			"took-ms": 3,
			error: "EIO",
		});
		expect(JSON.parse(line).caller).toMatch(/^tap\/logger\.test\.ts.*:\d+$/);
	});

	for (const [name, wallMs, text] of [
		["whole milliseconds", 0, "1970-01-01T00:00:00.000000Z"],
		["microseconds are cut, not rounded up", 999.9999, "1970-01-01T00:00:00.999999Z"],
		["a present time keeps what a double holds", 1_700_000_000_000.25, "2023-11-14T22:13:20.000250Z"],
	] as Array<[string, number, string]>) {
		test(`time stamp: ${name}`, () => expect(formatTimestamp(wallMs)).toBe(text));
	}

	test("a level writes itself and what is above it", () => {
		const sink = new ManualSink();
		const logger = loggerOn(sink, "warn");
		logger.debug("a");
		logger.info("b");
		logger.warn("c");
		logger.error("d");
		sink.finish();
		expect(sink.chunks.map((chunk) => JSON.parse(chunk).msg)).toEqual(["c", "d"]);
	});

	test("for people a line has columns, then the fields, then the stack trace below", () => {
		const sink = new ManualSink();
		const logger = new Logger({ level: "info", format: "console", wallMs: () => WALL_MS }, [new LogOutput(sink, describeDropped)]);
		logger.write("info", "ready", {}, "a/b.ts");
		sink.finish();
		logger.write("warn", "slow", { "took-ms": 3, id: 255n }, "a/b.ts");
		sink.finish();
		logger.write("fatal", "broken", { error: new Error("EIO"), stacktrace: "at x" }, "a/b.ts");
		expect(sink.chunks).toEqual([
			"2025-05-15T10:00:00.123456Z\tinfo\ta/b.ts\tready\n",
			'2025-05-15T10:00:00.123456Z\twarn\ta/b.ts\tslow\t{"took-ms":3,"id":"ff"}\n',
			'2025-05-15T10:00:00.123456Z\tfatal\ta/b.ts\tbroken\t{"error":"EIO"}\nat x\n',
		]);
	});

	test("a fatal line carries a stack trace and is flushed behind what waits", () => {
		const sink = new ManualSink();
		const logger = loggerOn(sink);
		logger.info("under way");
		logger.info("waiting");
		logger.fatal("failed write to the log");
		const lines = sink.lastWords.join("").trim().split("\n");
		expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["waiting", "failed write to the log"]);
		expect(JSON.parse(lines[1] as string).stacktrace).toContain("logger.test.ts");
	});
});

describe("log output", () => {
	test("lines that come while a write is under way leave together in the next one", () => {
		const sink = new ManualSink();
		const output = new LogOutput(sink, describeDropped);
		for (const line of ["a\n", "b\n", "c\n"]) output.write(line);
		sink.finish();
		expect(sink.chunks).toEqual(["a\n", "b\nc\n"]);
	});

	test("an output that nobody reads holds a bounded number of bytes; what is lost is counted and told", () => {
		const sink = new ManualSink();
		const output = new LogOutput(sink, describeDropped, 10);
		for (const line of ["1234\n", "5678\n", "x\n", "y\n"]) output.write(line);
		expect(output.dropped).toBe(2);
		sink.finish();
		sink.finish();
		output.write("z\n");
		expect(sink.chunks).toEqual(["1234\n", "5678\n", "dropped 2\nz\n"]);
	});

	test("it is known when the last line has left, and when it never will", async () => {
		const sink = new ManualSink();
		const logger = loggerOn(sink);
		await logger.settled();
		let settled = false;
		logger.info("one");
		logger.info("two");
		const first = logger.settled().then(() => {
			settled = true;
		});
		sink.finish();
		await Promise.resolve();
		expect(settled).toBe(false);
		sink.finish();
		await first;
		logger.info("three");
		const second = logger.settled();
		sink.finish(false);
		await second;
	});

	test("a closed output swallows everything that follows", () => {
		const sink = new ManualSink();
		const output = new LogOutput(sink, describeDropped);
		output.write("a\n");
		output.write("b\n");
		sink.finish(false);
		output.write("c\n");
		output.flush();
		expect(sink.chunks).toEqual(["a\n"]);
		expect(sink.lastWords).toEqual([]);
		expect(output.dropped).toBe(2);
	});
});

describe("tap to log", () => {
	test("events become etcd's lines, batches of work do not", () => {
		const sink = new ManualSink();
		const clock = { monotonicMs: () => 0, wallMs: () => WALL_MS };
		const tap = new EventTap({ member: 0xa1n }, clock);
		logTap(tap, loggerOn(sink));
		tap.emit("applied", 2, 7);
		tap.emit("becameLeader", 2, 6);
		tap.emit("leaderChanged", 2, 0, { leader: 0xa1n });
		tap.emit("peerDisconnected", 0, 0, { remotePeerId: 0xb2n, reason: "closed" });
		sink.finish();
		const lines = sink.chunks
			.join("")
			.trim()
			.split("\n")
			.map((line) => JSON.parse(line));
		expect(lines.map((line) => [line.level, line.msg])).toEqual([
			["info", "a1 became leader at term 2"],
			["info", "raft.node: a1 elected leader a1 at term 2"],
			["warn", "lost connection with remote peer"],
		]);
		expect(lines[0]).toMatchObject({ "local-member-id": "a1", term: 2, index: 6 });
		expect(lines[2]).toMatchObject({ "remote-peer-id": "b2", reason: "closed" });
	});
});
