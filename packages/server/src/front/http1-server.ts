/** HTTP/1.1 on sockets that the port hands over: whole bodies in, whole answers out, all of it bounded. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { PortLimits } from "./front-options.ts";
import { type BodyReading, readBody } from "./http-body.ts";
import type { HttpHandler, HttpRequest, HttpResponse, HttpResponseHead, HttpStream } from "./seam.ts";

export interface Http1Server {
	accept(socket: Socket): void;
	/** Idle connections are closed at once, others after their answer, all after the grace. */
	close(graceMs: number): Promise<void>;
}

export function createHttp1Server(handler: HttpHandler, limits: PortLimits): Http1Server {
	const connections = new Set<Socket>();
	/** Connections with a request that is not answered yet. */
	const busy = new Set<Socket>();
	let closing: Promise<void> | null = null;
	let allGone: () => void = () => {};

	const server = createServer(
		{
			maxHeaderSize: limits.httpHeaderBytesMax,
			headersTimeout: limits.httpHeadersMs,
			requestTimeout: Math.max(limits.httpRequestMs, limits.httpHeadersMs),
			keepAliveTimeout: limits.httpIdleMs,
			connectionsCheckingInterval: Math.min(30_000, limits.httpHeadersMs),
		},
		(request, response) => {
			const { socket } = request;
			busy.add(socket);
			response.once("close", () => {
				busy.delete(socket);
				if (closing !== null) socket.destroySoon();
			});
			void serve(handler, limits.httpBodyBytesMax, request, response, () => closing !== null);
		},
	);
	// It never listens itself, and only then would it begin to enforce its time limits.
	server.emit("listening");

	return {
		accept(socket) {
			if (closing !== null) {
				socket.destroy();
				return;
			}
			connections.add(socket);
			socket.once("close", () => {
				connections.delete(socket);
				if (connections.size === 0) allGone();
			});
			server.emit("connection", socket);
		},
		close(graceMs) {
			closing ??= new Promise((resolve) => {
				const cut = setTimeout(() => {
					for (const socket of connections) socket.destroy();
				}, graceMs);
				allGone = () => {
					clearTimeout(cut);
					server.close(() => resolve());
				};
				for (const socket of connections) if (!busy.has(socket)) socket.destroy();
				if (connections.size === 0) allGone();
			});
			return closing;
		},
	};
}

async function serve(
	handler: HttpHandler,
	bodyBytesMax: number,
	request: IncomingMessage,
	response: ServerResponse,
	isClosing: () => boolean,
): Promise<void> {
	const begin = ({ status, headers }: HttpResponseHead): void => {
		response.statusCode = status;
		for (const [name, value] of headers) response.setHeader(name, value);
		if (isClosing()) response.setHeader("Connection", "close");
	};
	const respond = (answer: HttpResponse): void => {
		if (response.destroyed || response.headersSent) return;
		begin(answer);
		response.end(answer.body);
	};
	const stream = (head: HttpResponseHead): HttpStream => {
		begin(head);
		response.flushHeaders();
		return {
			write: (text) => response.destroyed || response.writableEnded || response.write(text),
			onDrain: (listener) => void response.on("drain", listener),
			end: () => void response.end(),
		};
	};
	const body: BodyReading = await readBody(request, bodyBytesMax);
	if (!body.ok) {
		if (body.code === "tooLarge") respond(plain(413, "request body is too large", [["Connection", "close"]]));
		return;
	}
	const parsed = describeRequest(request, response, body.bytes, stream);
	if (parsed === null) respond(plain(400, "malformed request target"));
	else handler.handle(parsed, respond);
}

function describeRequest(
	request: IncomingMessage,
	response: ServerResponse,
	body: Uint8Array,
	stream: (head: HttpResponseHead) => HttpStream,
): HttpRequest | null {
	const target = request.url ?? "/";
	const mark = target.indexOf("?");
	const path = decodePath(mark < 0 ? target : target.slice(0, mark));
	if (path === null) return null;
	const headers = new Map<string, string>();
	for (const [name, value] of Object.entries(request.headers)) {
		if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
	}
	return {
		method: request.method ?? "GET",
		path,
		query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
		headers,
		body,
		peer: `${request.socket.remoteAddress ?? "unknown"}:${request.socket.remotePort ?? 0}`,
		secure: request.socket instanceof TLSSocket,
		onCancel(listener) {
			response.once("close", () => {
				if (!response.writableFinished) listener();
			});
		},
		stream,
	};
}

function decodePath(path: string): string | null {
	if (!path.includes("%")) return path;
	try {
		return decodeURIComponent(path);
	} catch {
		return null;
	}
}

/** A text as Go's net/http answers it, for tools that compare. */
export function plain(status: number, text: string, headers: HttpResponse["headers"] = []): HttpResponse {
	return {
		status,
		headers: [["Content-Type", "text/plain; charset=utf-8"], ["X-Content-Type-Options", "nosniff"], ...headers],
		body: `${text}\n`,
	};
}
