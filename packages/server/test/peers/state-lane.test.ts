/** The door at which a member that has lost its store is given the state (rule S6): who is let in, in which pieces, and how it ends. */
import { createServer, type Socket } from "node:net";
import { concatBytes } from "@flotilla/base";
import { afterEach, describe, expect, test } from "vitest";
import { nodeBytes } from "../../src/node-bytes.ts";
import { dialPeer } from "../../src/peers/dial.ts";
import { encodeAnswer, encodeHello, PROTOCOL_VERSION } from "../../src/peers/hello.ts";
import type { Lane } from "../../src/peers/lane.ts";
import { stateDoorsOver } from "../../src/peers/state-doors.ts";
import { encodePart, STATE_LANE } from "../../src/peers/state-lane.ts";
import type { StateExport, StateOpening, StatePart } from "../../src/ports.ts";
import { HELLO, Peer, until } from "./peer-house.ts";

const SEEKER = { clusterId: 0xc1n, memberId: 2n };
const ELSEWHERE = { id: 2n, url: "http://127.0.0.1:1" };
const doors = stateDoorsOver(nodeBytes, null);

const closers: Array<() => unknown> = [];
afterEach(async () => {
	for (const close of closers.splice(0).reverse()) await close();
});

/** So many parts of this size, as fast as they are asked for. */
class Giver implements StateExport {
	asked = 0;
	closed = 0;
	private readonly parts: number;
	private readonly bytes: number;

	constructor(parts: number, bytes: number) {
		this.parts = parts;
		this.bytes = bytes;
	}

	next(done: (part: StatePart) => void): void {
		const at = this.asked++;
		const last = at + 1 === this.parts;
		setImmediate(() => {
			if (at >= this.parts) done({ kind: "failed", reason: "the disk is gone" });
			else done({ kind: "bytes", bytes: new Uint8Array(this.bytes).fill(at), last, bytesLeft: last ? 0 : 1 });
		});
	}

	close(): void {
		this.closed++;
	}
}

async function giving(state: () => StateExport | null): Promise<Peer> {
	const peer = await new Peer(1n, { state }).listen();
	closers.push(() => peer.transport.close());
	peer.knows(ELSEWHERE);
	return peer;
}

function ask(peer: Pick<Peer, "id" | "url">, seeker = SEEKER): Promise<StateOpening> {
	return new Promise((resolve) => doors.ask(seeker, { id: peer.id, peerUrls: [peer.url] }, resolve));
}

async function opened(peer: Pick<Peer, "id" | "url">): Promise<StateExport> {
	const opening = await ask(peer);
	if (!opening.ok) throw new Error(opening.reason);
	closers.push(() => opening.state.close());
	return opening.state;
}

function next(state: StateExport): Promise<StatePart> {
	return new Promise((resolve) => state.next(resolve));
}

