import { expect, test } from "vitest";
import { runSeed, zeroCount } from "./world/scenario.ts";

/** More of them: `node --conditions=@flotilla/source packages/replica/scripts/seeds.ts <from> <upto>`. */
const SEEDS = 20;
const FAULTY_MS = 8_000;

test(`${SEEDS} seeds of crashes, cuts, lost messages and slow disks: each write at most once, no stale read, equal states`, () => {
	const count = zeroCount();
	for (let seed = 1; seed <= SEEDS; seed++) {
		try {
			runSeed(seed, FAULTY_MS, count);
		} catch (error) {
			throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
		}
	}
	// A quiet run proves nothing.
	expect(count.strikes).toBeGreaterThan(5 * SEEDS);
	expect(count.acknowledged).toBeGreaterThan(100 * SEEDS);
	expect(count.reads).toBeGreaterThan(100 * SEEDS);
	expect(count.unknown).toBeGreaterThan(SEEDS / 4);
	expect(count.floors).toBeGreaterThan(SEEDS / 4);
});
