/** A listener whose connections are handed over when their handshake is done; the others cost a bounded line of the log. */
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { LiveTls } from "./live-tls.ts";
import { mayConnect } from "./peer-names.ts";

/** As etcd has it. */
const HANDSHAKE_MS = 10_000;
/** Handshakes under way at once; one more is closed. */
const HANDSHAKES_MAX = 1_000;
/** Refusals that are told in a second; the others are counted with the next one. */
const REFUSALS_TOLD = 10;
const REASON_CHARACTERS_MAX = 200;
const KNOWN_MAX = 1_000;

export interface TlsServerOptions {
	readonly tls: LiveTls;
	/** What is offered by ALPN; none: nothing. */
	readonly protocols: readonly string[];
	readonly onSocket: (socket: TLSSocket) => void;
	/** `untold`: refusals before it that were too many to be told one by one. */
	readonly onRefused: (address: string, reason: string, untold: number) => void;
	readonly handshakeMs?: number;
	/** Of one address and reason the next refusal is told after so long; 0: each. For those that come again by themselves. */
	readonly sameRefusalMs?: number;
}

export function createTlsServer(options: TlsServerOptions): Server {
	const { tls, protocols, onSocket } = options;
	const refusals = new Refusals(options.onRefused, options.sameRefusalMs ?? 0);
	let handshakes = 0;
	const server = createServer({
		...tls.serverContext,
		requestCert: tls.demandsCertificates,
		rejectUnauthorized: tls.demandsCertificates,
		handshakeTimeout: options.handshakeMs ?? HANDSHAKE_MS,
		...(protocols.length > 0 ? { ALPNProtocols: [...protocols] } : {}),
	});
	server.on("connection", (socket: Socket) => {
		socket.setNoDelay(true);
		// A socket whose handshake failed does not know any more where it came from.
		ADDRESSES.set(socket, addressOf(socket));
		// However a handshake ends, exactly one of the events below comes.
		if (++handshakes > HANDSHAKES_MAX) socket.destroy();
	});
	server.on("secureConnection", (socket) => {
		handshakes--;
		// Until it has an owner.
		socket.on("error", ignore);
		void mayConnect(socket, tls).then((problem) => {
			if (problem === null && !socket.destroyed) {
				socket.removeListener("error", ignore);
				onSocket(socket);
				return;
			}
			if (problem !== null) refusals.add(addressOf(socket), problem);
			socket.destroy();
		});
	});
	server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
		handshakes--;
		const raw = (socket as TLSSocket & { readonly _parent?: Socket })._parent;
		const address = raw === undefined ? undefined : ADDRESSES.get(raw);
		// What was wrong with the certificate; the error itself then only says that the connection ended.
		const reason = socket.authorizationError ?? error.code ?? error.message;
		refusals.add(address ?? addressOf(socket), String(reason).slice(0, REASON_CHARACTERS_MAX));
		socket.destroy();
	});
	tls.follow(server);
	return server;
}

const ADDRESSES = new WeakMap<Socket, string>();

function addressOf(socket: Socket): string {
	return `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`;
}

class Refusals {
	private readonly tell: TlsServerOptions["onRefused"];
	private readonly sameMs: number;
	/** When each was told, by host and reason. */
	private readonly lastMs = new Map<string, number>();
	private second = 0;
	private told = 0;
	private untold = 0;

	constructor(tell: TlsServerOptions["onRefused"], sameMs: number) {
		this.tell = tell;
		this.sameMs = sameMs;
	}

	add(address: string, reason: string): void {
		const nowMs = performance.now();
		const second = Math.floor(nowMs / 1_000);
		if (second !== this.second) this.told = 0;
		this.second = second;
		if (this.told >= REFUSALS_TOLD || this.isKnown(`${address.slice(0, address.lastIndexOf(":"))} ${reason}`, nowMs)) {
			this.untold++;
			return;
		}
		this.told++;
		this.tell(address, reason, this.untold);
		this.untold = 0;
	}

	private isKnown(what: string, nowMs: number): boolean {
		if (this.sameMs === 0) return false;
		const { lastMs } = this;
		if (nowMs - (lastMs.get(what) ?? Number.NEGATIVE_INFINITY) < this.sameMs) return true;
		if (lastMs.size >= KNOWN_MAX) lastMs.clear();
		lastMs.set(what, nowMs);
		return false;
	}
}

function ignore(): void {}
