/** A member whose writes to some files take longer: a tracer holds up the thread that writes, as a slow disk would, and nothing else. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterMember } from "./cluster.ts";

/** Writes of the log are writes on O_DSYNC descriptors. */
const CALL = "pwrite64";

export class SlowLog implements AsyncDisposable {
	private readonly tracer: ChildProcess;
	private readonly ended: Promise<unknown>;
	private readonly folder: string;

	private constructor(tracer: ChildProcess, folder: string) {
		this.tracer = tracer;
		this.folder = folder;
		this.ended = once(tracer, "close");
	}

	/** Each write to the files that the log has now takes so much longer. Needs strace, and root. */
	static async begin(member: ClusterMember, delayMs: number): Promise<SlowLog> {
		return SlowLog.slow(member, delayMs, CALL, join(member.dataDir, "member", "wal"));
	}

	/** The same of the store: what takes effect waits for the disk in the end, what is committed does not. */
	static async beginAtStore(member: ClusterMember, delayMs: number): Promise<SlowLog> {
		const own = join(member.dataDir, "member");
		const [store = ""] = (await readdir(own)).filter((name) => name.startsWith("store."));
		return SlowLog.slow(member, delayMs, "write", join(own, store));
	}

	private static async slow({ process }: ClusterMember, delayMs: number, call: string, at: string): Promise<SlowLog> {
		const paths = (await readdir(at)).flatMap((file) => ["-P", join(at, file)]);
		const folder = await mkdtemp(join(tmpdir(), "flotilla-slow-log-"));
		const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:delay_exit=${delayMs * 1_000}`];
		const args = ["-f", "-qq", "-p", String(process.pid), ...inject, "-o", join(folder, "calls"), ...paths];
		return new SlowLog(spawn("strace", args, { stdio: "ignore" }), folder);
	}

	/** Writes that have been held up, and have ended. */
	async heldUp(): Promise<number> {
		const calls = await readFile(join(this.folder, "calls"), "utf8").catch(() => "");
		return calls.split(/\((?:INJECTED|DELAYED)\)/).length - 1;
	}

	/** Takes its hands off. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.tracer.kill("SIGINT");
		await this.ended;
		await rm(this.folder, { recursive: true, force: true });
	}
}
