/** Tables as LevelDB writes them, and what a damage of one byte is found by. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { ClassicLevel } from "classic-level";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { snappyDecoded } from "./level-bytes.ts";
import { damagedTable, tableFault } from "./level-tables.ts";

const root = await mkdtemp(join(tmpdir(), "flotilla-tables-"));
afterAll(() => rm(root, { recursive: true, force: true }));

/** Some tables, a few merged ones that are not there any more, and keys whose values compress and do not. */
async function makeStore(folder: string): Promise<string[]> {
	const dice = new Dice("tables");
	const level = new ClassicLevel<string, string>(folder, { writeBufferSize: 64 << 10 });
	await level.open();
	for (let round = 0; round < 6; round++) {
		const batch = level.batch();
		for (let n = 0; n < 400; n++) {
			const value = n % 2 === 0 ? "the same ".repeat(20) : String.fromCharCode(...Array.from({ length: 120 }, () => dice.range(33, 126)));
			batch.put(`some/key/${String(dice.range(0, 9_999)).padStart(5, "0")}`, value);
		}
		await batch.write();
		if (round === 3) await level.compactRange("a", "z");
	}
	await level.close();
	return (await readdir(folder)).filter((name) => name.endsWith(".ldb"));
}

describe("tables", () => {
	const folder = join(root, "store");
	let names: string[] = [];
	beforeAll(async () => {
		names = await makeStore(folder);
	});

	test("are sound as they were written, whatever else lies beside them", async () => {
		expect(names.length).toBeGreaterThan(1);
		for (const name of names) {
			const table = await readFile(join(folder, name));
			expect(tableFault(table, table.length)).toBeNull();
		}
		await writeFile(join(folder, "999999.ldb"), "what a crash left, which no manifest names");
		expect(await damagedTable(folder)).toBeNull();
	});

	test("one changed byte is found, wherever it is, but in the padding of the footer", async () => {
		const [name = ""] = names;
		const table = await readFile(join(folder, name));
		const missed: number[] = [];
		// Every byte of the directories at its end, and the others in steps.
		for (let at = 0; at < table.length; at += at < table.length - 1_000 ? 11 : 1) {
			table[at] = (table[at] as number) ^ 0x61;
			if (tableFault(table, table.length) === null) missed.push(at);
			table[at] = (table[at] as number) ^ 0x61;
		}
		expect(missed.filter((at) => at < table.length - 48)).toEqual([]);
		expect(missed.length).toBeLessThan(40);
	});

	test("one that is cut is too short, wherever", async () => {
		const [name = ""] = names;
		const table = await readFile(join(folder, name));
		for (let bytes = 0; bytes < table.length; bytes += 97) {
			expect(tableFault(table.subarray(0, bytes), table.length)).toBe(`${bytes} bytes where there were ${table.length}`);
			expect(tableFault(table.subarray(0, bytes), bytes)).not.toBeNull();
		}
	});

	test("the damaged one of a store is named, unless it is one that was merged and has not gone yet", async () => {
		const told = [];
		for (const name of names) {
			const whole = await readFile(join(folder, name));
			const table = Buffer.from(whole);
			table[10] = (table[10] as number) ^ 1;
			await writeFile(join(folder, name), table);
			const fault = await damagedTable(folder);
			if (fault !== null) told.push(fault);
			expect([null, `Corruption: ${name}: the block at 0 is damaged`]).toContain(fault);
			await writeFile(join(folder, name), whole);
		}
		expect(told.length).toBeGreaterThan(0);
		expect(await damagedTable(folder)).toBeNull();
	});

	test("a manifest that cannot be followed, or is not there, is left to LevelDB", async () => {
		const current = await readFile(join(folder, "CURRENT"), "utf8");
		await writeFile(join(folder, "CURRENT"), "MANIFEST-000000\n");
		expect(await damagedTable(folder)).toBeNull();
		await writeFile(join(folder, "CURRENT"), current);
		expect(await damagedTable(join(root, "nowhere"))).toBeNull();
	});
});

describe("Snappy", () => {
	const decoded = (hex: string): string => Buffer.from(snappyDecoded(Buffer.from(hex, "hex"))).toString("latin1");
	test.each([
		["nothing", "00", ""],
		["a literal", "03" + "08" + "616263", "abc"],
		["a copy that overlaps with itself", "08" + "04" + "6162" + "0902", "abababab"],
		["a copy with an offset of two bytes", "06" + "08" + "616263" + "0a0300", "abcabc"],
		["a copy with an offset of four bytes", "06" + "08" + "616263" + "0b03000000", "abcabc"],
		["a literal with its length in a byte of its own", `3df03c${"61".repeat(61)}`, "a".repeat(61)],
	])("%s", (_name, hex, text) => expect(decoded(hex)).toBe(text));

	test.each([
		["a length that never ends", "ffffffffffffffffffff"],
		["more than anybody holds", "ffffffff0f"],
		["a literal that ends early", "0308" + "6162"],
		["more than it says", "0208" + "616263"],
		["less than it says", "0408" + "616263"],
		["a copy from before the beginning", "0804" + "6162" + "0903"],
		["a copy from nowhere", "0804" + "6162" + "0900"],
	])("%s is refused", (_name, hex) => expect(() => decoded(hex)).toThrow(RangeError));
});
