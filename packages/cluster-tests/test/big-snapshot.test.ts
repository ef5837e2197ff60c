/** A short form of `npm run big-snapshot`: sending the whole state costs neither an election nor unbounded memory. */
import { expect, test } from "vitest";
import { transferReport } from "../src/big-snapshot/transfer.ts";

test("64 MiB go to a new member under load: no election, equal states, memory within bounds", { timeout: 240_000 }, async () => {
	const report = await transferReport(64 << 20, () => {});
	expect(report).toMatchObject({ elections: 0, failures: 0, equal: true });
	expect(report.sentBytes).toBeGreaterThan(64 << 20);
	expect(report.writes).toBeGreaterThan(0);
	for (const { member, beforeBytes, peakBytes } of report.memory.slice(0, 3)) {
		// Four parts of 1 MiB are under way; the rest is what the collector leaves lying about.
		expect(peakBytes, member).toBeLessThan(beforeBytes + (192 << 20));
	}
});
