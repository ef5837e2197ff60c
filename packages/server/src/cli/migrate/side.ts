/**
 * One of the two clusters of a migration: any of its members, one after another, until one answers. Nothing is asked over a
 * connection that has not shown to be of that cluster: in another one all leases and keys would seem to be gone, and a write
 * would be lost there, or would overwrite what is there.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Access, type CallError, OutsideClient, textOf } from "../outside-client.ts";
import { each } from "./at-once.ts";
import { isOverload, passes, SideError, type SideName } from "./refusals.ts";
import { ALL_KEYS, RPC, type Rpc } from "./rpc.ts";

/** How long one that has answered before is waited for. */
export const PATIENCE_MS = 60_000;
/** One that never did may have been named wrongly. */
const FIRST_PATIENCE_MS = 15_000;
const STATUS_PATH = "/etcdserverpb.Maintenance/Status";
const CALL_MS = 15_000;
const PAUSE_MS = 200;
const PAUSE_MAX_MS = 2_000;
/** Nobody is told of what is over sooner. */
const QUIET_MS = 3_000;
const TOLD_EVERY_MS = 10_000;

export class Side {
	readonly name: SideName;
	/** As its answers say; null before the first one. */
	clusterId: bigint | null = null;
	private readonly endpoints: readonly string[];
	private readonly access: Access;
	private readonly tell: (line: string) => void;
	private client: Promise<OutsideClient> | null = null;
	private tries = 0;
	private toldMs = Number.NEGATIVE_INFINITY;

	constructor(name: SideName, endpoints: readonly string[], access: Access, tell: (line: string) => void = () => {}) {
		this.name = name;
		this.endpoints = endpoints;
		this.access = access;
		this.tell = tell;
	}

	/**
	 * Asks every endpoint which cluster it is of, before anything is done. Throws when they are of several. One that does not
	 * answer is told of, and asked when its turn comes.
	 */
	async meet(): Promise<void> {
		const met: Array<readonly [endpoint: string, id: bigint]> = [];
		await each(this.endpoints, async (endpoint) => {
			try {
				const [client, id] = await this.introduced(endpoint);
				client.close();
				met.push([endpoint, id]);
			} catch (error) {
				if (error instanceof StrangeCluster) throw error;
				const { code } = error as CallError;
				const text = textOf(error as CallError);
				if (!passes(code, text)) throw new SideError(this.name, STATUS_PATH, code, text);
				this.tell(
					`the ${this.name}'s endpoint ${endpoint} does not answer (${text}); it is asked which cluster it is of before it is used`,
				);
			}
		});
		if (new Set(met.map(([, id]) => id)).size > 1) {
			const found = met.map(([endpoint, id]) => `${endpoint} of ${id.toString(16)}`).sort();
			throw new StrangeCluster(`the ${this.name}'s endpoints are of different clusters, so nothing was done: ${found.join(", ")}`);
		}
		this.clusterId = met[0]?.[1] ?? null;
	}

