/**
 * The seam between services and whatever speaks gRPC. Handlers see bytes, metadata and a place for the answer; they know
 * nothing of HTTP/2 or of a library. Two adapters serve it: our own framing and grpc-js.
 */
import { GrpcStatus } from "@flotilla/api";

export { GrpcStatus as Grpc };
export type GrpcCode = GrpcStatus;

/** Of one answer. etcd's library allows 2 GiB, which a member would have to hold, for whoever asks. Streams have no such limit. */
export const ANSWER_BYTES_MAX = 512 << 20;

export interface Status {
	readonly code: GrpcCode;
	readonly message: string;
	/** More about a refusal, for programs: a `google.rpc.Status`, encoded. */
	readonly details?: Uint8Array;
}

/** Where the details travel, in base64. */
export const DETAILS_TRAILER = "grpc-status-details-bin";

export interface CallContext {
	/** `/etcdserverpb.KV/Range`. */
	readonly path: string;
	/** First value of a metadata key (lower case), or undefined. */
	metadata(key: string): string | undefined;
	/** Milliseconds until the client's deadline; Infinity without one. */
	readonly remainingMs: number;
	/** `ip:port`, for logs. */
	readonly peer: string;
	/** Common name of the client's certificate, where one was demanded and verified. Never that of a gateway. */
	readonly commonName?: string | undefined;
	/**
	 * Runs `listener` once if the client cancels, its deadline passes or the connection ends before the answer; also when the
	 * adapter itself ends a stream, for bytes that are no message or for too much that is not read.
	 */
	onCancel(listener: () => void): void;
}

/** Exactly one of `respond` and `fail` is called; calls after a cancel have no effect. */
export interface UnaryCall extends CallContext {
	readonly request: Uint8Array;
	respond(message: Uint8Array): void;
	fail(status: Status): void;
	/**
	 * Runs `produce`, which makes an answer that may be large, when the client has read enough of those before; at once where
	 * nothing waits, and never after a cancel. Missing where the adapter does not know what is read.
	 */
	whenRead?(produce: () => void): void;
}

/** A stream of either or both directions. */
export interface StreamCall extends CallContext {
	onMessage(listener: (message: Uint8Array) => void): void;
	/** No more messages until `readOn`: what the client sends waits, and soon it may send no more. */
	holdBack(): void;
	readOn(): void;
	/** The client will send nothing more. */
	onHalfClose(listener: () => void): void;
	/** False when the peer reads too slowly: wait for `onDrain`. The message is taken all the same. */
	send(message: Uint8Array): boolean;
	/**
	 * The same for one message that begins with `head` and goes on with `parts`, none of which is changed any more: many messages may have
	 * the same ones. Missing where the adapter would have to join them.
	 */
	sendParts?(head: Uint8Array, parts: readonly Uint8Array[]): boolean;
	onDrain(listener: () => void): void;
	/** Ends the stream with a status (OK: no message). */
	end(status: Status): void;
}

export type UnaryHandler = (call: UnaryCall) => void;
export type StreamHandler = (call: StreamCall) => void;

export type MethodHandler =
	| { readonly shape: "unary"; readonly handle: UnaryHandler }
	| { readonly shape: "stream"; readonly clientStreams: boolean; readonly serverStreams: boolean; readonly handle: StreamHandler };

/** Path to handler. Paths that are not here are answered UNIMPLEMENTED with etcd's texts by the adapter. */
export type MethodTable = ReadonlyMap<string, MethodHandler>;

/** What HTTP/1.1 requests on the client port see. */
export interface HttpHandler {
	handle(request: HttpRequest, respond: (response: HttpResponse) => void): void;
}

export interface HttpRequest {
	readonly method: string;
	/** Decoded path without the query. */
	readonly path: string;
	readonly query: URLSearchParams;
	readonly headers: ReadonlyMap<string, string>;
	readonly body: Uint8Array;
	/** `ip:port`, for logs. */
	readonly peer?: string;
	/** It came over TLS. */
	readonly secure?: boolean;
	/** Common name of the client's certificate, where one was demanded and verified. */
	readonly commonName?: string | undefined;
	/** Runs `listener` once if the connection ends before the answer is out. */
	onCancel?(listener: () => void): void;
	/** Begins an answer that goes out piece by piece; `respond` is then not called. */
	stream?(head: HttpResponseHead): HttpStream;
	/**
	 * There where the client asks for a WebSocket: opens it. Null when its handshake was none and has been answered; `respond` is not called
	 * after either.
	 */
	openSocket?(): HttpSocket | null;
}

/** A WebSocket. Calls after `close` or after the connection ended have no effect. */
export interface HttpSocket {
	/** To be called before anything is awaited. */
	onMessage(listener: (text: string) => void): void;
	/** The last message was of no use; too many of those end the connection. */
	wasted(): void;
	/** No more messages until `readOn`, but for those that were read with the last. */
	holdBack(): void;
	readOn(): void;
	/** False when the peer reads too slowly: wait for `onDrain`. The text is taken all the same. */
	send(text: string): boolean;
	onDrain(listener: () => void): void;
	/** The connection has ended, by whoever. */
	onClose(listener: () => void): void;
	/** When all that was sent has left. */
	close(code: number, reason?: string): void;
}

export interface HttpResponseHead {
	readonly status: number;
	readonly headers: ReadonlyArray<readonly [string, string]>;
}

/** Calls after `end` or after the connection ended have no effect. */
export interface HttpStream {
	/** False when the peer reads too slowly: wait for `onDrain`. The text is taken all the same. */
	write(text: string): boolean;
	onDrain(listener: () => void): void;
	end(): void;
}

export interface HttpResponse extends HttpResponseHead {
	readonly body: string | Uint8Array;
}

/** An adapter that serves a method table on sockets the port hands to it. */
export interface GrpcFront {
	/** The port reads a connection's opening first, and mends the authority of its first call. */
	readonly wantsOpeningMended: boolean;
	/** The socket's first bytes were put back; it starts with the HTTP/2 preface. */
	accept(socket: import("node:net").Socket): void;
	/** No new calls; open ones may finish for `graceMs`, then they are cut. Resolves when all is closed. */
	close(graceMs: number): Promise<void>;
}
