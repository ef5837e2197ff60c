/** A WebSocket at the JSON gateway of a member, with what it has said. */
import { type ClientOptions, WebSocket } from "ws";

export class GatewaySocket {
	/** Code of its close. */
	readonly closed: Promise<number>;
	private readonly ws: WebSocket;
	private readonly opened: Promise<void>;
	private readonly messages: string[] = [];
	private wake: () => void = () => {};
	private over = false;

	constructor(clientUrl: string, path: string, protocols: string[] = [], options: ClientOptions = {}) {
		this.ws = new WebSocket(`${clientUrl.replace(/^http/, "ws")}${path}`, protocols, options);
		this.ws.on("message", (data) => {
			this.messages.push((data as Buffer).toString());
			this.wake();
		});
		this.opened = new Promise((resolve, reject) => {
			this.ws.once("open", resolve);
			this.ws.once("error", reject);
		});
		// Whoever does not wait for it is not to hear of it.
		this.opened.catch(() => {});
		this.closed = new Promise((resolve) =>
			this.ws.once("close", (code) => {
				this.over = true;
				this.wake();
				resolve(code);
			}),
		);
	}

	async say(message: unknown): Promise<void> {
		await this.opened;
		this.ws.send(typeof message === "string" ? message : JSON.stringify(message));
	}

	/** The next message; null: it has closed. */
	async hear(): Promise<string | null> {
		while (this.messages.length === 0 && !this.over) {
			await new Promise<void>((resolve) => {
				this.wake = resolve;
			});
		}
		return this.messages.shift() ?? null;
	}

	leave(): void {
		this.ws.close(1_000);
	}

	end(): void {
		this.ws.terminate();
	}
}
