/** Members talking over real loopback sockets, and everything that goes wrong there. */
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { Dice } from "@flotilla/base";
import { Entry, EntryKind, termCeiling } from "@flotilla/raft";
import type { PeerMessage } from "@flotilla/replica";
import { afterEach, describe, expect, test } from "vitest";
import { nodeBytes } from "../../src/node-bytes.ts";
import { encodeFrameHead } from "../../src/peers/frame.ts";
import { decodeAnswer, encodeAnswer, encodeHello, HandshakeReader, PROTOCOL_VERSION } from "../../src/peers/hello.ts";
import { Lane } from "../../src/peers/lane.ts";
import { encodeMessage } from "../../src/peers/message-codec.ts";
import { HELLO, heartbeat, Peer, until, Wire } from "./peer-house.ts";
import { MESSAGE_KINDS, randomBytes, randomMessage } from "./random-messages.ts";

const open: Array<{ close(): Promise<void> }> = [];

afterEach(async () => {
	for (const each of open.splice(0).reverse()) await each.close();
});

async function peer(...args: ConstructorParameters<typeof Peer>): Promise<Peer> {
	const made = await new Peer(...args).listen();
	open.push(made.transport);
	return made;
}

async function wireTo(url: string): Promise<Wire> {
	const wire = await Wire.to(url);
	open.push(wire);
	return wire;
}

async function connectedPair(
	...more: [ConstructorParameters<typeof Peer>[1]?, ConstructorParameters<typeof Peer>[1]?]
): Promise<[Peer, Peer]> {
	const [a, b] = [await peer(1n, more[0]), await peer(2n, more[1])];
	a.knows(b);
	b.knows(a);
	await bothConnected(a, b);
	return [a, b];
}

async function bothConnected(a: Peer, b: Peer): Promise<void> {
	await until("both connected", () => a.count(`connected ${b.id}`) > 0 && b.count(`connected ${a.id}`) > 0);
}

function appendOf(dataBytes: number, index = 1): PeerMessage {
	const entries = [new Entry(index, 1, EntryKind.normal, new Uint8Array(dataBytes).fill(index))];
	return { kind: "append", from: 1n, to: 2n, term: 1, prevIndex: index - 1, prevTerm: 0, commit: 0, entries };
}

const laneOf = ({ kind }: PeerMessage): string =>
	["append", "appendResp", "forward", "forwardRefused", "membershipAsk", "membershipRefused"].includes(kind) ? "log" : "control";

