/** The cluster under test: real processes at some place, whose members reach each other only through links that can be cut. */
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "@flotilla/server/internal";
import { KvClient } from "../client/kv-client.ts";
import { ETCD_PROGRAM, FLOTILLA_PROGRAM } from "../process/cluster.ts";
import type { MemberProcess } from "../process/member-process.ts";
import { eventually } from "../process/wait.ts";
import { DeadMan } from "./dead-man-control.ts";
import { makePlace } from "./places/index.ts";
import type { LinkHand, Place, PlaceName, Site } from "./places/place.ts";
import { SmallDisks } from "./small-disk.ts";

const TEST_BUILD = fileURLToPath(new URL("../fault-points/member-main.ts", import.meta.url));
/** The loader finds it in its own folder of each architecture. */
const FAKETIME = `/usr/$LIB/faketime/libfaketimeMT.so.1`;

export interface StageOptions {
	readonly program: "flotilla" | "etcd";
	readonly place: PlaceName;
	readonly members: number;
	readonly seed: string;
	readonly flags: readonly string[];
	/** Members run under a clock that can be moved. */
	readonly clocks: boolean;
	/** Every port speaks TLS, with certificates that the members make themselves. The proxies cannot tell then who dials. */
	readonly tls: boolean;
	/** Each member's data lies on a small file system of its own. */
	readonly smallDisks: boolean;
	/** Members are test builds, with fault points. */
	readonly faultPoints: boolean;
	/** Members are test builds that keep next to nothing of their log. */
	readonly shortLog: boolean;
	/** Data and logs; a temporary folder when null. */
	readonly folder: string | null;
}

/** One place of the cluster. A member that was replaced keeps place and ports and has another id and folder. */
export class StageMember {
	readonly name: string;
	readonly site: Site;
	private readonly scheme: "http://" | "https://";
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
	/** Of `lives`, the one that a fault ends, or may. 0: none. */
	doomedLife = 0;
	/** Something in its folder was changed by a fault: it may end as soon as it reads that. */
	damaged = false;

	/** `tls`: it speaks nothing else, to clients and to peers. */
	constructor(name: string, site: Site, dataDir: string, tls: boolean) {
		this.name = name;
		this.scheme = tls ? "https://" : "http://";
		this.site = site;
		this.dataDir = dataDir;
		this.process = null as unknown as MemberProcess;
	}

	/** Where clients dial it: `host:port`, or `https://host:port`. */
	get address(): string {
		return this.scheme === "https://" ? this.clientUrl : this.site.address;
	}

	get clientUrl(): string {
		return `${this.scheme}${this.site.address}`;
	}

	/** Where the others dial it. */
	get peerUrl(): string {
		return this.url(this.site.peerUrl);
	}

	/** A URL of the site, as this member speaks it. */
	url(plain: string): string {
		return plain.replace("http://", this.scheme);
	}

	get life(): string {
		return `${this.name}#${this.lives}`;
	}
}

export interface Ending {
	/** Exit status or signal. */
	readonly how: number | string;
	/** A fault has ended this life, or may have. */
	readonly doomed: boolean;
}

export class Stage {
	readonly members: readonly StageMember[];
	readonly folder: string;
	readonly options: StageOptions;
	readonly deadMan: DeadMan;
	private readonly place: Place;
	private readonly disks: SmallDisks;
	/** By name of the member; none where they are no test builds. */
	private readonly faultPorts = new Map<string, number>();
	private folders = 0;
	private closing = false;
	/** The process of a member that belongs to the cluster, and was ready, has ended. */
	onEnded: (member: StageMember, ending: Ending) => void = () => {};

	private constructor(options: StageOptions, folder: string, place: Place, deadMan: DeadMan) {
		this.options = options;
		this.folder = folder;
		this.place = place;
		this.deadMan = deadMan;
		this.disks = new SmallDisks(deadMan);
		this.members = place.sites.map((site, at) => new StageMember(nameOf(at), site, join(folder, nameOf(at)), options.tls));
	}

	static async start(options: StageOptions): Promise<Stage> {
		const folder = options.folder ?? (await mkdtemp(join(tmpdir(), "flotilla-chaos-")));
		await mkdir(folder, { recursive: true });
		const deadMan = new DeadMan();
		if (options.folder === null) deadMan.undo(folder, ["rm", "-rf", folder]);
		const names = Array.from({ length: options.members }, (_, at) => nameOf(at));
		const place = await makePlace(options.place, names, options.seed, deadMan).catch(async (error) => {
			await deadMan.close();
			throw error;
		});
		const stage = new Stage(options, folder, place, deadMan);
		const { members } = stage;
		try {
			const all = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
			if (options.faultPoints) await stage.drawFaultPorts();
			for (const member of members) {
				await stage.makeFolder(member);
				stage.prepare(member, all, "new");
			}
			await Promise.all(members.map((member) => stage.startMember(member)));
			for (const member of members) await stage.identify(member);
		} catch (error) {
			await stage.close();
			throw error;
		}
		return stage;
	}

