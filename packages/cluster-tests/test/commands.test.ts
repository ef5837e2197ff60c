/** The commands that `npm run` knows: each has a usage, and one line for a call that is wrong. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
/** Those of the product have a usage and tests of their own; the others take nothing that somebody would say. */
const OF_THE_PRODUCT = ["bench", "chaos", "serve"];
const SILENT = ["fix", "setup:ready", "verify"];

/** The file of each command by its name. */
async function commands(): Promise<ReadonlyArray<readonly [name: string, file: string]>> {
	const { scripts } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };
	return Object.entries(scripts).flatMap(([name, script]) => {
		const file = /(?:^|exec )node (?:--conditions=\S+ )?(\S+\.ts)$/.exec(script)?.[1];
		return file === undefined ? [] : [[name, file] as const];
	});
}

/** Status, standard output and standard error. */
async function run(name: string, ...args: string[]): Promise<readonly [number, string, string]> {
	const file = new Map(await commands()).get(name) ?? "";
	return new Promise((resolve) => {
		execFile(process.execPath, ["--conditions=@flotilla/source", file, ...args], { cwd: ROOT }, (error, stdout, stderr) => {
			resolve([Number(error?.code ?? 0), stdout, stderr]);
		});
	});
}

describe("npm run", () => {
	test("every command is called by the one helper, under its own name", async () => {
		const found = await commands();
		expect(found.map(([name]) => name)).toEqual(
			expect.arrayContaining(["kills", "sim", "twin", "explore", "fuzz", "generate", "test:all"]),
		);
		for (const [name, file] of found) {
			if (OF_THE_PRODUCT.includes(name) || SILENT.includes(name)) continue;
			const source = await readFile(join(ROOT, file), "utf8");
			const call = name === "test:all" ? "npm test --" : `npm run ${name} --`;
			expect([name, source.includes("commandFlags("), source.includes(`call: "${call}"`)]).toEqual([name, true, true]);
		}
	});

	// One of each package: the others are called in the same way, and each of them loads much of the product.
	test.each(["kills", "twin", "explore", "generate"])("%s has a usage, and a line for an unknown flag", async (name) => {
		const [[helped, usage, nothing], [refused, silence, word]] = await Promise.all([run(name, "--help"), run(name, "--nonsense")]);
		expect([helped, usage, nothing]).toEqual([0, expect.stringMatching(new RegExp(`^npm run ${name} --`)), ""]);
		expect([refused, silence, word]).toEqual([2, "", `there is no flag --nonsense (npm run ${name} -- --help tells what may be said)\n`]);
	});

	test.each([
		["kills", ["--kills", "0"], '--kills takes a whole number from 1 to 100000, not "0"'],
		["damage", ["--every", "8", "--part", "9"], "--part takes a whole number from 1 to 8, as --every says, not 9"],
	] as const)("%s %j is refused", async (name, args, words) => {
		expect(await run(name, ...args)).toEqual([2, "", expect.stringMatching(new RegExp(`^${words}.*\n$`))]);
	});
});
