/** Where grpc-js does not do what etcd's clients expect: three changes to it, two of them on its insides, with an assertion each. */
import type { Http2Server } from "node:http2";
import { assert } from "@flotilla/base";
import type { Server, ServerDuplexStream, ServerInterceptor } from "@grpc/grpc-js";
import { DEADLINE_EXCEEDED, MALFORMED_TIMEOUT, messageTooLarge, NO_REQUEST, SECOND_REQUEST, unknownMethod } from "./etcd-texts.ts";
import { asBuffer, asIs } from "./grpc-js-bytes.ts";
import { TIMER_MS_MAX, timeoutMs } from "./grpc-timeout.ts";
import { isFramingFault } from "./message-reader.ts";
import { Grpc } from "./seam.ts";

/** Statuses that the library makes up by itself do not pass through the handlers: they get their words at its lowest call object. */
export const speakLikeEtcd: ServerInterceptor = (_method, call) => {
	const sendStatus = call.sendStatus.bind(call);
	call.sendStatus = (status) => sendStatus(inEtcdsWords(status));
	return call as ReturnType<ServerInterceptor>;
};

type LibraryStatus = Parameters<ReturnType<ServerInterceptor>["sendStatus"]>[0];

const TOO_LARGE = /^Received message larger than max \((\d+) vs (\d+)\)$/;
const NO_MESSAGE = /^Received no request message /;
const SECOND_MESSAGE = /^Received a second request message /;
const BAD_TIMEOUT = /^Invalid grpc-timeout value /;

function inEtcdsWords(status: LibraryStatus): LibraryStatus {
	const details = status.details ?? "";
	if (status.code === Grpc.ok) return { ...status, details: "" };
	if (status.code === Grpc.deadlineExceeded && details === "Deadline exceeded") return { ...status, details: DEADLINE_EXCEEDED.message };
	if (status.code === Grpc.unimplemented && NO_MESSAGE.test(details))
		return { ...status, code: NO_REQUEST.code, details: NO_REQUEST.message };
	if (status.code === Grpc.unimplemented && SECOND_MESSAGE.test(details))
		return { ...status, code: SECOND_REQUEST.code, details: SECOND_REQUEST.message };
	if (status.code === Grpc.internal && BAD_TIMEOUT.test(details)) return { ...status, details: MALFORMED_TIMEOUT.message };
	if (status.code !== Grpc.resourceExhausted) return status;
	if (isFramingFault(details)) return { ...status, code: Grpc.internal };
	const sizes = TOO_LARGE.exec(details);
	return sizes === null ? status : { ...status, details: messageTooLarge(Number(sizes[1]), Number(sizes[2])).message };
}

/**
 * The library keeps a deadline in 32 bits: one that is more than 24 days away would have passed already. Nobody waits so
 * long, so such a call has none. One that is malformed it would guess at; here it is refused.
 */
export function mendDeadlines(server: Server): void {
	const inside = server as unknown as { http2Servers: Map<Http2Server, unknown> };
	assert(inside.http2Servers.size === 1, "grpc-js made one HTTP/2 server for the connections handed to it");
	for (const http2Server of inside.http2Servers.keys()) {
		http2Server.prependListener("stream", (_stream, headers) => {
			const timeout = headers[TIMEOUT_HEADER];
			if (typeof timeout !== "string") return;
			const ms = timeoutMs(timeout);
			// It would find a number somewhere in the text.
			if (Number.isNaN(ms)) headers[TIMEOUT_HEADER] = NO_TIMEOUT;
			else if (ms > TIMER_MS_MAX) delete headers[TIMEOUT_HEADER];
		});
	}
}

const TIMEOUT_HEADER = "grpc-timeout";
const NO_TIMEOUT = "malformed";

interface Registered {
	readonly func: (call: ServerDuplexStream<Uint8Array, Uint8Array>) => void;
	readonly serialize: typeof asBuffer;
	readonly deserialize: typeof asIs;
	readonly type: "bidi";
	readonly path: string;
}

/**
 * The library offers no hook for paths that it does not know, and its own answer is not etcd's: the map in which it looks
 * handlers up is replaced by one that knows an answer for the others.
 */
export function answerUnknownMethods(server: Server, services: ReadonlySet<string>): void {
	const inside = server as unknown as { handlers: Map<string, unknown> };
	assert(inside.handlers instanceof Map, "grpc-js looks its handlers up in a map");
	assert(inside.handlers.size === 0, "no handler is registered before the map is replaced");
	inside.handlers = new (class extends Map<string, unknown> {
		override get(path: string): unknown {
			return super.get(path) ?? unknownHandler(path, services);
		}
	})();
}

function unknownHandler(path: string, services: ReadonlySet<string>): Registered {
	const { code, message } = unknownMethod(path, services);
	return {
		func: (call) => void call.emit("error", { code, details: message }),
		serialize: asBuffer,
		deserialize: asIs,
		type: "bidi",
		path,
	};
}
