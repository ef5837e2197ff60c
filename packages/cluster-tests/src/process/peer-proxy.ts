import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

/** To the member, or from it. */
type Way = "there" | "back";

/** Stands in front of one member's peer port and passes bytes on, as fast as it may, until it is told to cut every connection. */
export class PeerProxy {
	readonly port: number;
	private readonly server: Server;
	private readonly sockets = new Set<Socket>();
	private bytesPerSecond = Number.POSITIVE_INFINITY;
	/** Null: each connection and direction has that rate for itself. Else when each direction, of all connections together, is free again. */
	private freeMs: { there: number; back: number } | null = null;
	/** What waits for `thaw`; null while everything passes. */
	private frozen: Array<() => void> | null = null;

	private constructor(server: Server) {
		this.server = server;
		this.port = (server.address() as AddressInfo).port;
	}

	static start(targetPort: number): Promise<PeerProxy> {
		const keep = (socket: Socket): Socket => {
			proxy.sockets.add(socket);
			return socket.setNoDelay(true).on("close", () => proxy.sockets.delete(socket));
		};
		let proxy: PeerProxy;
		const server = createServer((near) => {
			const far = createConnection(targetPort, "127.0.0.1");
			for (const [one, other, way] of [
				[keep(near), keep(far), "there"],
				[far, near, "back"],
			] as const) {
				one.on("error", () => other.destroy()).on("close", () => other.destroy());
				one.on("data", (chunk: Uint8Array) => proxy.pass(chunk, one, other, way)).on("end", () => other.end());
			}
		});
		return new Promise((resolve) =>
			server.listen(0, "127.0.0.1", () => {
				proxy = new PeerProxy(server);
				resolve(proxy);
			}),
		);
	}

	/** From now on each connection carries so much in each direction; or all of them together, each chunk in its turn. */
	throttle(bytesPerSecond: number, together = false): void {
		this.bytesPerSecond = bytesPerSecond;
		this.freeMs = together ? { there: 0, back: 0 } : null;
	}

	/** Nothing is read any more that comes for the member, as if it had stopped reading; what it says passes. */
	freeze(): void {
		this.frozen ??= [];
	}

	thaw(): void {
		const waiting = this.frozen ?? [];
		this.frozen = null;
		for (const pass of waiting) pass();
	}

	/** What came rests for as long as a thin link would need for it, and holds back what follows. */
	private pass(chunk: Uint8Array, from: Socket, to: Socket, way: Way): void {
		from.pause();
		if (way === "there" && this.frozen !== null) {
			this.frozen.push(() => this.pass(chunk, from, to, way));
			return;
		}
		const restMs = this.restMs(chunk.length, way);
		const send = (): void => void to.write(chunk, () => from.resume());
		if (restMs < 1) send();
		else setTimeout(send, restMs);
	}

	private restMs(bytes: number, way: Way): number {
		const takesMs = (bytes / this.bytesPerSecond) * 1_000;
		if (this.freeMs === null) return takesMs;
		const nowMs = performance.now();
		this.freeMs[way] = Math.max(nowMs, this.freeMs[way]) + takesMs;
		return this.freeMs[way] - nowMs;
	}

	/** Both ends of every connection see a reset or an end; the next ones pass again. */
	cut(): void {
		for (const socket of this.sockets) socket.destroy();
	}

	close(): Promise<void> {
		this.cut();
		return new Promise((resolve) => this.server.close(() => resolve()));
	}
}
