/**
 * Acknowledged means durable: writers against three processes while members are killed with SIGKILL and started again. A short
 * form of `npm run kills`; `FLOTILLA_KILL_SECONDS=60` makes it longer.
 */
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { runKillCampaign } from "../src/chaos/kill-campaign.ts";
import { ProcessCluster } from "../src/process/cluster.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));
const seconds = Number(process.env.FLOTILLA_KILL_SECONDS ?? 12);

describe(`kill -9 under load (FLOTILLA_SEED=${seed})`, () => {
	test(`SC-110 a random member every second or two for ${seconds} s: nothing acknowledged is lost or doubled`, async () => {
		const cluster = await ProcessCluster.start();
		try {
			const dice = new Dice(seed);
			const report = await runKillCampaign(cluster, {
				seconds,
				leastKills: Math.ceil(seconds / 3),
				writers: 8,
				dice,
				killsAtOnce: 1,
				minPauseMs: 600,
				maxPauseMs: 1_600,
			});
			console.log(JSON.stringify({ ...report, findings: report.findings.length }));
			expect(report.findings.slice(0, 20)).toEqual([]);
			// A quiet run proves nothing.
			expect(report.acknowledged).toBeGreaterThan(seconds * 5);
		} finally {
			await cluster.dispose();
		}
	});

	test("SC-102 all members at the same moment, three times: every acknowledged write comes back", async () => {
		const cluster = await ProcessCluster.start();
		try {
			const dice = new Dice(`${seed}/all`);
			const report = await runKillCampaign(cluster, {
				seconds: 0,
				leastKills: 9,
				writers: 8,
				dice,
				killsAtOnce: 3,
				minPauseMs: 600,
				maxPauseMs: 1_200,
			});
			console.log(JSON.stringify({ ...report, findings: report.findings.length }));
			expect(report.findings.slice(0, 20)).toEqual([]);
			expect(report.acknowledged).toBeGreaterThan(100);
		} finally {
			await cluster.dispose();
		}
	});
});
