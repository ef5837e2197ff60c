/**
 * One client port: it listens, tells HTTP/2 from HTTP/1.1 by a connection's first bytes, and hands each to who speaks it.
 */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { assert } from "@flotilla/base";
import type { LiveTls } from "../tls/live-tls.ts";
import { createTlsServer, type TlsServerOptions } from "../tls/tls-server.ts";
import { DEFAULT_PORT_LIMITS, type PortLimits } from "./front-options.ts";
import { createHttp1Server, type Http1Server } from "./http1-server.ts";
import { Http2Opening } from "./http2-opening.ts";
import { protocolOf } from "./preface.ts";
import type { GrpcFront, HttpHandler } from "./seam.ts";

/** Where to listen. Port 0 takes a free one. */
export type ListenAddress = { readonly host: string; readonly port: number; readonly secure?: boolean } | { readonly socketPath: string };

export interface ClientPortOptions {
	readonly addresses: readonly ListenAddress[];
	/** Null: connections that begin with the HTTP/2 preface are closed. */
	readonly grpc: GrpcFront | null;
	/** Null: connections that speak HTTP/1.1 are closed. */
	readonly http: HttpHandler | null;
	readonly limits?: Partial<PortLimits>;
	/** For the addresses that are `secure`. */
	readonly tls?: PortTls | null;
}

export interface PortTls {
	readonly live: LiveTls;
	/** A handshake that failed, or a certificate that was refused. */
	readonly onRefused: TlsServerOptions["onRefused"];
	readonly handshakeMs?: number;
}

export interface ClientPort {
	/** In the order of the options, with the ports that were taken. */
	readonly addresses: readonly ListenAddress[];
	/** Connections open now. */
	readonly connections: number;
	/**
	 * Stops listening, closes idle connections, and lets open calls and requests finish for `graceMs`. The gRPC front given
	 * in the options is closed with it.
	 */
	close(graceMs: number): Promise<void>;
}

/** Rejects when an address cannot be listened on; none is then left open. */
export async function openClientPort(options: ClientPortOptions): Promise<ClientPort> {
	const door = new Door(options);
	const listeners: Server[] = [];
	try {
		for (const address of options.addresses) listeners.push(await listen(createListener(address, options, door), address));
	} catch (error) {
		await Promise.all(listeners.map(stopListening));
		await door.close(0);
		throw error;
	}
	return {
		addresses: listeners.map((listener, at) => addressOf(listener, options.addresses[at])),
		get connections() {
			return door.connections;
		},
		async close(graceMs) {
			const stopped = listeners.map(stopListening);
			await door.close(graceMs);
			await Promise.all(stopped);
		},
	};
}

/** Sorts connections by protocol. */
class Door {
	private readonly limits: PortLimits;
	private readonly grpc: GrpcFront | null;
	private readonly http: Http1Server | null;
	private readonly sockets = new Set<Socket>();
	/** Those that are not handed over yet. */
	private readonly strangers = new Set<Socket>();
	/** Those of them that did not show their protocol, oldest first, with when they came. */
	private readonly silent = new Map<Socket, number>();
	private closed = false;

	constructor(options: ClientPortOptions) {
		this.limits = { ...DEFAULT_PORT_LIMITS, ...options.limits };
		this.grpc = options.grpc;
		this.http = options.http === null ? null : createHttp1Server(options.http, this.limits);
	}

	get connections(): number {
		return this.sockets.size;
	}

	welcome(socket: Socket): void {
		const { connectionsMax, strangersMax, onConnectionsFull } = this.limits;
		if (this.silent.size >= strangersMax || this.sockets.size >= connectionsMax) this.dropSilent();
		if (this.closed || this.sockets.size >= connectionsMax) {
			if (!this.closed) onConnectionsFull?.(`${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`);
			socket.destroy();
			return;
		}
		this.sockets.add(socket);
		socket.once("close", () => this.sockets.delete(socket));
		socket.setNoDelay(true);
		this.sniff(socket);
	}

	/** The one that came first, if it had time to speak: of a burst of honest clients none was read yet. */
	private dropSilent(): void {
		for (const [socket, sinceMs] of this.silent) {
			if (performance.now() - sinceMs < this.limits.strangerMs) return;
			this.silent.delete(socket);
			this.sockets.delete(socket);
			socket.destroy();
			return;
		}
	}

