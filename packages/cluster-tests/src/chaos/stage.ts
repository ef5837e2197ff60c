/** The cluster under test: real processes whose members reach each other only through links that can be cut. */
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "@flotilla/server/internal";
import { KvClient } from "../client/kv-client.ts";
import { ETCD_PROGRAM, FLOTILLA_PROGRAM } from "../process/cluster.ts";
import { MemberProcess } from "../process/member-process.ts";
import { eventually } from "../process/wait.ts";
import { DeadMan } from "./dead-man-control.ts";
import { LinkControl } from "./link-control.ts";

/** The loader finds it in its own folder of each architecture. */
const FAKETIME = `/usr/$LIB/faketime/libfaketimeMT.so.1`;

export interface StageOptions {
	readonly program: "flotilla" | "etcd";
	readonly members: number;
	readonly seed: string;
	readonly flags: readonly string[];
	/** Members run under a clock that can be moved. */
	readonly clocks: boolean;
	/** Data and logs; a temporary folder when null. */
	readonly folder: string | null;
}

/** One place of the cluster. A member that was replaced keeps place and ports and has another id and folder. */
export class StageMember {
	readonly name: string;
	readonly clientUrl: string;
	/** Where it listens, and the proxy in front that the others dial. */
	readonly peerPort: number;
	readonly proxyPort: number;
	dataDir: string;
	process: MemberProcess;
	/** Hexadecimal, once it is known. */
	id: string | null = null;
	/** Process lives so far: answers of two lives are told apart. */
	lives = 0;
	/** Not part of the cluster at the moment, or never to be started again: nobody may expect it to serve. */
	out = false;
	/** A fault holds it down or still; others leave it alone. */
	held = false;

	constructor(name: string, ports: { readonly client: number; readonly peer: number; readonly proxy: number }, dataDir: string) {
		this.name = name;
		this.clientUrl = `http://127.0.0.1:${ports.client}`;
		this.peerPort = ports.peer;
		this.proxyPort = ports.proxy;
		this.dataDir = dataDir;
		this.process = null as unknown as MemberProcess;
	}

	get address(): string {
		return this.clientUrl.slice("http://".length);
	}

	get proxyUrl(): string {
		return `http://127.0.0.1:${this.proxyPort}`;
	}

	get life(): string {
		return `${this.name}#${this.lives}`;
	}
}

export class Stage {
	readonly members: readonly StageMember[];
	readonly links: LinkControl;
	readonly folder: string;
	readonly options: StageOptions;
	readonly deadMan: DeadMan;
	private folders = 0;

	private constructor(options: StageOptions, folder: string, members: readonly StageMember[]) {
		this.options = options;
		this.folder = folder;
		this.members = members;
		this.deadMan = new DeadMan();
		this.links = new LinkControl(options.seed);
		this.deadMan.watch(this.links.pid);
	}

