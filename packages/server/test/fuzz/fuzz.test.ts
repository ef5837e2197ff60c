/**
 * Fresh inputs in every run: 20,000 for each target, a million in the check of a clean machine (`FLOTILLA_FUZZ_INPUTS`). No crash, no
 * growth, and none that hangs: of a thousand the work is counted, and a test with one that never ends would not end.
 */
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fuzz, GROWTH_BYTES_MAX } from "./campaign.ts";
import { LONG, LONG_FIELDS, type Work } from "./counted-work.ts";
import { TARGETS } from "./targets.ts";

const INPUTS = Number(process.env.FLOTILLA_FUZZ_INPUTS ?? 20_000);
const seed = process.env.FLOTILLA_SEED ?? String(randomInt(2 ** 40));

test.each([...TARGETS])(`%s: ${INPUTS} random inputs do no harm (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, (name, target) => {
	const { failure, grownBytes } = fuzz(name, target, INPUTS, seed);
	expect(failure).toBeNull();
	expect(grownBytes).toBeLessThan(GROWTH_BYTES_MAX);
});

const COUNTED = 1_000;
/** Three times what any of many thousands took: inputs are of some hundred bytes. */
const BLOCKS_MAX = 5_000;

test(`no input of ${COUNTED} for each target is slow, by what it runs (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, async () => {
	const program = fileURLToPath(new URL("./counted-work.ts", import.meta.url));
	const flags = ["--no-opt", "--no-maglev", "--conditions=@flotilla/source"];
	const { stdout } = await promisify(execFile)(process.execPath, [...flags, program, String(COUNTED), seed]);
	const { [LONG]: long, ...found } = JSON.parse(stdout) as Record<string, Work>;
	// It is counted indeed.
	expect(long?.most).toBeGreaterThan(LONG_FIELDS);
	expect(Object.keys(found)).toEqual([...TARGETS.keys()]);
	expect(Object.entries(found).filter(([, { mean }]) => !(mean > 10))).toEqual([]);
	expect(Object.entries(found).filter(([, { most }]) => most > BLOCKS_MAX)).toEqual([]);
});
