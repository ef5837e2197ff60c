import { expect, test } from "vitest";
import { runSchedule } from "./sim/schedule.ts";

const SEEDS = 400;
const STEPS = 1_500;
/** Of each tenth. */
const CHURN_SEEDS = 100;

test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])(
	"SC-073 members come and go under every fault: a tenth of 1,000 random schedules of changes, crashes, partitions and lost messages (%i)",
	(tenth) => {
		let changes = 0;
		let commits = 0;
		for (let seed = tenth * CHURN_SEEDS + 1; seed <= (tenth + 1) * CHURN_SEEDS; seed++) {
			const mix = { membership: true, crashes: true, partitions: true, floors: true, inOrder: seed % 2 === 0, messagePercent: 45 };
			try {
				const run = runSchedule(`churn ${seed}`, { steps: STEPS, mix });
				changes += run.changes;
				commits += run.commit;
			} catch (error) {
				throw new Error(`seed churn ${seed} of ${STEPS} steps`, { cause: error });
			}
		}
		expect(changes).toBeGreaterThan(CHURN_SEEDS / 2);
		expect(commits).toBeGreaterThan(20 * CHURN_SEEDS);
	},
);

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
