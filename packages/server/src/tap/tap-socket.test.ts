import { mkdtempSync, rmSync, statSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { EventTap } from "./event-tap.ts";
import { readTap } from "./read-tap.ts";
import type { TapLine } from "./tap-line.ts";
import { TapSocket } from "./tap-socket.ts";

const folder = mkdtempSync(join(tmpdir(), "tap-"));
afterAll(() => rmSync(folder, { recursive: true }));

const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
const scheduler = { soon: (work: () => void) => void setImmediate(work), after: () => () => {} };

function openTap(name: string) {
	const path = join(folder, name);
	const tap = new EventTap({ member: 0xfeedn }, clock);
	const socket = new TapSocket(path, tap, scheduler, (error) => {
		throw error;
	});
	return { path, tap, socket };
}

describe("tap socket", () => {
	test("a reader gets the hello, the past it asked for, then what happens, and the end", async () => {
		const { path, tap, socket } = openTap("a.sock");
		tap.emit("applied", 1, 1);
		tap.emit("becameLeader", 1, 1);
		const lines: TapLine[] = [];
		const closed = Promise.withResolvers<Error | null>();
		let member = "";
		const gotPast = Promise.withResolvers<void>();
		const gotLive = Promise.withResolvers<void>();
		readTap(
			path,
			{ names: ["becameLeader", "ready"], recent: 10 },
			{
				connected: (id) => {
					member = id;
				},
				event: (line) => {
					lines.push(line);
					(line.name === "ready" ? gotLive : gotPast).resolve();
				},
				closed: (error) => closed.resolve(error),
			},
		);
		await gotPast.promise;
		tap.emit("applied", 1, 2);
		tap.emit("ready", 1, 2, { leader: 0xfeedn });
		await gotLive.promise;
		expect(member).toBe("feed");
		expect(lines.map((line) => [line.sequence, line.name])).toEqual([
			[1, "becameLeader"],
			[3, "ready"],
		]);
		expect(lines[1]).toMatchObject({ member: "feed", term: 1, index: 2, fields: { leader: "feed" } });
		expect(statSync(path).mode & 0o777).toBe(0o600);
		await socket.close();
		expect(await closed.promise).toBeNull();
	});

	test("a reader that stops reading loses events, is told how many, and the tap stays small", async () => {
		const { path, tap, socket } = openTap("b.sock");
		const client = createConnection(path);
		client.write("\n");
		let text = "";
		await new Promise<void>((resolve) =>
			client.once("data", (piece) => {
				text += piece;
				resolve();
			}),
		);
		client.pause();
		const fields = { filler: "x".repeat(1_000) };
		for (let round = 0; round < 20; round++) {
			for (let i = 0; i < 500; i++) tap.emit("applied", 1, i, fields);
			await new Promise((resolve) => setImmediate(resolve));
		}
		const noticed = new Promise<void>((resolve) =>
			client.on("data", (piece) => {
				text += piece;
				if (/\{"dropped":\d+\}/.test(text)) resolve();
				else if (!text.includes('"ready"')) tap.emit("ready", 1, 1);
			}),
		);
		client.resume();
		await noticed;
		const dropped = Number(/\{"dropped":(\d+)\}/.exec(text)?.[1]);
		expect(dropped).toBeGreaterThan(5_000);
		client.destroy();
		await socket.close();
	});

	for (const [name, line] of [
		["not JSON", "hello\n"],
		["an unknown event", '{"names":["nonsense"]}\n'],
		["a negative count", '{"recent":-1}\n'],
	]) {
		test(`a request that is ${name} is refused with a line`, async () => {
			const { path, socket } = openTap("c.sock");
			const client = createConnection(path);
			client.write(line as string);
			let text = "";
			for await (const piece of client) text += piece;
			expect(text).toBe('{"error":"not a tap request"}\n');
			await socket.close();
		});
	}

	test("a request line without end closes the connection", async () => {
		const { path, socket } = openTap("d.sock");
		const client = createConnection(path);
		client.write("x".repeat(10_000));
		client.resume();
		await new Promise((resolve) => client.on("close", resolve));
		await socket.close();
	});

	test("where no member listens the reader is told", async () => {
		const error = await new Promise<Error | null>((resolve) =>
			readTap(join(folder, "nobody.sock"), { names: null, recent: 0 }, { event: () => {}, closed: resolve }),
		);
		expect(error).toMatchObject({ code: "ENOENT" });
	});
});
