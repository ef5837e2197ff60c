import type { TapSink } from "@flotilla/base";
import {
	type CallContext,
	Grpc,
	type MethodHandler,
	type MethodTable,
	type Status,
	type StreamCall,
	type UnaryCall,
} from "../front/seam.ts";
import { sendInParts } from "../front/send-in-parts.ts";
import type { CallFigures, MethodFigures } from "../metrics/call-figures.ts";
import type { Clock } from "../ports.ts";
import { type LimitFault, limitBehind } from "./limits.ts";

export interface ObserverOptions {
	/** A unary call that takes longer is told to the tap (`--warning-unary-request-duration`). */
	readonly thresholdMs: number;
	readonly clock: Clock;
	readonly tap: TapSink;
	readonly figures: CallFigures;
	readonly limits: LimitWatch;
}

export interface LimitWatch {
	refused(limit: LimitFault, call: { readonly path: string; readonly peer: string }): void;
}

/** The same table; every call is counted, and slow unary ones leave an event each. Streams have no duration. */
export function observeCalls(methods: MethodTable, options: ObserverOptions): MethodTable {
	return new Map([...methods].map(([path, handler]) => [path, observed(path, handler, options)]));
}

function observed(path: string, handler: MethodHandler, options: ObserverOptions): MethodHandler {
	const { figures } = options;
	const method = figures.methods.get(path);
	if (method === undefined) return handler;
	if (handler.shape === "unary") {
		const { handle } = handler;
		return { shape: "unary", handle: (call: UnaryCall) => handle(new ObservedCall(call, method, options)) };
	}
	const { handle } = handler;
	return { ...handler, handle: (call: StreamCall) => handle(new ObservedStream(call, method, options)) };
}

class ObservedCall implements UnaryCall {
	readonly path: string;
	readonly request: Uint8Array;
	private readonly call: UnaryCall;
	private readonly method: MethodFigures;
	private readonly options: ObserverOptions;
	private readonly startedMs: number;
	private over = false;

	constructor(call: UnaryCall, method: MethodFigures, options: ObserverOptions) {
		this.path = call.path;
		this.request = call.request;
		this.call = call;
		this.method = method;
		this.options = options;
		this.startedMs = options.clock.monotonicMs();
		method.started++;
		method.received++;
		options.figures.unaryStarted++;
		options.figures.receivedBytes += call.request.length;
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
		const value = this.call.metadata(key);
		if (key === CLIENT_VERSION) this.options.figures.client(value ?? "unknown");
		return value;
	}
	/** A call that nobody waits for any more ends when its handler hears of that. */
	onCancel(listener: () => void): void {
		this.call.onCancel(() => {
			this.finish(Grpc.canceled, "canceled");
			listener();
		});
	}
	whenRead(produce: () => void): void {
		if (this.call.whenRead === undefined) produce();
		else this.call.whenRead(produce);
	}
	respond(message: Uint8Array): void {
		this.method.sent++;
		this.options.figures.sentBytes += message.length;
		this.call.respond(message);
		this.finish(Grpc.ok, "");
	}
	fail(status: Status): void {
		tellLimit(status, this, this.options);
		this.call.fail(status);
		this.finish(status.code, status.message);
	}

	private finish(code: number, error: string): void {
		if (this.over) return;
		this.over = true;
		const { clock, thresholdMs, tap } = this.options;
		const tookMs = clock.monotonicMs() - this.startedMs;
		this.method.handled[code] = (this.method.handled[code] ?? 0) + 1;
		this.method.seconds.observe(tookMs / 1_000);
		if (tookMs <= thresholdMs || code === Grpc.canceled) return;
		const { path, peer } = this;
		tap.emit("requestSlow", 0, 0, { path, tookMs: Math.round(tookMs), requestBytes: this.request.length, peer, error });
	}
}

function tellLimit(status: Status, call: CallContext, { limits }: ObserverOptions): void {
	const limit = limitBehind(status);
	if (limit !== undefined) limits.refused(limit, call);
}

const CLIENT_VERSION = "client-api-version";

class ObservedStream implements StreamCall {
	readonly path: string;
	private readonly call: StreamCall;
	private readonly method: MethodFigures;
	private readonly figures: CallFigures;
	private readonly options: ObserverOptions;
	private over = false;

	constructor(call: StreamCall, method: MethodFigures, options: ObserverOptions) {
		const { figures } = options;
		this.options = options;
		this.path = call.path;
		this.call = call;
		this.method = method;
		this.figures = figures;
		method.started++;
		figures.streamsStarted++;
		call.onCancel(() => this.finish(Grpc.canceled));
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
		const value = this.call.metadata(key);
		if (key === CLIENT_VERSION) this.figures.client(value ?? "unknown");
		return value;
	}
	onCancel(listener: () => void): void {
		this.call.onCancel(listener);
	}
	onMessage(listener: (message: Uint8Array) => void): void {
		this.call.onMessage((message) => {
			this.method.received++;
			this.figures.receivedBytes += message.length;
			listener(message);
		});
	}
	holdBack(): void {
		this.call.holdBack();
	}
	readOn(): void {
		this.call.readOn();
	}
	onHalfClose(listener: () => void): void {
		this.call.onHalfClose(listener);
	}
	send(message: Uint8Array): boolean {
		this.method.sent++;
		this.figures.sentBytes += message.length;
		return this.call.send(message);
	}
	sendParts(head: Uint8Array, parts: readonly Uint8Array[]): boolean {
		this.method.sent++;
		let bytes = head.length;
		for (const part of parts) bytes += part.length;
		this.figures.sentBytes += bytes;
		return sendInParts(this.call, head, parts);
	}
	onDrain(listener: () => void): void {
		this.call.onDrain(listener);
	}
	end(status: Status): void {
		tellLimit(status, this, this.options);
		this.call.end(status);
		this.finish(status.code);
	}

	private finish(code: number): void {
		if (this.over) return;
		this.over = true;
		this.method.handled[code] = (this.method.handled[code] ?? 0) + 1;
	}
}
