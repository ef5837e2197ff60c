/**
 * The JSON gateway: every call of the method table that has a gateway path, by POST or over a WebSocket, with its messages in
 * their JSON form (etcd API 11.7). It calls the same handlers as gRPC does.
 *
 * Deviation: the request of a stream by POST is read when its body has ended. Messages that come one by one while answers go out
 * need a WebSocket.
 */
import { METHODS } from "@flotilla/api";
import { readHeaders } from "./gateway-headers.ts";
import { type GatewayOptions, type Route, readMessages } from "./gateway-messages.ts";
import { callOverSocket } from "./gateway-socket.ts";
import { refusal } from "./gateway-status.ts";
import { runStream } from "./gateway-stream.ts";
import { runUnary } from "./gateway-unary.ts";
import { Grpc, type HttpHandler, type HttpRequest, type HttpResponse, type MethodTable } from "./seam.ts";

export function createGateway(methods: MethodTable, options: GatewayOptions): HttpHandler {
	const routes = routesOf(methods);
	return {
		handle(request, respond) {
			const route = routes.get(request.path);
			if (route === undefined) return respond(refusal({ code: Grpc.notFound, message: "Not Found" }, 404));
			const openSocket = request.openSocket?.bind(request);
			if (openSocket !== undefined) return callOverSocket(route, request, { openSocket, ...options }, respond);
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

function call(route: Route, request: HttpRequest, options: GatewayOptions, respond: (response: HttpResponse) => void): void {
	const { body, peer = "" } = request;
	const headers = readHeaders(request);
	if (!headers.ok) {
		respond(refusal(headers.status));
		return;
	}
	const messages = readMessages(route, Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"), peer, options);
	if (!messages.ok) {
		respond(refusal(messages.status));
		return;
	}
	const { method, handler } = route;
	const exchange = { request, headers, respond };
	if (handler.shape === "stream") runStream(method, handler.handle, messages.messages, exchange);
	else runUnary(method, handler.handle, messages.messages[0] as Uint8Array, exchange);
}
