import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";

/** Stands in front of one member's peer port and passes bytes on, until it is told to cut every connection. */
export class PeerProxy {
	readonly port: number;
	private readonly server: Server;
	private readonly sockets: Set<Socket>;

	private constructor(server: Server, sockets: Set<Socket>) {
		this.server = server;
		this.sockets = sockets;
		this.port = (server.address() as AddressInfo).port;
	}

	static start(targetPort: number): Promise<PeerProxy> {
		const sockets = new Set<Socket>();
		const keep = (socket: Socket): Socket => {
			sockets.add(socket);
			return socket.setNoDelay(true).on("close", () => sockets.delete(socket));
		};
		const server = createServer((near) => {
			const far = createConnection(targetPort, "127.0.0.1");
			for (const [one, other] of [
				[keep(near), keep(far)],
				[far, near],
			] as const) {
				one.on("error", () => other.destroy()).on("close", () => other.destroy());
				one.pipe(other);
			}
		});
		return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(new PeerProxy(server, sockets))));
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
