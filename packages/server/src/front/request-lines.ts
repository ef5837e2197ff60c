/**
 * Requests of HTTP/1.1 that come before the one ahead of them is answered: they are served one after another, since what changes something
 * must be done before what is asked behind it (RFC 9112, 9.3.2), and few may wait.
 */
import type { Socket } from "node:net";

export class RequestLines {
	/** Of each connection with a request that is not answered yet: those behind it. */
	private readonly lines = new Map<Socket, Array<() => void>>();
	private readonly waitingMax: number;

	constructor(waitingMax: number) {
		this.waitingMax = waitingMax;
	}

	isBusy(socket: Socket): boolean {
		return this.lines.has(socket);
	}

	/** Serves it now, or when those ahead are answered. False: it is one too many. */
	enter(socket: Socket, serve: () => void): boolean {
		const line = this.lines.get(socket);
		if (line === undefined) {
			this.lines.set(socket, []);
			serve();
			return true;
		}
		if (line.length >= this.waitingMax) return false;
		line.push(serve);
		return true;
	}

	/** The one that was served is answered, or its client is gone. `last`: nothing more is served on this connection. */
	leave(socket: Socket, last: boolean): void {
		const next = last || socket.destroyed || socket.writableEnded ? undefined : this.lines.get(socket)?.shift();
		if (next === undefined) this.lines.delete(socket);
		else next();
	}
}
