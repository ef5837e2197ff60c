/** Members on real files and sockets for tests: free ports, folders that are removed, a small client. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { etcdserverpb } from "@flotilla/api";
import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { bootstrapMemberId, clusterId } from "./cli/cluster-ids.ts";
import { freePorts } from "./free-ports.ts";
import { type Member, type MemberHooks, startMember } from "./member.ts";
import { DEFAULT_MEMBER_OPTIONS, type MemberConfig } from "./member-config.ts";
import { Logger } from "./tap/logger.ts";

const PUT = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };

export class TestCluster {
	readonly folder = mkdtempSync(join(tmpdir(), "flotilla-member-"));
	readonly configs: readonly MemberConfig[];
	readonly members: Array<Member | null>;
	/** By member: what `onFatal` was told. */
	readonly deaths: string[] = [];
	private readonly clients = new Set<Client>();

	private constructor(configs: (folder: string) => readonly MemberConfig[]) {
		this.configs = configs(this.folder);
		this.members = this.configs.map(() => null);
	}

	static async of(size: number, change: Partial<MemberConfig> = {}): Promise<TestCluster> {
		const ports = await freePorts(size);
		const initialCluster = ports.map((port, at) => {
			const peerUrls = [`http://127.0.0.1:${port}`];
			return { id: bootstrapMemberId(peerUrls, DEFAULT_MEMBER_OPTIONS.initialClusterToken), name: `m${at + 1}`, peerUrls };
		});
		return new TestCluster((folder) =>
			initialCluster.map(({ id, name, peerUrls }) => ({
				...DEFAULT_MEMBER_OPTIONS,
				name,
				dataDir: join(folder, name),
				listenClientUrls: ["http://127.0.0.1:0"],
				advertiseClientUrls: ["http://127.0.0.1:2379"],
				listenPeerUrls: peerUrls,
				initialAdvertisePeerUrls: peerUrls,
				initialCluster,
				memberId: id,
				clusterId: clusterId(initialCluster.map(({ id: memberId }) => memberId)),
				walSegmentBytes: 256 << 10,
				...change,
			})),
		);
	}

	/** Starts one member; it need not be ready. */
	async start(at: number, change: Partial<MemberConfig> = {}, hooks: MemberHooks = {}): Promise<Member> {
		const logger = new Logger({ level: "fatal", wallMs: Date.now }, []);
		const member = await startMember(
			{ ...(this.configs[at] as MemberConfig), ...change },
			{ logger, onFatal: (text) => void this.deaths.push(text), ...hooks },
		);
		this.members[at] = member;
		return member;
	}

	async startAll(): Promise<Member[]> {
		const members = await Promise.all(this.configs.map((_, at) => this.start(at)));
		await Promise.all(members.map(({ ready }) => ready));
		return members;
	}

	async stop(at: number): Promise<void> {
		await this.members[at]?.stop();
		this.members[at] = null;
	}

	client(at: number): Client {
		const url = this.members[at]?.clientUrls[0] ?? "";
		const client = new Client(url.replace("http://", ""), credentials.createInsecure());
		this.clients.add(client);
		return client;
	}

	/** Ends everything, removes everything. */
	async close(): Promise<void> {
		for (const client of this.clients) client.close();
		await Promise.all(this.members.map(async (member) => member?.stop()));
		rmSync(this.folder, { recursive: true, force: true });
	}
}

function call(client: Client, path: string, request: Uint8Array, deadlineMs: number): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const same = (bytes: Buffer): Buffer => bytes;
		const done = (error: ServiceError | null, response?: Buffer): void => (error === null ? resolve(response as Buffer) : reject(error));
		client.makeUnaryRequest(path, same, same, Buffer.from(request), { deadline: Date.now() + deadlineMs }, done);
	});
}

export async function put(client: Client, key: string, value: string, deadlineMs = 60_000) {
	const request = etcdserverpb.PutRequest.encode({ ...PUT, key: Buffer.from(key), value: Buffer.from(value) });
	const { header } = etcdserverpb.PutResponse.decode(await call(client, "/etcdserverpb.KV/Put", request, deadlineMs));
	return { revision: header?.revision ?? 0, term: header?.raftTerm ?? 0, member: header?.memberId ?? 0n };
}

export async function get(client: Client, key: string, deadlineMs = 60_000): Promise<string | null> {
	const request = Buffer.concat([Buffer.from([0x0a, key.length]), Buffer.from(key)]);
	const { kvs } = etcdserverpb.RangeResponse.decode(await call(client, "/etcdserverpb.KV/Range", request, deadlineMs));
	return kvs[0] === undefined ? null : Buffer.from(kvs[0].value).toString();
}
