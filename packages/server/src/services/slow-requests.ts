import type { TapSink } from "@flotilla/base";
import type { MethodTable, UnaryCall, UnaryHandler } from "../front/seam.ts";
import type { Clock } from "../ports.ts";

export interface SlowRequestOptions {
	/** A call that takes longer is told to the tap (`--warning-unary-request-duration`). */
	readonly thresholdMs: number;
	readonly clock: Clock;
	readonly tap: TapSink;
}

/** The same table; unary calls that take longer than the threshold leave an event each. Streams have no duration. */
export function watchSlowRequests(methods: MethodTable, options: SlowRequestOptions): MethodTable {
	return new Map(
		[...methods].map(([path, handler]) => [
			path,
			handler.shape === "unary" ? { shape: "unary", handle: timed(path, handler.handle, options) } : handler,
		]),
	);
}

function timed(path: string, handle: UnaryHandler, { thresholdMs, clock, tap }: SlowRequestOptions): UnaryHandler {
	return (call) => {
		const startedMs = clock.monotonicMs();
		const finish = (error: string): void => {
			const tookMs = clock.monotonicMs() - startedMs;
			if (tookMs <= thresholdMs) return;
			tap.emit("requestSlow", 0, 0, { path, tookMs: Math.round(tookMs), requestBytes: call.request.length, peer: call.peer, error });
		};
		handle(new TimedCall(call, finish));
	};
}

/** A call that says when it was answered. */
class TimedCall implements UnaryCall {
	readonly path: string;
	readonly request: Uint8Array;
	private readonly call: UnaryCall;
	private readonly finish: (error: string) => void;

	constructor(call: UnaryCall, finish: (error: string) => void) {
		this.path = call.path;
		this.request = call.request;
		this.call = call;
		this.finish = finish;
	}

	get peer(): string {
		return this.call.peer;
	}
	get remainingMs(): number {
		return this.call.remainingMs;
	}
	get commonName(): string | undefined {
		return this.call.commonName;
	}
	metadata(key: string): string | undefined {
		return this.call.metadata(key);
	}
	onCancel(listener: () => void): void {
		this.call.onCancel(listener);
	}
	respond(message: Uint8Array): void {
		this.call.respond(message);
		this.finish("");
	}
	fail(status: Parameters<UnaryCall["fail"]>[0]): void {
		this.call.fail(status);
		this.finish(status.message);
	}
}
