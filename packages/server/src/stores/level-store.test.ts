import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { levelRefusal } from "./level-errors.ts";
import { LevelHouse } from "./level-house.ts";
import { LevelStore } from "./level-store.ts";
import { batch, record, recordKey, StoreRunner, storeSuite } from "./store.suite.ts";

const root = await mkdtemp(join(tmpdir(), "flotilla-level-"));
const folders = new Map<LevelStore, string>();
let made = 0;

afterAll(async () => {
	for (const store of folders.keys()) await store.close();
	await rm(root, { recursive: true, force: true });
});

async function open(folder: string, create: boolean): Promise<LevelStore> {
	const opening = await LevelStore.open(folder, create);
	if (!opening.ok) throw new Error(opening.text);
	folders.set(opening.store, folder);
	return opening.store;
}

storeSuite(
	"level store",
	() => open(join(root, `suite-${++made}`), true),
	async (disk) => {
		const folder = folders.get(disk as LevelStore) as string;
		folders.delete(disk as LevelStore);
		await (disk as LevelStore).close();
		return open(folder, false);
	},
);

describe("batches that come one after another", () => {
	const made3 = async (name: string): Promise<StoreRunner> => new StoreRunner(await open(join(root, name), true));
	const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

	// Time stands still, so whatever returns did not wait for it.
	beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
	afterEach(() => void vi.useRealTimers());

	test("wait for each other, are written together, and return in their order", async () => {
		const store = await made3("gathered");
		const runs = [1, 2].map((seq) => store.run({ kind: "batch", batch: batch(seq, [record(seq + 1, `v${seq}`)]) }));
		for (let turns = 0; turns < 20; turns++) await turn();
		expect(store.completed).toEqual([]);
		vi.advanceTimersByTime(10);
		await Promise.all(runs);
		expect(store.completed).toEqual([1, 2]);
		expect(store.disk.get(recordKey(3))).toBeDefined();
	});

	test("do not wait when something else is asked for, when they delete, or when they are many", async () => {
		const store = await made3("pressing");
		const waiting = store.run({ kind: "batch", batch: batch(1, [record(2, "small")]) });
		await store.run({ kind: "floor", rows: [] });
		await waiting;
		await store.run({ kind: "batch", batch: batch(2, [], [recordKey(2)]) });
		const halves = [3, 4].map((seq) =>
			store.run({ kind: "batch", batch: batch(seq, [{ key: recordKey(seq), value: new Uint8Array(128 << 10) }]) }),
		);
		await Promise.all(halves);
		expect(store.completed).toEqual([1, 2, 3, 4, 5]);
	});

	test("that come while one is written wait for each other as well", async () => {
		const store = await made3("behind");
		const large = store.run({ kind: "batch", batch: batch(1, [{ key: recordKey(1), value: new Uint8Array(256 << 10) }]) });
		await turn();
		const small = store.run({ kind: "batch", batch: batch(2, [record(2, "small")]) });
		await large;
		for (let turns = 0; turns < 20; turns++) await turn();
		expect(store.completed).toEqual([1]);
		vi.advanceTimersByTime(10);
		await small;
	});

	test("are written when the store is closed meanwhile", async () => {
		const folder = join(root, "closed-early");
		const disk = await open(folder, true);
		folders.delete(disk);
		const store = new StoreRunner(disk);
		const run = store.run({ kind: "batch", batch: batch(1, [record(2, "two")]) });
		await disk.close();
		expect((await run).error).toBeNull();
		expect((await open(folder, false)).get(recordKey(2))).toBeDefined();
	});
});

test("a folder that is open is refused as locked, a missing one as missing, and neither is made", async () => {
	const folder = join(root, "locked");
	await open(folder, true);
	const second = await LevelStore.open(folder, false);
	expect(second).toMatchObject({ ok: false, code: "locked" });
	const missing = await LevelStore.open(join(root, "missing"), false);
	expect(missing).toMatchObject({ ok: false, code: "missing" });
	expect(await readdir(root)).not.toContain("missing");
});

