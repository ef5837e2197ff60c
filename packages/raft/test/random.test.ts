import { expect, test } from "vitest";
import { runSchedule } from "./sim/schedule.ts";

const SEEDS = 400;
const STEPS = 1_500;

test(`clusters keep their promises under ${SEEDS} random schedules`, () => {
	const total = { elections: 0, commit: 0, reads: 0, changes: 0 };
	for (let seed = 1; seed <= SEEDS; seed++) {
		try {
			const run = runSchedule(seed, { steps: STEPS });
			total.elections += run.elections;
			total.commit += run.commit;
			total.reads += run.reads;
			total.changes += run.changes;
		} catch (error) {
			throw new Error(`seed ${seed} of ${STEPS} steps`, { cause: error });
		}
	}
	// A schedule that never gets anything done proves nothing.
	expect(total.elections).toBeGreaterThan(SEEDS);
	expect(total.commit).toBeGreaterThan(20 * SEEDS);
	expect(total.reads).toBeGreaterThan(SEEDS);
	expect(total.changes).toBeGreaterThan(SEEDS / 4);
});
