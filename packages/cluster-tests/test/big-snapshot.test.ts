/** A short form of `npm run big-snapshot`: sending the whole state costs neither an election nor unbounded memory. */
import { expect, test } from "vitest";
import { findings, transferReport } from "../src/big-snapshot/transfer.ts";
import { longestHeartbeatGap } from "../src/failover/heartbeat-gap.ts";
import type { Seen } from "../src/failover/tap-recorder.ts";

test("SC-107 64 MiB go to a new member under load, at 8 MiB a second: heartbeats go on, no election, equal states, memory within bounds", {
	timeout: 600_000,
}, async () => {
	// Longer than a busy machine holds a member up, and shorter than the transfer.
	const electionMs = 3_000;
	const report = await transferReport(64 << 20, () => {}, {
		flags: ["--election-timeout", String(electionMs)],
		bytesPerSecond: 8 << 20,
	});
	expect(report).toMatchObject({ elections: 0, failures: 0, equal: true });
	// Not one follower was left alone for as long as it takes to be believed lost.
	expect(report.heartbeatGapMs).toBeLessThan(electionMs);
	expect(report.newcomerGapMs).toBeLessThan(electionMs);
	// So the state was on its way for longer than that.
	expect(report.tookMs).toBeGreaterThan(2 * electionMs);
	expect(report.sentBytes).toBeGreaterThan(64 << 20);
	expect(report.writes).toBeGreaterThan(0);
	for (const { member, beforeBytes, peakBytes } of report.memory.slice(0, 3)) {
		// Four parts of 1 MiB are under way; the rest is what the collector leaves lying about.
		expect(peakBytes, member).toBeLessThan(beforeBytes + (192 << 20));
	}
});

test("an election, a silence as long as its time-out, and states that differ are each found", () => {
	const well = { elections: 0, heartbeatGapMs: 999, newcomerGapMs: 999, equal: true };
	expect(findings(well)).toEqual([]);
	expect(findings({ ...well, elections: 2 })).toEqual(["2 elections or attempts at one"]);
	expect(findings({ ...well, heartbeatGapMs: 1_000 })).toEqual(["a follower heard no heartbeat for 1000 ms"]);
	expect(findings({ ...well, newcomerGapMs: 1_000 })).toEqual(["the new member heard no heartbeat for 1000 ms"]);
	expect(findings({ ...well, equal: false })).toEqual(["the members' states differ"]);
});

test("a silence is found between heartbeats, before the first, behind the last, and where there was none", () => {
	const heard = (member: string, atMs: number): Seen => ({ member, atMs, event: { name: "heartbeatHeard" } as Seen["event"] });
	const both = [heard("a", 10), heard("b", 12), heard("a", 20), heard("b", 90), heard("a", 95)];
	const gap = (seen: readonly Seen[], fromMs: number, uptoMs: number): number =>
		longestHeartbeatGap(seen, { followers: 2, fromMs, uptoMs });
	expect(gap(both, 0, 100)).toBe(78);
	expect(gap(both, -100, 100)).toBe(112);
	expect(gap(both, 0, 200)).toBe(110);
	expect(gap([heard("a", 50)], 0, 100)).toBe(100);
});
