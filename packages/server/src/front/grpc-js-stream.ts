/** One streaming call of grpc-js as the seam has it. */
import type { ServerDuplexStream, ServerWritableStream } from "@grpc/grpc-js";
import { MALFORMED_IN_STREAM } from "./etcd-texts.ts";
import { commonNameFrom, remainingMs, textOf } from "./grpc-js-context.ts";
import { refusalFor } from "./grpc-js-status.ts";
import { isMalformed } from "./handler-errors.ts";
import { Grpc, type Status, type StreamCall, type StreamHandler } from "./seam.ts";

type Duplex = ServerDuplexStream<Uint8Array, Uint8Array>;
type ServerStream = ServerWritableStream<Uint8Array, Uint8Array>;

/** The client sends one message, which the library has read already. */
export function serverStreamAdapter(handle: StreamHandler): (call: ServerStream) => void {
	return (libraryCall) => start(new ServerStreamCall(libraryCall), handle);
}

/** Serves methods whose client streams and whose server answers once, too: on the wire they are the same. */
export function duplexAdapter(handle: StreamHandler): (call: Duplex) => void {
	return (libraryCall) => start(new DuplexCall(libraryCall), handle);
}

function start(call: DuplexCall | ServerStreamCall, handle: StreamHandler): void {
	call.run(() => handle(call));
}

abstract class GrpcJsStreamCall<C extends Duplex | ServerStream> {
	readonly path: string;
	protected readonly call: C;
	protected over = false;
	private readonly cancelListeners: Array<() => void> = [];

	constructor(call: C) {
		this.path = call.getPath();
		this.call = call;
		call.once("cancelled", () => this.cancel());
	}

	get peer(): string {
		return this.call.getPeer();
	}

	get commonName(): string | undefined {
		return commonNameFrom(this.call);
	}

	get remainingMs(): number {
		return remainingMs(this.call.getDeadline());
	}

	metadata(key: string): string | undefined {
		return textOf(this.call.metadata.get(key)[0]);
	}

	onCancel(listener: () => void): void {
		this.cancelListeners.push(listener);
	}

	onDrain(listener: () => void): void {
		this.call.on("drain", () => {
			if (!this.over) listener();
		});
	}

	send(message: Uint8Array): boolean {
		return this.over || this.call.write(message);
	}

	/** What was sent before still leaves first. */
	end(status: Status): void {
		if (this.over) return;
		this.over = true;
		if (status.code === Grpc.ok) this.call.end();
		else this.call.emit("error", refusalFor(status));
	}

	run(work: () => void): void {
		if (this.over) return;
		try {
			work();
		} catch (error) {
			if (!isMalformed(error) || this.over) return;
			this.end(MALFORMED_IN_STREAM);
			this.tellCancelled();
		}
	}

	/** The library says "cancelled" after a regular end too. */
	private cancel(): void {
		if (this.over) return;
		this.over = true;
		this.tellCancelled();
	}

	private tellCancelled(): void {
		for (const listener of this.cancelListeners) listener();
	}
}

/** Nothing is read before a listener is there. */
class DuplexCall extends GrpcJsStreamCall<Duplex> implements StreamCall {
	onMessage(listener: (message: Uint8Array) => void): void {
		this.call.on("data", (message: Uint8Array) => this.run(() => listener(message)));
	}

	holdBack(): void {
		this.call.pause();
	}

	readOn(): void {
		this.call.resume();
	}

	onHalfClose(listener: () => void): void {
		this.call.once("end", () => this.run(listener));
	}
}

class ServerStreamCall extends GrpcJsStreamCall<ServerStream> implements StreamCall {
	private taken = false;
	private afterRequest: (() => void) | null = null;

	onMessage(listener: (message: Uint8Array) => void): void {
		queueMicrotask(() => {
			this.taken = true;
			this.run(() => listener(this.call.request));
			if (this.afterRequest !== null) this.run(this.afterRequest);
		});
	}

	/** There is one message. */
	holdBack(): void {}
	readOn(): void {}

	onHalfClose(listener: () => void): void {
		if (this.taken) queueMicrotask(() => this.run(listener));
		else this.afterRequest = listener;
	}
}
