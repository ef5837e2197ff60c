/** One of the two clusters of a migration: any of its members, one after another, until one answers. */
import { setTimeout as pause } from "node:timers/promises";
import { type Access, type CallError, OutsideClient, textOf } from "../outside-client.ts";
import { isOverload, passes, SideError, type SideName } from "./refusals.ts";
import { ALL_KEYS, RPC, type Rpc } from "./rpc.ts";

/** How long one that has answered before is waited for. */
export const PATIENCE_MS = 60_000;
/** One that never did may have been named wrongly. */
const FIRST_PATIENCE_MS = 15_000;
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

	connected(): Promise<OutsideClient> {
		if (this.client !== null) return this.client;
		const opening = OutsideClient.open(this.endpoints[this.tries++ % this.endpoints.length] as string, this.access);
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

	/** All endpoints must be of one cluster: in another one all leases and keys would seem to be gone. Throws when an answer is not of it. */
	recognise(endpoint: string, answer: object): void {
		const { clusterId = 0n } = (answer as { readonly header?: { readonly clusterId: bigint } | null }).header ?? {};
		if (clusterId === 0n) return;
		this.clusterId ??= clusterId;
		if (clusterId !== this.clusterId) throw new StrangeCluster(this.name, endpoint, clusterId, this.clusterId);
	}

	/** A confirmed one: of a moment not before this call. */
	async revision(): Promise<number> {
		const { header } = await this.call(RPC.range, { ...ALL_KEYS, countOnly: true });
		return header?.revision ?? 0;
	}

	private tellOfWaiting(text: string, waitedMs: number, patienceMs: number): void {
		if (waitedMs < QUIET_MS || performance.now() < this.toldMs + TOLD_EVERY_MS) return;
		this.toldMs = performance.now();
		this.tell(`the ${this.name} does not answer (${text}); it is asked again for another ${Math.ceil((patienceMs - waitedMs) / 1_000)} s`);
	}
}

class StrangeCluster extends Error {
	override readonly name = "StrangeCluster";

	constructor(side: SideName, endpoint: string, found: bigint, wanted: bigint) {
		super(
			`the ${side}'s endpoint ${endpoint} is of another cluster: ${found.toString(16)}, where the others are of ${wanted.toString(16)}`,
		);
	}
}
