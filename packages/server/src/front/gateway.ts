/**
 * The JSON gateway: every call of the method table that has a gateway path, by POST, with its messages in their JSON form
 * (etcd API 11.7). It calls the same handlers as gRPC does.
 *
 * Deviation: a stream's request is read when its body has ended; messages that come one by one while answers go out, and
 * WebSockets, are not served.
 */
import { JsonError, METHODS, type Method } from "@flotilla/api";
import { messageTooLarge } from "./etcd-texts.ts";
import { readHeaders } from "./gateway-headers.ts";
import { splitJson } from "./gateway-messages.ts";
import { refusal } from "./gateway-status.ts";
import { runStream } from "./gateway-stream.ts";
import { runUnary } from "./gateway-unary.ts";
import { Grpc, type HttpHandler, type HttpRequest, type HttpResponse, type MethodHandler, type MethodTable, type Status } from "./seam.ts";

export interface GatewayOptions {
	/** As for gRPC: a message that is larger in its binary form is refused with RESOURCE_EXHAUSTED. */
	readonly messageBytesMax: number;
	/** Hears of those. */
	readonly onTooLarge?: (client: { readonly path: string; readonly peer: string }) => void;
}

interface Route {
	readonly method: Method;
	readonly handler: MethodHandler;
}

export function createGateway(methods: MethodTable, options: GatewayOptions): HttpHandler {
	const routes = routesOf(methods);
	return {
		handle(request, respond) {
			const route = routes.get(request.path.replace(/^\/v3beta\//, "/v3/"));
			if (route === undefined) return respond(refusal({ code: Grpc.notFound, message: "Not Found" }, 404));
			if (request.method !== "POST") return respond(refusal({ code: Grpc.unimplemented, message: "Method Not Allowed" }, 501));
			return call(route, request, options, respond);
		},
	};
}

function routesOf(methods: MethodTable): ReadonlyMap<string, Route> {
	const routes = new Map<string, Route>();
	for (const method of METHODS.values()) {
		const handler = methods.get(method.path);
		if (handler === undefined) continue;
		for (const path of method.gatewayPaths) routes.set(path, { method, handler });
	}
	return routes;
}

function call({ method, handler }: Route, request: HttpRequest, options: GatewayOptions, respond: (response: HttpResponse) => void): void {
	const headers = readHeaders(request);
	if (!headers.ok) {
		respond(refusal(headers.status));
		return;
	}
	const messages = readMessages(method, handler, request, options);
	if (!messages.ok) {
		respond(refusal(messages.status));
		return;
	}
	const exchange = { request, headers, respond };
	if (handler.shape === "stream") runStream(method, handler.handle, messages.messages, exchange);
	else runUnary(method, handler.handle, messages.messages[0] as Uint8Array, exchange);
}

type Messages = { readonly ok: true; readonly messages: readonly Uint8Array[] } | { readonly ok: false; readonly status: Status };

/** One message, unless the client may stream. */
function readMessages(method: Method, handler: MethodHandler, { body, peer = "" }: HttpRequest, options: GatewayOptions): Messages {
	const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
	const texts = handler.shape === "stream" && handler.clientStreams ? splitJson(text) : [text];
	const { messageBytesMax } = options;
	const messages: Uint8Array[] = [];
	try {
		for (const each of texts) {
			const bytes = method.request.encode(method.request.decodeJson(each));
			if (bytes.length > messageBytesMax) {
				options.onTooLarge?.({ path: method.path, peer });
				return { ok: false, status: messageTooLarge(bytes.length, messageBytesMax) };
			}
			messages.push(bytes);
		}
	} catch (error) {
		if (error instanceof JsonError) return { ok: false, status: { code: Grpc.invalidArgument, message: error.message } };
		throw error;
	}
	return { ok: true, messages };
}
