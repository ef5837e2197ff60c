import { runLate } from "./front/handler-errors.ts";
import { Grpc, type HttpHandler, type MethodHandler, type MethodTable, type Status, type StreamCall } from "./front/seam.ts";

const WAITING_MAX = 10_000;
/** Of the requests that wait. */
const WAITING_BYTES_MAX = 64 << 20;
const TOO_MANY = { code: Grpc.unavailable, message: "etcdserver: not ready, too many requests are waiting" } as const;

interface Waiting {
	readonly run: () => void;
	readonly bytes: number;
}

/**
 * Keeps calls waiting until the member serves: the port is open before that, and a client that came early is answered as
 * soon as there is an answer (etcd API, chapter 1). Beyond the limit calls are refused.
 */
export class ReadyGate {
	private opened = false;
	private readonly waiting = new Set<Waiting>();
	private waitingBytes = 0;

	/** Lets everything through, in the order in which it came. */
	open(): void {
		this.opened = true;
		for (const each of this.waiting) {
			this.forget(each);
			each.run();
		}
	}

	methods(table: MethodTable): MethodTable {
		return new Map([...table].map(([path, handler]) => [path, this.guard(handler)]));
	}

	/** `early`: paths that are answered at once. */
	http(handler: HttpHandler, early: ReadonlySet<string> = new Set()): HttpHandler {
		return {
			handle: (request, respond) => {
				if (early.has(request.path)) {
					handler.handle(request, respond);
					return;
				}
				const full = () => respond({ status: 503, headers: [], body: `${TOO_MANY.message}\n` });
				this.pass(() => handler.handle(request, respond), full, request.body.length, request);
			},
		};
	}

	private guard(handler: MethodHandler): MethodHandler {
		if (handler.shape === "unary") {
			const { handle } = handler;
			return {
				shape: "unary",
				handle: (call) =>
					this.passCall(
						call,
						() => handle(call),
						(status) => call.fail(status),
						call.request.length,
					),
			};
		}
		const { handle } = handler;
		return {
			...handler,
			handle: (call: StreamCall) =>
				this.passCall(
					call,
					() => handle(call),
					(status) => call.end(status),
				),
		};
	}

	private passCall(
		call: { onCancel(listener: () => void): void },
		run: () => void,
		refuse: (status: Status) => void,
		requestBytes = 0,
	): void {
		if (this.opened) {
			run();
			return;
		}
		this.pass(
			() => runLate(run, refuse),
			() => refuse(TOO_MANY),
			requestBytes,
			call,
		);
	}

	/** `client`: one that leaves is forgotten. */
	private pass(run: () => void, full: () => void, bytes: number, client: { onCancel?(listener: () => void): void }): void {
		if (this.opened) run();
		else if (this.waiting.size < WAITING_MAX && (this.waiting.size === 0 || this.waitingBytes + bytes <= WAITING_BYTES_MAX)) {
			const waiting = { run, bytes };
			this.waiting.add(waiting);
			this.waitingBytes += bytes;
			client.onCancel?.(() => this.forget(waiting));
		} else full();
	}

	private forget(waiting: Waiting): void {
		if (this.waiting.delete(waiting)) this.waitingBytes -= waiting.bytes;
	}
}
