import type { Dice } from "@flotilla/base";
import { KvClient, RpcError } from "../client/kv-client.ts";
import { checkByRevision, type Verdict } from "../history/by-revision.ts";
import type { Attempt, Change, Operation } from "../history/operation.ts";
import { decodeAnswer, encodeOperation, pathOf, refusedAs } from "../history/wire.ts";
import { pause } from "../process/wait.ts";

const TIMEOUT_MS = 5_000;

/**
 * Clients that put keys of their own, each once, and read what others wrote, through members that come and go; everything they
 * asked and were told is kept. Since no key is written twice or deleted, the final state tells what each revision changed.
 */
export class RecordedLoad {
	readonly attempts: Attempt[] = [];
	private readonly endpoints: () => readonly string[];
	private readonly written: string[] = [];
	private readonly clients = new Map<string, KvClient>();
	private readonly runners: readonly Promise<void>[];
	private running = true;

	/** `endpoints` is asked anew for each call. */
	constructor(endpoints: () => readonly string[], clients: number, dice: Dice) {
		this.endpoints = endpoints;
		this.runners = Array.from({ length: clients }, (_, id) => this.run(id, dice.fork(`client ${id}`)));
	}

	get acknowledged(): number {
		return this.attempts.filter(({ operation, outcome }) => operation.kind === "put" && outcome.kind === "ok").length;
	}

	async stop(): Promise<void> {
		this.running = false;
		await Promise.all(this.runners);
		for (const client of this.clients.values()) client.close();
	}

	/** By the state of one member at its newest revision, and nothing but that: every revision must be accounted for. */
	async verdict(endpoint: string): Promise<Verdict> {
		const client = new KvClient(endpoint);
		try {
			const { header, kvs } = await client.everything({}, { timeoutMs: 30_000 });
			const oracle = new Map<number, readonly Change[]>();
			for (const kv of kvs) oracle.set(Number(kv.mod_revision), [{ key: kv.key.toString("latin1"), value: kv.value.toString("latin1") }]);
			return checkByRevision(this.attempts, oracle, Number(header.revision));
		} finally {
			client.close();
		}
	}

	private async run(id: number, dice: Dice): Promise<void> {
		for (let n = 0; this.running; n++) {
			const endpoint = dice.pick([...this.endpoints()]);
			const slot = this.attempts.length;
			const attempt = { id: slot, client: id, member: endpoint, operation: this.next(id, n, dice), invoked: performance.now() };
			this.attempts.push({ ...attempt, outcome: { kind: "unknown" } });
			const outcome = await this.perform(endpoint, attempt.operation);
			this.attempts[slot] = { ...attempt, outcome };
			if (outcome.kind !== "ok") await pause(10);
		}
	}

	private next(id: number, n: number, dice: Dice): Operation {
		const read = { kind: "range", end: "", limit: 0, revision: 0, serializable: false, countOnly: false } as const;
		if (this.written.length > 0 && dice.chance(1, 4)) return { ...read, key: dice.pick(this.written) };
		const key = `c${id}/${String(n).padStart(6, "0")}`;
		this.written.push(key);
		return { kind: "put", key, value: `${key}/${"x".repeat(dice.range(0, 300))}` };
	}

	private async perform(endpoint: string, operation: Operation): Promise<Attempt["outcome"]> {
		const client = this.clients.get(endpoint) ?? new KvClient(endpoint);
		this.clients.set(endpoint, client);
		try {
			const bytes = await client.raw(pathOf(operation), Buffer.from(encodeOperation(operation)), { timeoutMs: TIMEOUT_MS });
			return { kind: "ok", answer: decodeAnswer(operation, bytes), returned: performance.now() };
		} catch (error) {
			if (!(error instanceof RpcError)) throw error;
			const as = refusedAs(error.code, error.text);
			return as === null ? { kind: "unknown" } : { kind: "refused", as, returned: performance.now() };
		}
	}
}
