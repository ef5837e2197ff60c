/** One unary call through the gateway. */
import type { Method } from "@flotilla/api";
import { MALFORMED } from "./etcd-texts.ts";
import { type Exchange, GatewayCall } from "./gateway-context.ts";
import { CALL_HEADERS, refusal } from "./gateway-status.ts";
import { isMalformed } from "./handler-errors.ts";
import type { Status, UnaryCall, UnaryHandler } from "./seam.ts";

export function runUnary(method: Method, handle: UnaryHandler, request: Uint8Array, exchange: Exchange): void {
	const call = new GatewayUnaryCall(method, request, exchange);
	try {
		handle(call);
	} catch (error) {
		if (isMalformed(error)) call.fail(MALFORMED);
	}
}

class GatewayUnaryCall extends GatewayCall implements UnaryCall {
	readonly request: Uint8Array;
	private readonly method: Method;
	private readonly exchange: Exchange;

	constructor(method: Method, request: Uint8Array, exchange: Exchange) {
		super(method.path, exchange);
		this.method = method;
		this.request = request;
		this.exchange = exchange;
	}

	respond(message: Uint8Array): void {
		if (!this.finish()) return;
		const { response } = this.method;
		this.exchange.respond({ status: 200, headers: CALL_HEADERS, body: response.encodeJson(response.decode(message)) });
	}

	fail(status: Status): void {
		if (this.finish()) this.refuse(status);
	}

	protected override refuse(status: Status): void {
		this.exchange.respond(refusal(status));
	}
}
