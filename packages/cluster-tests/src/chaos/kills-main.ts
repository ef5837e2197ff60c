/**
 * `npm run kills -- [--kills N] [--all] [--members N] [--seed S] [--program flotilla|etcd]`: members are killed with SIGKILL under
 * load, a random one at a time or (`--all`) all of them at the same moment, and started again; at the end everything that was
 * acknowledged must be there once. A fresh cluster every fifty strikes, so that the judgement of each fits into memory.
 * Exit status 0: nothing was lost, doubled or left unexplained; 1: something was; 2: the call was wrong.
 */

import { Dice } from "@flotilla/base";
import { commandFlags } from "@flotilla/base/command";
import { ProcessCluster } from "../process/cluster.ts";
import { type KillReport, runKillCampaign } from "./kill-campaign.ts";

const STRIKES_A_CLUSTER = 50;
const WRITERS = 8;
const FINDINGS_SHOWN = 20;

async function main(): Promise<number> {
	const { kills, members, seed, program, all } = commandFlags(
		{
			call: "npm run kills --",
			about:
				"Members are killed with SIGKILL under load and started again; fails if anything acknowledged is lost, doubled or unexplained.",
			flags: {
				kills: { kind: "number", least: 1, most: 100_000, fallback: 500, about: "in all" },
				all: { kind: "switch", about: "all members at the same moment, in place of a random one at a time" },
				members: { kind: "number", least: 1, most: 9, fallback: 3, about: "of the cluster" },
				seed: {
					kind: "text",
					fallback: String(Math.floor(Math.random() * 1e9)),
					otherwise: "drawn",
					about: "who is killed when follows from it",
				},
				program: { kind: "choice", of: ["flotilla", "etcd"], fallback: "flotilla", about: "what is killed" },
			},
		},
		process,
	);
	const what = all ? `times all ${members} members at once` : `kills of random members, one of ${members} at a time,`;
	const reports: KillReport[] = [];
	for (let done = 0; done < kills; done += STRIKES_A_CLUSTER) {
		const strikes = Math.min(STRIKES_A_CLUSTER, kills - done);
		reports.push(await strike(program, members, strikes, all ? members : 1, new Dice(`kills/${seed}/${done}`)));
		const total = sum(reports, "acknowledged");
		console.log(
			`${done + strikes} of ${kills}: ${total} writes acknowledged, ${reports.flatMap(({ findings }) => findings).length} findings`,
		);
	}
	const findings = reports.flatMap((report) => report.findings);
	for (const finding of findings.slice(0, FINDINGS_SHOWN)) console.log(`  ${finding}`);
	console.log(
		`${kills} ${what} ${program}, seed ${seed}: ${sum(reports, "writes")} writes, ${sum(reports, "acknowledged")} acknowledged, ` +
			`${sum(reports, "unknown")} without an outcome`,
	);
	console.log(`acknowledged writes lost: ${findings.filter((finding) => finding.startsWith("lost: ")).length}`);
	console.log(`verdict: ${findings.length === 0 ? "ok" : "violated"}`);
	return findings.length === 0 ? 0 : 1;
}

async function strike(
	program: "flotilla" | "etcd",
	members: number,
	strikes: number,
	killsAtOnce: number,
	dice: Dice,
): Promise<KillReport> {
	const cluster = await ProcessCluster.start({ program, size: members });
	try {
		const leastKills = strikes * killsAtOnce;
		const report = await runKillCampaign(cluster, {
			...{ seconds: 0, leastKills, writers: WRITERS, dice, killsAtOnce, minPauseMs: 200, maxPauseMs: 1_000 },
		});
		// A quiet run proves nothing.
		if (report.acknowledged < strikes) throw new Error(`only ${report.acknowledged} writes were acknowledged under ${strikes} strikes`);
		return report;
	} finally {
		await cluster.dispose();
	}
}

function sum(reports: readonly KillReport[], what: "writes" | "acknowledged" | "unknown"): number {
	return reports.reduce((total, report) => total + report[what], 0);
}

try {
	process.exitCode = await main();
} catch (error) {
	console.error(error instanceof Error ? error.message : String(error));
	process.exitCode = 2;
}
