/** An honest client beside hostile ones: it writes without a pause, and what fails is kept. */
import { KvClient } from "../client/kv-client.ts";
import { reasonOf } from "../process/reason.ts";
import { eventually } from "../process/wait.ts";

const VALUE = Buffer.alloc(100, "n");
const CALM_CALLS = 50;
/** A call may take so long, and so many times what the slowest took before there were attackers: for machines that do much else. */
const BEARABLE_MS = 10_000;
const BEARABLE_TIMES = 10;

export class Neighbour {
	served = 0;
	/** Of all its calls since `calm`. */
	slowestMs = 0;
	/** What it bears without noticing. */
	bearableMs = BEARABLE_MS;
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

	/** Waits until it is served; what comes from now on is measured by that. To be called before there are attackers. */
	async calm(): Promise<void> {
		await eventually("a neighbour that is served", async () => {
			if (this.served < CALM_CALLS) throw new Error(`${this.served} calls so far; ${this.failures.join(", ")}`);
		});
		this.bearableMs = Math.max(BEARABLE_MS, BEARABLE_TIMES * this.slowestMs);
		this.slowestMs = 0;
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
