/** What comes in one turn leaves in one write: to the log, to each peer and to each client's connection. */
import { type AddressInfo, createConnection, createServer, Socket } from "node:net";
import { type AppendWork, Entry, EntryKind } from "@flotilla/raft";
import type { PeerMessage } from "@flotilla/replica";
import { expect, test, vi } from "vitest";
import { DEFAULT_GRPC_OPTIONS } from "../src/front/front-options.ts";
import { createNativeFront } from "../src/front/native/native-front.ts";
import { Flag, FrameType } from "../src/http2/protocol.ts";
import { createTestService, ECHO } from "./front/test-service.ts";
import { frame, framesOf, OPENING } from "./http2/two-ends.ts";
import { Peer, until } from "./peers/peer-house.ts";
import { newLog } from "./wal/log-fixture.ts";

test("the log: entries of many proposals", () => {
	const log = newLog();
	log.steps.all();
	let writes = 0;
	log.disk.onEffect = (op) => {
		if (op.kind === "write" && op.path.endsWith(".wal")) writes++;
	};
	for (let at = 0; at < 10; at++) {
		const entries = [new Entry(2 + at, 1, EntryKind.normal, new Uint8Array(20))];
		const work: AppendWork = {
			...{ seq: 1 + at, hardState: { term: 1, vote: 0n, commit: 1 }, truncateFrom: 0 },
			...{ entries, snapshot: null, mustSync: true, release: [] },
		};
		log.wal.append(work);
	}
	log.wal.flush();
	log.steps.all();
	expect(log.durableSeq).toBe(10);
	expect(writes).toBe(1);
});

test("a peer: messages of one turn", async () => {
	const [a, b] = await Promise.all([new Peer(1n).listen(), new Peer(2n).listen()]);
	const write = vi.spyOn(Socket.prototype, "write");
	try {
		a.knows(b);
		b.knows(a);
		await until("both connected", () => a.count("connected 2") > 0 && b.count("connected 1") > 0);
		const messages = Array.from({ length: 50 }, (_, at): PeerMessage => {
			const entries = [new Entry(at + 1, 1, EntryKind.normal, new Uint8Array(100))];
			return { kind: "append", from: 1n, to: 2n, term: 1, prevIndex: at, prevTerm: 0, commit: 0, entries };
		});
		write.mockClear();
		a.transport.send(messages);
		await until("all arrived", () => b.received.length === messages.length);
		// Signs of life are shorter.
		const long = write.mock.calls.filter(([bytes]) => (bytes as Uint8Array).length > 100);
		expect(long.length).toBe(1);
	} finally {
		write.mockRestore();
		await Promise.all([a.transport.close(), b.transport.close()]);
	}
});

test("a client's connection: answers of one turn", async () => {
	const CALLS = 50;
	const front = createNativeFront(createTestService().methods, DEFAULT_GRPC_OPTIONS);
	let writes = 0;
	const listener = createServer((socket) => {
		const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
		socket.write = (...args: unknown[]): boolean => {
			writes++;
			return write(...args);
		};
		front.accept(socket);
	});
	await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
	const client = createConnection({ port: (listener.address() as AddressInfo).port, noDelay: true });
	try {
		let received = Buffer.alloc(0);
		client.on("data", (chunk: Buffer) => {
			received = Buffer.concat([received, chunk]);
		});
		client.write(OPENING);
		const greeted = (): boolean => wholeFrames(received).some(({ flags, type }) => type === FrameType.settings && (flags & Flag.ack) !== 0);
		await until("the greeting", greeted);
		client.write(frame(FrameType.settings, Flag.ack, 0));
		const head = [0x83, 0x86, 0x04, ECHO.length, ...Buffer.from(ECHO), 0x0f, 0x10, 16, ...Buffer.from("application/grpc")];
		const calls = Array.from({ length: CALLS }, (_, at) =>
			Buffer.concat([
				frame(FrameType.headers, Flag.endHeaders, 2 * at + 1, Uint8Array.from(head)),
				frame(FrameType.data, Flag.endStream, 2 * at + 1, "00000000020a00"),
			]),
		);
		writes = 0;
		received = Buffer.alloc(0);
		client.write(Buffer.concat(calls));
		const ended = (): number =>
			wholeFrames(received).filter(({ flags, type }) => type === FrameType.headers && (flags & Flag.endStream) !== 0).length;
		await until("all answered", () => ended() === CALLS);
		expect(writes).toBe(1);
	} finally {
		client.destroy();
		await front.close(0);
		await new Promise((resolve) => listener.close(resolve));
	}
});

/** The last one may have come in part. */
function wholeFrames(bytes: Buffer): ReturnType<typeof framesOf> {
	let end = 0;
	while (end + 9 <= bytes.length && end + 9 + bytes.readUIntBE(end, 3) <= bytes.length) end += 9 + bytes.readUIntBE(end, 3);
	return framesOf(bytes.subarray(0, end));
}
