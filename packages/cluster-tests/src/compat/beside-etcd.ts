/** One member of flotilla and a real etcd, told the same calls through the same client; what they answer, without what differs between any two clusters. */
import { METHODS } from "@flotilla/api";
import { type CallOptions, KvClient, RpcError } from "../client/kv-client.ts";
import { ProcessCluster } from "../process/cluster.ts";

export interface Call {
	readonly path: string;
	readonly request: Uint8Array;
}

/** Ids that servers draw are wider than those that tests choose. */
const CHOSEN_ID_MAX = 1n << 40n;

export class BesideEtcd {
	readonly clusters: readonly ProcessCluster[];
	readonly clients: readonly KvClient[];

	private constructor(clusters: readonly ProcessCluster[]) {
		this.clusters = clusters;
		this.clients = clusters.map((cluster) => new KvClient(cluster.endpoints[0] as string));
	}

	/** `flags` of both, and those that only flotilla takes. */
	static async start(flags: readonly string[] = [], own: readonly string[] = []): Promise<BesideEtcd> {
		return new BesideEtcd(
			await Promise.all([
				ProcessCluster.start({ size: 1, flags: [...flags, ...own] }),
				ProcessCluster.start({ size: 1, program: "etcd", flags }),
			]),
		);
	}

	/** Ours first. Credentials of the two differ. */
	async tell(call: Call, tokens: readonly string[] = ["", ""]): Promise<readonly [mine: unknown, theirs: unknown]> {
		const [mine, theirs] = await Promise.all(this.clients.map((client, at) => outcomeOf(client, call, tokenOptions(tokens[at]))));
		return [mine, theirs];
	}

	async dispose(): Promise<void> {
		for (const client of this.clients) client.close();
		await Promise.all(this.clusters.map((cluster) => cluster.dispose()));
	}
}

function tokenOptions(token = ""): CallOptions {
	return token === "" ? {} : { metadata: { token } };
}

export async function outcomeOf(client: KvClient, { path, request }: Call, options: CallOptions = {}): Promise<unknown> {
	try {
		const answer = await client.raw(path, Buffer.from(request), options);
		const decoded = METHODS.get(path)?.response.decode(answer) as { header?: { revision: number } | null };
		return plain({ ...decoded, header: decoded.header?.revision });
	} catch (error) {
		if (!(error instanceof RpcError)) throw error;
		return { code: error.code, text: error.text };
	}
}

/** Data that can be compared and printed. */
export function plain(value: unknown): unknown {
	if (typeof value === "bigint") return value > -CHOSEN_ID_MAX && value < CHOSEN_ID_MAX ? value.toString() : "id";
	if (value instanceof Uint8Array) return shownBytes(value);
	if (Array.isArray(value)) return value.map(plain);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function shownBytes(bytes: Uint8Array): string {
	return JSON.stringify(Buffer.from(bytes).toString("latin1")).slice(1, -1);
}

export function isRefusal(outcome: unknown): outcome is { readonly code: number; readonly text: string } {
	return typeof outcome === "object" && outcome !== null && "code" in outcome && "text" in outcome;
}
