/** Limits of the client port. Every one has a stated behaviour when it is reached. */
import { ANSWER_BYTES_MAX } from "./seam.ts";

/** At which of them a client was refused. */
export type FrontLimit =
	| "messageBytes"
	| "streams"
	| "connectionFull"
	| "portFull"
	| "unread"
	| "connections"
	| "jsonValues"
	| WebSocketLimit;
export type WebSocketLimit = "webSockets" | "unfinishedBodies" | "webSocketAnswers";

export interface GrpcFrontOptions {
	/**
	 * Hears of each refusal; `path` is empty for a stream that was not begun. With grpc-js two are Node's and the library's own and not
	 * told: streams beyond the bound, and messages that grow too large as they are inflated.
	 */
	readonly onLimit?: (limit: FrontLimit, client: { readonly path: string; readonly peer: string }) => void;
	/** Hears of each connection that is ended for what its client does or fails to do. grpc-js tells only of those that `HeldBytes` ends. */
	readonly onCut?: (reason: string, client: { readonly peer: string }) => void;
	/** Largest message of a client; a larger one ends its call with RESOURCE_EXHAUSTED. etcd takes `--max-request-bytes` and 512 KiB more. */
	readonly messageBytesMax: number;
	/** Calls open at once on one connection; clients hold further ones back. */
	readonly concurrentStreamsMax: number;
	/** A client that was silent for so long is pinged, and cut off when it does not answer within `keepaliveTimeoutMs`. */
	readonly keepaliveIntervalMs: number;
	readonly keepaliveTimeoutMs: number;
	/** Clients that ping more often than this, for the third time, lose their connection. grpc-js does not count them. */
	readonly pingMinMs: number;
	/** Bytes of unfinished requests on one connection beyond which only the oldest of them is read on. */
	readonly unfinishedBytesPaused: number;
	/** The same with the windows of those that are not read: the call that goes beyond ends with RESOURCE_EXHAUSTED. */
	readonly unfinishedBytesPerConnectionMax: number;
	/** On all connections: the one with the most loses its unfinished calls, with RESOURCE_EXHAUSTED. */
	readonly unfinishedBytesMax: number;
	/**
	 * A request of which fewer than `stallBytes` come in `stallMs` ends with DEADLINE_EXCEEDED; a connection on which answers wait and
	 * fewer than so many bytes of them are taken is ended. grpc-js keeps the latter.
	 */
	readonly stallMs: number;
	readonly stallBytes: number;
	/** Requests of one connection that may end so at once, and how many a minute in the long run; beyond, the connection is ended. */
	readonly stallsBurst: number;
	readonly stallsPerMinute: number;
	/** Bytes of answers that one connection did not read yet; a further one becomes RESOURCE_EXHAUSTED. Of each stream an eighth of it counts at most. */
	readonly unreadBytesPerConnectionMax: number;
	/** On all connections: the one with the most is closed. */
	readonly unreadBytesMax: number;
}

export const DEFAULT_GRPC_OPTIONS: GrpcFrontOptions = {
	messageBytesMax: 1_572_864 + 524_288,
	concurrentStreamsMax: 16_384,
	keepaliveIntervalMs: 2 * 3_600_000,
	keepaliveTimeoutMs: 20_000,
	pingMinMs: 5_000,
	unfinishedBytesPaused: 8 << 20,
	unfinishedBytesPerConnectionMax: 24 << 20,
	unfinishedBytesMax: 256 << 20,
	stallMs: 30_000,
	stallBytes: 16 << 10,
	stallsBurst: 10,
	stallsPerMinute: 5,
	unreadBytesPerConnectionMax: 24 << 20,
	unreadBytesMax: ANSWER_BYTES_MAX + (128 << 20),
};

/** grpc-js cannot hold back who makes answers (`whenRead`): with the limits above it would refuse honest clients. */
export const GRPC_JS_HOLDS: Pick<
	GrpcFrontOptions,
	"unfinishedBytesPaused" | "unfinishedBytesPerConnectionMax" | "unreadBytesPerConnectionMax"
> = {
	unfinishedBytesPaused: 32 << 20,
	unfinishedBytesPerConnectionMax: 64 << 20,
	unreadBytesPerConnectionMax: 256 << 20,
};