describe("a member that asks another one for its state", () => {
	test("is given it part by part, small ones and some larger than a read of the socket, and the end is told", async () => {
		for (const bytes of [0, 10, 300_000]) {
			const giver = new Giver(7, bytes);
			const state = await opened(await giving(() => giver));
			for (let at = 0; at < 7; at++) {
				const part = await next(state);
				expect(part).toMatchObject({ kind: "bytes", last: at === 6 });
				if (part.kind === "bytes") expect([part.bytes.length, part.bytes.every((byte) => byte === at)]).toEqual([bytes, true]);
			}
			await until("the giver has closed it", () => giver.closed === 1);
			expect(await next(state)).toMatchObject({ kind: "failed" });
		}
	});

	test("holds back the giver while it does not read: what the sockets hold, and no more", async () => {
		const giver = new Giver(10_000, 256 << 10);
		const state = await opened(await giving(() => giver));
		await next(state);
		let before = -1;
		await until("the giver stands still", () => {
			const still = giver.asked === before;
			before = giver.asked;
			return still && giver.asked > 1;
		});
		await new Promise((resolve) => setTimeout(resolve, 200));
		expect(giver.asked).toBeLessThan(200);
		const { asked } = giver;
		for (let at = 1; at < asked + 5; at++) expect(await next(state)).toMatchObject({ kind: "bytes" });
		state.close();
		await until("the giver has closed it", () => giver.closed === 1);
	});

	test("hears why there is no more of it", async () => {
		const state = await opened(await giving(() => new Giver(0, 10)));
		expect(await next(state)).toEqual({ kind: "failed", reason: "the disk is gone" });
	});

	test("hears of the end of a giver in the middle, whether it stops or dies", async () => {
		const giver = new Giver(10_000, 256 << 10);
		const peer = await giving(() => giver);
		const state = await opened(peer);
		await next(state);
		await peer.transport.close();
		for (;;) {
			const part = await next(state);
			if (part.kind === "bytes") continue;
			expect(part.reason).toMatch(/closed the connection|ECONNRESET/);
			break;
		}
		expect(giver.closed).toBe(1);
	});

	test("is refused politely: busy, removed, a stranger, of another cluster, at another member, where nobody listens", async () => {
		const peer = await giving(() => null);
		expect(await ask(peer)).toEqual({ ok: false, removed: false, reason: "it is giving its state to another member, or stops" });
		expect(await ask(peer, { ...SEEKER, clusterId: 5n })).toMatchObject({ removed: false, reason: "it belongs to another cluster" });
		expect(await ask(peer, { ...SEEKER, memberId: 9n })).toMatchObject({ removed: false, reason: "it does not know this member" });
		expect(await ask({ id: 3n, url: peer.url })).toMatchObject({ removed: false, reason: "another member answers there" });
		peer.forgets(SEEKER.memberId);
		expect(await ask(peer)).toMatchObject({ ok: false, removed: true });
		expect(await ask(ELSEWHERE)).toMatchObject({ removed: false, reason: "ECONNREFUSED" });
		expect(await ask({ id: 1n, url: "unix:/nowhere" })).toMatchObject({ removed: false, reason: "it has no address" });
		const without = await new Peer(1n).listen();
		closers.push(() => without.transport.close());
		without.knows(ELSEWHERE);
		expect(await ask(without)).toMatchObject({ removed: false, reason: "its version does not give its state" });
	});

	test("finds the members by whoever knows it, of its own cluster only", async () => {
		const members = [
			{ id: 2n, name: "two", peerUrls: ["http://10.0.0.2:2380"] },
			{ id: 3n, name: "three", peerUrls: ["http://10.0.0.3:2380"] },
		];
		const knows = await new Peer(1n, { members: () => members }).listen();
		const knowsNot = await new Peer(4n, { members: () => members.slice(1) }).listen();
		const foreign = await new Peer(5n, { clusterId: 7n, members: () => members }).listen();
		closers.push(...[knows, knowsNot, foreign].map((peer) => () => peer.transport.close()));
		const find = (...urls: string[]) => new Promise<ReadonlyArray<{ readonly id: bigint }>>((resolve) => doors.find(SEEKER, urls, resolve));
		expect((await find(knowsNot.url, foreign.url, ELSEWHERE.url, knows.url)).map(({ id }) => id)).toEqual([2n, 3n]);
		expect(await find(knowsNot.url, foreign.url, ELSEWHERE.url)).toEqual([]);
	});

	test("believes no frame that was changed on its way, and none that says nothing of a state", async () => {
		const accepted = encodeAnswer(nodeBytes, { code: "accepted", version: PROTOCOL_VERSION, incarnation: 1 });
		const sound = concatBytes(
			encodePart(nodeBytes, { kind: "bytes", bytes: new Uint8Array(100).fill(3), last: false, bytesLeft: 1 }) as Uint8Array[],
		);
		for (const [at, says] of [
			[0, /frame|silent/],
			[16, /frame/],
			[60, /frame checksum mismatch/],
		] as const) {
			const spoilt = sound.with(at, (sound[at] as number) ^ 0x40);
			const server = createServer(
				(socket) =>
					void socket
						.on("error", () => {})
						.resume()
						.end(concatBytes([accepted, sound, spoilt])),
			);
			await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
			closers.push(() => new Promise((done) => void server.close(done)));
			const state = await opened({ id: 1n, url: `http://127.0.0.1:${(server.address() as { port: number }).port}` });
			expect(await next(state)).toMatchObject({ kind: "bytes" });
			const part = await next(state);
			expect(part.kind).toBe("failed");
			if (part.kind === "failed" && at > 0) expect(part.reason).toMatch(says);
		}
	});
});

test("a reader that falls silent does not keep the state from others for ever: its end is the end of the giving", async () => {
	const givers = [new Giver(10_000, 256 << 10), new Giver(1, 10)];
	let free = true;
	const peer = await giving(() => {
		if (!free) return null;
		free = false;
		const giver = givers.shift() as Giver;
		const close = giver.close.bind(giver);
		giver.close = () => {
			free = true;
			close();
		};
		return giver;
	});
	const target = { host: "127.0.0.1", port: Number(new URL(peer.url).port), secure: false };
	const silent = await new Promise<Socket>((resolve) => {
		const hello = { ...HELLO, incarnation: 0, lane: STATE_LANE as Lane };
		const socket = dialPeer(target, null, (ready) => ready.write(encodeHello(nodeBytes, hello)));
		socket.on("error", () => {}).once("data", () => resolve(socket.pause()));
	});
	expect(await ask(peer)).toMatchObject({ ok: false, reason: "it is giving its state to another member, or stops" });
	silent.destroy();
	await until("the state is free", () => free);
	expect(await next(await opened(peer))).toMatchObject({ kind: "bytes", last: true });
});
