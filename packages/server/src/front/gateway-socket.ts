/**
 * A call of the JSON gateway over a WebSocket: what the client sends are its requests, each line of the answer is one message, and
 * the socket closes when the call has ended. A call that takes one request takes the first. There is no half to close: whoever
 * closes the socket calls off what is under way.
 */
import type { Exchange } from "./gateway-context.ts";
import { type CallHeaders, readHeaders } from "./gateway-headers.ts";
import { type GatewayOptions, type Route, readMessages } from "./gateway-messages.ts";
import { refusal } from "./gateway-status.ts";
import { openStream, runStream } from "./gateway-stream.ts";
import { runUnary } from "./gateway-unary.ts";
import type { HttpRequest, HttpResponse, HttpSocket, StreamCall, StreamHandler } from "./seam.ts";

/** The call has ended; its last message says how. */
const ENDED = 1000;

export interface SocketOptions extends GatewayOptions {
	readonly openSocket: () => HttpSocket | null;
}

export function callOverSocket(
	route: Route,
	request: HttpRequest,
	options: SocketOptions,
	respond: (response: HttpResponse) => void,
): void {
	const headers = readHeaders({ ...request, headers: withToken(request.headers) });
	if (!headers.ok) {
		respond(refusal(headers.status));
		return;
	}
	const socket = options.openSocket();
	if (socket === null) return;
	const exchange = exchangeOver(socket, request, headers);
	const { handler } = route;
	if (handler.shape === "stream" && handler.clientStreams) converse(route, handler.handle, socket, exchange, options);
	else takeOne(route, socket, exchange, options);
}

/** The client may go on sending while it is answered. */
function converse(route: Route, handle: StreamHandler, socket: HttpSocket, exchange: Exchange, options: GatewayOptions): void {
	const call = openStream(route.method, exchange, socket);
	if (call === null) return;
	socket.onMessage((text) => {
		if (call.over) return;
		const read = readMessages(route, text, call.peer, options);
		if (!read.ok) call.abort(read.status);
		else if (read.messages.length > 0) call.receive(read.messages);
		else socket.wasted();
	});
	call.run<StreamCall>(handle, call);
}

/** Later messages are not looked at: the answer is that to the first. */
function takeOne(route: Route, socket: HttpSocket, exchange: Exchange, options: GatewayOptions): void {
	const { method, handler } = route;
	let begun = false;
	socket.onMessage((text) => {
		if (begun) {
			socket.wasted();
			return;
		}
		begun = true;
		const read = readMessages(route, text, exchange.request.peer ?? "", options);
		if (!read.ok) exchange.respond(refusal(read.status));
		else if (handler.shape === "stream") runStream(method, handler.handle, read.messages, exchange);
		else runUnary(method, handler.handle, read.messages[0] as Uint8Array, exchange);
	});
}

function exchangeOver(socket: HttpSocket, request: HttpRequest, headers: CallHeaders): Exchange {
	return {
		headers,
		request: {
			...request,
			onCancel: (listener) => socket.onClose(listener),
			stream: () => ({
				write: (line) => socket.send(line.trimEnd()),
				onDrain: (listener) => socket.onDrain(listener),
				end: () => socket.close(ENDED),
			}),
		},
		respond({ body }) {
			socket.send((typeof body === "string" ? body : Buffer.from(body).toString("utf8")).trimEnd());
			socket.close(ENDED);
		},
	};
}

/** A page in a browser can set no header but these two; they count before one that another client has set. */
function withToken(headers: HttpRequest["headers"]): HttpRequest["headers"] {
	const token = cookieToken(headers.get("cookie") ?? "") ?? protocolToken(headers.get("sec-websocket-protocol") ?? "");
	return token === null ? headers : new Map([...headers, ["authorization", `Bearer ${token}`]]);
}

function cookieToken(cookies: string): string | null {
	return /(?:^|;)\s*token="?([^;"]+)/.exec(cookies)?.[1]?.trim() ?? null;
}

/** `Bearer, <token>`: two protocols, as far as the browser knows. */
function protocolToken(protocols: string): string | null {
	return /^Bearer\s*,\s*(\S+)/.exec(protocols)?.[1] ?? null;
}
