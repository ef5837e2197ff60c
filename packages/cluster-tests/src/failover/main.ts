/**
 * What the loss of a leader costs: `npm run failover -- [kills] [SIGKILL|SIGTERM|both] [flotilla|etcd]`. Prints each outage,
 * the timeline of one (the one in the middle), and the distribution: the longest time without an acknowledged write at the
 * surviving members. Three members, default time-outs (100 ms heartbeat, 1,000 ms election), fsync on.
 */
import { commandFlags } from "../command-call.ts";
import { ProcessCluster } from "../process/cluster.ts";
import { pause } from "../process/wait.ts";
import { type Outage, outage } from "./outage.ts";
import { timeline } from "./timeline.ts";

const { kills, signal, program } = commandFlags({
	call: "npm run failover --",
	about: "What the loss of a leader costs: the longest time without an acknowledged write at the surviving members.",
	flags: {
		kills: { kind: "number", least: 1, fallback: 20, about: "of each sort" },
		signal: { kind: "choice", of: ["SIGKILL", "SIGTERM", "both"], fallback: "both", about: "to the leader" },
		program: { kind: "choice", of: ["flotilla", "etcd"], fallback: "flotilla", about: "what is measured" },
	},
	bare: ["kills", "signal", "program"],
});
const signals: readonly NodeJS.Signals[] = signal === "both" ? ["SIGKILL", "SIGTERM"] : [signal];

const cluster = await ProcessCluster.start({ program });
try {
	for (const signal of signals) await measure(signal);
} finally {
	await cluster.dispose();
}

async function measure(signal: NodeJS.Signals): Promise<void> {
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
	const gaps = outages.map(({ gapMs }) => gapMs);
	const calm = outages.map(({ calmGapMs }) => calmGapMs).sort((a, b) => a - b);
	console.log(
		`\n${program}, ${kills} times ${signal} to the leader: p50 ${part(gaps, 0.5)} ms, p90 ${part(gaps, 0.9)} ms, max ${part(gaps, 1)} ms; ` +
			`failed writes at survivors ${failed}; longest pause without a signal: p50 ${part(calm, 0.5)} ms, max ${part(calm, 1)} ms\n`,
	);
}

/** Nearest rank. */
function part(ascending: readonly number[], share: number): string {
	return (ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] as number).toFixed(0);
}

async function memberNames(): Promise<ReadonlyMap<string, string>> {
	const { KvClient } = await import("../client/kv-client.ts");
	const client = new KvClient(cluster.endpoints[0] as string);
	const { members } = await client.members().finally(() => client.close());
	return new Map(members.map(({ ID, name }) => [BigInt(ID).toString(16), name]));
}
