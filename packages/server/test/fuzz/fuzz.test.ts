/**
 * Fresh inputs in every run: 20,000 for each target, a million in the check of a clean machine (`FLOTILLA_FUZZ_INPUTS`). No crash, no
 * growth, and none that hangs: the test would not end.
 */
import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { fuzz, GROWTH_BYTES_MAX } from "./campaign.ts";
import { TARGETS } from "./targets.ts";

const INPUTS = Number(process.env.FLOTILLA_FUZZ_INPUTS ?? 20_000);
const seed = process.env.FLOTILLA_SEED ?? String(randomInt(2 ** 40));

test.each([...TARGETS])(`%s: ${INPUTS} random inputs do no harm (FLOTILLA_SEED=${seed})`, { timeout: 900_000 }, (name, target) => {
	const { failure, grownBytes } = fuzz(name, target, INPUTS, seed);
	expect(failure).toBeNull();
	expect(grownBytes).toBeLessThan(GROWTH_BYTES_MAX);
});
