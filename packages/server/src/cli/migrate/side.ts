/**
 * One of the two clusters of a migration: any of its members, one after another, until one answers. Nothing is asked over a
 * connection that has not shown to be of that cluster: in another one all leases and keys would seem to be gone, and a write
 * would be lost there, or would overwrite what is there.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Access, type CallError, type Introduction, OutsideClient, textOf } from "../outside-client.ts";
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
		const met: Met[] = [];
		await each(this.endpoints, async (endpoint) => {
			try {
				met.push([endpoint, await this.ask(endpoint)]);
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
		if (new Set(met.map(([, { clusterId }]) => clusterId)).size > 1) {
			const found = met.map(([endpoint, { clusterId }]) => `${endpoint} of ${clusterId.toString(16)}`).sort();
			throw new StrangeCluster(`the ${this.name}'s endpoints are of different clusters, so nothing was done: ${found.join(", ")}`);
		}
		this.clusterId = met[0]?.[1].clusterId ?? null;
		await this.refuseTwins(met);
	}

	/**
	 * Clusters that were started alike have the same ids, also those of their members. But one member by two names is no less far
	 * by the second one than by the first before, and no farther than by the first behind.
	 */
	private async refuseTwins(met: readonly Met[]): Promise<void> {
		const byMember = new Map<bigint, string>();
		for (const [endpoint, { clusterId, memberId }] of met) {
			const twin = byMember.get(memberId);
			byMember.set(memberId, endpoint);
			if (twin === undefined) continue;
			// One that is lost meanwhile will be asked again, and behind one name may be several members, by turns.
			const seen = await this.askAll([twin, endpoint, twin]).catch(() => []);
			if (seen.some((one) => one.memberId !== memberId) || seen.every((one, at) => at === 0 || isNoFarther(seen[at - 1], one))) continue;
			throw new StrangeCluster(
				`the ${this.name}'s endpoints ${twin} and ${endpoint} are of different clusters that were started alike, both ${clusterId.toString(16)}, so nothing was done`,
			);
		}
	}

	/** One after another. */
	private async askAll(endpoints: readonly string[]): Promise<readonly Introduction[]> {
		const seen: Introduction[] = [];
		for (const endpoint of endpoints) seen.push(await this.ask(endpoint));
		return seen;
	}

	private async ask(endpoint: string): Promise<Introduction> {
		const [client, introduction] = await this.introduced(endpoint);
		client.close();
		return introduction;
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
		const [client, { clusterId }] = await this.introduced(endpoint);
		try {
			this.compare(endpoint, clusterId);
			const { login } = this.access;
			if (login !== undefined && !client.isLoggedIn) await client.logIn(login);
			return client;
		} catch (error) {
			client.close();
			throw error;
		}
	}

	/** A connection, and the cluster that it leads to. Where even that is told to users only, one logs in first. */
	private async introduced(endpoint: string): Promise<[client: OutsideClient, introduction: Introduction]> {
		const client = await OutsideClient.make(endpoint, this.access);
		try {
			const introduction = await client.introduce().catch(async (error: CallError) => {
				const { login } = this.access;
				if (login === undefined || !textOf(error).includes("user name is empty")) throw error;
				await client.logIn(login);
				return client.introduce();
			});
			if (introduction.clusterId === 0n)
				throw new StrangeCluster(`the ${this.name}'s endpoint ${endpoint} does not say which cluster it is of`);
			return [client, introduction];
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

type Met = readonly [endpoint: string, introduction: Introduction];

function isNoFarther(one: Introduction | undefined, other: Introduction): boolean {
	return one === undefined || (one.raftTerm <= other.raftTerm && one.raftIndex <= other.raftIndex);
}

/** An endpoint leads somewhere else: no other one is tried. */
export class StrangeCluster extends Error {
	override readonly name = "StrangeCluster";
}
