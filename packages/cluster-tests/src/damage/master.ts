/** A small data folder with everything in it, and what a member says who serves from it. */
import { cp, mkdir, readdir, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { FLOTILLA_PROGRAM } from "../process/cluster.ts";
import { runTool } from "../process/tools.ts";
import { eventually } from "../process/wait.ts";
import { type Contents, Life } from "./life.ts";

export interface Master {
	readonly folder: string;
	/** The same folder some writes earlier, whole. */
	readonly older: string;
	readonly contents: Contents;
	readonly files: readonly MasterFile[];
}

export interface MasterFile {
	/** Relative to the folder. */
	readonly path: string;
	readonly bytes: number;
}

const WRITES = 60;

/**
 * Until the log has noted that its last frame is durable, damage there looks like a write that a crash has torn, and nobody can
 * tell: the member may then go back to the frame before, as after a crash.
 */
async function assertNoted(folder: string): Promise<void> {
	const { stdout } = await runTool(FLOTILLA_PROGRAM, ["log", "dump", dirname(folder), "--value-bytes", "0"]);
	const lines = stdout
		.trim()
		.split("\n")
		.map((line) => JSON.parse(line) as { type: string; frame?: number; durableFrame?: number });
	const last = Math.max(...lines.map(({ frame }) => frame ?? 0));
	const noted = lines.find(({ type }) => type === "vote")?.durableFrame ?? 0;
	if (noted < last) throw new Error(`${noted} of ${last} frames`);
}

/** Puts, deletions, transactions, a compaction, floors, several segments; ended as by SIGKILL, so nothing is tidied up. */
export async function makeMaster(folder: string): Promise<Master> {
	const [first, older, master] = ["first", "older", "master"].map((name) => join(folder, name, "member")) as [string, string, string];
	await mkdir(first, { recursive: true });
	await live(first, 0);
	await cp(first, older, { recursive: true });
	await cp(first, master, { recursive: true });
	const contents = await live(master, WRITES);
	return { folder: master, older, contents, files: await listFiles(master) };
}

export async function listFiles(folder: string): Promise<MasterFile[]> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	const paths = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
	return Promise.all(paths.sort().map(async (path) => ({ path, bytes: (await stat(join(folder, path))).size })));
}

async function live(folder: string, from: number): Promise<Contents> {
	const life = new Life(folder);
	const start = await life.start();
	if (start.kind !== "serves") throw new Error(`the undamaged folder does not serve: ${start.text}`);
	for (let n = from; n < from + WRITES; n++) {
		const key = `key ${n % 23}`;
		if (n % 11 === 7) await life.write({ kind: "delete", key, end: "" });
		else if (n % 13 === 5) await life.write({ kind: "txn", compare: [], success: [{ kind: "put", key, value: `txn ${n}` }], failure: [] });
		else await life.write({ kind: "put", key, value: `value ${n} ${"x".repeat((n * 37) % 300)}` });
	}
	await life.write({ kind: "compact", revision: start.contents.revision + (WRITES >> 1) });
	// A few that no floor holds.
	for (let n = 0; n < 5; n++) await life.write({ kind: "put", key: `late ${n}`, value: `after ${from}` });
	const end = life.look();
	await eventually("the log notes how far it reaches", () => assertNoted(folder));
	await life.end(false);
	return end;
}