describe("messages between two members", () => {
	test("all kinds arrive as they were sent, each lane in its order", async () => {
		const [a, b] = await connectedPair();
		const dice = new Dice("order");
		const kinds = MESSAGE_KINDS.filter((kind) => kind !== "snapshot");
		const sent: PeerMessage[] = [];
		for (let turn = 0; turn < 60; turn++) {
			const messages = Array.from({ length: dice.range(1, 20) }, () => randomMessage(dice, dice.pick(kinds), 1n, 2n));
			sent.push(...messages);
			a.transport.send(messages);
			if (dice.chance(1, 3)) await new Promise(setImmediate);
		}
		await until("all arrived", () => b.received.length === sent.length);
		for (const lane of ["control", "log"]) {
			expect(b.received.filter((message) => laneOf(message) === lane)).toEqual(sent.filter((message) => laneOf(message) === lane));
		}
		expect(a.received).toEqual([]);
		expect(a.transport.stats()[0]).toMatchObject({ connected: true, sentMessages: sent.length, droppedMessages: 0, connects: 1 });
	});

	test("SC-107 entries of a megabyte pass, and heartbeats are not behind them", async () => {
		const [a, b] = await connectedPair();
		a.transport.send(Array.from({ length: 12 }, (_, i) => appendOf(1 << 20, i + 1)));
		a.transport.send([heartbeat(1n, 2n, 1)]);
		await until("all arrived", () => b.received.length === 13);
		const beat = b.received.findIndex(({ kind }) => kind === "heartbeat");
		expect(beat).toBeLessThan(12);
		const appends = b.received.filter((message) => message.kind === "append");
		expect(appends.map(({ entries }) => entries[0]?.index)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
		expect(appends.every(({ entries }) => entries[0]?.data.every((byte) => byte === entries[0]?.index))).toBe(true);
	});

	test("a message to a stranger is nobody's business", async () => {
		const [a, b] = await connectedPair();
		a.transport.send([heartbeat(1n, 99n, 1), heartbeat(1n, 2n, 2)]);
		await until("the other one arrived", () => b.received.length === 1);
		expect(a.told).toEqual(["connected 2"]);
	});
});

describe("connections that end", () => {
	test("a member that dies is told as lost when it refuses to be dialed, once; one that is started anew is met again", async () => {
		// Neither silence nor a grace that runs out is what tells: both are endless here.
		const limits = { linkSilenceMs: 600_000, lossGraceMs: 600_000 };
		const [a, b] = await connectedPair({ limits });
		await until("the lanes from 2", () => b.transport.stats()[0]?.connected === true);
		const port = new URL(b.url).port;
		open.splice(open.indexOf(b.transport), 1);
		await b.transport.close();
		await until("lost", () => a.count("lost 2") > 0);
		expect(a.told.filter((event) => event !== "connected 2")).toEqual(["unreachable 2", "lost 2"]);

		const again = await peer(2n, { listenPeerUrls: [`http://127.0.0.1:${port}`] });
		again.knows(a);
		await until("met again", () => a.count("connected 2") === 2);
		a.transport.send([heartbeat(1n, 2n, 7)]);
		await until("heard", () => again.received.length === 1);
		expect(a.count("lost 2")).toBe(1);
	});

	test("broken connections to a living member are made anew, told as trouble and not as a loss", async () => {
		const [a, b] = [await peer(1n, { limits: { lossGraceMs: 60_000 } }), await peer(2n, { limits: { lossGraceMs: 60_000 } })];
		const wire = await wireTo(b.url);
		a.knows({ id: 2n, url: wire.url });
		b.knows(a);
		await bothConnected(a, b);
		for (let round = 1; round <= 3; round++) {
			wire.cut();
			await until("trouble", () => a.count("unreachable 2") === round);
			await until("back", () => a.count("connected 2") === round + 1);
		}
		a.transport.send([heartbeat(1n, 2n, 1)]);
		await until("heard", () => b.received.length === 1);
		expect([a.count("lost 2"), b.count("lost 1")]).toEqual([0, 0]);
		expect(a.transport.stats()[0]).toMatchObject({ connects: 4, disconnects: 3, receiveFaults: 0 });
	});

	test("new addresses leave a connection that stands as it is; the next one goes there", async () => {
		const [a, b] = [await peer(1n), await peer(2n)];
		const [old, other] = [await wireTo(b.url), await wireTo(b.url)];
		a.knows({ id: 2n, url: old.url });
		b.knows(a);
		await bothConnected(a, b);
		const { connects } = a.transport.stats()[0] as { readonly connects: number };
		const nowhere = createServer();
		await new Promise<void>((resolve) => nowhere.listen(0, "127.0.0.1", resolve));
		const dead = `http://127.0.0.1:${(nowhere.address() as AddressInfo).port}`;
		await new Promise((resolve) => nowhere.close(resolve));

		a.knows({ id: 2n, url: dead });
		a.transport.send([appendOf(10)]);
		await until("it arrived by the old way", () => b.received.length === 1);
		expect(a.transport.stats()[0]).toMatchObject({ connected: true, connects, droppedMessages: 0 });

		a.knows({ id: 2n, url: other.url });
		expect(other.connections).toBe(0);
		old.cut();
		await until("there is a new way", () => other.connections > 0 && a.transport.stats()[0]?.connected === true);
		expect(b.count("lost 1")).toBe(0);
	});

	test("a peer that has vanished without a word is found out by its silence, and is no loss of rule H2", async () => {
		const limits = { linkHeartbeatMs: 50, linkSilenceMs: 2_000 };
		const [a, b] = [await peer(1n, { limits }), await peer(2n, { limits })];
		const [toB, toA] = [await wireTo(b.url), await wireTo(a.url)];
		a.knows({ id: 2n, url: toB.url });
		b.knows({ id: 1n, url: toA.url });
		await bothConnected(a, b);
		// A machine that stood still for long may have made a silence of its own.
		const before = [a.count("unreachable 2"), b.count("unreachable 1")] as const;
		toA.freeze();
		toB.freeze();
		await until("the silence is noticed", () => a.count("unreachable 2") > before[0] && b.count("unreachable 1") > before[1]);
		expect(a.events.find(({ name, fields }) => name === "peerDisconnected" && fields.reason === "silent")).toBeDefined();
		expect([a.count("lost 2"), b.count("lost 1")]).toEqual([0, 0]);
		toA.thaw();
		toB.thaw();
		toA.cut();
		toB.cut();
		await until("back", () => a.transport.stats()[0]?.connected === true && b.transport.stats()[0]?.connected === true);
	});

	test("a link without traffic stays up by its own heartbeats", async () => {
		const limits = { linkHeartbeatMs: 100, linkSilenceMs: 3_500 };
		const [a, b] = await connectedPair({ limits }, { limits });
		await new Promise((resolve) => setTimeout(resolve, 4_500));
		expect([a.told, b.told]).toEqual([["connected 2"], ["connected 1"]]);
		expect([a.received, b.received]).toEqual([[], []]);
	});

	test("a byte damaged on the road costs the connection and never a wrong message", async () => {
		const [a, b] = [await peer(1n), await peer(2n)];
		const wire = await wireTo(b.url);
		a.knows({ id: 2n, url: wire.url });
		b.knows(a);
		await bothConnected(a, b);
		const dice = new Dice("damage");
		let damages = 0;
		wire.spoil = (chunk) => {
			if (chunk.length < 20 || damages >= 5 || chunk.subarray(0, 4).toString() === "FLOT") return chunk;
			damages++;
			const spoiled = Buffer.from(chunk);
			const at = dice.range(0, chunk.length - 1);
			spoiled[at] = (spoiled[at] as number) ^ (1 << dice.range(0, 7));
			return spoiled;
		};
		let sequence = 0;
		await until("all damages are done and a message comes through", () => {
			if (a.transport.stats()[0]?.connected === true) a.transport.send([heartbeat(1n, 2n, ++sequence)]);
			return damages === 5 && b.received.length > 0;
		});
		for (const message of b.received) {
			expect(message).toEqual(heartbeat(1n, 2n, message.kind === "heartbeat" ? message.sequence : -1));
		}
		expect(
			b.events.filter(({ name, fields }) => name === "peerDisconnected" && String(fields.reason).startsWith("frame")).length,
		).toBeGreaterThan(0);
	});

	test("closing lets the last words out and frees the port", async () => {
		const [a, b] = await connectedPair();
		open.splice(open.indexOf(a.transport), 1);
		a.transport.send([appendOf(3 << 20), { kind: "goodbye", from: 1n, to: 2n, term: 1, successor: 2n }]);
		await a.transport.close();
		await until("heard to the end", () => b.received.length === 2);
		const server = createServer();
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(Number(new URL(a.url).port), "127.0.0.1", resolve);
		});
		await new Promise((resolve) => server.close(resolve));
	});
});

