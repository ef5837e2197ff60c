/** bcrypt on a thread of its own: a hash takes some 80 ms at the usual cost, and the event loop must not wait for it. */
import { Worker } from "node:worker_threads";
import type { PasswordWork } from "./passwords.ts";

export type BcryptOrder =
	| { readonly id: number; readonly kind: "hash"; readonly password: string; readonly cost: number }
	| { readonly id: number; readonly kind: "compare"; readonly password: string; readonly hash: string };

export interface BcryptAnswer {
	readonly id: number;
	/** Null: the order could not be carried out. */
	readonly result: string | boolean | null;
}

/** Orders that wait; one more is refused. At the usual cost the last of them waits for ten seconds. */
const WAITING_MAX = 128;

export class BcryptThread implements PasswordWork {
	private worker: Worker | null = null;
	private readonly waiting = new Map<number, (result: string | boolean | null) => void>();
	private lastId = 0;
	private closed = false;

	hash(password: string, cost: number, done: (hash: string | null) => void): void {
		this.order({ id: ++this.lastId, kind: "hash", password, cost }, (result) => done(typeof result === "string" ? result : null));
	}

	compare(password: string, hash: string, done: (same: boolean | null) => void): void {
		this.order({ id: ++this.lastId, kind: "compare", password, hash }, (result) => done(typeof result === "boolean" ? result : null));
	}

	async close(): Promise<void> {
		this.closed = true;
		await this.worker?.terminate();
	}

	private order(order: BcryptOrder, done: (result: string | boolean | null) => void): void {
		if (this.closed || this.waiting.size >= WAITING_MAX) {
			setImmediate(() => done(null));
			return;
		}
		this.waiting.set(order.id, done);
		this.worker ??= this.startWorker();
		this.worker.postMessage(order);
	}

	/** The first order starts it: most clusters have no passwords. It never keeps the process alive. */
	private startWorker(): Worker {
		const worker = new Worker(new URL(import.meta.url.endsWith(".ts") ? "bcrypt-worker.ts" : "bcrypt-worker.js", import.meta.url), {
			env: {},
		});
		worker.unref();
		worker.on("message", ({ id, result }: BcryptAnswer) => {
			const done = this.waiting.get(id);
			this.waiting.delete(id);
			done?.(result);
		});
		worker.on("error", () => this.lose(worker));
		worker.on("exit", () => this.lose(worker));
		return worker;
	}

	/** Whoever waits hears that it was too much; the next order starts another thread. */
	private lose(worker: Worker): void {
		if (this.worker !== worker) return;
		this.worker = null;
		const lost = [...this.waiting.values()];
		this.waiting.clear();
		for (const done of lost) done(null);
	}
}
