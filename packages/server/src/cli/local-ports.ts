import { createServer } from "node:net";

export interface PortRow {
	readonly name: string;
	readonly clientPort: number;
	readonly peerPort: number;
}

export type PortPlan =
	| {
			readonly kind: "ports";
			readonly members: readonly PortRow[];
			readonly moved: ReadonlyArray<{ readonly wanted: number; readonly used: number }>;
	  }
	/** The ports were chosen by an earlier start, and this one is not free now. */
	| { readonly kind: "taken"; readonly port: number };

const WANTED: readonly PortRow[] = [
	{ name: "m1", clientPort: 2379, peerPort: 2380 },
	{ name: "m2", clientPort: 22379, peerPort: 22380 },
	{ name: "m3", clientPort: 32379, peerPort: 32380 },
];

/** `saved`: the ports of an earlier start, which the members' addresses rest on; null for a new cluster. */
export async function planPorts(saved: readonly PortRow[] | null): Promise<PortPlan> {
	if (saved !== null) {
		for (const { clientPort, peerPort } of saved) {
			for (const port of [clientPort, peerPort]) if (!(await isFree(port))) return { kind: "taken", port };
		}
		return { kind: "ports", members: saved, moved: [] };
	}
	const moved: Array<{ wanted: number; used: number }> = [];
	const choose = async (wanted: number): Promise<number> => {
		if (await isFree(wanted)) return wanted;
		const used = await anyFreePort();
		moved.push({ wanted, used });
		return used;
	};
	const members: PortRow[] = [];
	for (const { name, clientPort, peerPort } of WANTED)
		members.push({ name, clientPort: await choose(clientPort), peerPort: await choose(peerPort) });
	return { kind: "ports", members, moved };
}

async function isFree(port: number): Promise<boolean> {
	return (await tryListen(port)) !== null;
}

async function anyFreePort(): Promise<number> {
	const port = await tryListen(0);
	if (port === null) throw new Error("no free port on the loopback address");
	return port;
}

/** The port, or null when it is taken. */
function tryListen(port: number): Promise<number | null> {
	return new Promise((resolve) => {
		const server = createServer();
		server.once("error", () => resolve(null));
		server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
			const address = server.address();
			const used = typeof address === "object" && address !== null ? address.port : port;
			server.close(() => resolve(used));
		});
	});
}
