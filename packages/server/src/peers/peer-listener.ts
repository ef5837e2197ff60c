import { createServer, type Server, type Socket } from "node:net";
import { assert, concatBytes, type TapSink } from "@flotilla/base";
import type { NodeId } from "@flotilla/raft";
import { createTlsServer } from "../tls/tls-server.ts";
import { encodeView, VIEW_LANE } from "./cluster-view.ts";
import { decodeHello, encodeAnswer, HandshakeReader, type Hello, type HelloCode, isLane, PROTOCOL_VERSION } from "./hello.ts";
import type { Lane } from "./lane.ts";
import type { PeerLimits, PeerTransportOptions } from "./options.ts";
import { parsePeerUrl } from "./peer-address.ts";
import { StateGiver } from "./state-giver.ts";
import { STATE_LANE } from "./state-lane.ts";

/** A peer with a bad certificate dials again and again. */
const SAME_REFUSAL_MS = 60_000;

export interface PeerListenerOwner {
	/** What is known of the one that dials. */
	standing(peer: Pick<Hello, "from" | "peerUrls">): "member" | "removed" | "unknown";
	/** The hello was answered; from now on the socket is the owner's. `rest` arrived behind it. */
	accepted(peer: NodeId, lane: Lane, incarnation: number, socket: Socket, rest: Uint8Array): void;
}

/** The peer port: takes connections, reads one hello of each, hands over those that belong here and refuses all others. */
export class PeerListener {
	private readonly options: PeerTransportOptions;
	private readonly limits: PeerLimits;
	private readonly owner: PeerListenerOwner;
	private readonly tap: TapSink;
	private readonly servers: Server[] = [];
	private readonly strangers = new Set<Socket>();
	/** Over which a state is being given. */
	private readonly givers = new Set<Socket>();

	constructor(options: PeerTransportOptions, limits: PeerLimits, owner: PeerListenerOwner, tap: TapSink) {
		this.options = options;
		this.limits = limits;
		this.owner = owner;
		this.tap = tap;
	}

	/** Resolves with the URLs really listened on; rejects with the error of the first that cannot be bound. */
	async listen(): Promise<string[]> {
		const urls: string[] = [];
		for (const url of this.options.listenPeerUrls) {
			const target = parsePeerUrl(url);
			if (target === null) throw new Error(`cannot listen on peer URL ${url}: http://host:port is needed`);
			const server = this.createServer(target.secure);
			this.servers.push(server);
			const port = await bind(server, target.host, target.port);
			urls.push(`${target.secure ? "https" : "http"}://${target.host.includes(":") ? `[${target.host}]` : target.host}:${port}`);
		}
		return urls;
	}

	private createServer(secure: boolean): Server {
		const onSocket = (socket: Socket): void => this.connected(socket);
		const { tls } = this.options;
		if (!secure) return createServer({ noDelay: true }, onSocket);
		assert(tls !== null && tls !== undefined, "a peer URL of TLS needs a certificate");
		const onRefused = (address: string, reason: string, untold: number): void =>
			this.tap.emit("handshakeRefused", 0, 0, { port: "peer", address, reason, untold });
		return createTlsServer({ tls, protocols: [], onSocket, onRefused, sameRefusalMs: SAME_REFUSAL_MS });
	}

	/** Resolves when the ports are free; connections that were handed over must be closed by their owner. */
	async close(): Promise<void> {
		const closed = this.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
		for (const socket of [...this.strangers, ...this.givers]) socket.destroy();
		await Promise.all(closed);
	}

	private connected(socket: Socket): void {
		// Beyond the limit the oldest has to go: a peer says its hello at once, so a crowd that says nothing cannot keep it out.
		const oldest = this.strangers.size >= this.limits.strangersMax ? this.strangers.values().next().value : undefined;
		if (oldest !== undefined) {
			this.strangers.delete(oldest);
			oldest.destroy();
		}
		this.strangers.add(socket);
		const reader = new HandshakeReader(this.options.bytes);
		const cancelTimer = this.options.scheduler.after(this.limits.handshakeMs, () => socket.destroy());
		socket.on("error", () => {});
		socket.once("close", () => {
			cancelTimer();
			this.strangers.delete(socket);
		});
		socket.on("data", (chunk: Uint8Array) => {
			const progress = reader.feed(chunk);
			if (progress.state === "more") return;
			socket.removeAllListeners("data");
			cancelTimer();
			const hello = progress.state === "done" ? decodeHello(progress.message) : null;
			if (hello === null || progress.state !== "done") socket.destroy();
			else this.greet(socket, hello, progress.rest);
		});
	}

	private greet(socket: Socket, hello: Hello, rest: Uint8Array): void {
		const { bytes, incarnation, clusterId, members } = this.options;
		if ((hello.lane as number) === VIEW_LANE && members !== undefined) {
			const accepted = encodeAnswer(bytes, { code: "accepted", version: PROTOCOL_VERSION, incarnation });
			this.endWith(socket, concatBytes([accepted, encodeView(bytes, { clusterId, members: members() })]));
			return;
		}
		const code = this.judge(hello);
		const state = code === "accepted" && isForState(hello) ? (this.options.state?.() ?? "busy") : null;
		const answered = state === "busy" ? state : code;
		const answer = encodeAnswer(bytes, { code: answered, version: PROTOCOL_VERSION, incarnation });
		if (answered !== "accepted") {
			this.tap.emit("peerRefused", 0, 0, { remotePeerId: hello.from, reason: answered, address: socket.remoteAddress ?? "" });
			this.endWith(socket, answer);
			return;
		}
		this.strangers.delete(socket);
		socket.removeAllListeners("close");
		socket.removeAllListeners("error");
		socket.write(answer);
		if (state !== null && state !== "busy") {
			this.givers.add(socket);
			socket.once("close", () => this.givers.delete(socket));
			new StateGiver(socket, state, bytes, this.options.scheduler);
			return;
		}
		this.owner.accepted(hello.from, hello.lane, hello.incarnation, socket, rest);
	}

	/** What is said last has the time of a handshake to leave. */
	private endWith(socket: Socket, last: Uint8Array): void {
		socket.end(last);
		const cancelTimer = this.options.scheduler.after(this.limits.handshakeMs, () => socket.destroy());
		socket.once("close", cancelTimer);
		socket.resume();
	}

	private judge(hello: Hello): HelloCode {
		const { clusterId, memberId } = this.options;
		if (hello.versionMin > PROTOCOL_VERSION || hello.versionMax < PROTOCOL_VERSION) return "version";
		if (hello.clusterId !== clusterId) return "wrong-cluster";
		if (hello.to !== memberId || hello.from === memberId) return "wrong-node";
		const standing = this.owner.standing(hello);
		if (standing !== "member") return standing;
		return isLane(hello.lane) || (isForState(hello) && this.options.state !== undefined) ? "accepted" : "lane";
	}
}

function isForState(hello: Hello): boolean {
	return (hello.lane as number) === STATE_LANE;
}

function bind(server: Server, host: string, port: number): Promise<number> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen({ host, port, exclusive: true }, () => {
			server.removeListener("error", reject);
			// Running out of descriptors costs a connection, not the process: the peer dials again.
			server.on("error", () => {});
			const address = server.address();
			resolve(typeof address === "object" && address !== null ? address.port : port);
		});
	});
}
