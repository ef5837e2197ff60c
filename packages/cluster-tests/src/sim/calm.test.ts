/**
 * Twenty seconds in which connections break and are soon back while every member is well (rules H): a cluster of three with
 * default timeouts keeps its leader, or changes it a bounded number of times, and goes on writing.
 */
import { describe, expect, test } from "vitest";
import { type Calm, isCalm, UNRESTS, underUnrest } from "./calm.ts";

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
});
