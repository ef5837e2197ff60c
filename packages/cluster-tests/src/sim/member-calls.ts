import type { CallContext, MethodTable, Status, StreamCall, UnaryCall } from "@flotilla/server/internal";
import type { CrashPoints } from "./crash-points.ts";
import type { SimProcess } from "./process.ts";

/** What a client hears of a unary call: exactly one of these, once. */
export interface Answer {
	respond(bytes: Uint8Array): void;
	fail(status: Status): void;
	/** The member ended before it answered. */
	gone(): void;
}

/** What a client hears of a stream: messages, then exactly one of the two ends. */
export interface StreamListener {
	/** False: it reads no more for now, until it says `drain`. */
	message(bytes: Uint8Array): boolean | undefined;
	ended(status: Status): void;
	/** The member ended, and with it the stream. */
	gone(): void;
}

/** What a client does with its stream; nothing has an effect after its end. */
export interface ClientStream {
	send(bytes: Uint8Array): void;
	/** Nothing more will be sent. */
	halfClose(): void;
	/** Its client has read everything, and reads on. */
	drain(): void;
	cancel(): void;
}

/** How often a door that is being closed looks whether somebody is still inside. */
const LOOK_MS = 10;

/** The client door of one process life: calls into its method table that end with the life at the latest. */
export class MemberCalls {
	private readonly process: SimProcess;
	private readonly points: CrashPoints;
	private readonly methods: MethodTable;
	/** Told of all bytes that go to clients. */
	private readonly answered: (bytes: Uint8Array) => void;
	private readonly open = new Set<() => void>();
	private unanswered = 0;
	/** Nobody comes in any more. */
	closing = false;

	constructor(process: SimProcess, points: CrashPoints, methods: MethodTable, answered: (bytes: Uint8Array) => void) {
		this.process = process;
		this.points = points;
		this.methods = methods;
		this.answered = answered;
	}

	/** Returns what the client's cancellation does. */
	call(path: string, request: Uint8Array, timeoutMs: number, answer: Answer): () => void {
		const handler = this.methods.get(path);
		if (handler?.shape !== "unary") throw new Error(`${path} is no unary method`);
		const { once, context, cancel } = this.begin(path, timeoutMs, () => answer.gone(), true);
		const call: UnaryCall = {
			...context,
			request,
			respond: (bytes) => {
				if (this.points.pass("answer", "unary")) once(() => this.tell(bytes, (told) => answer.respond(told)));
			},
			fail: (status) => once(() => answer.fail(status)),
		};
		this.process.run(() => handler.handle(call));
		return cancel;
	}

	stream(path: string, listener: StreamListener): ClientStream {
		const handler = this.methods.get(path);
		if (handler?.shape !== "stream") throw new Error(`${path} is no stream`);
		const { once, context, cancel, isOpen } = this.begin(path, Number.POSITIVE_INFINITY, () => listener.gone());
		const messages: Array<(message: Uint8Array) => void> = [];
		const halfCloses: Array<() => void> = [];
		const drains: Array<() => void> = [];
		const sent: Uint8Array[] = [];
		let held = false;
		const deliver = (): void => {
			while (!held && isOpen() && sent.length > 0) {
				const message = sent.shift() as Uint8Array;
				for (const taker of messages) taker(message);
			}
		};
		const call: StreamCall = {
			...context,
			onMessage: (taker) => messages.push(taker),
			holdBack: () => {
				held = true;
			},
			readOn: () => {
				held = false;
				this.process.run(deliver);
			},
			onHalfClose: (taker) => halfCloses.push(taker),
			send: (bytes) => {
				let reads = true;
				if (isOpen() && this.points.pass("answer", "stream")) this.tell(bytes, (told) => (reads = listener.message(told) !== false));
				return reads;
			},
			onDrain: (taker) => drains.push(taker),
			end: (status) => once(() => listener.ended(status)),
		};
		const run = (work: () => void): void =>
			this.process.run(() => {
				if (isOpen()) work();
			});
		this.process.run(() => handler.handle(call));
		return {
			send: (bytes) =>
				run(() => {
					sent.push(bytes);
					deliver();
				}),
			halfClose: () =>
				run(() => {
					for (const taker of halfCloses) taker();
				}),
			drain: () =>
				run(() => {
					for (const taker of drains) taker();
				}),
			cancel,
		};
	}

	/** Who is inside is answered, or cut off with the streams when the grace is over. `done` in a later turn. */
	close(graceMs: number, done: () => void): void {
		this.closing = true;
		let leftMs = graceMs;
		const look = (): void => {
			if (this.unanswered > 0 && leftMs > 0) {
				leftMs -= LOOK_MS;
				this.process.scheduler.after(LOOK_MS, look);
				return;
			}
			this.end();
			done();
		};
		this.process.scheduler.after(LOOK_MS, look);
	}

	/** The life is over. */
	end(): void {
		for (const gone of Array.from(this.open)) gone();
	}

	private begin(path: string, remainingMs: number, gone: () => void, unary = false) {
		let open = true;
		if (unary) this.unanswered++;
		const listeners: Array<() => void> = [];
		const once = (act: () => void): void => {
			if (!open) return;
			open = false;
			if (unary) this.unanswered--;
			this.open.delete(ended);
			act();
		};
		const ended = (): void => once(gone);
		this.open.add(ended);
		const context: CallContext = {
			path,
			remainingMs,
			peer: "client",
			metadata: () => undefined,
			onCancel: (listener) => listeners.push(listener),
		};
		const cancel = (): void =>
			once(() => {
				this.process.run(() => {
					for (const listener of listeners) listener();
				});
			});
		return { once, context, cancel, isOpen: () => open };
	}

	/** A copy: the member may go on using its buffer. */
	private tell(bytes: Uint8Array, told: (bytes: Uint8Array) => void): void {
		this.answered(bytes);
		told(bytes.slice());
	}
}
