/** A real member alone, plain or with TLS, whose memory is looked at from inside of its process. */
import { readFile } from "node:fs/promises";
import { freePorts } from "@flotilla/server/internal";
import { ProcessCluster } from "../process/cluster.ts";
import { MemberProcess } from "../process/member-process.ts";
import { MEMORY_PORT } from "./memory-port.ts";

const REPORTER = new URL("./memory-reporter.ts", import.meta.url).href;
const CUT = '"event":"clientCut"';

export class WatchedMember implements AsyncDisposable {
	readonly url: string;
	private readonly cluster: ProcessCluster;
	private readonly process: MemberProcess;
	private readonly memoryPort: number;

	private constructor(url: string, cluster: ProcessCluster, process: MemberProcess, memoryPort: number) {
		this.url = url;
		this.cluster = cluster;
		this.process = process;
		this.memoryPort = memoryPort;
	}

	static async start(scheme: "http" | "https"): Promise<WatchedMember> {
		const [port = 0, memoryPort = 0] = await freePorts(2);
		const url = `${scheme}://127.0.0.1:${port}`;
		const flags = ["--listen-client-urls", url, "--advertise-client-urls", url, ...(scheme === "https" ? ["--auto-tls"] : [])];
		const cluster = await ProcessCluster.create({ size: 1, flags });
		const { spec } = cluster.member(0).process;
		const environment = { ...spec.environment, NODE_OPTIONS: `--import=${REPORTER}`, [MEMORY_PORT]: String(memoryPort) };
		const member = new WatchedMember(url, cluster, new MemberProcess({ ...spec, environment }), memoryPort);
		await member.process.start();
		return member;
	}

	/** Memory counts from now on. */
	async watchMemory(): Promise<void> {
		await this.ask("begin");
	}

	/** Looks, and tells the most that it used since then at any look, of what cannot be collected. */
	async lookAtMemory(): Promise<number> {
		return Number(await this.ask("look"));
	}

	/** What the system counts for its process now, after a collection. */
	async residentBytes(): Promise<number> {
		return Number(await this.ask("resident"));
	}

	/** Why it has ended connections of clients so far, as its log tells it: each reason once. */
	async cutReasons(): Promise<ReadonlySet<string>> {
		const lines = (await readFile(this.process.spec.logFile, "utf8")).split("\n").filter((line) => line.includes(CUT));
		return new Set(lines.map((line) => (JSON.parse(line) as { reason: string }).reason));
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.process.dispose();
		await this.cluster.dispose();
	}

	private async ask(what: string): Promise<string> {
		return (await fetch(`http://127.0.0.1:${this.memoryPort}/${what}`)).text();
	}
}
