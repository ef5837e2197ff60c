import { createServer, type Server } from "node:net";

export interface PortRow {
	readonly name: string;
	readonly clientPort: number;
	readonly peerPort: number;
}

export interface PortChoice {
	readonly members: readonly PortRow[];
	/** Ports that were wanted but are taken, and what stands in for them. */
	readonly moved: ReadonlyArray<{ readonly member: string; readonly wanted: number; readonly used: number }>;
}

/** etcd's own ports for the first member, and those that its examples use for the others. */
export const USUAL_PORTS: readonly PortRow[] = [
	{ name: "m1", clientPort: 2379, peerPort: 2380 },
	{ name: "m2", clientPort: 22379, peerPort: 22380 },
	{ name: "m3", clientPort: 32379, peerPort: 32380 },
];

/** Ports for a new cluster: those that are wanted, or free ones in their place. Port 0 wants any. */
export async function choosePorts(wanted: readonly PortRow[]): Promise<PortChoice> {
	const held: Server[] = [];
	const moved: Array<PortChoice["moved"][number]> = [];
	const choose = async (member: string, port: number): Promise<number> => {
		const found = (await hold(port)) ?? (await hold(0));
		if (found === null) throw new Error("there is no free port on the loopback address");
		// Kept open until all are chosen: none is given twice.
		held.push(found.server);
		if (port !== 0 && found.port !== port) moved.push({ member, wanted: port, used: found.port });
		return found.port;
	};
	const members: PortRow[] = [];
	try {
		for (const { name, clientPort, peerPort } of wanted) {
			members.push({ name, clientPort: await choose(name, clientPort), peerPort: await choose(name, peerPort) });
		}
	} finally {
		await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
	}
	return { members, moved };
}

/** The first port that cannot be had now, or null. */
export async function findTakenPort(members: readonly PortRow[]): Promise<{ readonly member: string; readonly port: number } | null> {
	for (const { name, clientPort, peerPort } of members) {
		for (const port of [clientPort, peerPort]) {
			const found = await hold(port);
			if (found === null) return { member: name, port };
			await new Promise((closed) => found.server.close(closed));
		}
	}
	return null;
}

/** Listens on the port, or gives null when it is taken. */
function hold(port: number): Promise<{ readonly server: Server; readonly port: number } | null> {
	return new Promise((resolve) => {
		const server = createServer((socket) => socket.destroy());
		server.once("error", () => resolve(null));
		server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
			const address = server.address();
			resolve({ server, port: typeof address === "object" && address !== null ? address.port : port });
		});
	});
}
