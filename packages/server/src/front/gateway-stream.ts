/** One streaming call through the gateway: a line of JSON for each message of the answer. */
import type { Method } from "@flotilla/api";
import { MALFORMED } from "./etcd-texts.ts";
import { type Exchange, GatewayCall } from "./gateway-context.ts";
import { CALL_HEADERS, httpStatusOf, refusal, refusalHeaders } from "./gateway-status.ts";
import { isMalformed } from "./handler-errors.ts";
import { Grpc, type HttpStream, type Status, type StreamCall, type StreamHandler } from "./seam.ts";

export function runStream(method: Method, handle: StreamHandler, messages: readonly Uint8Array[], exchange: Exchange): void {
	const begin = exchange.request.stream?.bind(exchange.request);
	if (begin === undefined) {
		exchange.respond(refusal({ code: Grpc.unimplemented, message: "streams are not served here" }));
		return;
	}
	const call = new GatewayStreamCall(method, messages, exchange, () => begin({ status: 200, headers: CALL_HEADERS }));
	call.run(() => handle(call));
}

class GatewayStreamCall extends GatewayCall implements StreamCall {
	private readonly method: Method;
	private readonly exchange: Exchange;
	private readonly messages: readonly Uint8Array[];
	private readonly openStream: () => HttpStream;
	private readonly drainListeners: Array<() => void> = [];
	/** Messages that were handed on. */
	private delivered = 0;
	private messageListener: ((message: Uint8Array) => void) | null = null;
	private endListener: (() => void) | null = null;
	private held = false;
	/** Null until the first message: a refusal before it still chooses the HTTP status. */
	private stream: HttpStream | null = null;

	constructor(method: Method, messages: readonly Uint8Array[], exchange: Exchange, openStream: () => HttpStream) {
		super(method.path, exchange);
		this.openStream = openStream;
		this.method = method;
		this.messages = messages;
		this.exchange = exchange;
	}

	onMessage(listener: (message: Uint8Array) => void): void {
		this.messageListener = listener;
		queueMicrotask(() => this.deliver());
	}

	holdBack(): void {
		this.held = true;
	}

	readOn(): void {
		if (!this.held) return;
		this.held = false;
		queueMicrotask(() => this.deliver());
	}

	/** The end of the body. */
	onHalfClose(listener: () => void): void {
		this.endListener = listener;
		queueMicrotask(() => this.deliver());
	}

	onDrain(listener: () => void): void {
		this.drainListeners.push(listener);
	}

	send(message: Uint8Array): boolean {
		if (this.over) return true;
		const { response } = this.method;
		this.stream ??= this.begin();
		return this.stream.write(`{"result":${response.encodeJson(response.decode(message))}}\n`);
	}

	end(status: Status): void {
		if (!this.finish()) return;
		if (status.code === Grpc.ok) {
			this.stream ??= this.begin();
			this.stream.end();
		} else {
			this.refuse(status);
		}
	}

	run(work: () => void): void {
		if (this.over) return;
		try {
			work();
		} catch (error) {
			if (isMalformed(error)) this.end(MALFORMED);
		}
	}

	protected override refuse({ code, message }: Status): void {
		const line = `${JSON.stringify({ error: { code, message } })}\n`;
		if (this.stream !== null) {
			this.stream.write(line);
			this.stream.end();
			return;
		}
		const status = httpStatusOf(code);
		this.exchange.respond({ status, headers: refusalHeaders(status, message), body: line });
	}

	private deliver(): void {
		const { endListener, messageListener, messages } = this;
		if (messageListener === null) return;
		while (this.delivered < messages.length && !this.held && !this.over) {
			const message = messages[this.delivered++] as Uint8Array;
			this.run(() => messageListener(message));
		}
		if (this.delivered < messages.length || endListener === null) return;
		this.endListener = null;
		this.run(endListener);
	}

	private begin(): HttpStream {
		const stream = this.openStream();
		stream.onDrain(() => {
			if (!this.over) for (const listener of this.drainListeners) listener();
		});
		return stream;
	}
}
