/**
 * One request of plain HTTP over HTTP/2: health, version, metrics and the JSON gateway for clients that chose "h2", as curl does
 * over TLS. Bodies are bounded and whole before the handler sees them.
 */
import type { HeaderBlock } from "../../http2/header-block.ts";
import type { HeaderField } from "../../http2/hpack-encoder.ts";
import { ErrorCode } from "../../http2/protocol.ts";
import { Http2Stream } from "../../http2/stream.ts";
import { plain } from "../http1-server.ts";
import type { HttpHandler, HttpRequest, HttpResponse, HttpResponseHead, HttpStream } from "../seam.ts";
import type { NativeConnection } from "./native-connection.ts";

/** JSON takes a third more bytes than the message inside. */
const BODY_BYTES_MAX = 4 << 20;
/** Fields of HTTP/1.1 connections, which HTTP/2 has not. */
const LEFT_OUT: ReadonlySet<string> = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade"]);

export class NativeHttpCall extends Http2Stream {
	private readonly connection: NativeConnection;
	private readonly handler: HttpHandler;
	private readonly block: HeaderBlock;
	private readonly body: Buffer[] = [];
	private bodyBytes = 0;
	private answered = false;
	/** The stream's answer has ended, and waits to leave. */
	private ending = false;
	private cancel: (() => void) | null = null;
	private drain: (() => void) | null = null;

	constructor(connection: NativeConnection, handler: HttpHandler, block: HeaderBlock) {
		super();
		this.connection = connection;
		this.handler = handler;
		this.block = block;
	}

	override onHeaders(_block: HeaderBlock, ends: boolean): void {
		if (ends && !this.answered) this.handle();
	}

	override onData(bytes: Buffer, start: number, end: number, ends: boolean): void {
		if (this.answered) return;
		const count = end - start;
		if (this.bodyBytes + count > BODY_BYTES_MAX) {
			this.respond(plain(413, "request body is too large"));
			return;
		}
		this.bodyBytes += count;
		this.connection.hold.hold(count);
		if (count > 0) this.body.push(Buffer.from(bytes.subarray(start, end)));
		if (this.connection.hold.requestBytes > this.connection.options.unfinishedBytesPerConnectionMax) {
			this.respond(plain(503, "too many bytes in unfinished requests of this connection"));
		} else if (ends) this.handle();
		else this.connection.http2.grant(this, this.connection.windowBytes - this.receiveWindow);
	}

	override onAbort(_code: ErrorCode): void {
		this.letGo();
		this.connection.hold.releaseAnswer(this.pendingBytes, this.pendingBytes);
		const { cancel } = this;
		this.cancel = null;
		if (!this.answered || !this.ending) cancel?.();
		this.answered = true;
		this.ending = true;
	}

	override onSent(bytes: number): void {
		this.connection.hold.releaseAnswer(this.pendingBytes + bytes, bytes);
		if (this.pendingBytes > 0) return;
		if (this.ending) this.afterLast();
		else this.drain?.();
	}

	private handle(): void {
		const { method, path: target } = this.block.requestHead;
		const mark = target.indexOf("?");
		const path = decoded(mark < 0 ? target : target.slice(0, mark));
		const body = Buffer.concat(this.body);
		this.letGo();
		if (path === null) {
			this.respond(plain(400, "malformed request target"));
			return;
		}
		const headers = new Map<string, string>();
		for (const [at, name] of this.block.names.entries()) {
			const value = this.block.values[at] as string;
			if (name === ":authority") headers.set("host", value);
			else if (!name.startsWith(":")) headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value);
		}
		const request: HttpRequest = {
			method,
			path,
			query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
			headers,
			body,
			peer: this.connection.peer,
			secure: this.connection.secure,
			commonName: this.connection.commonName,
			onCancel: (listener) => {
				this.cancel = listener;
			},
			stream: (head) => this.stream(head),
		};
		this.handler.handle(request, (response) => this.respond(response));
	}

	private respond({ status, headers, body }: HttpResponse): void {
		if (this.answered) return;
		this.answered = true;
		this.letGo();
		const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
		const empty = bytes.length === 0 || this.block.requestHead.method === "HEAD";
		this.ending = true;
		this.sendHead({ status, headers }, bytes.length, empty);
		if (!empty) this.send(bytes, true);
		if (this.pendingBytes === 0) this.afterLast();
	}

	private stream(head: HttpResponseHead): HttpStream {
		this.answered = true;
		this.sendHead(head, -1, false);
		return {
			write: (text) => {
				if (this.gone || this.ending || text === "") return true;
				this.send(Buffer.from(text, "utf8"), false);
				return this.pendingBytes === 0;
			},
			onDrain: (listener) => {
				this.drain = listener;
			},
			end: () => {
				if (this.gone || this.ending) return;
				this.ending = true;
				if (this.pendingBytes === 0) this.afterLast();
			},
		};
	}

	private sendHead({ status, headers }: HttpResponseHead, bodyBytes: number, ends: boolean): void {
		const fields: HeaderField[] = [{ name: ":status", value: String(status), repeats: true }];
		for (const [name, value] of headers) {
			if (!LEFT_OUT.has(name.toLowerCase())) fields.push({ name: name.toLowerCase(), value, repeats: true });
		}
		if (bodyBytes >= 0) fields.push({ name: "content-length", value: String(bodyBytes), repeats: false });
		this.connection.http2.sendHeaders(this, fields, ends);
	}

	private send(bytes: Uint8Array, ends: boolean): void {
		const { hold, http2 } = this.connection;
		const { length } = bytes;
		const held = this.pendingBytes;
		if (!hold.holdAnswer(held, length)) {
			http2.reset(this, ErrorCode.enhanceYourCalm);
			this.onAbort(ErrorCode.enhanceYourCalm);
		} else if (http2.sendBytes(this, bytes, ends)) hold.releaseAnswer(held + length, length);
	}

	/** Ends this side where nothing has yet, and does not wait for the rest of a request that was answered. */
	private afterLast(): void {
		const { http2 } = this.connection;
		this.cancel = null;
		if (this.gone) return;
		if (!this.localEnded) http2.endStream(this);
		if (!this.gone) http2.reset(this, ErrorCode.noError);
	}

	private letGo(): void {
		this.connection.hold.release(this.bodyBytes);
		this.bodyBytes = 0;
		this.body.length = 0;
	}
}

function decoded(path: string): string | null {
	try {
		return decodeURIComponent(path);
	} catch {
		return null;
	}
}
