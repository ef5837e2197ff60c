/** Copies of data folders: of one moment, or found not to be; taken away again however the command ends. */
import { constants, mkdtempSync, rmSync } from "node:fs";
import { copyFile, mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { MEMBER_FOLDER } from "../../member-folder.ts";
import { endBySignal } from "../stop-request.ts";

/** A file changed, came or went while the copy was made: somebody writes there. */
export class FolderMoves extends Error {
	override readonly name = "FolderMoves";
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs `work` on a copy below `scratch`. Throws a FolderMoves. */
export async function withCopy<T>(
	dataDir: string,
	scratch: string,
	work: (folder: string) => Promise<T>,
	copy: (from: string, to: string) => Promise<void> = copyTree,
): Promise<T> {
	const folder = mkdtempSync(join(scratch, "flotilla-doctor-"));
	const removeAndEnd = (signal: NodeJS.Signals): void => {
		rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
		endBySignal(signal);
	};
	for (const signal of SIGNALS) process.on(signal, removeAndEnd);
	try {
		await copyStill(join(dataDir, MEMBER_FOLDER), join(folder, MEMBER_FOLDER), copy);
		return await work(folder);
	} finally {
		await rm(folder, { recursive: true, force: true, maxRetries: 5 });
		for (const signal of SIGNALS) process.off(signal, removeAndEnd);
	}
}

async function copyStill(from: string, to: string, copy: (from: string, to: string) => Promise<void>): Promise<void> {
	const before = await marksOf(from);
	const failure = await copy(from, to).then(
		() => null,
		(error: unknown) => error,
	);
	// A member that runs lets go of files, too: that explains what the copy, or this look, failed on.
	if ((await marksOf(from).catch(() => null)) !== before) throw new FolderMoves("files changed while they were copied");
	if (failure !== null) throw failure;
}

/** Everything that a write changes. */
async function marksOf(folder: string): Promise<string> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
	const marks: string[] = [];
	for (const path of paths) {
		const found = await stat(path, { bigint: true }).catch(() => null);
		marks.push(found === null ? `${path} gone` : `${path} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`);
	}
	return marks.join("\n");
}

export async function copyTree(from: string, to: string): Promise<void> {
	await mkdir(to, { mode: 0o700 });
	for (const entry of await readdir(from, { withFileTypes: true })) {
		const [source, target] = [join(from, entry.name), join(to, entry.name)];
		if (entry.isDirectory()) await copyTree(source, target);
		// Shares the blocks where the file system can.
		else if (entry.isFile()) await copyFile(source, target, constants.COPYFILE_FICLONE);
	}
}
