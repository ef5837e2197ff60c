/** An honest client beside hostile ones: it writes without a pause, and what fails is kept. */
import { KvClient } from "../client/kv-client.ts";
import { reasonOf } from "../process/reason.ts";

const VALUE = Buffer.alloc(100, "n");

export class Neighbour {
	served = 0;
	slowestMs = 0;
	readonly failures: string[] = [];
	private readonly client: KvClient;
	private readonly writing: Promise<void>;
	private stopped = false;

	/** `http://host:port` or `https://host:port`. */
	constructor(url: string) {
		this.client = new KvClient(url.startsWith("https:") ? url : url.slice("http://".length));
		this.writing = this.write();
	}

	async put(key: string, value: Buffer): Promise<void> {
		await this.client.put(key, value);
	}

	async stop(): Promise<void> {
		this.stopped = true;
		await this.writing;
		this.client.close();
	}

	private async write(): Promise<void> {
		while (!this.stopped) {
			const startedMs = performance.now();
			try {
				await this.client.put("neighbour", VALUE);
				this.served++;
				this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs);
			} catch (error) {
				this.failures.push(reasonOf(error));
			}
		}
	}
}
