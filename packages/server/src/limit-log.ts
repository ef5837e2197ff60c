/**
 * Tells the log that clients are refused at a limit: which one, where it stands, and which flag moves it; and that connections of
 * clients are ended for what they do.
 */
import type { TapSink } from "@flotilla/base";
import { DEFAULT_WEB_SOCKET_LIMITS, type FrontLimit, type GrpcFrontOptions } from "./front/front-options.ts";
import { JSON_VALUES_MAX } from "./front/gateway-messages.ts";
import { APPLY_BACKLOG_MAX, DEFAULT_QUOTA_BYTES, MESSAGE_OVERHEAD_BYTES, type MemberConfig, PENDING_CALLS_MAX } from "./member-config.ts";
import type { Clock } from "./ports.ts";
import { GUESSES_MAX } from "./services/auth/guess-limit.ts";
import { LONG_RANGES } from "./services/kv.ts";
import type { LimitFault } from "./services/limits.ts";

/** A line a second for each limit and each reason; those between are counted. */
const TELL_MS = 1_000;
const FIXED = "none";

interface Limit {
	readonly limit: string;
	readonly value: number;
	readonly flag: string;
}

export type LimitName = LimitFault | FrontLimit;

export interface Refused {
	/** Of the method; empty for a connection. */
	readonly path: string;
	readonly peer: string;
}

export class LimitLog {
	private readonly limits: Readonly<Record<LimitName, Limit>>;
	private readonly tap: TapSink;
	private readonly clock: Clock;
	/** By limit, or by reason: both are of a fixed number. */
	private readonly told = new Map<string, { atMs: number; untold: number }>();

	constructor(limits: Readonly<Record<LimitName, Limit>>, tap: TapSink, clock: Clock) {
		this.limits = limits;
		this.tap = tap;
		this.clock = clock;
	}

	refused(name: LimitName, { path, peer }: Refused): void {
		const untold = this.untold(name);
		if (untold !== null) this.tap.emit("limitReached", 0, 0, { ...this.limits[name], path, peer, untold });
	}

	cut(reason: string, peer: string): void {
		const untold = this.untold(reason);
		if (untold !== null) this.tap.emit("clientCut", 0, 0, { reason, peer, untold });
	}

	/** How often this came since it was last told; null: it was told a moment ago. */
	private untold(what: string): number | null {
		const nowMs = this.clock.monotonicMs();
		const before = this.told.get(what);
		if (before !== undefined && nowMs - before.atMs < TELL_MS) {
			before.untold++;
			return null;
		}
		this.told.set(what, { atMs: nowMs, untold: 0 });
		return before?.untold ?? 0;
	}
}

/** Of one operation of a transaction, with its conditions, there are a dozen. */
const JSON_VALUES_PER_OP = 64;

export function jsonValuesMax(maxTxnOps: number): number {
	return Math.max(JSON_VALUES_MAX, JSON_VALUES_PER_OP * maxTxnOps);
}

export function limitsOf(
	config: MemberConfig,
	front: Pick<GrpcFrontOptions, "unfinishedBytesPerConnectionMax" | "unfinishedBytesMax" | "unreadBytesPerConnectionMax">,
	connectionsMax: number,
): Readonly<Record<LimitName, Limit>> {
	const { quotaBackendBytes, maxRequestBytes, maxTxnOps, maxConcurrentStreams } = config;
	const sockets = DEFAULT_WEB_SOCKET_LIMITS;
	return {
		requestTooLarge: { limit: "bytes of a write request", value: maxRequestBytes, flag: "--max-request-bytes" },
		tooManyOps: { limit: "operations of a transaction", value: maxTxnOps, flag: "--max-txn-ops" },
		noSpace: { limit: "bytes of the store", value: quotaBackendBytes || DEFAULT_QUOTA_BYTES, flag: "--quota-backend-bytes" },
		jsonValues: { limit: "values of a JSON request", value: jsonValuesMax(maxTxnOps), flag: "--max-txn-ops" },
		applyBacklog: { limit: "committed entries that are not applied", value: APPLY_BACKLOG_MAX, flag: FIXED },
		tooManyRequests: { limit: "requests under way", value: PENDING_CALLS_MAX, flag: FIXED },
		tooManyLongReads: { limit: "long reads that wait", value: LONG_RANGES.waitingMax, flag: FIXED },
		tooManyPasswords: { limit: "tries at the password of a user from one address", value: GUESSES_MAX, flag: FIXED },
		messageBytes: { limit: "bytes of a message", value: maxRequestBytes + MESSAGE_OVERHEAD_BYTES, flag: "--max-request-bytes" },
		streams: { limit: "streams of a connection", value: maxConcurrentStreams, flag: "--max-concurrent-streams" },
		connections: { limit: "connections", value: connectionsMax, flag: FIXED },
		webSockets: { limit: "WebSockets", value: sockets.socketsMax, flag: FIXED },
		unfinishedBodies: {
			limit: "bytes of unfinished bodies of HTTP/1.1 and messages of WebSockets",
			value: sockets.unfinishedBytesMax,
			flag: FIXED,
		},
		webSocketAnswers: { limit: "bytes of unread answers of a WebSocket", value: sockets.unreadBytesPerConnectionMax, flag: FIXED },
		connectionFull: { limit: "bytes of unfinished requests of a connection", value: front.unfinishedBytesPerConnectionMax, flag: FIXED },
		portFull: { limit: "bytes of unfinished requests", value: front.unfinishedBytesMax, flag: FIXED },
		unread: { limit: "bytes of unread answers of a connection", value: front.unreadBytesPerConnectionMax, flag: FIXED },
	};
}
