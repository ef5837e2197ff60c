import { execFileSync } from "node:child_process";
import { lstat, mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { saveSnapshot } from "./snapshot-save.ts";

let folder = "";
beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-save-"));
});
afterEach(() => rm(folder, { recursive: true }));

function pipe(path: string): void {
	execFileSync("mkfifo", [path]);
}

async function linkToPipe(path: string): Promise<void> {
	pipe(`${path}.pipe`);
	await symlink(`${path}.pipe`, path);
}

const PLACES: ReadonlyArray<readonly [name: string, make: (path: string) => unknown]> = [
	["a pipe", pipe],
	["a folder", mkdir],
	["a link to a pipe", linkToPipe],
];

test.each(PLACES)("%s is no place for a snapshot: nobody is asked, and it stays", async (_, make) => {
	let connections = 0;
	const member = createServer((socket) => {
		connections++;
		socket.destroy();
	});
	await new Promise<void>((resolve) => void member.listen(0, "127.0.0.1", resolve));
	const endpoint = `127.0.0.1:${(member.address() as AddressInfo).port}`;
	const save = (path: string) => saveSnapshot(path, { endpoint, login: undefined, cacert: undefined, cert: undefined, key: undefined });
	try {
		for (const [target, special] of [
			["save", "save"],
			["other", "other.part"],
		] as const) {
			const path = join(folder, special);
			await make(path);
			const [before, names] = [await lstat(path), await readdir(folder)];
			await expect(save(join(folder, target))).rejects.toThrow(`${path} exists and is no regular file, so nothing was done`);
			expect([(await lstat(path)).ino, (await lstat(path)).mode, await readdir(folder)]).toEqual([before.ino, before.mode, names]);
		}
		expect(connections).toBe(0);
		// What is missing is made: then somebody is asked.
		await expect(save(join(folder, "new"))).rejects.toThrow();
		expect(connections).toBe(1);
	} finally {
		await new Promise((resolve) => void member.close(resolve));
	}
});
