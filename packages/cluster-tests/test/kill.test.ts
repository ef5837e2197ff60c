/**
 * Acknowledged means durable: writers against three processes while members are killed with SIGKILL and started again. A short
 * form of `npm run kills`; with FLOTILLA_CHAOS_CALLS, as in the check of a clean machine, fifty are killed one by one and fifty at once.
 */
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { runKillCampaign } from "../src/chaos/kill-campaign.ts";
import { ProcessCluster } from "../src/process/cluster.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));
const LONG = process.env.FLOTILLA_CHAOS_CALLS !== undefined;
const [kills, powerCuts] = LONG ? [50, 17] : [6, 3];
const MEMBERS = 3;
const MINUTES = 60_000;

describe(`kill -9 under load (FLOTILLA_SEED=${seed})`, () => {
	test(`SC-110 a random member, ${kills} times: nothing acknowledged is lost or doubled`, { timeout: 20 * MINUTES }, async () => {
		const cluster = await ProcessCluster.start();
		try {
			const dice = new Dice(seed);
			const report = await runKillCampaign(cluster, {
				seconds: 0,
				leastKills: kills,
				writers: 8,
				dice,
				killsAtOnce: 1,
				minPauseMs: 600,
				maxPauseMs: 1_600,
			});
			console.log(JSON.stringify({ ...report, findings: report.findings.length }));
			expect(report.findings.slice(0, 20)).toEqual([]);
			// A quiet run proves nothing.
			expect(report.kills).toBe(kills);
			expect(report.acknowledged).toBeGreaterThan(kills * 5);
		} finally {
			await cluster.dispose();
		}
	});

	test(`SC-102 all members at the same moment, ${powerCuts} times: every acknowledged write comes back`, {
		timeout: 20 * MINUTES,
	}, async () => {
		const cluster = await ProcessCluster.start();
		try {
			const dice = new Dice(`${seed}/all`);
			const report = await runKillCampaign(cluster, {
				seconds: 0,
				leastKills: powerCuts * MEMBERS,
				writers: 8,
				dice,
				killsAtOnce: MEMBERS,
				minPauseMs: 600,
				maxPauseMs: 1_200,
			});
			console.log(JSON.stringify({ ...report, findings: report.findings.length }));
			expect(report.findings.slice(0, 20)).toEqual([]);
			expect(report.kills).toBe(powerCuts * MEMBERS);
			expect(report.acknowledged).toBeGreaterThan(powerCuts * 10);
		} finally {
			await cluster.dispose();
		}
	});
});
