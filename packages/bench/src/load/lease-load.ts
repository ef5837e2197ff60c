/**
 * Leases that are kept alive, each on a stream of its own: a client asks, is answered, and asks again; or renewals are due at fixed times,
 * each goes to a lease that waits for no answer, and its latency counts from when it was due.
 */
import { etcdserverpb } from "@flotilla/api";
import { WireReader } from "@flotilla/base";
import type { GrpcConnection } from "../client/grpc-connection.ts";
import { MessageStream } from "../client/message-stream.ts";
import type { Recorder } from "../measure/recorder.ts";
import type { RunningLoad } from "./unary-load.ts";

const GRANT = "/etcdserverpb.Lease/LeaseGrant";
const REVOKE = "/etcdserverpb.Lease/LeaseRevoke";
const KEEP_ALIVE = "/etcdserverpb.Lease/LeaseKeepAlive";
const TTL_SECONDS = 600;
const REVOKES_AT_ONCE = 64;
/** How late the pace of an open loop may be looked at. */
const PACE_MS = 1;

export class LeaseLoad implements RunningLoad {
	private readonly connections: readonly GrpcConnection[];
	private readonly clients: number;
	/** Renewals a second; 0: closed loop. */
	private readonly rate: number;
	private readonly recorder: Recorder;
	private readonly leases: bigint[] = [];
	private streams: readonly LeaseStream[] = [];
	/** Of an open loop: those that wait for no answer. */
	private readonly idle: LeaseStream[] = [];
	private sent = 0;
	private running = false;
	private startedMs = 0;
	private pacer: NodeJS.Timeout | null = null;

	constructor(connections: readonly GrpcConnection[], options: { clients: number; rate: number; recorder: Recorder }) {
		this.connections = connections;
		this.clients = options.clients;
		this.rate = options.rate;
		this.recorder = options.recorder;
	}

	async prepare(): Promise<void> {
		const grants = Array.from({ length: this.clients }, async (_, client) => {
			const request = etcdserverpb.LeaseGrantRequest.encode({ TTL: TTL_SECONDS });
			this.leases[client] = etcdserverpb.LeaseGrantResponse.decode(await this.connection(client).ask(GRANT, request)).ID;
		});
		await Promise.all(grants);
		this.streams = this.leases.map((lease, client) => new LeaseStream(this, this.connection(client), lease));
	}

	start(): void {
		this.running = true;
		this.startedMs = performance.now();
		if (this.rate === 0) for (const stream of this.streams) stream.ask(this.startedMs);
		else {
			this.idle.push(...this.streams);
			this.pace();
		}
	}

	async stop(): Promise<void> {
		this.running = false;
		if (this.pacer !== null) clearTimeout(this.pacer);
		for (const stream of this.streams) stream.cancel();
		for (let at = 0; at < this.leases.length; at += REVOKES_AT_ONCE) {
			const some = this.leases.slice(at, at + REVOKES_AT_ONCE);
			const revoke = (ID: bigint): Promise<unknown> => this.connection(at).ask(REVOKE, etcdserverpb.LeaseRevokeRequest.encode({ ID }));
			// What cannot be revoked any more ends by itself.
			await Promise.allSettled(some.map(revoke));
		}
	}

	answered(stream: LeaseStream, ttl: number, ms: number): void {
		if (!this.running) return;
		if (ttl > 0) this.recorder.took(ms);
		else this.recorder.failure("the lease was gone");
		if (this.rate === 0) stream.ask(performance.now());
		else {
			this.idle.push(stream);
			this.askWhatIsDue();
		}
	}

	failed(text: string): void {
		if (this.running) this.recorder.failure(`a keep-alive stream ended: ${text}`);
	}

	private pace(): void {
		this.askWhatIsDue();
		this.pacer = setTimeout(() => this.pace(), PACE_MS);
	}

	private askWhatIsDue(): void {
		const due = Math.floor(((performance.now() - this.startedMs) / 1_000) * this.rate);
		for (; this.sent < due; this.sent++) {
			const stream = this.idle.pop();
			if (stream === undefined) return;
			stream.ask(this.startedMs + (this.sent / this.rate) * 1_000);
		}
	}

	private connection(client: number): GrpcConnection {
		return this.connections[client % this.connections.length] as GrpcConnection;
	}
}

class LeaseStream extends MessageStream {
	private readonly load: LeaseLoad;
	private readonly request: Uint8Array;
	private dueMs = 0;
	private cancelled = false;

	constructor(load: LeaseLoad, connection: GrpcConnection, lease: bigint) {
		super(connection.http2);
		this.load = load;
		this.request = etcdserverpb.LeaseKeepAliveRequest.encode({ ID: lease });
		if (!connection.open(this, connection.method(KEEP_ALIVE))) throw new Error("no stream is free for a lease");
	}

	ask(dueMs: number): void {
		this.dueMs = dueMs;
		this.connection.sendMessage(this, this.request, false);
	}

	cancel(): void {
		this.cancelled = true;
		this.connection.reset(this, 8);
	}

	override onMessage(bytes: Buffer, start: number, end: number): void {
		this.load.answered(this, ttlOf(bytes, start, end), performance.now() - this.dueMs);
	}

	override onStatus(code: number, text: string): void {
		if (!this.cancelled) this.load.failed(text === "" ? `status ${code}` : text);
	}
}

/** Of a whole answer only this is looked at: a client that reads all of it costs as much as the server. */
function ttlOf(bytes: Uint8Array, start: number, end: number): number {
	const reader = new WireReader(bytes, start, end);
	let ttl = 0;
	while (!reader.done) {
		const tag = reader.tag();
		if (tag === 0x18) ttl = reader.int64Clamped();
		else reader.skip(tag);
	}
	return ttl;
}
