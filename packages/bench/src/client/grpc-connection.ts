/** One connection of the load generator: our own HTTP/2 on a socket, so that the client costs less than what it measures. */
import { createConnection } from "node:net";
import {
	type ChunkPool,
	type ConnectionOwner,
	DEFAULT_CONNECTION_OPTIONS,
	Http2Connection,
	type PreparedBlock,
	SocketLink,
} from "@flotilla/server/internal";
import { MessageStream } from "./message-stream.ts";

const STREAM_WINDOW_BYTES = 1 << 20;
const CONNECTION_WINDOW_BYTES = 16 << 20;
const DIAL_MS = 5_000;

/** Names the calls of one method on one connection. */
export type Method = PreparedBlock;

export class GrpcConnection implements ConnectionOwner {
	/** `host:port`. */
	readonly endpoint: string;
	readonly http2: Http2Connection;
	/** Set when the connection is over: whoever uses it should dial anew. */
	closed = false;
	private readonly link: SocketLink;
	private readonly methods = new Map<string, Method>();

	private constructor(endpoint: string, socket: ReturnType<typeof createConnection>, pool: ChunkPool) {
		this.endpoint = endpoint;
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

	static dial(endpoint: string, pool: ChunkPool): Promise<GrpcConnection> {
		const { host, port } = splitEndpoint(endpoint);
		return new Promise((resolve, reject) => {
			const socket = createConnection({ host, port, noDelay: true, timeout: DIAL_MS });
			const refused = (error: Error): void => reject(new Error(`cannot connect to ${endpoint}: ${error.message}`));
			socket.once("error", refused);
			socket.once("timeout", () => socket.destroy(new Error(`no answer within ${DIAL_MS} ms`)));
			socket.once("connect", () => {
				socket.setTimeout(0);
				socket.off("error", refused);
				socket.removeAllListeners("timeout");
				resolve(new GrpcConnection(endpoint, socket, pool));
			});
		});
	}

	/** Asks for it once for each path and keeps it. */
	method(path: string): Method {
		let method = this.methods.get(path);
		if (method === undefined) {
			method = this.http2.prepare([
				{ name: ":method", value: "POST", repeats: true },
				{ name: ":scheme", value: "http", repeats: true },
				{ name: ":path", value: path, repeats: true },
				{ name: ":authority", value: this.endpoint, repeats: true },
				{ name: "te", value: "trailers", repeats: true },
				{ name: "content-type", value: "application/grpc", repeats: true },
				{ name: "user-agent", value: "flotilla-bench", repeats: true },
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

/** `host:port`, with `http://` before it or not. */
export function splitEndpoint(endpoint: string): { readonly host: string; readonly port: number } {
	const match = /^(?:http:\/\/)?(\[[^\]]+\]|[^:/]+):(\d{1,5})\/?$/.exec(endpoint);
	if (match === null) throw new Error(`not an endpoint: ${endpoint} (need host:port)`);
	return { host: (match[1] as string).replace(/^\[|\]$/g, ""), port: Number(match[2]) };
}