/** Bounds of what is held for clients; see `HeldBytes`. */
export type HoldLimits = Pick<
	GrpcFrontOptions,
	| "unfinishedBytesPaused"
	| "unfinishedBytesPerConnectionMax"
	| "unfinishedBytesMax"
	| "stallMs"
	| "stallBytes"
	| "stallsBurst"
	| "stallsPerMinute"
	| "unreadBytesPerConnectionMax"
	| "unreadBytesMax"
>;

/** Of one port, and in part of its plain HTTP/1.1. What they hold, with the bodies of HTTP/1.1 that are not whole, is counted apart from what gRPC does. */
export interface WebSocketLimits extends HoldLimits {
	/** Open at once; the handshake of one more is answered 503. */
	readonly socketsMax: number;
	/** One message of a client; a larger one closes its socket with 1009. */
	readonly messageBytesMax: number;
	/** A client that was silent for so long is pinged, and cut off when nothing comes of it in `pongMs` more. */
	readonly pingMs: number;
	readonly pongMs: number;
	/** A client that reads nothing of its answers for so long is cut off; one of plain HTTP/1.1 as well. */
	readonly readMs: number;
	readonly onLimit?: (limit: WebSocketLimit, peer: string) => void;
	/** Hears of each that is cut off for what its client does or fails to do. */
	readonly onCut?: (reason: string, peer: string) => void;
}

export const DEFAULT_WEB_SOCKET_LIMITS: WebSocketLimits = {
	socketsMax: 4_096,
	messageBytesMax: 4 << 20,
	pingMs: 30_000,
	pongMs: 30_000,
	readMs: 30_000,
	unfinishedBytesPaused: 8 << 20,
	unfinishedBytesPerConnectionMax: 24 << 20,
	unfinishedBytesMax: 128 << 20,
	stallMs: 30_000,
	stallBytes: 16 << 10,
	// A socket is cut off at its first.
	stallsBurst: 1,
	stallsPerMinute: 1,
	unreadBytesPerConnectionMax: 24 << 20,
	unreadBytesMax: 256 << 20,
};

export interface PortLimits {
	/** Open connections of all kinds; one more is closed at once: Node cannot leave it waiting, and a client that hears so tries another member. */
	readonly connectionsMax: number;
	/** Of those, how many may not have shown yet which protocol they speak: the one that came first then goes, if it had `strangerMs` for it. */
	readonly strangersMax: number;
	readonly strangerMs: number;
	/** How long a new connection may take to show which protocol it speaks; then it is closed. */
	readonly sniffMs: number;
	/** How long the head of an HTTP/1.1 request may take; then 408. */
	readonly httpHeadersMs: number;
	/** How long a whole HTTP/1.1 request may take to arrive; then 408. What stands still meanwhile ends sooner (`webSockets.stallMs`). */
	readonly httpRequestMs: number;
	/** An idle HTTP/1.1 connection is closed after this. */
	readonly httpIdleMs: number;
	/** Bytes of target and headers of one HTTP/1.1 request, and how many headers; more is answered 431. */
	readonly httpHeaderBytesMax: number;
	readonly httpHeadersMax: number;
	/** Requests that a client of HTTP/1.1 may send while one is not answered; one more ends the connection. */
	readonly httpPipelinedMax: number;
	/** Hears of connections that are closed for being too many. */
	readonly onConnectionsFull?: (peer: string) => void;
	/** Body of one HTTP/1.1 request; more is answered 413. JSON takes a third more bytes than the message inside. */
	readonly httpBodyBytesMax: number;
	readonly webSockets: WebSocketLimits;
}

export const DEFAULT_PORT_LIMITS: PortLimits = {
	connectionsMax: 10_000,
	strangersMax: 1_000,
	strangerMs: 1_000,
	sniffMs: 10_000,
	httpHeadersMs: 10_000,
	httpRequestMs: 300_000,
	httpIdleMs: 120_000,
	httpHeaderBytesMax: 16 << 10,
	httpHeadersMax: 100,
	httpPipelinedMax: 16,
	httpBodyBytesMax: 4 << 20,
	webSockets: DEFAULT_WEB_SOCKET_LIMITS,
};
