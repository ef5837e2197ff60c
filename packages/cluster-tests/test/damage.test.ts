/** One byte, one cut, one missing file: a member serves exactly what was acknowledged, or says what is wrong, or it is a bug. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CALL_FAULTS, referenceOf, tryCallFault } from "../src/damage/call-faults.ts";
import { runDamage } from "../src/damage/campaign.ts";
import { type Damage, describeDamage } from "../src/damage/damages.ts";
import { LifeProcess } from "../src/damage/life-process.ts";
import { type MasterFile, makeMaster } from "../src/damage/master.ts";
import { tryInMemory, tryOnFiles } from "../src/damage/trials.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));

test(`a data folder damaged in some 200 ways, one at a time (FLOTILLA_SEED=${seed})`, async () => {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-damage-"));
	try {
		const report = await runDamage({ folder, every: 251, part: null, seed, progress: () => {} });
		expect(report.bad.map(({ damage, verdict, text }) => `${verdict}: ${describeDamage(damage)}: ${text}`)).toEqual([]);
		expect(report.tried).toBeGreaterThan(150);
		expect(report.recovered).toBeGreaterThan(20);
		expect(report.refused).toBeGreaterThan(20);
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
});

test("what serves something else than was acknowledged is told, in memory as on files", async () => {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-damage-"));
	const lives = new LifeProcess();
	try {
		const master = await makeMaster(folder);
		// Nobody reads the spare segment: a member serves what it should, and that is held against a state with one write more.
		const harmless: Damage = { file: "wal/spare.tmp", change: { kind: "zeroed" } };
		const other = { ...master, contents: { ...master.contents, revision: master.contents.revision + 1 } };
		expect(tryInMemory(master, harmless).verdict).toBe("recovered");
		expect(tryInMemory(other, harmless).verdict).toBe("different");
		expect((await tryOnFiles(other, harmless, folder, lives)).verdict).toBe("different");
		const cut: Damage = { file: "identity", change: { kind: "cut", bytes: 5, border: false } };
		expect([tryInMemory(master, cut).verdict, (await tryOnFiles(master, cut, folder, lives)).verdict]).toEqual(["refused", "refused"]);
	} finally {
		lives.end();
		await rm(folder, { recursive: true, force: true });
	}
});

test("an index that LevelDB steps over in a scan and aborts on when it looks for a key: the start after that knows it", async () => {
	const folder = await mkdtemp(join(tmpdir(), "flotilla-damage-"));
	const lives = new LifeProcess();
	try {
		const master = await makeMaster(folder);
		const tables = master.files.filter(({ path }) => path.endsWith(".ldb")).sort((a, b) => a.content.length - b.content.length);
		const { path: file, content } = tables.at(-1) as MasterFile;
		// Behind the index of a table stand its first restart point, their number, a checksum of five bytes, and a footer of 48.
		const change = { kind: "flip", at: content.length - 61, mask: 0x33 } as const;
		const { verdict, text } = await tryOnFiles(master, { file, change }, folder, lives);
		expect(["recovered", "refused"], text).toContain(verdict);
	} finally {
		lives.end();
		await rm(folder, { recursive: true, force: true });
	}
});

/** Of the calls of a member one in so many fails. */
const CALLS_STEP = 5;

test.each(CALL_FAULTS)(
	"a call to disk or store %s: the member ends with words or is none the worse, and starts again with what was acknowledged",
	async (fault) => {
		const folder = await mkdtemp(join(tmpdir(), "flotilla-damage-"));
		try {
			const master = await makeMaster(folder);
			const references = referenceOf(master);
			expect(new Set(references).size).toBe(references.length);
			const { calls } = tryCallFault(master, references, fault, 0);
			const ends = { died: 0, wentOn: 0 };
			for (let call = 1 + (Number(seed) % CALLS_STEP); call <= calls; call += CALLS_STEP) {
				const { died, finding } = tryCallFault(master, references, fault, call);
				expect(finding, `call ${call} of ${calls}`).toBe(null);
				ends[died === null ? "wentOn" : "died"]++;
			}
			expect(ends.died).toBeGreaterThan(5);
			// What is told by another state than that which was acknowledged is found.
			const shifted = ["none", "none", ...references.slice(0, -2)];
			expect(tryCallFault(master, shifted, fault, calls - 5).finding).toContain("it starts with");
		} finally {
			await rm(folder, { recursive: true, force: true });
		}
	},
);
