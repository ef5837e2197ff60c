/** The seam served by our own HTTP/2, straight on the sockets. */
import type { Socket } from "node:net";
import { ChunkPool } from "../../http2/frame-writer.ts";
import { servicesOf } from "../etcd-texts.ts";
import type { GrpcFrontOptions } from "../front-options.ts";
import { type CountedFront, HeldBytes, LOOKS_PER_STALL } from "../held-bytes.ts";
import type { HttpHandler, MethodTable } from "../seam.ts";
import { Deadlines } from "./deadlines.ts";
import { type FrontParts, NativeConnection } from "./native-connection.ts";

const LOOK_MS_MAX = 1_000;

/** `http`: what requests over HTTP/2 see that are no gRPC; without it they are answered 415. */
export function createNativeFront(methods: MethodTable, options: GrpcFrontOptions, http: HttpHandler | null = null): CountedFront {
	return new NativeFront(methods, options, http);
}

class NativeFront implements CountedFront {
	readonly wantsOpeningMended = false;
	readonly held: HeldBytes;
	private readonly parts: FrontParts;
	private readonly connections = new Set<NativeConnection>();
	private readonly looks: NodeJS.Timeout;
	private closing: Promise<void> | null = null;
	private allGone: () => void = () => {};

	constructor(methods: MethodTable, options: GrpcFrontOptions, http: HttpHandler | null) {
		this.held = new HeldBytes(options);
		this.parts = {
			methods,
			services: servicesOf(methods.keys()),
			options,
			held: this.held,
			deadlines: new Deadlines(),
			pool: new ChunkPool(),
			http,
		};
		const { stallMs, keepaliveIntervalMs, keepaliveTimeoutMs } = options;
		const lookMs = Math.min(LOOK_MS_MAX, stallMs / LOOKS_PER_STALL, keepaliveIntervalMs / 2, keepaliveTimeoutMs / 2);
		this.looks = setInterval(() => this.look(), lookMs).unref();
	}

	accept(socket: Socket): void {
		if (this.closing !== null || socket.destroyed) {
			socket.destroy();
			return;
		}
		const connection = new NativeConnection(socket, this.parts, (closed) => {
			this.connections.delete(closed);
			if (this.connections.size === 0) this.allGone();
		});
		this.connections.add(connection);
	}

	close(graceMs: number): Promise<void> {
		this.closing ??= this.shutDown(graceMs);
		return this.closing;
	}

	/** GOAWAY on every connection; calls that are open may finish, until the grace ends. */
	private async shutDown(graceMs: number): Promise<void> {
		const gone = new Promise<void>((resolve) => {
			this.allGone = resolve;
		});
		const cut = setTimeout(() => {
			for (const connection of this.connections) connection.cut();
		}, graceMs);
		for (const connection of this.connections) connection.leave();
		if (this.connections.size > 0) await gone;
		clearTimeout(cut);
		clearInterval(this.looks);
		this.parts.deadlines.close();
	}

	private look(): void {
		const now = performance.now();
		for (const connection of this.connections) connection.look(now);
		this.held.endStalled(now);
	}
}
