/** The network between members as a program in user space: each member's peer port is a proxy that knows who dials and who is dialed. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { Dice } from "@flotilla/base";
import { DialerReader } from "./dialer.ts";

/** What one direction between two members does to bytes. TCP hides loss: a lost packet is a pause until it was sent again. */
export interface LinkState {
	/** Bytes stay in the proxy, in order, until the link is whole again: what a network does that drops every packet. */
	readonly held: boolean;
	/** New connections are closed at once, in place of silence. */
	readonly refused: boolean;
	readonly delayMs: number;
	readonly jitterMs: number;
	/** So many of a thousand pieces wait as long as a sender's time-out for what was lost. */
	readonly lossPerMille: number;
	/** Infinity: no limit. */
	readonly bytesPerSecond: number;
}

export const WHOLE: LinkState = {
	held: false,
	refused: false,
	delayMs: 0,
	jitterMs: 0,
	lossPerMille: 0,
	bytesPerSecond: Number.POSITIVE_INFINITY,
};

const RESEND_MS = 200;
/** Of one direction of one connection; beyond it the sender's socket is read no more. */
const HELD_BYTES_MAX = 4 << 20;

export interface ProxiedMember {
	readonly name: string;
	/** Where the member really listens. */
	readonly targetPort: number;
	/** Where others dial it. */
	readonly listenPort: number;
}

/** All links between members. Who a member is, is told by `identify` once its id is known; until then its links are whole. */
export class Links {
	private readonly servers: Server[] = [];
	private readonly states = new Map<string, LinkState>();
	private readonly names = new Map<string, string>();
	private readonly connections = new Set<Connection>();
	private readonly dice: Dice;

	constructor(seed: string) {
		this.dice = new Dice(`${seed}/links`);
	}

	async add({ name, targetPort, listenPort }: ProxiedMember): Promise<number> {
		const server = createServer({ noDelay: true }, (socket) => this.accept(socket, name, targetPort));
		this.servers.push(server);
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen({ port: listenPort, host: "127.0.0.1" }, resolve);
		});
		return (server.address() as AddressInfo).port;
	}

	/** Id in hexadecimal, as members tell it when they dial. */
	identify(id: string, name: string): void {
		this.names.set(id, name);
		for (const connection of this.connections) connection.changed();
	}

	set(from: string, to: string, state: Partial<LinkState>): void {
		this.states.set(`${from}>${to}`, { ...(this.states.get(`${from}>${to}`) ?? WHOLE), ...state });
		if (state.refused === true) this.reset(from, to);
		for (const connection of this.connections) connection.changed();
	}

	heal(): void {
		this.states.clear();
		for (const connection of this.connections) connection.changed();
	}

	/** Bytes that wait in all connections. */
	get heldBytes(): number {
		let bytes = 0;
		for (const connection of this.connections) bytes += connection.heldBytes;
		return bytes;
	}

	/** Closes every connection between two members, whoever dialed. */
	reset(a: string, b: string): void {
		for (const connection of [...this.connections]) if (connection.joins(a, b)) connection.close();
	}

	async close(): Promise<void> {
		const closed = this.servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
		for (const connection of [...this.connections]) connection.close();
		await Promise.all(closed);
	}

	private accept(socket: Socket, to: string, targetPort: number): void {
		const connection = new Connection(socket, connect({ port: targetPort, host: "127.0.0.1", noDelay: true }), to, {
			nameOf: (id) => this.names.get(id) ?? null,
			stateOf: (a, b) => this.states.get(`${a}>${b}`) ?? WHOLE,
			chance: (perMille) => this.dice.chance(perMille, 1_000),
			ended: () => this.connections.delete(connection),
		});
		this.connections.add(connection);
	}
}

interface ConnectionWorld {
	nameOf(id: string): string | null;
	stateOf(from: string, to: string): LinkState;
	chance(perMille: number): boolean;
	ended(): void;
}

class Connection {
	private readonly to: string;
	private readonly reader = new DialerReader();
	private readonly sockets: readonly Socket[];
	private readonly pipes: readonly Pipe[];
	private readonly world: ConnectionWorld;
	private closed = false;

	constructor(near: Socket, far: Socket, to: string, world: ConnectionWorld) {
		this.to = to;
		this.world = world;
		this.sockets = [near, far];
		const there = new Pipe(near, far, {
			state: () => this.there(),
			chance: (perMille) => world.chance(perMille),
			look: (chunk) => this.look(chunk),
		});
		const back = new Pipe(far, near, { state: () => this.back(), chance: (perMille) => world.chance(perMille), look: () => {} });
		this.pipes = [there, back];
		for (const socket of this.sockets) {
			socket.on("error", () => this.close());
			socket.on("close", () => this.close());
		}
	}

