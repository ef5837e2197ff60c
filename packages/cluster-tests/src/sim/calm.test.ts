/**
 * Twenty seconds in which connections break and are soon back while every member is well (rules H): a cluster of three with
 * default timeouts keeps its leader, or changes it a bounded number of times, and goes on writing.
 */
import { describe, expect, test } from "vitest";
import { type Calm, isCalm, UNRESTS, underUnrest } from "./calm.ts";
import { leaderDiesOnSlowDisks } from "./slow-disks.ts";

const from = Number(process.env.FLOTILLA_SEED ?? Math.floor(Math.random() * 1_000_000_000));

function told({ leaders, terms, silenceMs, acknowledged, losses }: Calm): string {
	return `${leaders} leaders, ${terms} terms, ${silenceMs} ms without a write, ${acknowledged} writes, ${losses} losses told`;
}

describe(`calm (FLOTILLA_SEED=${from})`, () => {
	test.each(UNRESTS)("%s: few leaders, few terms, writes go on", (kind) => {
		for (let seed = from; seed < from + 3; seed++) {
			const calm = underUnrest(`calm ${seed}`, kind);
			const where = `underUnrest("calm ${seed}", "${kind}"): ${told(calm)}`;
			expect(calm.findings, where).toEqual([]);
			expect(isCalm(kind, calm), where).toBe(true);
			// It was unrest: members were told of losses, and asked for pre-votes that were refused.
			expect(calm.losses, where).toBeGreaterThan(3);
			expect(calm.marks.hintCampaign, where).toBeGreaterThan(0);
			expect(calm.marks.preVoteSticky, where).toBeGreaterThan(0);
		}
	});

	// A round of votes takes two writes to the log. By the clock of an election timeout of one second, none of these disks is stuck.
	test.each([0, 20, 40, 60, 100, 150])("slow disks, %i ms a write: the next leader comes in the first round, or the second", (slowMs) => {
		for (let seed = from; seed < from + 4; seed++) {
			const { leaderMs, terms, findings } = leaderDiesOnSlowDisks(`slow ${seed}`, slowMs, "writes");
			const where = `leaderDiesOnSlowDisks("slow ${seed}", ${slowMs}, "writes"): a leader after ${leaderMs} ms, ${terms} terms`;
			expect(findings, where).toEqual([]);
			expect(leaderMs, where).toBeLessThanOrEqual(100 + 5 * slowMs);
			expect(terms, where).toBeLessThanOrEqual(2);
		}
	});

	// Nobody could know that the disks are slow now: the first round tells, and the second one has its time.
	test.each([60, 100])("slow disks, %i ms a write, met by an election in an idle cluster: a few terms", (slowMs) => {
		for (let seed = from; seed < from + 4; seed++) {
			const { leaderMs, terms, findings } = leaderDiesOnSlowDisks(`idle ${seed}`, slowMs, "idle");
			const where = `leaderDiesOnSlowDisks("idle ${seed}", ${slowMs}, "idle"): a leader after ${leaderMs} ms, ${terms} terms`;
			expect(findings, where).toEqual([]);
			expect(leaderMs, where).toBeLessThanOrEqual(200 + 8 * slowMs);
			expect(terms, where).toBeLessThanOrEqual(4);
		}
	});
});
