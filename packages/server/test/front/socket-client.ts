/** A WebSocket client for tests: whatever comes is kept in order, and can be waited for. */
import { type ClientOptions, WebSocket } from "ws";

export interface Closed {
	readonly code: number;
	readonly reason: string;
}

export class SocketClient {
	readonly ws: WebSocket;
	/** Of the handshake: 101, or that of the refusal. */
	readonly status: Promise<number>;
	readonly opened: Promise<void>;
	readonly closed: Promise<Closed>;
	/** Body of a refused handshake. */
	refusal = "";
	pings = 0;
	private readonly messages: string[] = [];
	private readonly waiting: Array<() => void> = [];
	private over = false;

	constructor(url: string, protocols: string[] = [], options: ClientOptions = {}) {
		const ws = new WebSocket(url, protocols, options);
		this.ws = ws;
		ws.on("error", () => {});
		ws.on("ping", () => this.pings++);
		ws.on("message", (data) => {
			this.messages.push((data as Buffer).toString());
			this.wake();
		});
		this.opened = new Promise((resolve) => ws.once("open", resolve));
		this.closed = new Promise((resolve) =>
			ws.once("close", (code, reason) => {
				this.over = true;
				this.wake();
				resolve({ code, reason: reason.toString() });
			}),
		);
		this.status = new Promise((resolve) => {
			ws.once("upgrade", () => resolve(101));
			ws.once("unexpected-response", (request, response) => {
				response.on("data", (chunk: Buffer) => {
					this.refusal += chunk.toString();
				});
				response.on("end", () => {
					request.destroy();
					resolve(response.statusCode ?? 0);
				});
			});
			ws.once("close", () => resolve(0));
		});
	}

	async send(message: unknown): Promise<void> {
		await this.opened;
		this.ws.send(typeof message === "string" || message instanceof Uint8Array ? message : JSON.stringify(message));
	}

	/** The next message; null when the socket closes without one. */
	async next(): Promise<string | null> {
		while (this.messages.length === 0 && !this.over) await new Promise<void>((resolve) => this.waiting.push(resolve));
		return this.messages.shift() ?? null;
	}

	/** All that is still to come. */
	async rest(): Promise<string[]> {
		await this.closed;
		return this.messages.splice(0);
	}

	private wake(): void {
		for (const resolve of this.waiting.splice(0)) resolve();
	}
}
