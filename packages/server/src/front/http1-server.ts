/** HTTP/1.1 on sockets that the port hands over: whole bodies in, whole answers out, all of it bounded; and how WebSockets begin. */
import { createServer, type IncomingMessage, ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { commonNameOf } from "../tls/peer-names.ts";
import type { PortLimits } from "./front-options.ts";
import { type HeldBytes, LOOKS_PER_STALL } from "./held-bytes.ts";
import { type BodyReading, readBody } from "./http-body.ts";
import { type Answer, Answers } from "./http1-answer.ts";
import { RequestLines } from "./request-lines.ts";
import type { HttpHandler, HttpRequest, HttpResponse, HttpResponseHead, HttpStream } from "./seam.ts";
import { WebSockets } from "./web-sockets.ts";

export interface Http1Server {
	accept(socket: Socket): void;
	/** Idle connections are closed at once, others after their answer, all after the grace. */
	close(graceMs: number): Promise<void>;
}

const LOOK_MS_MAX = 1_000;

export function createHttp1Server(handler: HttpHandler, limits: PortLimits): Http1Server {
	const connections = new Set<Socket>();
	const lines = new RequestLines(limits.httpPipelinedMax);
	/** Of each connection the request that is served now. */
	const serving = new Map<Socket, IncomingMessage>();
	let closing: Promise<void> | null = null;
	let allGone: () => void = () => {};

	const webSockets = new WebSockets(limits.webSockets);
	const answers = new Answers(limits.webSockets);
	const isClosing = (): boolean => closing !== null;
	const answered = (socket: Socket): void => {
		serving.delete(socket);
		lines.leave(socket, isClosing());
		if (isClosing()) socket.destroySoon();
	};

	const server = createServer(
		{
			// Other protocols that a client offers to go on in are none of ours: it gets its answer in this one.
			shouldUpgradeCallback: isWebSocket,
			// Two lengths, a length beside chunks, and other ways to let two readers see two requests: 400, whatever the environment says.
			insecureHTTPParser: false,
			// Its answer would be Node's own, and what comes behind it would be served.
			requireHostHeader: false,
			maxHeaderSize: limits.httpHeaderBytesMax,
			headersTimeout: limits.httpHeadersMs,
			requestTimeout: Math.max(limits.httpRequestMs, limits.httpHeadersMs),
			keepAliveTimeout: limits.httpIdleMs,
			connectionsCheckingInterval: Math.min(LOOK_MS_MAX, limits.httpHeadersMs),
		},
		(request, response) => {
			const { socket } = request;
			// What was read with others still comes when their connection is gone.
			if (socket.destroyed) return;
			const entered = lines.enter(socket, () => {
				response.once("close", () => answered(socket));
				serving.set(socket, request);
				void serve({ handler, limits, held: webSockets.held, answers, isClosing }, request, response);
			});
			// Whatever it were told would stand where the answer to one of those ahead of it is expected.
			if (!entered) socket.destroy();
		},
	);
	// Node leaves out what comes behind so many: one more shows that there were too many.
	server.maxHeadersCount = limits.httpHeadersMax + 1;
	server.on("clientError", (error: NodeJS.ErrnoException, stream: Duplex) => {
		const socket = stream as Socket;
		// Where a whole request is served, what its client hears next must be its answer; and behind one that was to be the last nothing came.
		if (serving.get(socket)?.complete !== true) refuseMalformed(socket, error);
		else if (error.code !== "HPE_CLOSED_CONNECTION") socket.destroy();
	});
	server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
		const socket = stream as Socket;
		// Node has let go of it.
		socket.on("error", () => {});
		// Its answer would overtake those of the requests ahead of it.
		if (lines.isBusy(socket)) socket.destroy();
		else {
			socket.once("close", () => answered(socket));
			lines.enter(socket, () => upgrade({ handler, limits, webSockets, answers }, { request, socket, head }));
		}
	});
	const { stallMs } = limits.webSockets;
	const looks = setInterval(() => webSockets.held.endStalled(performance.now()), Math.min(LOOK_MS_MAX, stallMs / LOOKS_PER_STALL)).unref();
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
					clearInterval(looks);
					answers.close();
					server.close(() => resolve());
				};
				webSockets.leave();
				for (const socket of connections) if (!lines.isBusy(socket)) socket.destroy();
				if (connections.size === 0) allGone();
			});
			return closing;
		},
	};
}

interface Serving {
	readonly handler: HttpHandler;
	readonly limits: PortLimits;
	readonly held: HeldBytes;
	readonly answers: Answers;
	readonly isClosing: () => boolean;
}

async function serve(
	{ handler, limits, held, answers, isClosing }: Serving,
	request: IncomingMessage,
	response: ServerResponse,
): Promise<void> {
	const answer = answering(response, answers, isClosing);
	const fault = faultOf(request, limits);
	if (fault !== null) {
		answer.respond(fault);
		return;
	}
	const body: BodyReading = await readBody(request, limits.httpBodyBytesMax, held);
	if (!body.ok) {
		if (body.code === "stalled") answer.respond(plain(408, "the request did not arrive in time", [["Connection", "close"]]));
		if (body.code === "tooLarge") answer.respond(plain(413, "request body is too large", [["Connection", "close"]]));
		if (body.code === "tooMany") {
			limits.webSockets.onLimit?.("unfinishedBodies", peerOf(request.socket));
			answer.respond(plain(503, "too many bytes in unfinished requests", [["Connection", "close"]]));
		}
		return;
	}
	const onCancel = (listener: () => void): void => {
		response.once("close", () => {
			if (!response.writableFinished) listener();
		});
	};
	const parsed = describeRequest(request, body.bytes, { onCancel, stream: (head) => answer.stream(head) });
	if (parsed === null) answer.respond(MALFORMED_TARGET);
	else handler.handle(parsed, (response) => answer.respond(response));
}

