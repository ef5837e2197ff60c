/** What calls of both shapes have in common: deadline, metadata, cancellation. */
import { DEADLINE_EXCEEDED } from "./etcd-texts.ts";
import type { CallHeaders } from "./gateway-headers.ts";
import { TIMER_MS_MAX } from "./grpc-timeout.ts";
import type { CallContext, HttpRequest, HttpResponse, Status } from "./seam.ts";

export interface Exchange {
	readonly request: HttpRequest;
	readonly headers: CallHeaders;
	readonly respond: (response: HttpResponse) => void;
}

export abstract class GatewayCall implements CallContext {
	readonly path: string;
	readonly peer: string;
	/** It has its answer, or was called off. */
	over = false;
	private readonly headers: CallHeaders;
	private readonly endsAtMs: number;
	private readonly deadline: NodeJS.Timeout | null;
	private readonly cancelListeners: Array<() => void> = [];

	constructor(path: string, { request, headers }: Exchange) {
		this.path = path;
		this.peer = request.peer ?? "unknown";
		this.headers = headers;
		this.endsAtMs = performance.now() + headers.timeoutMs;
		this.deadline = headers.timeoutMs <= TIMER_MS_MAX ? setTimeout(() => this.abort(DEADLINE_EXCEEDED), headers.timeoutMs) : null;
		request.onCancel?.(() => this.cancel());
	}

	get remainingMs(): number {
		return Math.max(0, this.endsAtMs - performance.now());
	}

	metadata(key: string): string | undefined {
		return this.headers.metadata(key);
	}

	onCancel(listener: () => void): void {
		this.cancelListeners.push(listener);
	}

	/** Sends a status to the client. */
	protected abstract refuse(status: Status): void;

	/** True once: whoever gets it answers. */
	protected finish(): boolean {
		if (this.over) return false;
		this.over = true;
		if (this.deadline !== null) clearTimeout(this.deadline);
		return true;
	}

	private cancel(): void {
		if (this.finish()) for (const listener of this.cancelListeners) listener();
	}

	/** The client hears a status, the handler that the call is off. */
	abort(status: Status): void {
		if (this.over) return;
		this.cancel();
		this.refuse(status);
	}
}
