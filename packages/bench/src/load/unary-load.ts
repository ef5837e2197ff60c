/** Single calls in a closed or an open loop over some connections. */
import type { GrpcConnection } from "../client/grpc-connection.ts";
import { MessageStream } from "../client/message-stream.ts";
import type { Recorder } from "../measure/recorder.ts";
import type { Request, Requests } from "./requests.ts";

/** What every load can do. */
export interface RunningLoad {
	/** Begins; nothing is counted before. */
	start(): void;
	/** Sends nothing more; resolves when what is under way has ended, or after a while. */
	stop(): Promise<void>;
}

export interface UnaryLoadOptions {
	readonly clients: number;
	/** 0: closed loop. */
	readonly rate: number;
	readonly requests: Requests;
	readonly recorder: Recorder;
	/** Dials the n-th connection anew. */
	readonly redial: (n: number) => Promise<GrpcConnection>;
}

const LAST_ANSWERS_MS = 10_000;
const REDIAL_MS = 100;
/** After a refusal the client rests: a server that refuses everything is not to be asked at full speed. */
const REST_AFTER_FAILURE_MS = 10;
/** How late the pace of an open loop may be looked at. */
const PACE_MS = 1;

export class UnaryLoad implements RunningLoad {
	private readonly options: UnaryLoadOptions;
	private readonly connections: GrpcConnection[];
	private next = 0;
	private underWay = 0;
	private running = false;
	private startedMs = 0;
	private pacer: NodeJS.Timeout | null = null;
	private idle: (() => void) | null = null;

	constructor(connections: readonly GrpcConnection[], options: UnaryLoadOptions) {
		this.options = options;
		this.connections = [...connections];
	}

	start(): void {
		const { clients, rate } = this.options;
		this.running = true;
		this.startedMs = performance.now();
		if (rate > 0) this.pace();
		else for (let client = 0; client < clients; client++) this.ask(client, performance.now());
	}

	async stop(): Promise<void> {
		this.running = false;
		if (this.pacer !== null) clearTimeout(this.pacer);
		if (this.underWay === 0) return;
		let timer: NodeJS.Timeout | undefined;
		await Promise.race([
			new Promise<void>((resolve) => {
				this.idle = resolve;
			}),
			new Promise<void>((resolve) => {
				timer = setTimeout(resolve, LAST_ANSWERS_MS);
			}),
		]);
		clearTimeout(timer);
	}

	/**
	 * Open loop: calls are due at fixed times, whatever the server does. One that cannot leave because all clients wait leaves
	 * later, and its latency counts from when it was due: so a server that stalls is charged for all that it held up.
	 */
	private pace(): void {
		const { clients, rate } = this.options;
		const due = Math.floor(((performance.now() - this.startedMs) / 1_000) * rate);
		while (this.next < due && this.underWay < clients) this.ask(this.next, this.startedMs + (this.next / rate) * 1_000);
		this.pacer = setTimeout(() => this.pace(), PACE_MS);
	}

	private ask(client: number, dueMs: number): void {
		const place = client % this.connections.length;
		const connection = this.connections[place] as GrpcConnection;
		if (connection.closed || !connection.http2.canOpen) {
			this.underWay++;
			this.options.recorder.failure(connection.closed ? "the connection was lost" : "no stream is free");
			void this.mend(place, client);
			return;
		}
		const { path, message } = this.options.requests(this.next++);
		this.underWay++;
		const stream = new Call(this, connection, client, dueMs);
		connection.open(stream, connection.method(path));
		connection.http2.sendMessage(stream, message, true);
	}

	private async mend(place: number, client: number): Promise<void> {
		await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
		try {
			if (this.running && this.connections[place]?.closed === true) this.connections[place] = await this.options.redial(place);
		} catch {
			// Counted as a failure each time round.
		}
		this.ended(client);
	}

	answered(call: Call, code: number, text: string): void {
		const nowMs = performance.now();
		if (code === 0) {
			this.options.recorder.took(nowMs - call.dueMs);
			this.ended(call.client, nowMs);
			return;
		}
		this.options.recorder.failure(text === "" ? `status ${code}` : text);
		setTimeout(() => this.ended(call.client), REST_AFTER_FAILURE_MS);
	}

	/** The client is free again. */
	private ended(client: number, nowMs = performance.now()): void {
		this.underWay--;
		if (this.running) {
			const { rate } = this.options;
			if (rate === 0) this.ask(client, nowMs);
			// What is overdue goes at once, not at the next look.
			else if (this.next < Math.floor(((nowMs - this.startedMs) / 1_000) * rate))
				this.ask(client, this.startedMs + (this.next / rate) * 1_000);
		} else if (this.underWay === 0) this.idle?.();
	}
}

class Call extends MessageStream {
	readonly client: number;
	readonly dueMs: number;
	private readonly load: UnaryLoad;

	constructor(load: UnaryLoad, connection: GrpcConnection, client: number, dueMs: number) {
		super(connection.http2);
		this.load = load;
		this.client = client;
		this.dueMs = dueMs;
	}

	onMessage(): void {}

	onStatus(code: number, text: string): void {
		this.load.answered(this, code, text);
	}
}

/** So many calls, a bounded number at once; throws at the first that fails. For what is not measured. */
export async function askAll(connection: GrpcConnection, count: number, request: (n: number) => Request): Promise<void> {
	let next = 0;
	const worker = async (): Promise<void> => {
		for (let n = next++; n < count; n = next++) {
			const { path, message } = request(n);
			await connection.ask(path, message);
		}
	};
	await Promise.all(Array.from({ length: Math.min(count, 128) }, worker));
}
