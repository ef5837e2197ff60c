/** Transports over real loopback sockets, what they tell, and a wire in between that a test can cut, freeze or spoil. */
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { Dice, type TapEventName, type TapFields, type TapSink } from "@flotilla/base";
import type { PeerMessage } from "@flotilla/replica";
import { nodeBytes } from "../../src/node-bytes.ts";
import { nodeClock, nodeScheduler } from "../../src/node-ports.ts";
import { type Hello, PROTOCOL_VERSION } from "../../src/peers/hello.ts";
import { Lane } from "../../src/peers/lane.ts";
import type { PeerLimits, PeerTransportOptions } from "../../src/peers/options.ts";
import { TcpPeerTransport } from "../../src/peers/tcp-transport.ts";
import type { PeerEvents } from "../../src/ports.ts";

const CLUSTER = 0xc1n;
const PATIENCE_MS = 60_000;
let lives = 0;

/** What member 2 says to member 1 of the cluster when it dials it. */
export const HELLO: Hello = {
	...{ versionMin: PROTOCOL_VERSION, versionMax: PROTOCOL_VERSION, clusterId: CLUSTER, from: 2n, to: 1n, incarnation: 5 },
	lane: Lane.control,
	peerUrls: [],
};

/** Resolves when `condition` holds; looked at again whenever something was told, and every few milliseconds. */
export async function until(what: string, condition: () => boolean, patienceMs = PATIENCE_MS): Promise<void> {
	const startMs = performance.now();
	while (!condition()) {
		if (performance.now() - startMs > patienceMs) throw new Error(`not within ${patienceMs} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 2));
	}
}

/** One transport and all it told, in order. */
export class Peer implements PeerEvents, TapSink {
	readonly id: bigint;
	readonly transport: TcpPeerTransport;
	readonly received: PeerMessage[] = [];
	readonly told: string[] = [];
	readonly events: { readonly name: TapEventName; readonly fields: TapFields }[] = [];
	url = "";

	constructor(id: bigint, more: Partial<Omit<PeerTransportOptions, "limits">> & { limits?: Partial<PeerLimits> } = {}) {
		this.id = id;
		this.transport = new TcpPeerTransport(
			{
				memberId: id,
				clusterId: CLUSTER,
				incarnation: ++lives,
				listenPeerUrls: ["http://127.0.0.1:0"],
				electionTimeoutMs: 1_000,
				clock: nodeClock,
				scheduler: nodeScheduler,
				dice: new Dice(`${id}/${lives}`),
				bytes: nodeBytes,
				...more,
			},
			this,
			this,
		);
	}

	async listen(): Promise<this> {
		this.url = (await this.transport.listen())[0] as string;
		return this;
	}

	/** Makes known where the others are. */
	knows(...others: ReadonlyArray<{ readonly id: bigint; readonly url: string }>): void {
		this.transport.setMembers([{ id: this.id, peerUrls: [this.url] }, ...others.map(({ id, url }) => ({ id, peerUrls: [url] }))]);
	}

	/** All others are gone, these for good. */
	forgets(...removed: readonly bigint[]): void {
		this.transport.setMembers([{ id: this.id, peerUrls: [this.url] }], new Set(removed));
	}

	count(event: string): number {
		return this.told.filter((each) => each === event).length;
	}

	messages(messages: readonly PeerMessage[]): void {
		this.received.push(...messages);
	}
	connected(peer: bigint): void {
		this.told.push(`connected ${peer}`);
	}
	unreachable(peer: bigint): void {
		this.told.push(`unreachable ${peer}`);
	}
	lost(peer: bigint): void {
		this.told.push(`lost ${peer}`);
	}
	removed(by: bigint): void {
		this.told.push(`removed by ${by}`);
	}
	emit(name: TapEventName, _term: number, _index: number, fields: TapFields = {}): void {
		this.events.push({ name, fields });
	}
}

/** A wire to `target`: each connection to it is passed on, both ways, until the test says otherwise. */
export class Wire {
	private readonly server: Server;
	private readonly pairs = new Set<{ readonly near: Socket; readonly far: Socket }>();
	private frozen = false;
	/** Sees and may change what flows towards the target. */
	spoil: (chunk: Buffer) => Buffer = (chunk) => chunk;
	connections = 0;

	private constructor(server: Server) {
		this.server = server;
	}

	static async to(target: string): Promise<Wire> {
		const wire = new Wire(createServer((near) => wire.pass(near, target)));
		await new Promise<void>((resolve) => wire.server.listen(0, "127.0.0.1", resolve));
		return wire;
	}

	get url(): string {
		return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
	}

	/** Nothing passes any more and nobody is told: the other host is gone. */
	freeze(): void {
		this.frozen = true;
		for (const { near, far } of this.pairs) {
			near.pause();
			far.pause();
		}
	}

	thaw(): void {
		this.frozen = false;
		for (const { near, far } of this.pairs) {
			near.resume();
			far.resume();
		}
	}

	/** Every connection breaks. */
	cut(): void {
		for (const { near, far } of this.pairs) {
			near.destroy();
			far.destroy();
		}
	}

	async close(): Promise<void> {
		const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
		this.cut();
		await closed;
	}

	private pass(near: Socket, target: string): void {
		this.connections++;
		const { hostname, port } = new URL(target);
		const far = createConnection({ host: hostname, port: Number(port) });
		const pair = { near, far };
		this.pairs.add(pair);
		near.on("data", (chunk) => far.write(this.spoil(chunk)));
		far.on("data", (chunk) => near.write(chunk));
		if (this.frozen) {
			near.pause();
			far.pause();
		}
		for (const [one, other] of [
			[near, far],
			[far, near],
		] as const) {
			one.setNoDelay(true);
			one.on("error", () => {});
			one.on("close", () => {
				this.pairs.delete(pair);
				other.destroy();
			});
		}
	}
}

export function heartbeat(from: bigint, to: bigint, sequence: number): PeerMessage {
	return { kind: "heartbeat", from, to, term: 1, commit: 0, commitTerm: 0, readPosition: 0, sequence };
}