	/**
	 * Everything that a migration asks for may be asked again: a second time it changes nothing. (A first try that was given up
	 * may still arrive late, behind newer writes of its key; the comparison at the end would find that.)
	 */
	async call<Request extends object, Response extends object>(
		{ path, request: encoder, response: decoder }: Rpc<Request, Response>,
		request: Partial<Request>,
	): Promise<Response> {
		const startedMs = performance.now();
		const patienceMs = this.clusterId === null ? FIRST_PATIENCE_MS : PATIENCE_MS;
		for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
			const connection = this.connected();
			try {
				const client = await connection;
				const answer = await client.call(path, { request: encoder, response: decoder }, request, CALL_MS);
				this.recognise(client.endpoint, answer);
				return answer;
			} catch (error) {
				if (error instanceof StrangeCluster) throw error;
				const { code } = error as CallError;
				const text = textOf(error as CallError);
				const waitedMs = performance.now() - startedMs;
				if (!this.passes(code, text)) throw new SideError(this.name, path, code, text);
				if (waitedMs > patienceMs) {
					throw new SideError(this.name, path, code, `${text} (tried for ${Math.round(waitedMs / 1_000)} s: ${this.endpoints.join(", ")})`);
				}
				if (!isOverload(text)) this.drop(connection);
				this.tellOfWaiting(text, waitedMs, patienceMs);
				await pause(pauseMs);
			}
		}
	}

	/** Also where a login is at hand that was not asked for when the connection was opened. */
	passes(code: number, text: string): boolean {
		return passes(code, text) || (this.access.login !== undefined && text.includes("user name is empty"));
	}

	/** Rejects with `StrangeCluster` when it is the turn of an endpoint of another cluster. */
	connected(): Promise<OutsideClient> {
		if (this.client !== null) return this.client;
		const opening = this.open(this.endpoints[this.tries++ % this.endpoints.length] as string);
		this.client = opening;
		opening.catch(() => this.drop(opening));
		return opening;
	}

	/** That connection is no good any more: the next call goes to the next member. */
	drop(connection: Promise<OutsideClient> | null = this.client): void {
		if (connection === null || this.client !== connection) return;
		this.client = null;
		void connection.then(
			(opened) => opened.close(),
			() => {},
		);
	}

	/** Also what answers must be of the one cluster: behind one connection may be a proxy, with many. */
	recognise(endpoint: string, answer: object): void {
		const { clusterId = 0n } = (answer as { readonly header?: { readonly clusterId: bigint } | null }).header ?? {};
		if (clusterId !== 0n) this.compare(endpoint, clusterId);
	}

	/** A confirmed one: of a moment not before this call. */
	async revision(): Promise<number> {
		const { header } = await this.call(RPC.range, { ...ALL_KEYS, countOnly: true });
		return header?.revision ?? 0;
	}

	private async open(endpoint: string): Promise<OutsideClient> {
		const [client, id] = await this.introduced(endpoint);
		try {
			this.compare(endpoint, id);
			const { login } = this.access;
			if (login !== undefined && !client.isLoggedIn) await client.logIn(login);
			return client;
		} catch (error) {
			client.close();
			throw error;
		}
	}

	/** A connection, and the cluster that it leads to. Where even that is told to users only, one logs in first. */
	private async introduced(endpoint: string): Promise<[client: OutsideClient, id: bigint]> {
		const client = await OutsideClient.make(endpoint, this.access);
		try {
			const id = await client.clusterId().catch(async (error: CallError) => {
				const { login } = this.access;
				if (login === undefined || !textOf(error).includes("user name is empty")) throw error;
				await client.logIn(login);
				return client.clusterId();
			});
			if (id === 0n) throw new StrangeCluster(`the ${this.name}'s endpoint ${endpoint} does not say which cluster it is of`);
			return [client, id];
		} catch (error) {
			client.close();
			throw error;
		}
	}

	private compare(endpoint: string, found: bigint): void {
		this.clusterId ??= found;
		if (found === this.clusterId) return;
		const [strange, wanted] = [found.toString(16), this.clusterId.toString(16)];
		throw new StrangeCluster(
			`the ${this.name}'s endpoint ${endpoint} is of another cluster: ${strange}, where the others are of ${wanted}`,
		);
	}

	private tellOfWaiting(text: string, waitedMs: number, patienceMs: number): void {
		if (waitedMs < QUIET_MS || performance.now() < this.toldMs + TOLD_EVERY_MS) return;
		this.toldMs = performance.now();
		this.tell(`the ${this.name} does not answer (${text}); it is asked again for another ${Math.ceil((patienceMs - waitedMs) / 1_000)} s`);
	}
}

/** An endpoint leads somewhere else: no other one is tried. */
export class StrangeCluster extends Error {
	override readonly name = "StrangeCluster";
}