describe("a reader that does not read", () => {
	test("SC-106 holds a bounded queue, is reported once, and gets what is new when it reads again", async () => {
		const limits = { queueBytesMax: 2 << 20, queueMessagesMax: 100 };
		const [a, b] = [await peer(1n, { limits }), await peer(2n)];
		const wire = await wireTo(b.url);
		a.knows({ id: 2n, url: wire.url });
		b.knows(a);
		await bothConnected(a, b);
		wire.freeze();
		let queuedMost = 0;
		for (let i = 1; i <= 400; i++) {
			a.transport.send([appendOf(100_000, i)]);
			queuedMost = Math.max(queuedMost, a.transport.stats()[0]?.queuedBytes ?? 0);
			await new Promise(setImmediate);
		}
		expect(a.transport.stats()[0]?.droppedMessages).toBeGreaterThan(100);
		expect(queuedMost).toBeLessThanOrEqual(2 << 20);
		expect(queuedMost).toBeGreaterThan(1 << 20);
		expect(a.count("unreachable 2")).toBe(1);
		// The other lane is not stuck behind it.
		wire.thaw();
		await until("the queue has drained, and that is told", () => a.count("connected 2") === 2);
		const before = b.received.length;
		a.transport.send([appendOf(10, 1_000)]);
		await until("the new one arrives", () => b.received.length > before && lastIndex(b) === 1_000);
		const indexes = b.received.map((message) => (message.kind === "append" ? (message.entries[0]?.index ?? 0) : 0));
		expect(indexes).toEqual([...indexes].sort((x, y) => x - y));
	});

	test("is cut off when it takes nothing for too long, though it still speaks", async () => {
		const a = await peer(1n, { limits: { linkStallMs: 700, queueBytesMax: 16 << 20 } });
		const sockets: Socket[] = [];
		const server = createServer((socket) => {
			sockets.push(socket);
			const reader = new HandshakeReader(nodeBytes);
			socket.on("data", (chunk) => {
				if (reader.feed(chunk).state !== "done") return;
				socket.pause();
				socket.removeAllListeners("data");
				socket.write(encodeAnswer(nodeBytes, { code: "accepted", version: PROTOCOL_VERSION, incarnation: 5 }));
			});
			socket.on("error", () => {});
			const beat = setInterval(() => void socket.write(encodeFrameHead(nodeBytes, new Uint8Array(0), 0, 0)), 100);
			socket.on("close", () => clearInterval(beat));
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		open.push({
			close: () =>
				new Promise((resolve) => {
					for (const socket of sockets) socket.destroy();
					server.close(() => resolve());
				}),
		});
		a.knows({ id: 2n, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
		await until("connected", () => a.count("connected 2") === 1);
		a.transport.send(Array.from({ length: 12 }, (_, i) => appendOf(1 << 20, i + 1)));
		await until("cut off", () => a.events.some(({ name, fields }) => name === "peerDisconnected" && fields.reason === "not read"));
	});
});

describe("who does not belong here", () => {
	test("SC-105 a member of another cluster is refused by both, with a line in the log, and rarely asks again", async () => {
		const [a, b] = [await peer(1n), await peer(2n, { clusterId: 0xbadn })];
		a.knows(b);
		b.knows(a);
		await until("both refuse", () =>
			[a, b].every((each) => each.events.filter(({ fields }) => fields.reason === "wrong-cluster").length >= 2),
		);
		await new Promise((resolve) => setTimeout(resolve, 600));
		expect([a.told, b.told, a.received, b.received]).toEqual([[], [], [], []]);
		// Each refused two lanes and was refused two: no hurry after that.
		expect(a.events.filter(({ name }) => name === "peerRefused").length).toBe(4);
	});

	test.each([
		["another recipient", { to: 9n }, "wrong-node"],
		["ourselves", { from: 1n }, "wrong-node"],
		["an unknown sender", { from: 7n }, "unknown"],
		["an unknown lane", { lane: 9 as Lane }, "lane"],
		["versions that are all newer", { versionMin: PROTOCOL_VERSION + 1, versionMax: 9 }, "version"],
		["versions that are all older", { versionMin: 0, versionMax: PROTOCOL_VERSION - 1 }, "version"],
	])("SC-105 a hello for %s is told why not", async (_name, changed, code) => {
		const a = await peer(1n);
		a.knows({ id: 2n, url: "http://127.0.0.1:1" });
		const answer = await speak(a.url, encodeHello(nodeBytes, { ...HELLO, ...changed }));
		expect(answer === null ? null : decodeAnswer(answer)?.code).toBe(code);
		expect(a.events.some(({ name, fields }) => name === "peerRefused" && fields.reason === code)).toBe(true);
	});

	test.each([
		["wrong-cluster", "stays away"],
		["version", "stays away"],
		["lane", "stays away"],
		["removed", "stays away"],
		["wrong-node", "asks again"],
		["unknown", "asks again"],
	] as const)("SC-105 whoever is told %s reports it and %s", async (code, reaction) => {
		let hellos = 0;
		const server = createServer((socket) => {
			const reader = new HandshakeReader(nodeBytes);
			socket.on("error", () => {});
			socket.on("data", (chunk) => {
				if (reader.feed(chunk).state !== "done") return;
				hellos++;
				socket.end(encodeAnswer(nodeBytes, { code, version: PROTOCOL_VERSION, incarnation: 5 }));
			});
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		open.push({ close: () => new Promise<void>((resolve) => void server.close(() => resolve())) });
		const a = await peer(1n, { limits: { redialMinMs: 5, redialMaxMs: 20 } });
		a.knows({ id: 2n, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
		const reported = () => a.events.filter(({ name, fields }) => name === "peerRefused" && fields.reason === code).length;
		await until("both lanes were refused", () => reported() >= 2);
		if (reaction === "asks again") await until("it asks again and again", () => hellos >= 10);
		else {
			// Dozens of times as long as it would wait otherwise.
			await new Promise((resolve) => setTimeout(resolve, 500));
			expect([hellos, reported()]).toEqual([2, 2]);
		}
		// Only who was removed has to end (etcd's 410).
		expect(a.told).toEqual(code === "removed" ? ["removed by 2", "removed by 2"] : []);
	});

	test("a member that missed the addition of another one lets it in when a member that it knows vouches for it", async () => {
		const a = await peer(1n);
		const views: Array<{ id: bigint; name: string; peerUrls: readonly string[] }> = [];
		const b = await peer(2n, { members: () => views });
		const [c, d] = [await peer(3n), await peer(4n)];
		for (const { id, url } of [a, b, c]) views.push({ id, name: `m${id}`, peerUrls: [url] });
		a.knows(b);
		b.knows(a, c);
		// Added while 1 was away; 4 was never added.
		c.knows(a, b);
		d.knows(a, b);
		await until("the newcomer is in", () => a.count("connected 3") > 0 && c.count("connected 1") > 0);
		c.transport.send([heartbeat(3n, 1n, 1)]);
		a.transport.send([heartbeat(1n, 3n, 1)]);
		await until("both hear", () => a.received.some(({ from }) => from === 3n) && c.received.some(({ from }) => from === 1n));
		expect(a.count("connected 4")).toBe(0);
		// A list that does not name it yet leaves it in; one that removes it does not.
		a.knows(b);
		expect(a.told).not.toContain("lost 3");
		a.forgets(3n);
		await until("told", () => c.told.includes("removed by 1"));
	});

	test("a member that moved while another one was down is dialed where it says that it listens, since nobody else can tell", async () => {
		const a = await peer(1n);
		const b: Peer = await peer(2n, { members: () => [{ id: 2n, name: "m2", peerUrls: [b.url] }] });
		a.transport.setMembers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
		b.knows(a);
		await bothConnected(a, b);
		// What the list of members says is not forgotten for it, and said again it changes nothing.
		a.transport.setMembers([{ id: 2n, peerUrls: ["http://127.0.0.1:1"] }]);
		a.transport.send([heartbeat(1n, 2n, 1)]);
		await until("it is heard there", () => b.received.length > 0);
	});

	test("when nobody that it knows is there to be asked, a stranger speaks for itself", async () => {
		const a = await peer(1n);
		const views: Array<{ id: bigint; name: string; peerUrls: readonly string[] }> = [];
		const [c, d] = [await peer(3n, { members: () => views }), await peer(4n)];
		for (const { id, url } of [a, c]) views.push({ id, name: `m${id}`, peerUrls: [url] });
		// 2, which added 3 while 1 was away, is gone for good.
		a.knows({ id: 2n, url: "http://127.0.0.1:1" });
		c.knows(a);
		// Says nothing of itself.
		d.knows(a);
		await until("the newcomer is in", () => a.count("connected 3") > 0 && c.count("connected 1") > 0);
		expect(a.count("connected 4")).toBe(0);
	});

	test("SC-105 a member that was removed is told so", async () => {
		const [a, b] = await connectedPair();
		a.forgets(2n);
		await until("told", () => b.told.includes("removed by 1"));
		expect(a.count("lost 2")).toBe(0);
	});

	test("foreign bytes cost a connection, at once and nothing more; members go on undisturbed", async () => {
		const [a, b] = await connectedPair();
		const dice = new Dice("noise");
		for (const bytes of [
			Buffer.from("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
			Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
			randomBytes(dice, 5_000),
			Buffer.concat([Buffer.from("FLOT"), randomBytes(dice, 500)]),
			Buffer.concat([Buffer.from("FLOT"), Uint8Array.of(0xff, 0xff), new Uint8Array(70_000)]),
		]) {
			expect(await speak(a.url, bytes)).toBeNull();
		}
		a.transport.send([heartbeat(1n, 2n, 1)]);
		b.transport.send([heartbeat(2n, 1n, 2)]);
		await until("both heard", () => a.received.length === 1 && b.received.length === 1);
		expect([a.told, b.told]).toEqual([["connected 2"], ["connected 1"]]);
	});

	test("those that say nothing have to leave after a while, and a crowd of them does not keep members out", async () => {
		const a = await peer(1n, { limits: { strangersMax: 8, handshakeMs: 1_500 } });
		const silent = Array.from({ length: 30 }, () => createConnection(Number(new URL(a.url).port), "127.0.0.1"));
		let gone = 0;
		for (const socket of silent) {
			socket.on("error", () => {});
			socket.on("close", () => gone++);
		}
		open.push({ close: async () => silent.forEach((socket) => void socket.destroy()) });
		await until("the oldest were turned away", () => gone >= 22);
		const b = await peer(2n);
		b.knows(a);
		a.knows(b);
		await bothConnected(a, b);
		await until("all others have left", () => gone === 30);
	});

	test("a peer that names a term far above the own one is cut off with one line in the log; one that is believed is heard (rule T1)", async () => {
		let own = 7;
		const a = await peer(1n, { term: () => own });
		a.knows({ id: 2n, url: "http://127.0.0.1:1" });
		const say = async (...terms: number[]): Promise<void> => {
			const frames = terms.flatMap((term) => {
				const { envelope, slab } = encodeMessage({ ...heartbeat(2n, 1n, 1), term });
				return [encodeFrameHead(nodeBytes, envelope, slab.length, 0), slab];
			});
			await speak(a.url, Buffer.concat([encodeHello(nodeBytes, HELLO), ...frames]));
		};
		const refused = () => a.events.filter(({ name }) => name === "peerRefused").map(({ fields }) => fields);
		await say(termCeiling(own), Number.MAX_SAFE_INTEGER, 8);
		await until("cut off", () => refused().length > 0);
		expect(refused()).toEqual([
			{ remotePeerId: 2n, reason: "term", message: "heartbeat", term: Number.MAX_SAFE_INTEGER, termMax: termCeiling(own) },
		]);
		// What came before is heard, and that there is a higher term; nothing behind it.
		expect(a.received.map(({ term }) => term)).toEqual([termCeiling(own), Number.MAX_SAFE_INTEGER]);
		own = termCeiling(own);
		await say(own + 1, termCeiling(own), termCeiling(own) + 1);
		await until("cut off again", () => refused().length > 1);
		expect(a.received.slice(2).map(({ term }) => term)).toEqual([own + 1, termCeiling(own), termCeiling(own) + 1]);
		expect(refused().length).toBe(2);
	});

	test("SC-096 a peer that sends garbage behind its hello is cut off", async () => {
		const a = await peer(1n);
		a.knows({ id: 2n, url: "http://127.0.0.1:1" });
		const hello = encodeHello(nodeBytes, { ...HELLO, lane: Lane.log });
		await speak(a.url, Buffer.concat([hello, randomBytes(new Dice("behind"), 300)]));
		await until(
			"closed",
			() =>
				a.events.some(({ name, fields }) => name !== "peerConnected" && String(fields.reason).startsWith("frame")) ||
				a.told.includes("unreachable 2"),
		);
		expect(a.received).toEqual([]);
	});
});

/** Sends these bytes and waits for the end. The handshake message that came back, or null. */
function speak(url: string, bytes: Uint8Array): Promise<Uint8Array | null> {
	return new Promise((resolve) => {
		const socket = createConnection(Number(new URL(url).port), "127.0.0.1");
		const reader = new HandshakeReader(nodeBytes);
		let answer: Uint8Array | null = null;
		socket.on("connect", () => socket.write(bytes));
		socket.on("data", (chunk) => {
			const progress = reader.feed(chunk);
			if (progress.state === "done") answer = progress.message;
		});
		socket.on("error", () => {});
		socket.on("close", () => resolve(answer));
	});
}

function lastIndex({ received }: Peer): number {
	const last = received.at(-1);
	return last?.kind === "append" ? (last.entries.at(-1)?.index ?? 0) : 0;
}
