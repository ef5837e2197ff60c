/** The side of a member that has lost its store: finds the others, and reads the state of one of them from its peer port (rule S6). */
import type { Socket } from "node:net";
import type { ByteOps } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import type { Seeker, StateDoors, StateExport, StateOpening, StatePart } from "../ports.ts";
import type { LiveTls } from "../tls/live-tls.ts";
import { askForView } from "./cluster-view.ts";
import { dialPeer } from "./dial.ts";
import { type Frame, FrameDecoder } from "./frame.ts";
import { decodeAnswer, encodeHello, HandshakeReader, type HelloCode, PROTOCOL_VERSION } from "./hello.ts";
import type { Lane } from "./lane.ts";
import { type PeerTarget, parsePeerUrl } from "./peer-address.ts";
import { decodePart, STATE_FRAME_BYTES_MAX, STATE_LANE, STATE_SILENCE_MS } from "./state-lane.ts";

interface Known {
	readonly id: NodeId;
	readonly peerUrls: readonly string[];
}

/** From the dial to the answer. */
const HANDSHAKE_MS = 4_000;

const REFUSALS: Readonly<Record<Exclude<HelloCode, "accepted">, string>> = {
	version: "it speaks another version of the protocol",
	"wrong-cluster": "it belongs to another cluster",
	"wrong-node": "another member answers there",
	removed: "this member was removed from the cluster",
	unknown: "it does not know this member",
	lane: "its version does not give its state",
	busy: "it is giving its state to another member, or stops",
};

export function stateDoorsOver(bytes: ByteOps, tls: LiveTls | null): StateDoors {
	return {
		find: (seeker, urls, done) => void findMembers(seeker, urls, bytes, tls).then(done),
		ask: (seeker, giver, done) => void askInTurn(seeker, giver, bytes, tls).then(done),
	};
}

async function findMembers(seeker: Seeker, urls: readonly string[], bytes: ByteOps, tls: LiveTls | null): Promise<readonly Known[]> {
	const views = await Promise.all(urls.map((url) => askForView(url, bytes, tls)));
	const found = new Map<NodeId, Known>();
	for (const view of views) {
		if (view?.clusterId !== seeker.clusterId || view.members.every(({ id }) => id !== seeker.memberId)) continue;
		for (const member of view.members) found.set(member.id, member);
	}
	return [...found.values()];
}

async function askInTurn(seeker: Seeker, giver: Known, bytes: ByteOps, tls: LiveTls | null): Promise<StateOpening> {
	let opening: StateOpening = { ok: false, removed: false, reason: "it has no address" };
	for (const url of giver.peerUrls) {
		const target = parsePeerUrl(url);
		if (target !== null) opening = await askOne(seeker, giver.id, target, bytes, tls);
		if (opening.ok || opening.removed) break;
	}
	return opening;
}

function askOne(seeker: Seeker, to: NodeId, target: PeerTarget, bytes: ByteOps, tls: LiveTls | null): Promise<StateOpening> {
	const hello = {
		...{ versionMin: PROTOCOL_VERSION, versionMax: PROTOCOL_VERSION, clusterId: seeker.clusterId, from: seeker.memberId, to },
		...{ incarnation: 0, peerUrls: [], lane: STATE_LANE as Lane },
	};
	return new Promise((resolve) => {
		const socket = dialPeer(target, tls, (ready) => ready.write(encodeHello(bytes, hello)));
		const reader = new HandshakeReader(bytes);
		let failure = "it closed the connection";
		const settle = (): void => {
			clearTimeout(timer);
			for (const event of ["data", "error", "close"]) socket.removeAllListeners(event);
		};
		const refuse = (reason: string, removed = false): void => {
			settle();
			socket.on("error", () => {}).destroy();
			resolve({ ok: false, removed, reason });
		};
		const accept = (rest: Uint8Array): void => {
			settle();
			resolve({ ok: true, state: new StateReader(socket, rest, bytes) });
		};
		const timer = setTimeout(() => refuse("no answer"), HANDSHAKE_MS);
		socket.on("error", (error: NodeJS.ErrnoException) => {
			failure = error.code ?? error.message;
		});
		socket.on("close", () => refuse(failure));
		socket.on("data", (chunk: Uint8Array) => {
			const progress = reader.feed(chunk);
			if (progress.state === "more") return;
			const code = progress.state === "done" ? decodeAnswer(progress.message)?.code : undefined;
			if (code === undefined || progress.state !== "done") refuse("no member answers there");
			else if (code !== "accepted") refuse(REFUSALS[code], code === "removed");
			else accept(progress.rest);
		});
	});
}

/** What comes over the connection, part by part; nothing more is read while a part waits to be taken. */
class StateReader implements StateExport {
	private readonly socket: Socket;
	private readonly decoder: FrameDecoder;
	private readonly parts: StatePart[] = [];
	private wanted: ((part: StatePart) => void) | null = null;
	private ended = false;

	constructor(socket: Socket, rest: Uint8Array, bytes: ByteOps) {
		this.socket = socket;
		this.decoder = new FrameDecoder(bytes, STATE_FRAME_BYTES_MAX);
		let failure = "it closed the connection";
		socket.setTimeout(STATE_SILENCE_MS, () => {
			failure = "it is silent";
			socket.destroy();
		});
		socket.on("error", (error: NodeJS.ErrnoException) => {
			failure = error.code ?? error.message;
		});
		socket.on("close", () => this.fail(failure));
		socket.on("data", (chunk: Uint8Array) => this.feed(chunk));
		if (rest.length > 0) this.feed(rest);
	}

	next(done: (part: StatePart) => void): void {
		this.wanted = done;
		if (this.parts.length === 0 && this.ended) this.parts.push({ kind: "failed", reason: "nothing more comes" });
		if (this.parts.length > 0) setImmediate(() => this.hand());
		else this.socket.resume();
	}

	close(): void {
		this.ended = true;
		this.wanted = null;
		this.parts.length = 0;
		this.socket.destroy();
	}

	private feed(chunk: Uint8Array): void {
		if (this.ended) return;
		const frames: Frame[] = [];
		// A plain view: what is cut from it goes on to rooms in which `slice` must copy.
		const fault = this.decoder.feed(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length), frames);
		for (const frame of frames) {
			const part = decodePart(frame);
			if (part !== null) this.parts.push(part);
			else this.fail("what it sends cannot be understood");
		}
		if (fault !== null) this.fail(`what it sends was damaged on the way (${fault})`);
		if (this.parts.length > 0) this.socket.pause();
		this.hand();
	}

	private fail(reason: string): void {
		if (!this.ended) this.parts.push({ kind: "failed", reason });
		this.ended = true;
		this.socket.destroy();
		setImmediate(() => this.hand());
	}

	private hand(): void {
		const { wanted } = this;
		const part = this.parts[0];
		if (wanted === null || part === undefined) return;
		this.parts.shift();
		this.wanted = null;
		wanted(part);
	}
}
