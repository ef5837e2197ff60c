/** A client that sends whatever frames it likes, and never leaves by itself. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { Http2Flag as Flag, HpackEncoder, HTTP2_PREFACE, Http2FrameType as T } from "@flotilla/server/internal";

const FRAME_HEAD_BYTES = 9;
const GOAWAY_TEXT = FRAME_HEAD_BYTES + 8;

export interface Goaway {
	readonly code: number;
	readonly reason: string;
}

export interface Refusal {
	readonly streamId: number;
	readonly status: string;
}

export class Attacker {
	readonly socket: Socket;
	closed = false;
	/** The first GOAWAY. */
	goaway: Goaway | null = null;
	/** Streams that the server has reset, and those that it has ended. */
	readonly ended: number[] = [];
	private readonly encoder = new HpackEncoder();
	private rest: Buffer = Buffer.alloc(0);

	/** `http://host:port` or `https://host:port`; the certificate may be any. */
	constructor(url: string) {
		const { hostname: host, port, protocol } = new URL(url);
		const address = { host, port: Number(port) };
		this.socket =
			protocol === "https:"
				? connectTls({ ...address, ALPNProtocols: ["h2"], servername: "", rejectUnauthorized: false })
				: connect(address);
		this.socket.on("error", () => {});
		this.socket.on("close", () => {
			this.closed = true;
		});
		this.socket.on("data", (chunk: Buffer) => this.read(chunk));
	}

	/** Resolves when the connection stands, with TLS where it is asked for. */
	async connected(): Promise<this> {
		await once(this.socket, "encrypted" in this.socket ? "secureConnect" : "connect");
		return this;
	}

	/** The preface, SETTINGS with these contents, and other frames. */
	greet(settings = "", ...more: Buffer[]): this {
		this.socket.write(Buffer.concat([HTTP2_PREFACE, frame(T.settings, 0, 0, settings), ...more]));
		return this;
	}

	/** The socket takes it, soon. */
	async send(...bytes: Buffer[]): Promise<void> {
		if (!this.socket.write(Buffer.concat(bytes))) await new Promise((resolve) => setTimeout(resolve, 1));
		await new Promise((resolve) => setImmediate(resolve));
	}

	/** Headers of a gRPC call. */
	headers(streamId: number, path: string, flags: number = Flag.endHeaders, more: Readonly<Record<string, string>> = {}): Buffer {
		return frame(T.headers, flags, streamId, this.block(path, more));
	}

	block(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
		const common = { ":method": "POST", ":scheme": "http", ":path": path, "content-type": "application/grpc", te: "trailers" };
		const fields = Object.entries({ ...common, ...more }).map(([name, value]) => ({ name, value, repeats: true }));
		return Buffer.from(this.encoder.encode(fields));
	}

	/** A whole call of one message. */
	call(streamId: number, path: string, message: Uint8Array): Buffer {
		return Buffer.concat([this.headers(streamId, path), frame(T.data, Flag.endStream, streamId, framed(message))]);
	}

	private read(chunk: Buffer): void {
		this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
		while (this.rest.length >= FRAME_HEAD_BYTES) {
			const end = FRAME_HEAD_BYTES + this.rest.readUIntBE(0, 3);
			if (this.rest.length < end) return;
			this.take(this.rest.subarray(0, end));
			this.rest = this.rest.subarray(end);
		}
	}

	private take(bytes: Buffer): void {
		const [type, flags] = [bytes[3], bytes[4] as number];
		if (type === T.goaway) {
			this.goaway ??= { code: bytes.readUInt32BE(FRAME_HEAD_BYTES + 4), reason: bytes.toString("latin1", GOAWAY_TEXT) };
		} else if (type === T.headers && (flags & Flag.endStream) !== 0) this.ended.push(bytes.readUInt32BE(5));
	}
}

/** `content` as bytes, or in hex. */
export function frame(type: number, flags: number, streamId: number, content: Uint8Array | string = ""): Buffer {
	const bytes = typeof content === "string" ? Buffer.from(content, "hex") : content;
	const head = Buffer.alloc(FRAME_HEAD_BYTES);
	head.writeUIntBE(bytes.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(streamId, 5);
	return Buffer.concat([head, bytes]);
}

/** As gRPC puts a message into a stream. */
export function framed(message: Uint8Array): Buffer {
	const head = Buffer.alloc(5);
	head.writeUInt32BE(message.length, 1);
	return Buffer.concat([head, message]);
}
