/** The copies that the doctor works on: of a folder that stands still, and gone when it ends. */
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { copyTree, FolderMoves, withCopy } from "../../src/cli/doctor/folder-copy.ts";

const CHILD = fileURLToPath(new URL("./doctor-copy-child.ts", import.meta.url));

let folder: string;
let dataDir: string;
let scratch: string;
const log = (): string => join(dataDir, "member/wal/1.wal");

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-copy-"));
	[dataDir, scratch] = [join(folder, "data"), join(folder, "scratch")];
	await mkdir(scratch);
	await mkdir(join(dataDir, "member/wal"), { recursive: true });
	await writeFile(log(), "before");
	// Long ago: the clock of the file system is coarser than a test is quick.
	await utimes(log(), 1, 1);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a folder that stands still is copied, and the copy is gone when the work on it is done, or fails", async () => {
	const seen = await withCopy(dataDir, scratch, (copy) => readFile(join(copy, "member/wal/1.wal"), "utf8"));
	expect([seen, await readdir(scratch)]).toEqual(["before", []]);
	await expect(withCopy(dataDir, scratch, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
	expect(await readdir(scratch)).toEqual([]);
});

describe("a folder that is written to while it is copied is no member's that has ended:", () => {
	test.each<[string, () => Promise<unknown>]>([
		["a file grows", () => writeFile(log(), "before and after")],
		["a file of the same size holds something else", () => writeFile(log(), "behind")],
		["a file comes", () => writeFile(join(dataDir, "member/wal/2.wal"), "")],
		["a file goes", () => rm(log())],
		["a file takes the place of another", () => rename(log(), join(dataDir, "member/wal/0.wal"))],
		["a folder goes", () => rm(join(dataDir, "member/wal"), { recursive: true })],
	])("%s", async (_what, write) => {
		const copy = async (from: string, to: string): Promise<void> => {
			await copyTree(from, to);
			await write();
		};
		const work = (): Promise<void> => Promise.reject(new Error("it was taken for one of one moment"));
		await expect(withCopy(dataDir, scratch, work, copy)).rejects.toThrow(FolderMoves);
		expect(await readdir(scratch)).toEqual([]);
	});

	test("what a copy fails on is told as what it is where nothing changed", async () => {
		const copy = (): Promise<void> => Promise.reject(new Error("no space left on device"));
		await expect(withCopy(dataDir, scratch, () => Promise.resolve(), copy)).rejects.toThrow("no space left on device");
	});
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("%s ends it by that signal and takes the copy along", async (signal) => {
	const child = spawn(process.execPath, ["--conditions=@flotilla/source", CHILD, dataDir, scratch], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	const ended = new Promise((resolve) => child.once("exit", (_code, by) => resolve(by)));
	await new Promise((resolve) => child.stdout.once("data", resolve));
	expect(await readdir(scratch)).toHaveLength(1);
	child.kill(signal);
	expect([await ended, await readdir(scratch)]).toEqual([signal, []]);
});
