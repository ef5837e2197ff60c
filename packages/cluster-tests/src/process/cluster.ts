import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "@flotilla/server/internal";
import { MemberProcess } from "./member-process.ts";
import { PeerProxy } from "./peer-proxy.ts";
import { ask, type TlsFiles } from "./request.ts";
import type { TunedMember, Tuning } from "./tuned-member.ts";
import { eventually } from "./wait.ts";

export const FLOTILLA_PROGRAM = fileURLToPath(new URL("../../../../bin/flotilla", import.meta.url));
export const TUNED_MEMBER = fileURLToPath(new URL("./tuned-member.ts", import.meta.url));
export const ETCD_PROGRAM = "/usr/bin/etcd";

/** For leaders that change only when they are told to, ours and etcd's: longer than a busy machine holds one up. */
export const STAYS = ["--election-timeout", "5000"];

/** Members whose log is cut all the time: whoever is away for a moment needs a whole state. */
export const CUT_ALL_THE_TIME: Tuning = {
	walSegmentBytes: 64 << 10,
	walKeepEntries: 0,
	walKeepBytes: 0,
	logMemoryEntries: 0,
	floorBytes: 32 << 10,
	snapshotCount: 100,
};

const HEALTH_MS = 30_000;

type Program = "flotilla" | "etcd";
const READY_TEXT = { flotilla: "ready to serve client requests", etcd: "serving client traffic " } as const;

export interface ClusterMember {
	readonly name: string;
	readonly clientUrl: string;
	readonly peerUrl: string;
	readonly dataDir: string;
	readonly process: MemberProcess;
	/** Where its fault points are armed; null: it has none. */
	readonly faultPort: number | null;
}

export interface ClusterOptions {
	readonly size?: number;
	readonly program?: Program;
	readonly flags?: readonly string[];
	/** What no flag sets; the members then run without flags. */
	readonly tuning?: Tuning;
	/** With `tuning`: the members reach each other through proxies that can cut their connections. */
	readonly proxied?: boolean;
	/** With `tuning`: the members are test builds with fault points. */
	readonly faultPoints?: boolean;
	/** Clients and peers speak TLS with these files, and nobody gets in without a certificate of their authority. */
	readonly tls?: TlsFiles;
	/** Kept when given; otherwise a temporary folder that `dispose` removes. */
	readonly folder?: string;
}

/** A cluster of real processes on free loopback ports, with a folder of its own. */
export class ProcessCluster implements AsyncDisposable {
	readonly members: readonly ClusterMember[];
	readonly folder: string;
	/** What stands in front of each member's peer port, in their order; empty unless asked for. */
	readonly proxies: readonly PeerProxy[];
	private readonly ownFolder: boolean;

	readonly program: Program;
	private readonly tls: TlsFiles | undefined;

	private constructor(
		{ program = "flotilla", tls }: ClusterOptions,
		folder: string,
		ownFolder: boolean,
		members: readonly ClusterMember[],
		proxies: readonly PeerProxy[],
	) {
		this.program = program;
		this.tls = tls;
		this.folder = folder;
		this.ownFolder = ownFolder;
		this.members = members;
		this.proxies = proxies;
	}

	static async create(options: ClusterOptions = {}): Promise<ProcessCluster> {
		const size = options.size ?? 3;
		const program = options.program ?? "flotilla";
		const folder = options.folder ?? (await mkdtemp(join(tmpdir(), `${program}-test-`)));
		await mkdir(folder, { recursive: true });
		const ports = await freePorts(size * 3);
		const names = Array.from({ length: size }, (_, i) => `m${i + 1}`);
		const scheme = options.tls === undefined ? "http" : "https";
		const listenUrl = (i: number): string => `${scheme}://127.0.0.1:${ports[size + i]}`;
		const proxies = options.proxied === true ? await Promise.all(names.map((_, i) => PeerProxy.start(ports[size + i] as number))) : [];
		const peerUrl = (i: number): string => (proxies[i] === undefined ? listenUrl(i) : `${scheme}://127.0.0.1:${proxies[i].port}`);
		const urls = names.map((_, i) => `${scheme}://127.0.0.1:${ports[i]}`);
		const peerUrls = names.map((_, i) => peerUrl(i));
		const initialCluster = names.map((name, i) => `${name}=${peerUrl(i)}`).join(",");
		const members = names.map((name, i): ClusterMember => {
			const clientUrl = urls[i] as string;
			const dataDir = join(folder, name);
			const tuned =
				options.tuning &&
				tunedArgs({ self: i, names, clientUrls: urls, peerUrls, listenPeerUrl: listenUrl(i), dataDir, tuning: options.tuning });
			const faultPort = options.faultPoints === true ? (ports[2 * size + i] as number) : null;
			return {
				name,
				faultPort,
				clientUrl,
				peerUrl: peerUrl(i),
				dataDir,
				process: new MemberProcess({
					name,
					program: tuned !== undefined ? process.execPath : program === "flotilla" ? FLOTILLA_PROGRAM : ETCD_PROGRAM,
					// A test that is killed leaves no members behind.
					environment: { FLOTILLA_STOP_WITH_STDIN: "1", ...(faultPort === null ? {} : { FLOTILLA_FAULT_POINTS: String(faultPort) }) },
					logFile: join(folder, `${name}.log`),
					readyText: READY_TEXT[program],
					args: tuned ?? [
						...["--name", name, "--data-dir", dataDir],
						...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
						...["--listen-peer-urls", peerUrl(i), "--initial-advertise-peer-urls", peerUrl(i)],
						...["--initial-cluster", initialCluster, "--initial-cluster-state", "new", "--initial-cluster-token", "test"],
						...["--logger", "zap"],
						...(options.tls === undefined ? [] : tlsFlags(options.tls)),
						...(options.flags ?? []),
					],
				}),
			};
		});
		return new ProcessCluster(options, folder, options.folder === undefined, members, proxies);
	}