interface Upgrade {
	readonly request: IncomingMessage;
	readonly socket: Socket;
	/** What was read behind the request. */
	readonly head: Buffer;
}

interface Upgrading extends Pick<Serving, "handler" | "limits" | "answers"> {
	readonly webSockets: WebSockets;
}

/** What the handler answers without opening the socket is the last that this connection hears. */
function upgrade({ handler, limits, webSockets, answers }: Upgrading, { request, socket, head }: Upgrade): void {
	const respond = (answer: HttpResponse): void => {
		if (socket.destroyed) return;
		const response = new ServerResponse(request);
		response.assignSocket(socket);
		response.once("finish", () => socket.destroySoon());
		answering(response, answers, () => true).respond(answer);
	};
	const parsed = describeRequest(request, new Uint8Array(0), {
		onCancel: (listener) => void socket.once("close", listener),
		openSocket() {
			if (socket.destroyed) return null;
			if (!webSockets.full(peerOf(socket))) return webSockets.open(request, socket, head);
			respond(plain(503, "too many WebSockets"));
			return null;
		},
	});
	const fault = faultOf(request, limits);
	if (fault !== null) respond(fault);
	else if (parsed === null) respond(MALFORMED_TARGET);
	else handler.handle(parsed, respond);
}

interface Answering {
	respond(answer: HttpResponse): void;
	stream(head: HttpResponseHead): HttpStream;
}

function answering(response: ServerResponse, answers: Answers, isClosing: () => boolean): Answering {
	const begin = ({ status, headers }: HttpResponseHead): Answer => {
		response.statusCode = status;
		for (const [name, value] of headers) response.setHeader(name, value);
		if (isClosing()) response.setHeader("Connection", "close");
		return answers.begin(response);
	};
	return {
		respond(answer) {
			if (response.destroyed || response.headersSent) return;
			begin(answer).whole(answer.body);
		},
		stream(head) {
			const answer = begin(head);
			response.flushHeaders();
			return {
				write: (text) => answer.write(text),
				onDrain: (listener) => answer.onDrain(listener),
				end: () => answer.end(),
			};
		},
	};
}

function describeRequest(
	request: IncomingMessage,
	body: Uint8Array,
	ways: Pick<HttpRequest, "onCancel" | "stream" | "openSocket">,
): HttpRequest | null {
	const addressed = readTarget(request.url ?? "/");
	if (addressed === null) return null;
	const { target, authority } = addressed;
	const mark = target.indexOf("?");
	const path = decodePath(mark < 0 ? target : target.slice(0, mark));
	if (path === null) return null;
	const headers = new Map<string, string>();
	for (const [name, value] of Object.entries(request.headers)) {
		if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(", ") : value);
	}
	// The target is what was asked for, whatever the header says (RFC 9112, 3.2.2).
	if (authority !== null) headers.set("host", authority);
	return {
		method: request.method ?? "GET",
		path,
		query: new URLSearchParams(mark < 0 ? "" : target.slice(mark + 1)),
		headers,
		body,
		peer: peerOf(request.socket),
		secure: request.socket instanceof TLSSocket,
		commonName: request.socket instanceof TLSSocket ? commonNameOf(request.socket) : undefined,
		...ways,
	};
}

/** A whole URL, as clients of a proxy send it, is taken apart. Null: it names no host, or somebody's name before it (RFC 9110, 4.2.4). */
function readTarget(target: string): { readonly target: string; readonly authority: string | null } | null {
	const url = /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
	if (url === null) return { target, authority: null };
	const [authority, rest] = [url[1] as string, url[2] as string];
	if (authority === "" || authority.startsWith(":") || authority.includes("@")) return null;
	return { target: rest.startsWith("/") ? rest : `/${rest}`, authority };
}

function peerOf(socket: Socket): string {
	return `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`;
}

function isWebSocket({ method, headers }: IncomingMessage): boolean {
	return method === "GET" && headers.upgrade?.toLowerCase() === "websocket";
}

function faultOf({ rawHeaders, httpVersion, headers }: IncomingMessage, { httpHeadersMax }: PortLimits): HttpResponse | null {
	if (rawHeaders.length / 2 > httpHeadersMax) return TOO_MANY_HEADERS;
	return httpVersion === "1.1" && headers.host === undefined ? NO_HOST : null;
}

/** What is no HTTP/1.1, or did not come in time; it is the last on its connection. */
function refuseMalformed(socket: Socket, { code = "" }: NodeJS.ErrnoException): void {
	const status = REFUSALS.get(code) ?? 400;
	if (socket.writable) socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
	socket.destroy();
}

const REFUSALS: ReadonlyMap<string, number> = new Map([
	["HPE_HEADER_OVERFLOW", 431],
	["HPE_CHUNK_EXTENSIONS_OVERFLOW", 413],
	["ERR_HTTP_REQUEST_TIMEOUT", 408],
]);

function decodePath(path: string): string | null {
	if (!path.includes("%")) return path;
	try {
		return decodeURIComponent(path);
	} catch {
		return null;
	}
}

const TOO_MANY_HEADERS = plain(431, "too many header fields", [["Connection", "close"]]);
const NO_HOST = plain(400, "missing required Host header", [["Connection", "close"]]);
const MALFORMED_TARGET = plain(400, "malformed request target");

/** A text as Go's net/http answers it, for tools that compare. */
export function plain(status: number, text: string, headers: HttpResponse["headers"] = []): HttpResponse {
	return {
		status,
		headers: [["Content-Type", "text/plain; charset=utf-8"], ["X-Content-Type-Options", "nosniff"], ...headers],
		body: `${text}\n`,
	};
}
