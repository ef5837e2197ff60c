/**
 * Which process holds the lock of a store in a member's folder, without asking for the lock: the kernel's list of locks tells. So a
 * member that has nothing to write and no tap to answer on (a socket's path has its limit) is not taken for dead. Linux alone has it.
 */
import { readdir, readFile, readlink, realpath, stat } from "node:fs/promises";
import { join } from "node:path";

const LOCKS = "/proc/locks";
const LOCK_FILE = "LOCK";

/** Null: none that can be seen from here. */
export async function lockHolder(memberFolder: string): Promise<number | null> {
	const names = await readdir(memberFolder).catch(() => []);
	const held = await readLocks();
	for (const name of names) {
		const path = join(memberFolder, name, LOCK_FILE);
		const found = await stat(path, { bigint: true }).catch(() => null);
		if (found === null) continue;
		const holder = held.find(({ inode }) => inode === found.ino);
		// Inodes are those of one device; a layered file system shows another device here than there.
		if (holder !== undefined && (await hasOpen(holder.pid, await realpath(path)))) return holder.pid;
	}
	return null;
}

async function readLocks(): Promise<ReadonlyArray<{ readonly pid: number; readonly inode: bigint }>> {
	const text = await readFile(LOCKS, "latin1").catch(() => "");
	return [...text.matchAll(/^\d+: POSIX +\S+ +\S+ +(\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /gm)].map(([, pid, inode]) => ({
		pid: Number(pid),
		inode: BigInt(inode as string),
	}));
}

async function hasOpen(pid: number, path: string): Promise<boolean> {
	const folder = `/proc/${pid}/fd`;
	for (const name of await readdir(folder).catch(() => [])) {
		if ((await readlink(join(folder, name)).catch(() => "")) === path) return true;
	}
	return false;
}