	static async start(options: ClusterOptions = {}): Promise<ProcessCluster> {
		const cluster = await ProcessCluster.create(options);
		try {
			await Promise.all(cluster.members.map((member) => member.process.start()));
		} catch (error) {
			await cluster.dispose();
			throw error;
		}
		return cluster;
	}

	get endpoints(): string[] {
		return this.members.map((member) => new URL(member.clientUrl).host);
	}

	member(index: number): ClusterMember {
		const member = this.members[index];
		if (member === undefined) throw new Error(`no member ${index}`);
		return member;
	}

	/**
	 * One that is to join the cluster with the members that are given, or all of the first ones: not started. Its folder lies
	 * beside theirs; it is the caller's to end, as is what stands in front of its peer port if that is asked for.
	 */
	async newcomer(
		name: string,
		present: readonly ClusterMember[] = this.members,
		{ proxied = false } = {},
	): Promise<ClusterMember & { readonly proxy: PeerProxy | null }> {
		const [clientPort = 0, peerPort = 0] = await freePorts(2);
		const proxy = proxied ? await PeerProxy.start(peerPort) : null;
		const [clientUrl, listenPeerUrl] = [`http://127.0.0.1:${clientPort}`, `http://127.0.0.1:${peerPort}`];
		const peerUrl = proxy === null ? listenPeerUrl : `http://127.0.0.1:${proxy.port}`;
		const dataDir = join(this.folder, name);
		const initialCluster = [...present, { name, peerUrl }].map((member) => `${member.name}=${member.peerUrl}`).join(",");
		const process = new MemberProcess({
			name,
			program: this.program === "etcd" ? ETCD_PROGRAM : FLOTILLA_PROGRAM,
			environment: { FLOTILLA_STOP_WITH_STDIN: "1" },
			logFile: join(this.folder, `${name}.log`),
			readyText: READY_TEXT[this.program],
			args: [
				...["--name", name, "--data-dir", dataDir],
				...["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl],
				...["--listen-peer-urls", listenPeerUrl, "--initial-advertise-peer-urls", peerUrl],
				...["--initial-cluster", initialCluster, "--initial-cluster-state", "existing", "--initial-cluster-token", "test"],
				...["--logger", "zap"],
			],
		});
		return { name, clientUrl, peerUrl, dataDir, process, faultPort: null, proxy };
	}

	/**
	 * Resolves when these members, or all, have applied all that was acknowledged before, wherever that was: health is told behind a read
	 * that waits for it. What a member tells of itself alone may be asked for then.
	 */
	async caughtUp(...places: readonly number[]): Promise<void> {
		const urls = this.members.map(({ clientUrl }) => clientUrl).filter((_, at) => places.length === 0 || places.includes(at));
		const look = async (url: string): Promise<void> => {
			const { status, text } = await ask(`${url}/health`, { timeoutMs: HEALTH_MS, ...(this.tls === undefined ? {} : { tls: this.tls }) });
			if (!text.includes('"health":"true"')) throw new Error(`${url}: ${status} ${text}`);
		};
		await Promise.all(urls.map((url) => eventually(`${url} has caught up`, () => look(url))));
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.dispose();
	}

	/** Ends every process and removes the folder. */
	async dispose(): Promise<void> {
		await Promise.all(this.members.map((member) => member.process.dispose()));
		await Promise.all(this.proxies.map((proxy) => proxy.close()));
		if (this.ownFolder) await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
	}
}

function tunedArgs(member: TunedMember): string[] {
	return ["--conditions=@flotilla/source", TUNED_MEMBER, JSON.stringify(member)];
}

function tlsFlags({ ca, cert, key }: TlsFiles): string[] {
	return ["", "peer-"].flatMap((side) => [
		...[`--${side}cert-file`, cert, `--${side}key-file`, key, `--${side}trusted-ca-file`, ca, `--${side}client-cert-auth`],
	]);
}
