/** Acknowledged means durable: writers against three processes while members are killed with SIGKILL and started again. */
import { Dice } from "@flotilla/base";
import { describe, expect, test } from "vitest";
import { runKillCampaign } from "../src/chaos/kill-campaign.ts";
import { ProcessCluster } from "../src/process/cluster.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));
const seconds = Number(process.env.FLOTILLA_KILL_SECONDS ?? 60);

describe(`kill -9 under load (FLOTILLA_SEED=${seed})`, () => {
	test(`SC-110 a random member every second or two for ${seconds} s: nothing acknowledged is lost or doubled`, async () => {
		const cluster = await ProcessCluster.start();
		try {
			const dice = new Dice(seed);
			const report = await runKillCampaign(cluster, {
				seconds,
				leastKills: seconds / 4,
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

	test("SC-102 all members at the same moment, five times: every acknowledged write comes back", async () => {
		const cluster = await ProcessCluster.start();
		try {
			const dice = new Dice(`${seed}/all`);
			const report = await runKillCampaign(cluster, {
				seconds: 10,
				leastKills: 15,
				writers: 8,
				dice,
				killsAtOnce: 3,
				minPauseMs: 800,
				maxPauseMs: 1_500,
			});
			console.log(JSON.stringify({ ...report, findings: report.findings.length }));
			expect(report.findings.slice(0, 20)).toEqual([]);
			expect(report.acknowledged).toBeGreaterThan(100);
		} finally {
			await cluster.dispose();
		}
	});
});
