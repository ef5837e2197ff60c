/** A small data folder with everything in it, and what a member says who serves from it. */
import { cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { AlarmAction } from "@flotilla/replica";
import { LevelHouse, type OpenStore, type StoreCompletion, type StoreOp } from "@flotilla/server/internal";
import { FLOTILLA_PROGRAM } from "../process/cluster.ts";
import { runTool } from "../process/tools.ts";
import { eventually } from "../process/wait.ts";
import { realGround, type StoreContent } from "./ground.ts";
import { type Contents, Life, MEMBER_ID } from "./life.ts";
import { alarm, type Command, otherRecords } from "./other-records.ts";

/** Plain data: it goes to the processes that judge. */
export interface Master {
	readonly contents: Contents;
	readonly files: readonly MasterFile[];
	/** What its store holds, by generation. */
	readonly stores: ReadonlyMap<string, StoreContent>;
}

export interface MasterFile {
	/** Relative to the folder. */
	readonly path: string;
	readonly content: Uint8Array;
	/** Some writes earlier; null: it was not there. */
	readonly older: Uint8Array | null;
}

const WRITES = 60;
const OTHERS_EVERY = 12;

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

/**
 * Puts, deletions, transactions, a compaction, leases, users, roles, alarms, floors, several segments; at the end an alarm stands. Ended as by
 * SIGKILL, so nothing is tidied up.
 */
export async function makeMaster(folder: string): Promise<Master> {
	const [first, older, master] = ["first", "older", "master"].map((name) => join(folder, name, "member")) as [string, string, string];
	await mkdir(first, { recursive: true });
	await live(first, 0);
	await cp(first, older, { recursive: true });
	await cp(first, master, { recursive: true });
	const contents = await live(master, WRITES, alarm(AlarmAction.activate, MEMBER_ID));
	return { contents, files: await listFiles(master, older), stores: await readStores(master, join(folder, "read")) };
}

async function listFiles(folder: string, older: string): Promise<MasterFile[]> {
	const entries = await readdir(folder, { recursive: true, withFileTypes: true });
	const paths = entries.filter((entry) => entry.isFile()).map((entry) => relative(folder, join(entry.parentPath, entry.name)));
	return Promise.all(
		paths.sort().map(async (path) => ({
			path,
			content: await plainBytes(join(folder, path)),
			older: await plainBytes(join(older, path)).catch(() => null),
		})),
	);
}

/** No Buffer: it would come out of another process as something else than it went in. */
async function plainBytes(path: string): Promise<Uint8Array> {
	return new Uint8Array(await readFile(path));
}

/** From a copy: opening a store changes its files. */
async function readStores(folder: string, copy: string): Promise<Map<string, StoreContent>> {
	await cp(folder, copy, { recursive: true });
	const house = new LevelHouse(copy);
	const generations = await new Promise<readonly string[]>((resolve) => house.list(resolve));
	const contents = new Map<string, StoreContent>();
	for (const generation of generations) {
		const store = await new Promise<OpenStore>((resolve, reject) =>
			house.open(generation, false, (opening) => (opening.ok ? resolve(opening.store) : reject(new Error(opening.text)))),
		);
		const { records } = await run(store, { id: 1, kind: "scan", recordsMax: Number.MAX_SAFE_INTEGER });
		const { rows } = await run(store, { id: 2, kind: "readTables" });
		await new Promise<void>((resolve) => store.close(resolve));
		contents.set(generation, {
			records: new Map(records?.map(({ key, value }) => [Buffer.from(key).toString("latin1"), new Uint8Array(value)])),
			rows: new Map(rows?.map(({ key, value }) => [key, new Uint8Array(value)])),
		});
	}
	await rm(copy, { recursive: true });
	return contents;
}

function run(store: OpenStore, op: StoreOp): Promise<StoreCompletion> {
	return new Promise((resolve, reject) => {
		store.onCompletion = (completion) => (completion.error === null ? resolve(completion) : reject(new Error(completion.error)));
		store.submit(op);
	});
}

async function live(folder: string, from: number, last: Command | null = null): Promise<Contents> {
	const life = new Life(realGround(folder));
	const start = await life.start();
	if (start.kind !== "serves") throw new Error(`the undamaged folder does not serve: ${start.text}`);
	const submit = (command: Command): Promise<void> =>
		new Promise((resolve, reject) => life.submit(command, (fault) => (fault === null ? resolve() : reject(new Error(fault)))));
	for (let n = from; n < from + WRITES; n++) {
		if (n % OTHERS_EVERY === 0) for (const command of otherRecords(n, MEMBER_ID)) await submit(command);
		const key = `key ${n % 23}`;
		if (n % 11 === 7) await life.write({ kind: "delete", key, end: "" });
		else if (n % 13 === 5) await life.write({ kind: "txn", compare: [], success: [{ kind: "put", key, value: `txn ${n}` }], failure: [] });
		else await life.write({ kind: "put", key, value: `value ${n} ${"x".repeat((n * 37) % 300)}` });
	}
	await life.write({ kind: "compact", revision: start.contents.revision + (WRITES >> 1) });
	// A few that no floor holds.
	for (let n = 0; n < 5; n++) await life.write({ kind: "put", key: `late ${n}`, value: `after ${from}` });
	if (last !== null) await submit(last);
	const end = life.look();
	await eventually("the log notes how far it reaches", () => assertNoted(folder));
	await life.end(false);
	return end;
}