	get links(): LinkHand {
		return this.place.links;
	}

	/** Members that belong to the cluster, whether they run or not. */
	get present(): StageMember[] {
		return this.members.filter(({ out }) => !out);
	}

	/** How the member is started from now on. */
	prepare(member: StageMember, initialCluster: string, state: "new" | "existing"): void {
		const { program, flags, shortLog } = this.options;
		const { name, site, dataDir } = member;
		const faultPort = this.faultPorts.get(name);
		const testBuild = shortLog || faultPort !== undefined;
		const spec = {
			name,
			program: testBuild ? process.execPath : program === "flotilla" ? FLOTILLA_PROGRAM : ETCD_PROGRAM,
			environment: {
				FLOTILLA_STOP_WITH_STDIN: "1",
				...(testBuild ? { UV_THREADPOOL_SIZE: "8" } : {}),
				...(faultPort === undefined ? {} : { FLOTILLA_FAULT_POINTS: String(faultPort) }),
				...(shortLog ? { FLOTILLA_SHORT_LOG: "1" } : {}),
				...(this.options.clocks ? this.clockOf(member) : {}),
			},
			apart: true,
			logFile: join(this.folder, `${name}.log`),
			readyText:
				program === "flotilla" ? "ready to serve client requests" : `serving client traffic ${this.options.tls ? "" : "in"}securely`,
			args: [
				...(testBuild ? ["--conditions=@flotilla/source", TEST_BUILD] : []),
				...["--name", name, "--data-dir", site.folderInside ?? dataDir],
				...["--listen-client-urls", member.url(site.listenClientUrl), "--advertise-client-urls", member.clientUrl],
				...["--listen-peer-urls", member.url(site.listenPeerUrl), "--initial-advertise-peer-urls", member.peerUrl],
				...(this.options.tls ? ["--auto-tls", "--peer-auto-tls"] : []),
				...["--initial-cluster", initialCluster, "--initial-cluster-state", state, "--initial-cluster-token", "chaos"],
				...["--logger", "zap"],
				...flags,
			],
		};
		member.process = this.place.process(site, spec, dataDir);
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
	async startMember(member: StageMember, timeoutMs = 120_000): Promise<void> {
		member.lives++;
		if (member.damaged) this.doom(member);
		const ready = member.process.start(timeoutMs);
		const { pid } = member.process;
		this.deadMan.watch(pid);
		const { process } = member;
		const ended = process.exited();
		void ended.then(() => this.deadMan.forget(pid));
		const life = member.lives;
		await ready;
		// Whoever waits for this start hears of one that failed.
		void ended.then((how) => {
			if (!this.closing && !member.out && member.process === process) this.onEnded(member, { how, doomed: member.doomedLife === life });
		});
	}

	/** This life of the member is about to be ended, or may be: its end is no loss. */
	doom(member: StageMember): { spare(): void } {
		const life = member.lives;
		member.doomedLife = life;
		return {
			spare() {
				if (member.doomedLife === life) member.doomedLife = 0;
			},
		};
	}

	/** Where the fault points of this member are armed. */
	faultPort({ name }: StageMember): number {
		const port = this.faultPorts.get(name);
		if (port === undefined) throw new Error(`${name} is no test build`);
		return port;
	}

	private async drawFaultPorts(): Promise<void> {
		const ports = await freePorts(this.members.length);
		for (const [at, { name }] of this.members.entries()) this.faultPorts.set(name, ports[at] as number);
	}

	/** Its content is what the member's wall clock runs off by. */
	clockFile(member: StageMember): string {
		return join(this.folder, `${member.name}.clock`);
	}

	async freshFolder(member: StageMember): Promise<void> {
		member.dataDir = join(this.folder, `${member.name}-${++this.folders}`);
		member.damaged = false;
		await this.makeFolder(member);
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

	/** Members make their own folders, unless they are to be small. */
	private async makeFolder({ dataDir }: StageMember): Promise<void> {
		if (this.options.smallDisks) await this.disks.mount(dataDir);
	}

	private async statusOf(member: StageMember): Promise<{ readonly term: number; readonly leader: string } | null> {
		const client = new KvClient(member.address);
		try {
			const { raftTerm, leader } = await client.status({ timeoutMs: 1_000 });
			return { term: Number(raftTerm), leader: BigInt(leader).toString(16) };
		} catch {
			return null;
		} finally {
			client.close();
		}
	}

	/** Their folders and logs are left, and change no more. */
	async endMembers(): Promise<void> {
		this.closing = true;
		await Promise.all(this.members.map((member) => member.process?.dispose()));
	}

	/** Every process ends; the folder goes, if it was a temporary one. */
	async close(): Promise<void> {
		await this.endMembers();
		await this.place.close();
		await this.disks.close();
		await this.deadMan.close();
		if (this.options.folder === null) await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
	}
}

function nameOf(at: number): string {
	return `m${at + 1}`;
}
