/** Everything at once on five real members, and a judge who believes nobody. Longer: `npm run chaos -- --scenario mixed-five`. */
import { expect, test } from "vitest";
import { runKept, shipped } from "./chaos-run.ts";

test("SC-110 kills, pauses, partitions, slow links and transfers on five members: the history is linearizable", {
	timeout: 600_000,
}, async () => {
	const { record } = await runKept(shipped("mixed-five", 6), { leastCalls: 300 });
	expect(record.attempts.length).toBeGreaterThanOrEqual(300);
});
