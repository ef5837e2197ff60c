/** Where a run leaves what it found. One run at a time: a second one would mix its files with those of the first. */
import { existsSync } from "node:fs";
import { cp, lstat, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const IN_USE = ".running";

export class ReportFolder {
	readonly path: string;

	private constructor(path: string) {
		this.path = path;
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
		const mark = join(path, IN_USE);
		const owner = await ownerOf(mark);
		if (owner !== null) throw new Error(`${path} is in use by a run of process ${owner}: choose another folder with --report`);
		try {
			await rm(mark, { force: true });
			await writeFile(mark, String(process.pid), { flag: "wx" });
		} catch (error) {
			throw new Error(`${path} cannot be written to: ${(error as Error).message}`, { cause: error });
		}
		return new ReportFolder(path);
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
		await rm(this.file(IN_USE), { force: true });
	}
}

function unlessThere(error: NodeJS.ErrnoException): void {
	if (error.code !== "EEXIST") throw error;
}

/** Of a mark whose process is gone: null. */
async function ownerOf(mark: string): Promise<number | null> {
	const pid = Number(await readFile(mark, "utf8").catch(() => ""));
	if (!Number.isInteger(pid) || pid <= 0) return null;
	try {
		process.kill(pid, 0);
		return pid;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === "EPERM" ? pid : null;
	}
}
