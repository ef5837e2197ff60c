/** Files cut where one of their parts ends and the next begins, and one byte before and behind: of the log every one, of the others too. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bordersOf } from "../src/damage/borders.ts";
import { runDamage } from "../src/damage/campaign.ts";
import { type Damage, damaged, describeDamage } from "../src/damage/damages.ts";
import { type Master, type MasterFile, makeMaster } from "../src/damage/master.ts";
import { FLOTILLA_PROGRAM } from "../src/process/cluster.ts";
import { runTool } from "../src/process/tools.ts";

let folder = "";
let master: Master;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "flotilla-borders-"));
	master = await makeMaster(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const file = (part: string): MasterFile => master.files.find(({ path }) => path.includes(part)) as MasterFile;
const borders = (part: string): number[] => bordersOf(file(part).path, file(part).content);

test("the borders of the log are where the product's own dump says that frames begin and the log ends", async () => {
	const { stdout } = await runTool(FLOTILLA_PROGRAM, ["log", "dump", join(folder, "master"), "--value-bytes", "0"]);
	const facts = stdout
		.split("\n")
		.filter((line) => line.startsWith("{"))
		.map((line) => JSON.parse(line) as { type: string; file?: string; offset?: number });
	let path = "";
	let ends = 0;
	for (const { type, file: name, offset } of facts) {
		if (type === "segment") path = name as string;
		if (offset === undefined) continue;
		expect(borders(path), `${type} of ${path}`).toContain(offset);
		if (type !== "end") continue;
		expect(borders(path).at(-1)).toBe(offset);
		ends++;
	}
	expect(facts.filter(({ offset }) => offset !== undefined).length).toBeGreaterThan(5);
	expect(ends).toBeGreaterThan(0);
});

test("every file but those that nobody reads has borders, and each lies within it", () => {
	for (const { path, content } of master.files) {
		const found = bordersOf(path, content);
		const unread = /LOCK$|LOG(\.old)?$|spare\.tmp$/.test(path);
		expect(found.length > 0, path).toBe(!unread);
		for (const at of found) expect(at > 0 && at < content.length, `${path} at ${at}`).toBe(true);
	}
	expect(borders("identity")).toEqual([8, 16, 24, 32, 40]);
	expect(borders("vote").slice(0, 9)).toEqual([8, 16, 24, 32, 40, 48, 56, 64, 4_096]);
	// A table ends with a footer of 48 bytes, before it the index with its trailer of five.
	const { length } = file(".ldb").content;
	expect(borders(".ldb")).toEqual(expect.arrayContaining([length - 53, length - 48]));
});

test("a cut leaves what is before it, a blank keeps the length", () => {
	const some: MasterFile = { path: "wal/x", content: Uint8Array.of(1, 2, 3, 4), older: null };
	expect(damaged(some, { kind: "cut", bytes: 3, border: true })).toEqual(Uint8Array.of(1, 2, 3));
	expect(damaged(some, { kind: "blank", bytes: 3, border: true })).toEqual(Uint8Array.of(1, 2, 3, 0));
	expect(some.content).toEqual(Uint8Array.of(1, 2, 3, 4));
});

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));

/** What a process with LevelDB has to judge takes a hundred times as long, and blanks are many: `npm run damage` tries all of them. */
const STORE_STEP = 8;
const BLANK_STEP = 4;

test(`files cut at borders: what was acknowledged is served, or what is wrong is named (FLOTILLA_SEED=${seed})`, async () => {
	const inside = await mkdtemp(join(folder, "run-"));
	const share = Number(seed) % STORE_STEP;
	const among = ({ file: path, change }: Damage, at: number): boolean => {
		if (change.kind === "blank") return at % BLANK_STEP === share % BLANK_STEP;
		return change.kind === "cut" && change.border && (!path.startsWith("store") || at % STORE_STEP === share);
	};
	const report = await runDamage({ folder: inside, master, every: 1, part: 1, seed, among, progress: () => {} });
	expect(report.bad.map(({ damage, verdict, text }) => `${verdict}: ${describeDamage(damage)}: ${text}`)).toEqual([]);
	const [cuts, blanks] = ["cut at a border", "zeros from a border"].map((sort) => countsOf(report.bySort, sort));
	// A segment is made with all its bytes: one that has fewer was cut by somebody, wherever that is.
	const logCuts = master.files
		.filter(({ path }) => path.startsWith("wal/0"))
		.flatMap(({ path, content }) => bordersOf(path, content)).length;
	expect(cuts?.refused).toBeGreaterThan(2 * logCuts);
	expect(cuts?.recovered).toBeGreaterThan(0);
	expect(blanks?.refused).toBeGreaterThan(logCuts / 2);
	expect((cuts?.tried ?? 0) + (blanks?.tried ?? 0)).toBe(report.tried);
});

function countsOf(bySort: ReadonlyMap<string, string>, sort: string): Record<"tried" | "recovered" | "refused", number> {
	const [, counts = ""] = [...bySort].find(([name]) => name.startsWith(sort)) ?? [];
	const [tried = 0, recovered = 0, refused = 0] = counts.match(/\d+/g)?.map(Number) ?? [];
	return { tried, recovered, refused };
}
