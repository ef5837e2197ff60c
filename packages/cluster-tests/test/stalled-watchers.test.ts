/** Watchers whose clients stop reading, in short (the long form: `npm run stalled`). Nothing here depends on how fast the machine is. */
import { expect, test } from "vitest";
import { measureStalled } from "../src/bench/stalled-watchers.ts";

test("two hundred watchers that stop reading: the others hear all, each of them hears all or of the compaction, and memory is bounded", async () => {
	const figures = await measureStalled({ stalled: 200, connections: 5, reading: 3, putsPerSecond: 2_000, seconds: 6, members: 1 });
	expect(figures.faults).toEqual([]);
	expect(figures.complete + figures.compacted).toBe(200);
	// Those of one key hear all of it; of the others all that were behind by more than what was kept are told.
	expect(figures.complete).toBeGreaterThanOrEqual(20);
	expect(figures.compacted).toBeGreaterThan(0);
	// Without bounds each of 180 queues would hold the whole load.
	expect(figures.memoryPeakMb).toBeLessThan(400);
}, 600_000);
