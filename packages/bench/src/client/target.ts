/** The cluster under load: who leads, how far it is, and the connections to it. */
import { etcdserverpb } from "@flotilla/api";
import { ChunkPool } from "@flotilla/server/internal";
import { type Access, OPEN_ACCESS } from "./access.ts";
import { GrpcConnection } from "./grpc-connection.ts";

/** To whom the load goes: the leader, a follower, or all endpoints in turn. */
export type Aim = "leader" | "follower" | "all";

export interface MemberState {
	readonly endpoint: string;
	readonly memberId: bigint;
	readonly leads: boolean;
	readonly revision: number;
	readonly version: string;
}

export class Target {
	readonly endpoints: readonly string[];
	private readonly access: Access;
	private token = "";
	private readonly pool = new ChunkPool();
	private readonly asked = new Map<string, GrpcConnection>();

	constructor(endpoints: readonly string[], access: Access = OPEN_ACCESS) {
		this.endpoints = endpoints;
		this.access = access;
	}

	/** Once, before anything else is asked for; nothing where nobody is to be logged in. */
	async login(): Promise<void> {
		if (this.access.user === null) return;
		const request = etcdserverpb.AuthenticateRequest.encode(this.access.user);
		const answer = await this.ask("/etcdserverpb.Auth/Authenticate", request);
		this.token = etcdserverpb.AuthenticateResponse.decode(answer).token;
		this.close();
	}

	/** What each call carries; empty without a login. */
	get loginToken(): string {
		return this.token;
	}

	/** Of every endpoint that answers; throws when none does. */
	async states(): Promise<MemberState[]> {
		const answers = await Promise.allSettled(this.endpoints.map((endpoint) => this.state(endpoint)));
		const states = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
		const refused = answers.find((answer) => answer.status === "rejected");
		if (states.length === 0 && refused !== undefined) throw refused.reason;
		return states;
	}

	/** The endpoints that the load is to go to. */
	async aim(aim: Aim): Promise<readonly string[]> {
		if (aim === "all") return this.endpoints;
		const states = await this.states();
		const found = states.filter(({ leads }) => leads === (aim === "leader")).map(({ endpoint }) => endpoint);
		if (found.length === 0) throw new Error(`none of the endpoints is a ${aim}`);
		return found.slice(0, 1);
	}

	/** Revision of the store by a linearizable read: what was acknowledged is in it. */
	async revision(): Promise<number> {
		const request = etcdserverpb.RangeRequest.encode({ key: Buffer.from("flotilla-bench-none") });
		const answer = etcdserverpb.RangeResponse.decode(await this.ask("/etcdserverpb.KV/Range", request));
		return answer.header?.revision ?? 0;
	}

	/** The first endpoint that answers. */
	async ask(path: string, message: Uint8Array): Promise<Buffer> {
		let problem: unknown = null;
		for (const endpoint of this.endpoints) {
			try {
				return await (await this.connected(endpoint)).ask(path, message);
			} catch (error) {
				problem ??= error;
				if (!this.asked.get(endpoint)?.closed && this.asked.has(endpoint)) throw error;
			}
		}
		throw problem;
	}

	/** A new one, for the load. */
	dial(endpoint: string): Promise<GrpcConnection> {
		return GrpcConnection.dial(endpoint, this.access, this.token, this.pool);
	}

	close(): void {
		for (const connection of this.asked.values()) connection.close();
		this.asked.clear();
	}

	private async state(endpoint: string): Promise<MemberState> {
		const connection = await this.connected(endpoint);
		const answer = await connection.ask("/etcdserverpb.Maintenance/Status", etcdserverpb.StatusRequest.encode({}));
		const { header, leader, version } = etcdserverpb.StatusResponse.decode(answer);
		const memberId = header?.memberId ?? 0n;
		return { endpoint, memberId, leads: leader === memberId && memberId !== 0n, revision: header?.revision ?? 0, version };
	}

	private async connected(endpoint: string): Promise<GrpcConnection> {
		const former = this.asked.get(endpoint);
		if (former !== undefined && !former.closed) return former;
		this.asked.delete(endpoint);
		const connection = await this.dial(endpoint);
		this.asked.set(endpoint, connection);
		return connection;
	}
}