	static async start(options: StageOptions): Promise<Stage> {
		const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "flotilla-chaos-")));
		await mkdir(folder, { recursive: true });
		const ports = await freePorts(3 * options.members);
		const members = Array.from({ length: options.members }, (_, at) => {
			const [client, peer, proxy] = ports.slice(3 * at, 3 * at + 3) as [number, number, number];
			return new StageMember(`m${at + 1}`, { client, peer, proxy }, join(folder, `m${at + 1}`));
		});
		const stage = new Stage(options, folder, members);
		try {
			for (const member of members) await stage.links.add({ name: member.name, targetPort: member.peerPort, listenPort: member.proxyPort });
			const all = members.map(({ name, proxyUrl }) => `${name}=${proxyUrl}`).join(",");
			for (const member of members) stage.prepare(member, all, "new");
			await Promise.all(members.map((member) => stage.startMember(member)));
			for (const member of members) await stage.identify(member);
		} catch (error) {
			await stage.close();
			throw error;
		}
		return stage;
	}

	/** Members that belong to the cluster, whether they run or not. */
	get present(): StageMember[] {
		return this.members.filter(({ out }) => !out);
	}

	/** How the member is started from now on. */
	prepare(member: StageMember, initialCluster: string, state: "new" | "existing"): void {
		const { program, flags } = this.options;
		member.process = new MemberProcess({
			name: member.name,
			program: program === "flotilla" ? FLOTILLA_PROGRAM : ETCD_PROGRAM,
			environment: { FLOTILLA_STOP_WITH_STDIN: "1", ...(this.options.clocks ? this.clockOf(member) : {}) },
			logFile: join(this.folder, `${member.name}.log`),
			readyText: program === "flotilla" ? "ready to serve client requests" : "serving client traffic insecurely",
			args: [
				...["--name", member.name, "--data-dir", member.dataDir],
				...["--listen-client-urls", member.clientUrl, "--advertise-client-urls", member.clientUrl],
				...["--listen-peer-urls", `http://127.0.0.1:${member.peerPort}`, "--initial-advertise-peer-urls", member.proxyUrl],
				...["--initial-cluster", initialCluster, "--initial-cluster-state", state, "--initial-cluster-token", "chaos"],
				...["--logger", "zap"],
				...flags,
			],
		});
	}

	private clockOf(member: StageMember): Record<string, string> {
		writeFileSync(this.clockFile(member), "+0s\n");
		return {
			LD_PRELOAD: FAKETIME,
			FAKETIME_TIMESTAMP_FILE: this.clockFile(member),
			FAKETIME_CACHE_DURATION: "1",
			// A host's clock may jump, the time since its start may not.
			FAKETIME_DONT_FAKE_MONOTONIC: "1",
		};
	}

	/** Starts the process and waits until it serves; rejects when it ends or is not ready in time. */
	async startMember(member: StageMember, timeoutMs = 60_000): Promise<void> {
		member.lives++;
		const ready = member.process.start(timeoutMs);
		const { pid } = member.process;
		this.deadMan.watch(pid);
		void member.process.exited().then(() => this.deadMan.forget(pid));
		await ready;
	}

	/** Its content is what the member's wall clock runs off by. */
	clockFile(member: StageMember): string {
		return join(this.folder, `${member.name}.clock`);
	}

	freshFolder(member: StageMember): void {
		member.dataDir = join(this.folder, `${member.name}-${++this.folders}`);
	}

	/** Tells the links which id the member dials with. */
	async identify(member: StageMember): Promise<void> {
		const client = new KvClient(member.address);
		try {
			const { header } = await eventually(`the id of ${member.name}`, () => client.status({ timeoutMs: 2_000 }));
			member.id = BigInt(header.member_id).toString(16);
			await this.links.identify(member.id, member.name);
		} finally {
			client.close();
		}
	}

	/** The member that the answering ones call leader; null when nobody knows one. */
	async leader(): Promise<StageMember | null> {
		const statuses = await Promise.all(this.present.filter(({ process }) => process.running).map((member) => this.statusOf(member)));
		const newest = statuses.filter((status) => status !== null).sort((a, b) => b.term - a.term)[0];
		return newest === undefined ? null : (this.present.find(({ id }) => id === newest.leader) ?? null);
	}

	private async statusOf(member: StageMember): Promise<{ readonly term: number; readonly leader: string } | null> {
		const client = new KvClient(member.address);
		try {
			const { raftTerm, leader } = await client.status({ timeoutMs: 500 });
			return { term: Number(raftTerm), leader: BigInt(leader).toString(16) };
		} catch {
			return null;
		} finally {
			client.close();
		}
	}

	/** Every process ends; the folder goes, if it was a temporary one. */
	async close(): Promise<void> {
		await Promise.all(this.members.map((member) => member.process?.dispose()));
		await this.links.close();
		await this.deadMan.close();
		if (this.options.folder === null) await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
	}
}