/** Writes batches of three records one after another, a floor behind every fifth, and reports what has returned. */
const WRITER = `
	import { LevelStore } from ${JSON.stringify(new URL("./level-store.ts", import.meta.url).href)};
	import { batch, record, StoreRunner } from ${JSON.stringify(new URL("./store.suite.ts", import.meta.url).href)};
	const opening = await LevelStore.open(process.argv[1], process.argv[2] === "create");
	const store = new StoreRunner(opening.store);
	for (let seq = Number(process.argv[3]); ; seq++) {
		const records = [0, 1, 2].map((sub) => record(3 * seq + sub, "batch " + seq + " " + "x".repeat(500)));
		await store.run({ kind: "batch", batch: batch(seq, records) });
		if (seq % 5 === 0) {
			await store.run({ kind: "barrier" });
			await store.run({ kind: "floor", rows: [{ key: "FLOOR", value: new TextEncoder().encode(String(seq)) }] });
		}
		process.stdout.write(seq + "\\n");
	}
`;

/** Runs the writer until it has reported `count` batches, kills it with SIGKILL and returns the last report. */
async function writeAndKill(folder: string, create: boolean, from: number, count: number): Promise<number> {
	const node = ["--conditions=@flotilla/source", "--input-type=module", "-e", WRITER];
	const child = spawn(process.execPath, [...node, folder, create ? "create" : "open", String(from)], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
	let last = from - 1;
	for await (const line of createInterface({ input: child.stdout })) {
		last = Number(line);
		if (last === from + count) child.kill("SIGKILL");
	}
	await ended;
	return last;
}

test("kill -9 loses no batch that had returned and never a part of one", async () => {
	const folder = join(root, "killed");
	let from = 1;
	for (const count of [3, 40, 17]) {
		const reported = await writeAndKill(folder, from === 1, from, count);
		expect(reported).toBeGreaterThanOrEqual(from + count);
		const store = new StoreRunner(await open(folder, false));
		const records = await store.scanAll(1_000);
		const whole = Math.floor(records.length / 3);
		expect(records.length, "batches are whole").toBe(whole * 3);
		expect(whole, "every reported batch is there").toBeGreaterThanOrEqual(reported);
		for (let seq = 1; seq <= whole; seq++) expect(store.disk.get(recordKey(3 * seq + 2)), `batch ${seq}`).toBeDefined();
		const floor = (await store.run({ kind: "readTables" })).rows?.find(({ key }) => key === "FLOOR");
		expect(floor === undefined ? 0 : Number(new TextDecoder().decode(floor.value))).toBeGreaterThanOrEqual(reported - (reported % 5));
		folders.delete(store.disk as LevelStore);
		await (store.disk as LevelStore).close();
		from = whole + 1;
	}
});

test("a store with a damaged manifest is refused as damaged", async () => {
	const folder = join(root, "damaged");
	const disk = await open(folder, true);
	folders.delete(disk);
	await disk.close();
	const manifest = (await readdir(folder)).find((name) => name.startsWith("MANIFEST")) as string;
	await writeFile(join(folder, manifest), "not a manifest");
	expect(await LevelStore.open(folder, false)).toMatchObject({ ok: false, code: "damaged" });
});

describe("what goes wrong is told apart:", () => {
	let whole = "";
	let table = "";
	let manifest = "";

	beforeAll(async () => {
		whole = join(root, "whole");
		const store = new StoreRunner(await open(whole, true));
		for (let seq = 1; seq <= 20; seq++) await store.run({ kind: "batch", batch: batch(seq, [record(seq, `value ${seq} `.repeat(200))]) });
		await store.run({ kind: "barrier" });
		folders.delete(store.disk as LevelStore);
		await (store.disk as LevelStore).close();
		const names = await readdir(whole);
		table = names.find((name) => name.endsWith(".ldb")) as string;
		manifest = names.find((name) => name.startsWith("MANIFEST")) as string;
	});

	const spoil: ReadonlyArray<readonly [string, string, (folder: string) => Promise<unknown>]> = [
		["a table is gone", "open: damaged", (folder) => rm(join(folder, table))],
		["the manifest is gone", "open: damaged", (folder) => rm(join(folder, manifest))],
		["CURRENT is gone", "open: damaged", (folder) => rm(join(folder, "CURRENT"))],
		["CURRENT is empty", "open: damaged", (folder) => writeFile(join(folder, "CURRENT"), "")],
		["a table was cut", "open: damaged", (folder) => truncate(join(folder, table), 1_000)],
		["a table is empty", "open: damaged", (folder) => truncate(join(folder, table), 0)],
		["a table's bytes changed", "open: damaged", (folder) => overwrite(join(folder, table))],
		["the lock cannot be made", "open: io", (folder) => replaceByFolder(join(folder, "LOCK"))],
		["the manifest cannot be read", "open: io", (folder) => replaceByFolder(join(folder, manifest))],
		["a table cannot be read", "scan: io", (folder) => replaceByFolder(join(folder, table))],
	];
	test.each(spoil)("%s (%s)", async (_name, wanted, damage) => {
		const folder = join(root, `spoilt-${++made}`);
		await cp(whole, folder, { recursive: true });
		await damage(folder);
		const opening = await LevelStore.open(folder, false);
		if (!opening.ok) {
			expect(`open: ${opening.code}`).toBe(wanted);
			expect(opening.text).not.toBe("");
			return;
		}
		folders.set(opening.store, folder);
		const { error, damaged } = await new StoreRunner(opening.store).run({ kind: "scan", recordsMax: 1_000 });
		expect(error).not.toBe(null);
		expect(`scan: ${damaged === true ? "damaged" : "io"}`, error ?? "").toBe(wanted);
	});

	test("a place where no folder can be made, or that cannot be looked at, is the disk's", async () => {
		const file = join(root, "a file");
		await writeFile(file, "");
		expect(await LevelStore.open(join(file, "store"), true)).toMatchObject({ ok: false, code: "io" });
		expect(await LevelStore.open(join(file, "store"), false)).toMatchObject({ ok: false, code: "io" });
		let error: string | undefined;
		await new Promise<void>((resolve) =>
			new LevelHouse(join(file, "member")).list((_generations, problem) => {
				error = problem;
				resolve();
			}),
		);
		expect(error).toMatch(/ENOTDIR/);
	});
});

describe("an error of LevelDB", () => {
	test.each([
		["IO error: lock /d/store.1/LOCK: already held by process", "locked"],
		["IO error: lock /d/store.1/LOCK: Resource temporarily unavailable", "locked"],
		["IO error: lock /d/store.1/LOCK: No locks available", "io"],
		["IO error: /d/store.1/LOCK: Read-only file system", "io"],
		["IO error: /d/store.1/LOCK: Permission denied", "io"],
		["IO error: /d/store.1/000007.ldb: Too many open files", "io"],
		["IO error: /d/store.1/000007.ldb: Input/output error", "io"],
		["IO error: /d/store.1/MANIFEST-000002: No such file or directory", "damaged"],
		["Corruption: 1 missing files; e.g.: /d/store.1/000005.ldb", "damaged"],
		["Invalid argument: /d/store.1: does not exist (create_if_missing is false)", "damaged"],
	])("%s: %s", (text, code) => {
		expect(levelRefusal(new Error("not open", { cause: new Error(text) }), false)).toEqual({ ok: false, code, text });
	});

	test("of a missing file says nothing of a store that is being made", () => {
		expect(levelRefusal(new Error("IO error: /d/store.2/LOCK: No such file or directory"), true)).toMatchObject({ code: "io" });
	});
});

async function overwrite(path: string): Promise<void> {
	const bytes = await readFile(path);
	await writeFile(path, bytes.fill(0xff, Math.floor(bytes.length / 2)));
}

/** A folder in the place of a file: what even root cannot open. */
async function replaceByFolder(path: string): Promise<void> {
	await rm(path);
	await mkdir(path);
}

test("the space of deleted records comes back by itself", async () => {
	const disk = await open(join(root, "space"), true);
	const store = new StoreRunner(disk);
	const RECORDS = 12_000;
	const PART = 500;
	for (let from = 0; from < RECORDS; from += PART) {
		const records = Array.from({ length: PART }, (_, i) => record(from + i, randomBytes(150).toString("hex")));
		await store.run({ kind: "batch", batch: batch(from + 1, records) });
	}
	await store.run({ kind: "barrier" });
	await eventually(() => expect(disk.sizeBytes()).toBeGreaterThan(3_000_000));
	const full = disk.sizeBytes();
	for (let from = 0; from < RECORDS; from += PART) {
		const deletes = Array.from({ length: PART }, (_, i) => recordKey(from + i));
		await store.run({ kind: "batch", batch: { ...batch(RECORDS + from + 1, []), deletes } });
	}
	await eventually(() => expect(disk.sizeBytes()).toBeLessThan(full / 3));
});

async function eventually(attempt: () => void): Promise<void> {
	const deadline = performance.now() + 60_000;
	for (;;) {
		try {
			attempt();
			return;
		} catch (error) {
			if (performance.now() > deadline) throw error;
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
	}
}
