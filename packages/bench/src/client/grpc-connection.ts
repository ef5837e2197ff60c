/** One connection of the load generator: our own HTTP/2 on a socket, so that the client costs less than what it measures. */
import { createConnection, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import {
	type ChunkPool,
	type ConnectionOwner,
	DEFAULT_CONNECTION_OPTIONS,
	Http2Connection,
	type PreparedBlock,
	SocketLink,
} from "@flotilla/server/internal";
import { type Access, type Address, authorityOf, splitEndpoint } from "./access.ts";
import { MessageStream } from "./message-stream.ts";

const STREAM_WINDOW_BYTES = 1 << 20;
const CONNECTION_WINDOW_BYTES = 16 << 20;
const DIAL_MS = 5_000;

/** Names the calls of one method on one connection. */
export type Method = PreparedBlock;

export class GrpcConnection implements ConnectionOwner {
	readonly endpoint: string;
	readonly http2: Http2Connection;
	/** Set when the connection is over: whoever uses it should dial anew. */
	closed = false;
	private readonly address: Address;
	/** Empty without a login. */
	private readonly token: string;
	private readonly link: SocketLink;
	private readonly methods = new Map<string, Method>();

	private constructor(endpoint: string, token: string, socket: Socket, pool: ChunkPool) {
		this.endpoint = endpoint;
		this.address = splitEndpoint(endpoint);
		this.token = token;
		const options = {
			...DEFAULT_CONNECTION_OPTIONS,
			streamWindowBytes: STREAM_WINDOW_BYTES,
			connectionWindowBytes: CONNECTION_WINDOW_BYTES,
			// The load is ours: nobody floods us but the server that we ask for it.
			floods: { ...DEFAULT_CONNECTION_OPTIONS.floods, controlBurst: Number.POSITIVE_INFINITY, resetBurst: Number.POSITIVE_INFINITY },
		};
		this.http2 = new Http2Connection("client", this, options, pool);
		this.link = new SocketLink(socket, this.http2, () => {
			this.closed = true;
		});
	}

	static dial(endpoint: string, access: Access, token: string, pool: ChunkPool): Promise<GrpcConnection> {
		const address = splitEndpoint(endpoint);
		return new Promise((resolve, reject) => {
			const socket = address.secure ? dialTls(address, access) : createConnection({ ...address, noDelay: true, timeout: DIAL_MS });
			const refused = (error: Error): void => reject(new Error(`cannot connect to ${endpoint}: ${error.message}`));
			socket.once("error", refused);
			socket.once("timeout", () => socket.destroy(new Error(`no answer within ${DIAL_MS} ms`)));
			socket.once(address.secure ? "secureConnect" : "connect", () => {
				socket.setTimeout(0);
				socket.setNoDelay(true);
				socket.off("error", refused);
				socket.removeAllListeners("timeout");
				resolve(new GrpcConnection(endpoint, token, socket, pool));
			});
		});
	}

	/** Asks for it once for each path and keeps it. */
	method(path: string): Method {
		let method = this.methods.get(path);
		if (method === undefined) {
			method = this.http2.prepare([
				{ name: ":method", value: "POST", repeats: true },
				{ name: ":scheme", value: this.address.secure ? "https" : "http", repeats: true },
				{ name: ":path", value: path, repeats: true },
				{ name: ":authority", value: authorityOf(this.address), repeats: true },
				{ name: "te", value: "trailers", repeats: true },
				{ name: "content-type", value: "application/grpc", repeats: true },
				{ name: "user-agent", value: "flotilla-bench", repeats: true },
				...(this.token === "" ? [] : [{ name: "token", value: this.token, repeats: true }]),
			]);
			this.methods.set(path, method);
		}
		return method;
	}

	/** False when the server takes no more streams now; then nothing was sent. */
	open(stream: MessageStream, method: Method): boolean {
		if (!this.http2.canOpen) return false;
		this.http2.open(stream, method, false);
		return true;
	}

	/** One answer to one message. For what is not measured. */
	ask(path: string, message: Uint8Array): Promise<Buffer> {
		return new Promise((resolve, reject) => {
			const stream = new AskedStream(this.http2, resolve, reject);
			if (!this.open(stream, this.method(path))) reject(new Error(`${this.endpoint} takes no call`));
			else this.http2.sendMessage(stream, message, true);
		});
	}

	close(): void {
		this.http2.leave();
		this.link.socket.destroySoon();
	}

	outputWaits(): void {
		// The connection greets before its link stands, and that link flushes first of all.
		(this.link as SocketLink | undefined)?.outputWaits();
	}

	createStream(): never {
		throw new Error("a server opens no streams");
	}

	pinged(): boolean {
		return true;
	}

	goneAway(): void {
		this.closed = true;
	}

	ended(): void {
		this.closed = true;
		this.link.end();
	}

	nowMs(): number {
		return performance.now();
	}
}

function dialTls({ host, port }: Address, { tls }: Access): Socket {
	const { trustAnybody, ...files } = tls;
	return connectTls({
		...{ host, port, timeout: DIAL_MS, ALPNProtocols: ["h2"], rejectUnauthorized: !trustAnybody, ...files },
		// An address is checked against the certificate as an address.
		...(isIP(host) === 0 ? { servername: host } : {}),
	});
}

class AskedStream extends MessageStream {
	private readonly resolve: (answer: Buffer) => void;
	private readonly reject: (error: Error) => void;
	private answer: Buffer = Buffer.alloc(0);

	constructor(connection: Http2Connection, resolve: (answer: Buffer) => void, reject: (error: Error) => void) {
		super(connection);
		this.resolve = resolve;
		this.reject = reject;
	}

	onMessage(bytes: Buffer, start: number, end: number): void {
		this.answer = Buffer.from(bytes.subarray(start, end));
	}

	onStatus(code: number, text: string): void {
		if (code === 0) this.resolve(this.answer);
		else this.reject(new CallError(code, text));
	}
}

/** A status other than OK. */
export class CallError extends Error {
	readonly code: number;

	constructor(code: number, text: string) {
		super(text);
		this.code = code;
	}
}
