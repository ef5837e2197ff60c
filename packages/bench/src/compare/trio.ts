/** Three members of one kind on free loopback ports, each a process of its own, with their data below one temporary folder. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "@flotilla/server/internal";
import type { Access } from "../client/access.ts";
import { Target } from "../client/target.ts";
import { accessOf, demandLogins, type Equipment, flagsOf, nameOf, PLAIN } from "./equipment.ts";
import { Scraper } from "./scraper.ts";
import { type Usage, usageOf } from "./usage.ts";

export type Program = "flotilla" | "etcd";

const FLOTILLA = fileURLToPath(new URL("../../../../bin/flotilla", import.meta.url));
const READY: Readonly<Record<Program, string>> = { flotilla: "ready to serve client requests", etcd: "serving client traffic insecurely" };
const READY_MS = 60_000;
/** The last words of a process, for a failure's message. */
const TAIL_CHARACTERS = 2_000;

interface Running {
	readonly endpoint: string;
	readonly dataDir: string;
	readonly child: ChildProcess;
}

export class Trio {
	/** Those that run: a program that is told to end must not leave them behind. */
	private static readonly running = new Set<Trio>();
	/** None is started any more. */
	private static over = false;
	readonly program: Program;
	/** Who is measured: the program, or what flotilla is measured with. */
	readonly name: string;
	private readonly folder: string;
	private readonly members: readonly Running[];
	private readonly access: Access;
	private scraper: Scraper | null = null;

	private constructor(program: Program, equipment: Equipment | null, folder: string, members: readonly Running[]) {
		this.program = program;
		this.name = equipment === null ? program : nameOf(equipment);
		this.access = accessOf(equipment ?? PLAIN);
		this.folder = folder;
		this.members = members;
	}

	/** Resolves when all three are ready. `equipment`: of flotilla; null where it is beside etcd. */
	static async start(program: Program, equipment: Equipment | null = null): Promise<Trio> {
		const ports = await freePorts(6);
		if (Trio.over) throw new Error("the comparison was told to end");
		const folder = mkdtempSync(join(tmpdir(), `flotilla-bench-${program}-`));
		const names = ["m1", "m2", "m3"];
		const scheme = equipment?.has("tls") ? "https" : "http";
		const peer = (at: number): string => `${scheme}://127.0.0.1:${ports[3 + at]}`;
		const cluster = names.map((name, at) => `${name}=${peer(at)}`).join(",");
		const members: Running[] = [];
		const trio = new Trio(program, equipment, folder, members);
		Trio.running.add(trio);
		try {
			const started = names.map((name, at) => {
				const client = `${scheme}://127.0.0.1:${ports[at]}`;
				const dataDir = join(folder, name);
				const args = [
					...["--name", name, "--data-dir", dataDir],
					...["--listen-client-urls", client, "--advertise-client-urls", client],
					...["--listen-peer-urls", peer(at), "--initial-advertise-peer-urls", peer(at)],
					...["--initial-cluster", cluster, "--initial-cluster-state", "new", "--initial-cluster-token", "flotilla-bench"],
					...["--quota-backend-bytes", String(8 * 2 ** 30)],
					...(program === "etcd" ? ["--logger", "zap"] : flagsOf(equipment ?? PLAIN)),
				];
				// Ours end with this process, however it ends.
				const env = { PATH: process.env.PATH, ETCD_UNSUPPORTED_ARCH: process.arch, FLOTILLA_STOP_WITH_STDIN: "1" };
				const child = spawn(program === "etcd" ? "etcd" : FLOTILLA, args, { stdio: ["pipe", "ignore", "pipe"], env });
				members.push({ endpoint: scheme === "https" ? client : `127.0.0.1:${ports[at]}`, dataDir, child });
				return ready(child, READY[program], `${program} ${name}`);
			});
			await Promise.all(started);
			if (equipment?.has("auth")) await demandLogins(trio.endpoints, trio.access);
			if (equipment?.has("metrics")) trio.scraper = new Scraper(trio.endpoints);
			return trio;
		} catch (error) {
			await trio.dispose();
			throw error;
		}
	}

	/** Logged in where that is demanded. The caller closes it. */
	async target(): Promise<Target> {
		const target = new Target(this.endpoints, this.access);
		await target.login();
		return target;
	}

	/** Somebody reads its metrics. */
	get reads(): boolean {
		return this.scraper !== null;
	}

	/** Times that the metrics of a member were read. */
	get scrapes(): number {
		return this.scraper?.scrapes ?? 0;
	}

	get endpoints(): string[] {
		return this.members.map(({ endpoint }) => endpoint);
	}

	get dataDirs(): string[] {
		return this.members.map(({ dataDir }) => dataDir);
	}

	/** Of each member, in the order of the endpoints. Zeros where there is no /proc. */
	usage(): Promise<Usage[]> {
		return Promise.all(this.members.map(({ child }) => usageOf(child.pid as number)));
	}

	/** For good. */
	static async disposeAll(): Promise<void> {
		Trio.over = true;
		// Those that fail to start because of this dispose of themselves, too.
		while (Trio.running.size > 0) await Promise.all([...Trio.running].map((trio) => trio.dispose()));
	}

	/** Ends the processes and removes their data. */
	async dispose(): Promise<void> {
		this.scraper?.stop();
		await Promise.all(this.members.map(({ child }) => ended(child)));
		await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
		Trio.running.delete(this);
	}
}

export function haveEtcd(): boolean {
	return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, "etcd")));
}

function ready(child: ChildProcess, text: string, what: string): Promise<void> {
	return new Promise((resolve, reject) => {
		let tail = "";
		const fail = (how: string): void => {
			clearTimeout(timer);
			reject(new Error(`${what} ${how}; its last words:\n${tail}`));
		};
		const timer = setTimeout(() => fail(`was not ready within ${READY_MS / 1_000} s`), READY_MS);
		child.once("error", (error) => fail(`cannot be started: ${error.message}`));
		child.once("exit", (code, signal) => fail(`ended (${code ?? signal})`));
		// Read on afterwards, too: a full pipe would stop the member.
		child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
			tail = `${tail}${piece}`.slice(-TAIL_CHARACTERS);
			if (!tail.includes(text)) return;
			clearTimeout(timer);
			resolve();
		});
	});
}

async function ended(child: ChildProcess): Promise<void> {
	if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
	const exit = new Promise((resolve) => child.once("exit", resolve));
	child.kill("SIGKILL");
	await exit;
}
