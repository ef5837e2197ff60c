import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, expect, test } from "vitest";
import { LevelStore } from "./level-store.ts";
import { recordKey, StoreRunner, storeSuite } from "./store.suite.ts";

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