	/** A dialer that is refused is closed as soon as it has said who it is. */
	private look(chunk: Buffer): void {
		const known = this.reader.id;
		this.reader.feed(chunk);
		if (this.reader.id !== known) this.changed();
	}

	get heldBytes(): number {
		return this.pipes.reduce((sum, pipe) => sum + pipe.heldBytes, 0);
	}

	private get dialer(): string | null {
		const { id } = this.reader;
		return id === null ? null : this.world.nameOf(id);
	}

	private there(): LinkState {
		const { dialer } = this;
		return dialer === null ? WHOLE : this.world.stateOf(dialer, this.to);
	}

	private back(): LinkState {
		const { dialer } = this;
		return dialer === null ? WHOLE : this.world.stateOf(this.to, dialer);
	}

	joins(a: string, b: string): boolean {
		const { dialer } = this;
		return (dialer === a && this.to === b) || (dialer === b && this.to === a);
	}

	changed(): void {
		if (this.there().refused || this.back().refused) this.close();
		else for (const pipe of this.pipes) pipe.pump();
	}

	close(): void {
		if (this.closed) return;
		this.closed = true;
		for (const pipe of this.pipes) pipe.stop();
		for (const socket of this.sockets) socket.destroy();
		this.world.ended();
	}
}

interface Piece {
	readonly dueMs: number;
	readonly bytes: Buffer;
}

interface PipeWorld {
	state(): LinkState;
	chance(perMille: number): boolean;
	/** Sees every piece before it is sent on. */
	look(chunk: Buffer): void;
}

/** One direction of one connection: pieces in order, each at its time. */
class Pipe {
	private readonly from: Socket;
	private readonly to: Socket;
	private readonly world: PipeWorld;
	private queue: Piece[] = [];
	heldBytes = 0;
	private lastDueMs = 0;
	private timer: NodeJS.Timeout | null = null;
	private stopped = false;
	/** The sender has said all; the receiver is told so behind the last piece. */
	private ending = false;

	constructor(from: Socket, to: Socket, world: PipeWorld) {
		this.from = from;
		this.to = to;
		this.world = world;
		from.on("data", (chunk: Buffer) => {
			world.look(chunk);
			this.take(chunk);
		});
		to.on("drain", () => this.pump());
		from.on("end", () => {
			this.ending = true;
			this.pump();
		});
	}

	stop(): void {
		this.stopped = true;
		if (this.timer !== null) clearTimeout(this.timer);
		this.queue = [];
	}

	/** Sends what is due. */
	pump(): void {
		if (this.timer !== null) clearTimeout(this.timer);
		this.timer = null;
		const nowMs = performance.now();
		while (!this.stopped && !this.world.state().held && !this.to.writableNeedDrain) {
			const [piece] = this.queue;
			if (piece === undefined) break;
			if (piece.dueMs > nowMs) {
				this.timer = setTimeout(() => this.pump(), piece.dueMs - nowMs);
				break;
			}
			this.queue.shift();
			this.heldBytes -= piece.bytes.length;
			this.to.write(piece.bytes);
		}
		if (this.queue.length === 0 && this.ending) this.to.end();
		if (this.heldBytes < HELD_BYTES_MAX && this.from.isPaused()) this.from.resume();
	}

	private take(bytes: Buffer): void {
		if (this.stopped) return;
		const { delayMs, jitterMs, lossPerMille, bytesPerSecond, held } = this.world.state();
		const nowMs = performance.now();
		if (!held && this.queue.length === 0 && delayMs + jitterMs + lossPerMille === 0 && bytesPerSecond === Number.POSITIVE_INFINITY) {
			if (!this.to.write(bytes)) this.from.pause();
			return;
		}
		const lostMs = lossPerMille > 0 && this.world.chance(lossPerMille) ? RESEND_MS : 0;
		const jitter = jitterMs > 0 && this.world.chance(500) ? jitterMs : 0;
		const startMs = Math.max(nowMs, this.lastDueMs);
		this.lastDueMs = Math.max(this.lastDueMs, nowMs + delayMs + jitter + lostMs, startMs + (bytes.length * 1_000) / bytesPerSecond);
		this.queue.push({ dueMs: this.lastDueMs, bytes });
		this.heldBytes += bytes.length;
		if (this.heldBytes >= HELD_BYTES_MAX) this.from.pause();
		this.pump();
	}
}
