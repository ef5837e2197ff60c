/** One streaming call through the gateway: a line of JSON for each message of the answer. */
import type { Method } from "@flotilla/api";
import { MALFORMED_IN_STREAM } from "./etcd-texts.ts";
import { type Exchange, GatewayCall } from "./gateway-context.ts";
import { CALL_HEADERS, GATEWAY_HEADERS, httpStatusOf, refusal, refusalHeaders } from "./gateway-status.ts";
import { isMalformed } from "./handler-errors.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import { Grpc, type HttpSocket, type HttpStream, type Status, type StreamCall, type StreamHandler } from "./seam.ts";

/** Where messages come from that were not there at the beginning. */
export type MessageSource = Pick<HttpSocket, "holdBack" | "readOn">;

/** A call with all of its messages: their end is that of the client's half. */
export function runStream(method: Method, handle: StreamHandler, messages: readonly Uint8Array[], exchange: Exchange): void {
	const call = openStream(method, exchange, null);
	if (call === null) return;
	call.receive(messages);
	call.halfClose();
	call.run<StreamCall>(handle, call);
}

/** Null where answers cannot be streamed; that has been said then. */
export function openStream(method: Method, exchange: Exchange, source: MessageSource | null): GatewayStreamCall | null {
	const begin = exchange.request.stream?.bind(exchange.request);
	if (begin !== undefined) return new GatewayStreamCall(method, exchange, source, () => begin({ status: 200, headers: CALL_HEADERS }));
	exchange.respond(refusal({ code: Grpc.unimplemented, message: "streams are not served here" }));
	return null;
}

export class GatewayStreamCall extends GatewayCall implements StreamCall, InboxOwner {
	private readonly method: Method;
	private readonly exchange: Exchange;
	private readonly source: MessageSource | null;
	private readonly openStream: () => HttpStream;
	private readonly inbox = new Inbox(this);
	private readonly drainListeners: Array<() => void> = [];
	/** Null until the first message: a refusal before it still chooses the HTTP status. */
	private stream: HttpStream | null = null;

	constructor(method: Method, exchange: Exchange, source: MessageSource | null, openStream: () => HttpStream) {
		super(method.path, exchange);
		this.source = source;
		this.openStream = openStream;
		this.method = method;
		this.exchange = exchange;
	}

	receive(messages: readonly Uint8Array[]): void {
		for (const message of messages) {
			if (this.over) return;
			this.inbox.put(message);
		}
		if (!this.over && !this.inbox.wantsMore) this.source?.holdBack();
	}

	halfClose(): void {
		this.inbox.end();
	}

	onMessage(listener: (message: Uint8Array) => void): void {
		this.inbox.onMessage(listener);
	}

	holdBack(): void {
		this.inbox.holdBack();
	}

	readOn(): void {
		this.inbox.readOn();
	}

	onHalfClose(listener: () => void): void {
		this.inbox.onHalfClose(listener);
	}

	emptied(): void {
		this.source?.readOn();
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
		if (status.code !== Grpc.ok) this.refuse(status);
		else if (this.stream !== null) this.stream.end();
		else this.exchange.respond({ status: 200, headers: GATEWAY_HEADERS, body: "" });
	}

	run<T>(work: (argument: T) => void, argument: T): void {
		if (this.over) return;
		try {
			work(argument);
		} catch (error) {
			if (isMalformed(error)) this.end(MALFORMED_IN_STREAM);
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

	private begin(): HttpStream {
		const stream = this.openStream();
		stream.onDrain(() => {
			if (!this.over) for (const listener of this.drainListeners) listener();
		});
		return stream;
	}
}
