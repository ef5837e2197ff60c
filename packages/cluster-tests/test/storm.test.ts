/** Everything at once on five real members, and a judge who believes nobody. Longer: `npm run chaos -- --scenario mixed-five`. */
import { expect, test } from "vitest";
import { missingFor } from "../src/chaos/faults/index.ts";
import { runKept, shipped } from "./chaos-run.ts";

const SLOW_DISK = "slow-disk";
const whole = shipped("mixed-five", 8);
const missing = missingFor(whole, "flotilla");
const without = missing === null ? "" : ` (without slow disks: ${missing})`;
const storm = missing === null ? whole : { ...whole, faults: whole.faults.filter(({ fault }) => fault !== SLOW_DISK) };

test(`SC-110 kills, pauses, partitions, slow disks and links, transfers on five members: the history is linearizable${without}`, {
	timeout: 600_000,
}, async () => {
	// Whoever is to have a slow disk may be held by another fault at that moment, each time: then once more.
	for (let tries = 0; tries < 3; tries++) {
		const { record } = await runKept(storm, { leastCalls: 300 });
		expect(record.attempts.length).toBeGreaterThanOrEqual(300);
		if (missing !== null || record.faults.some(({ fault, members }) => fault === SLOW_DISK && members.length > 0)) return;
	}
	expect.unreachable("no disk was ever slow");
});
