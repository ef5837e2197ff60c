import type { Socket } from "node:net";
import type { ByteOps } from "@flotilla/base";
import type { Scheduler, StateExport, StatePart } from "../ports.ts";
import { encodePart, STATE_AGE_MAX_MS, STATE_SILENCE_MS } from "./state-lane.ts";

/**
 * Sends one state over a connection whose hello was answered, as fast as the other end reads: one part is in memory, and what the
 * socket holds of it. Ends with the connection, which is given up when nothing of it was taken for too long.
 */
export class StateGiver {
	private readonly socket: Socket;
	private readonly state: StateExport;
	private readonly bytes: ByteOps;
	private over = false;
	private readonly cancelAge: () => void;

	constructor(socket: Socket, state: StateExport, bytes: ByteOps, scheduler: Scheduler) {
		this.socket = socket;
		this.state = state;
		this.bytes = bytes;
		this.cancelAge = scheduler.after(STATE_AGE_MAX_MS, () => socket.destroy());
		socket.on("error", () => {});
		socket.once("close", () => this.end());
		socket.setTimeout(STATE_SILENCE_MS, () => socket.destroy());
		// Nothing is expected from there but the end.
		socket.resume();
		this.next();
	}

	private next(): void {
		this.state.next((part) => this.send(part));
	}

	private send(part: StatePart): void {
		if (this.over) return;
		const [head, slab] = encodePart(this.bytes, part) as [Uint8Array, Uint8Array];
		const last = part.kind === "failed" || part.last;
		this.socket.write(head);
		if (last) this.socket.end(slab);
		// The kernel took it: then there is room for the next one.
		else this.socket.write(slab, (error) => (error == null && !this.over ? this.next() : undefined));
	}

	private end(): void {
		this.over = true;
		this.cancelAge();
		this.state.close();
	}
}
