import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

/** Stands in front of one member's peer port and passes bytes on, as fast as it may, until it is told to cut every connection. */
export class PeerProxy {
	readonly port: number;
	private readonly server: Server;
	private readonly sockets = new Set<Socket>();
	/** Of each connection and direction. */
	private bytesPerSecond = Number.POSITIVE_INFINITY;

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
			for (const [one, other] of [
				[keep(near), keep(far)],
				[far, near],
			] as const) {
				one.on("error", () => other.destroy()).on("close", () => other.destroy());
				one.on("data", (chunk: Uint8Array) => proxy.pass(chunk, one, other)).on("end", () => other.end());
			}
		});
		return new Promise((resolve) =>
			server.listen(0, "127.0.0.1", () => {
				proxy = new PeerProxy(server);
				resolve(proxy);
			}),
		);
	}

	/** From now on each connection carries so much in each direction. */
	throttle(bytesPerSecond: number): void {
		this.bytesPerSecond = bytesPerSecond;
	}

	/** What came rests for as long as a thin link would need for it, and holds back what follows. */
	private pass(chunk: Uint8Array, from: Socket, to: Socket): void {
		from.pause();
		const restMs = (chunk.length / this.bytesPerSecond) * 1_000;
		const send = (): void => void to.write(chunk, () => from.resume());
		if (restMs < 1) send();
		else setTimeout(send, restMs);
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
