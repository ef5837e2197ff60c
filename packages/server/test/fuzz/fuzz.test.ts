/**
 * Fresh inputs in every run: 20,000 for each target, a million in the check of a clean machine (`FLOTILLA_FUZZ_INPUTS`), of slow ones less. No crash, no
 * growth, and none that hangs: of hundreds the work is counted, and a test with one that never ends would not end.
 */
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fuzz, GROWTH_BYTES_MAX } from "./campaign.ts";
import { LONG, LONG_FIELDS, type Work } from "./counted-work.ts";
import { SHARES, TARGETS } from "./targets.ts";

const INPUTS = Number(process.env.FLOTILLA_FUZZ_INPUTS ?? 20_000);
const seed = process.env.FLOTILLA_SEED ?? String(randomInt(2 ** 40));

const targets = [...TARGETS].map(([name, target]) => [name, Math.ceil(INPUTS / (SHARES.get(name) ?? 1)), target] as const);

test.each(targets)(`%s: %d random inputs do no harm (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, async (name, inputs, target) => {
	const { failure, grownBytes } = await fuzz(name, target, inputs, seed);
	expect(failure).toBeNull();
	expect(grownBytes).toBeLessThan(GROWTH_BYTES_MAX);
});

/** To count takes a hundred times as long as to run. */
const COUNTED = Math.max(300, Math.ceil(INPUTS / 1_000));
/** Three times what any of many thousands took: inputs are of some hundred bytes, and of a dozen calls where they are whole connections. */
const BLOCKS_MAX = 5_000;
const BLOCKS_MAX_OF: ReadonlyMap<string, number> = new Map([["native connections", 25_000]]);

test(`no input of ${COUNTED} for each target is slow, by what it runs (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, async () => {
	const program = fileURLToPath(new URL("./counted-work.ts", import.meta.url));
	const flags = ["--no-opt", "--no-maglev", "--conditions=@flotilla/source"];
	const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, String(COUNTED), seed]);
	const { [LONG]: long, ...found } = JSON.parse(stdout) as Record<string, Work>;
	// It is counted indeed.
	expect(long?.most).toBeGreaterThan(LONG_FIELDS);
	expect(Object.keys(found)).toEqual([...TARGETS.keys()]);
	expect(Object.entries(found).filter(([, { mean }]) => !(mean > 10))).toEqual([]);
	expect(Object.entries(found).filter(([name, { most }]) => most > (BLOCKS_MAX_OF.get(name) ?? BLOCKS_MAX))).toEqual([]);
});
