/**
 * What the loss of a leader costs: `npm run failover -- [kills] [SIGKILL|SIGTERM|both] [flotilla|etcd]`. Prints each outage,
 * the timeline of one (the one in the middle), and the distribution: the longest time without an acknowledged write at the
 * surviving members. Three members, default time-outs (100 ms heartbeat, 1,000 ms election), fsync on. Exit status 1 if the
 * goals (`goals.ts`) are missed, by flotilla: etcd is measured beside it and has none to reach.
 */
import { commandFlags } from "@flotilla/base/command";
import { ProcessCluster } from "../process/cluster.ts";
import { pause } from "../process/wait.ts";
import { type Distribution, distribution, missed } from "./goals.ts";
import { type Outage, outage } from "./outage.ts";
import { timeline } from "./timeline.ts";

const { kills, signal, program } = commandFlags(
	{
		call: "npm run failover --",
		about:
			"What the loss of a leader costs: the longest time without an acknowledged write at the surviving members. Fails if a goal is missed.",
		flags: {
			kills: { kind: "number", least: 1, most: 10_000, fallback: 20, about: "of each sort" },
			signal: { kind: "choice", of: ["SIGKILL", "SIGTERM", "both"], fallback: "both", about: "to the leader" },
			program: { kind: "choice", of: ["flotilla", "etcd"], fallback: "flotilla", about: "what is measured" },
		},
		bare: ["kills", "signal", "program"],
	},
	process,
);
type Signal = "SIGKILL" | "SIGTERM";
const signals: readonly Signal[] = signal === "both" ? ["SIGKILL", "SIGTERM"] : [signal];
const misses: string[] = [];

const cluster = await ProcessCluster.start({ program });
try {
	for (const signal of signals) await measure(signal);
} finally {
	await cluster.dispose();
}
for (const miss of misses) console.log(`MISSED: ${miss}`);
process.exitCode = misses.length === 0 ? 0 : 1;

async function measure(signal: Signal): Promise<void> {
	const outages: Outage[] = [];
	for (let kill = 1; kill <= kills; kill++) {
		const cost = await outage(cluster, signal, program === "flotilla");
		outages.push(cost);
		const calm = `${cost.calmGapMs.toFixed(0)} ms at most before`;
		console.log(
			`${signal} ${kill}: no write for ${cost.gapMs.toFixed(0)} ms (${calm}), ${cost.waited} waited, ${cost.failed} failed at survivors`,
		);
		await pause(500);
	}
	outages.sort((a, b) => a.gapMs - b.gapMs);
	const typical = outages[Math.floor((outages.length - 1) / 2)] as Outage;
	if (program === "flotilla") {
		const names = await memberNames();
		console.log(`\ntimeline of the ${signal} in the middle, milliseconds since the signal:`);
		for (const line of timeline(typical, (id) => names.get(id) ?? id)) console.log(line);
	}
	const failed = outages.reduce((sum, { failed: count }) => sum + count, 0);
	const gaps = distribution(outages.map(({ gapMs }) => gapMs));
	const calm = distribution(outages.map(({ calmGapMs }) => calmGapMs));
	console.log(
		`\n${program}, ${kills} times ${signal} to the leader: ${told(gaps)}; failed writes at survivors ${failed}; ` +
			`longest pause without a signal: ${told(calm)}\n`,
	);
	if (program === "flotilla") misses.push(...missed(signal, gaps, failed));
}

function told({ p50, p90, p99, max }: Distribution): string {
	return `p50 ${p50.toFixed(0)} ms, p90 ${p90.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`;
}

async function memberNames(): Promise<ReadonlyMap<string, string>> {
	const { KvClient } = await import("../client/kv-client.ts");
	const client = new KvClient(cluster.endpoints[0] as string);
	const { members } = await client.members().finally(() => client.close());
	return new Map(members.map(({ ID, name }) => [BigInt(ID).toString(16), name]));
}