	/** Reads until it is known who speaks, and of HTTP/2 until the first call; then puts everything back. */
	private sniff(socket: Socket): void {
		const { strangers, silent } = this;
		strangers.add(socket);
		silent.set(socket, performance.now());
		let patience = setTimeout(() => socket.destroy(), this.limits.sniffMs);
		let seen: Buffer | null = null;
		let opening: Http2Opening | null = null;
		const settle = (): void => {
			clearTimeout(patience);
			strangers.delete(socket);
			silent.delete(socket);
			socket.removeListener("readable", look);
			socket.removeListener("error", ignore);
			socket.removeListener("end", leave);
			socket.removeListener("close", settle);
		};
		const leave = (): void => void socket.destroy();
		const look = (): void => {
			const chunk = socket.read() as Buffer | null;
			if (chunk === null) return;
			if (opening !== null) {
				follow(opening, chunk);
				return;
			}
			seen = seen === null ? chunk : Buffer.concat([seen, chunk]);
			const protocol = protocolOf(seen);
			if (protocol === null) return;
			silent.delete(socket);
			if (protocol === "http2" && this.grpc?.wantsOpeningMended === true) {
				opening = new Http2Opening();
				follow(opening, seen);
			} else {
				settle();
				socket.unshift(seen);
				this.hand(socket, protocol);
			}
		};
		const follow = (http2: Http2Opening, chunk: Buffer): void => {
			const progress = http2.feed(chunk);
			// A client may connect long before its first call; only silence in the middle of something is held against it.
			clearTimeout(patience);
			if (progress.state === "flooded") socket.destroy();
			else if (progress.state === "done") {
				settle();
				socket.unshift(progress.bytes);
				this.hand(socket, "http2");
			} else {
				if (progress.settings !== null) socket.write(progress.settings);
				if (!http2.idle) patience = setTimeout(() => socket.destroy(), this.limits.sniffMs);
			}
		};
		socket.on("readable", look);
		socket.on("end", leave);
		socket.on("error", ignore);
		socket.on("close", settle);
	}

	private hand(socket: Socket, protocol: "http1" | "http2"): void {
		if (protocol === "http1" && this.http !== null) {
			this.http.accept(socket);
		} else if (protocol === "http2" && this.grpc !== null) {
			// A client that sends no more frames cannot be talked to, one that sends no more HTTP/1.1 can still read its answer.
			socket.allowHalfOpen = false;
			this.grpc.accept(socket);
		} else {
			socket.destroy();
		}
	}

	async close(graceMs: number): Promise<void> {
		this.closed = true;
		for (const socket of this.strangers) socket.destroy();
		await Promise.all([this.grpc?.close(graceMs), this.http?.close(graceMs)]);
		for (const socket of this.sockets) socket.destroy();
	}
}

function createListener(address: ListenAddress, { tls, grpc, http }: ClientPortOptions, door: Door): Server {
	const onSocket = (socket: Socket): void => door.welcome(socket);
	if (!("host" in address) || address.secure !== true) return createServer({ allowHalfOpen: true }, onSocket);
	assert(tls !== null && tls !== undefined, "a secure address needs a certificate");
	const protocols = [...(grpc === null ? [] : ["h2"]), ...(http === null ? [] : ["http/1.1"])];
	const { live, onRefused, handshakeMs } = tls;
	return createTlsServer({ tls: live, protocols, onSocket, onRefused, ...(handshakeMs === undefined ? {} : { handshakeMs }) });
}

function listen(server: Server, address: ListenAddress): Promise<Server> {
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		const target = "socketPath" in address ? { path: address.socketPath } : address;
		server.listen(target, () => {
			server.removeListener("error", reject);
			// Running out of descriptors refuses a connection; it must not end the process.
			server.on("error", ignore);
			resolve(server);
		});
	});
}

/** Connections that are open do not keep it: the promise waits for them, so it is to be awaited last. */
function stopListening(server: Server): Promise<void> {
	return new Promise((resolve) => server.close(() => resolve()));
}

function addressOf(server: Server, asked: ListenAddress | undefined): ListenAddress {
	const bound = server.address();
	if (typeof bound === "string" || bound === null) return { socketPath: bound ?? "" };
	const host = asked !== undefined && "host" in asked ? asked.host : (bound as AddressInfo).address;
	return { host, port: bound.port, ...(asked !== undefined && "host" in asked && asked.secure === true ? { secure: true } : {}) };
}

function ignore(): void {}
