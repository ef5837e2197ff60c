/** A gRPC client on bare HTTP/2, for what a well-behaved library would never send, and for the exact bytes that come back. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from "node:http2";

export interface RawAnswer {
	readonly headers: IncomingHttpHeaders;
	readonly messages: readonly Buffer[];
	/** From the trailers, or from the headers of an answer that has nothing else; -1 when there was none. */
	readonly code: number;
	/** Percent-decoded. */
	readonly message: string;
	/** Code of the RST_STREAM that ended it; 0 for a regular end. */
	readonly resetCode: number;
}

export class RawClient {
	readonly session: ClientHttp2Session;
	/** Last-stream-id and code of each GOAWAY that came. */
	readonly goaways: Array<{ readonly code: number; readonly lastStreamId: number }> = [];

	constructor(port: number | ClientHttp2Session) {
		this.session = typeof port === "number" ? connect(`http://127.0.0.1:${port}`) : port;
		this.session.on("error", () => {});
		this.session.on("goaway", (code, lastStreamId) => this.goaways.push({ code, lastStreamId }));
	}

	open(path: string, headers: Record<string, string> = {}): RawCall {
		const stream = this.session.request(
			{ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers },
			{ endStream: false },
		);
		return new RawCall(stream);
	}

	/** One message, half-close, and the whole answer. */
	call(path: string, message: Uint8Array, headers?: Record<string, string>): Promise<RawAnswer> {
		const call = this.open(path, headers);
		call.stream.end(frame(message));
		return call.answer;
	}

	close(): void {
		this.session.destroy();
	}
}

export class RawCall {
	readonly stream: ClientHttp2Stream;
	readonly answer: Promise<RawAnswer>;
	private received: Buffer = Buffer.alloc(0);
	private readonly messages: Buffer[] = [];
	private wake: () => void = () => {};

	constructor(stream: ClientHttp2Stream) {
		this.stream = stream;
		let headers: IncomingHttpHeaders = {};
		let trailers: IncomingHttpHeaders = {};
		stream.on("response", (got) => {
			headers = got;
		});
		stream.on("trailers", (got) => {
			trailers = got;
		});
		stream.on("error", () => {});
		stream.on("data", (chunk: Buffer) => this.take(chunk));
		// As gRPC clients do: after the status nothing more is sent.
		stream.on("end", () => stream.end());
		this.answer = new Promise((resolve) => {
			stream.on("close", () => {
				const status = trailers["grpc-status"] ?? headers["grpc-status"];
				const text = trailers["grpc-message"] ?? headers["grpc-message"] ?? "";
				resolve({
					headers,
					messages: this.messages,
					code: status === undefined ? -1 : Number(status),
					message: decodeURIComponent(String(text)),
					resetCode: stream.rstCode ?? 0,
				});
			});
		});
	}

	send(message: Uint8Array): void {
		this.stream.write(frame(message));
	}

	cancel(): void {
		this.stream.close(constants.NGHTTP2_CANCEL);
	}

	/** Resolves when `count` messages have come in all. */
	async messagesUpTo(count: number): Promise<readonly Buffer[]> {
		while (this.messages.length < count) {
			await new Promise<void>((resolve) => {
				this.wake = resolve;
			});
		}
		return this.messages;
	}

	private take(chunk: Buffer): void {
		this.received = Buffer.concat([this.received, chunk]);
		while (this.received.length >= 5) {
			const end = 5 + this.received.readUInt32BE(1);
			if (this.received.length < end) break;
			this.messages.push(this.received.subarray(5, end));
			this.received = this.received.subarray(end);
		}
		this.wake();
	}
}

/** Length-prefixed message as gRPC has it. */
export function frame(message: Uint8Array): Buffer {
	const head = Buffer.alloc(5);
	head.writeUInt32BE(message.length, 1);
	return Buffer.concat([head, message]);
}
