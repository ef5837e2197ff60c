/** Joins a connection to its socket: everything that is read goes in at once, all output of a turn leaves with one write. */
import type { Socket } from "node:net";
import type { Http2Connection } from "./connection.ts";

/** After the last frame the peer has this long to close; what it still sends is not read. */
const CLOSE_MS = 1_000;

export class SocketLink {
	readonly socket: Socket;
	private readonly connection: Http2Connection;
	private readonly onClose: () => void;
	private readonly flushInTurn = (): void => this.flushOnce();
	private flushing = false;
	private scheduled = false;
	private reading = false;
	private ended = false;

	/** `onClose` runs once, when the socket is closed and all streams of the connection have been aborted. */
	constructor(socket: Socket, connection: Http2Connection, onClose: () => void) {
		this.socket = socket;
		this.connection = connection;
		this.onClose = onClose;
		socket.on("error", ignore);
		socket.on("close", () => this.closed());
		socket.on("end", () => socket.destroy());
		socket.on("drain", () => this.drained());
		socket.on("data", (chunk: Buffer) => this.read(chunk));
		this.outputWaits();
	}

	/** The connection's owner passes `outputWaits` on to here. */
	outputWaits(): void {
		if (this.scheduled || this.reading || this.flushing) return;
		this.scheduled = true;
		process.nextTick(this.flushInTurn);
	}

	/** The connection's owner passes `ended` on to here: the last output leaves, then the socket is closed. */
	end(): void {
		if (this.ended) return;
		this.ended = true;
		this.outputWaits();
	}

	private read(chunk: Buffer): void {
		this.reading = true;
		this.connection.receive(chunk);
		this.reading = false;
		this.flush();
	}

	private flushOnce(): void {
		this.scheduled = false;
		this.flush();
	}

	private drained(): void {
		this.connection.outputSent(true);
		this.connection.congested = false;
		this.flush();
	}

	private flush(): void {
		const { socket, connection } = this;
		if (socket.destroyed || this.flushing) return;
		this.flushing = true;
		// What leaves may make room for more.
		let rounds = 0;
		while (rounds < FLUSH_ROUNDS_MAX && (!connection.congested || this.ended)) {
			const pieces = connection.takeOutput();
			if (pieces.length === 0) break;
			this.write(pieces);
			rounds++;
		}
		this.flushing = false;
		if (this.ended) this.close();
		else if (rounds === FLUSH_ROUNDS_MAX && !this.scheduled) {
			this.scheduled = true;
			setImmediate(this.flushInTurn);
		}
	}

	private write(pieces: Uint8Array[]): void {
		const { socket, connection } = this;
		if (pieces.length === 1) {
			socket.write(pieces[0] as Uint8Array);
		} else {
			socket.cork();
			for (const piece of pieces) socket.write(piece);
			socket.uncork();
		}
		connection.congested = socket.writableNeedDrain;
		// Where the socket says later that it has sent all of it, its memory is used again then.
		if (!connection.congested) connection.outputSent(socket.writableLength === 0);
	}

	private close(): void {
		const { socket } = this;
		socket.removeAllListeners("data");
		socket.pause();
		socket.end();
		const cut = setTimeout(() => socket.destroy(), CLOSE_MS);
		socket.once("close", () => clearTimeout(cut));
		// Nothing more is to be done here.
		this.flushing = true;
	}

	private closed(): void {
		this.connection.abort();
		this.onClose();
	}
}

/** The rest goes with the next turn, or when the socket has room. */
const FLUSH_ROUNDS_MAX = 8;

function ignore(): void {}
