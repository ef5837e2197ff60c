/** Where a run leaves what it found. One run at a time: a second one would mix its files with those of the first. */
import { createHash } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import { cp, lstat, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";

export const HISTORY = "history.jsonl.gz";
export const MEMBERS = "members";
const LEFT_BEHIND = ["report.html", "report.json", HISTORY, MEMBERS];
const PROBE = ".writable";

/** Whether a run has left there what it found. */
export function holdsRun(path: string): boolean {
	return LEFT_BEHIND.some((name) => existsSync(join(path, name)));
}

/** The first of PATH, PATH-2, PATH-3 and so on that holds no run. */
export function unusedFolder(path: string): string {
	for (let number = 2, folder = path; ; number++) {
		if (!holdsRun(folder)) return folder;
		folder = `${path}-${number}`;
	}
}

export class ReportFolder {
	readonly path: string;
	private readonly lock: Server;

	private constructor(path: string, lock: Server) {
		this.path = path;
		this.lock = lock;
	}

	/** Before anything is started, so that a run does not end with nowhere to write to. Throws with the reason. */
	static async claim(path: string): Promise<ReportFolder> {
		try {
			// Where no folder can be made, as in /proc, a recursive call of Node.js tries for ever.
			if (existsSync(dirname(path))) await mkdir(path).catch(unlessThere);
			else await mkdir(path, { recursive: true });
		} catch (error) {
			throw new Error(`${path} cannot be made for the report: ${(error as Error).message}`, { cause: error });
		}
		// Taken back by the system however the process ends.
		const lock = createServer();
		const taken = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
			lock.once("error", resolve);
			lock.listen({ path: `\0flotilla-chaos-${createHash("sha256").update(realpathSync(path)).digest("hex")}` }, () => resolve(null));
		});
		if (taken !== null) throw new Error(`${path} is in use by another run: choose another folder with --report`);
		const probe = join(path, PROBE);
		try {
			await writeFile(probe, "");
			await rm(probe);
		} catch (error) {
			lock.close();
			throw new Error(`${path} cannot be written to: ${(error as Error).message}`, { cause: error });
		}
		return new ReportFolder(path, lock);
	}

	file(name: string): string {
		return join(this.path, name);
	}

	/** What an earlier run of the same name kept is no evidence of this one. */
	async clear(...names: readonly string[]): Promise<void> {
		for (const name of names) await rm(this.file(name), { recursive: true, force: true });
	}

	async write(name: string, text: string): Promise<void> {
		await writeFile(this.file(name), text);
	}

	/** Copies data and logs of the members. Sockets cannot be copied, and hold nothing. */
	async keep(name: string, folder: string): Promise<void> {
		await cp(folder, this.file(name), {
			recursive: true,
			filter: async (source) => {
				const entry = await lstat(source);
				return entry.isFile() || entry.isDirectory();
			},
		});
	}

	async release(): Promise<void> {
		await new Promise((closed) => this.lock.close(closed));
	}
}

function unlessThere(error: NodeJS.ErrnoException): void {
	if (error.code !== "EEXIST") throw error;
}
