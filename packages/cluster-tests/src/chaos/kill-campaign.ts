import type { Dice } from "@flotilla/base";
import { KvClient, RpcError } from "../client/kv-client.ts";
import { checkDurability, type FinalPair, type WriteRecord } from "../history/durability.ts";
import type { ProcessCluster } from "../process/cluster.ts";
import { eventually, pause } from "../process/wait.ts";

export interface KillCampaign {
	readonly seconds: number;
	/** It goes on beyond `seconds` until so many were killed: a slow machine proves as much as a quick one. */
	readonly leastKills: number;
	readonly writers: number;
	readonly dice: Dice;
	/** Members killed at the same moment; 1 for a random member, the whole size for a power cut. */
	readonly killsAtOnce: number;
	readonly minPauseMs: number;
	readonly maxPauseMs: number;
}

export interface WriteReport {
	readonly writes: number;
	readonly acknowledged: number;
	readonly unknown: number;
	readonly finalRevision: number;
	/** What was broken, in words; empty when nothing was. */
	readonly findings: readonly string[];
}

export interface KillReport extends WriteReport {
	readonly kills: number;
}

/** Writers against all members while random members are killed with SIGKILL and started again; then the final check. */
export async function runKillCampaign(cluster: ProcessCluster, campaign: KillCampaign): Promise<KillReport> {
	let kills = 0;
	const report = await writeDuring(cluster, campaign.writers, async () => {
		kills = await killRandomMembers(cluster, campaign);
		for (const member of cluster.members) if (!member.process.running) await member.process.start();
	});
	return { kills, ...report };
}

/** Where clients reach the members: `host:port` each. */
export interface Reachable {
	readonly endpoints: readonly string[];
}

/** Writes at all members while `faults` goes on, which must leave the cluster whole; then the final check. */
export async function writeDuring(cluster: Reachable, writerCount: number, faults: () => Promise<void>): Promise<WriteReport> {
	const writes: WriteRecord[] = [];
	let running = true;
	const writers = Array.from({ length: writerCount }, (_, id) => runWriter(cluster, id, () => running, writes));
	await faults().finally(() => {
		running = false;
	});
	await Promise.all(writers);
	const findings = await compareMembers(cluster, writes);
	const acknowledged = writes.filter((write) => write.outcome === "acknowledged");
	return {
		writes: writes.length,
		acknowledged: acknowledged.length,
		unknown: writes.filter((write) => write.outcome === "unknown").length,
		finalRevision: acknowledged.reduce((highest, write) => Math.max(highest, write.revision), 0),
		findings,
	};
}

async function killRandomMembers(cluster: ProcessCluster, campaign: KillCampaign): Promise<number> {
	const { dice } = campaign;
	const end = performance.now() + campaign.seconds * 1000;
	let kills = 0;
	while (performance.now() < end || kills < campaign.leastKills) {
		await pause(dice.range(campaign.minPauseMs, campaign.maxPauseMs));
		const victims = dice.shuffle([...cluster.members]).slice(0, campaign.killsAtOnce);
		await Promise.all(victims.map((victim) => victim.process.kill("SIGKILL")));
		kills += victims.length;
		await pause(dice.range(0, 400));
		await Promise.all(victims.map((victim) => victim.process.start()));
	}
	return kills;
}

/** Writes unique keys one after another, to a member of its own first and to the next one after a failure. */
async function runWriter(cluster: Reachable, id: number, running: () => boolean, writes: WriteRecord[]): Promise<void> {
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	let target = id % clients.length;
	for (let n = 0; running(); n++) {
		const key = `w${id}/${String(n).padStart(6, "0")}`;
		const value = `${key}/${"x".repeat((n * 37) % 400)}`;
		try {
			const response = await (clients[target] as KvClient).put(key, value, { timeoutMs: 5_000 });
			writes.push({ key, value, outcome: "acknowledged", revision: Number(response.header.revision) });
		} catch (error) {
			if (!(error instanceof RpcError)) throw error;
			writes.push({ key, value, outcome: error.outcomeUnknown ? "unknown" : "refused", revision: 0 });
			target = (target + 1) % clients.length;
			await pause(20);
		}
	}
	for (const client of clients) client.close();
}

/** A last write, then every member must show the same state at the same revision, and all of it must be explained. */
async function compareMembers(cluster: Reachable, writes: WriteRecord[]): Promise<string[]> {
	const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
	try {
		const last = await eventually("a last write", () => (clients[0] as KvClient).put("last", "write", { timeoutMs: 3_000 }));
		const revision = Number(last.header.revision);
		// An earlier attempt of the last write may have taken effect as well, so it is not held to "once".
		const findings: string[] = [];
		const ofEach = <T>(what: string, ask: (client: KvClient) => Promise<T>): Promise<T[]> =>
			Promise.all(clients.map((client) => eventually(`${what} of ${client.address}`, () => ask(client))));
		const states = await ofEach("all keys", (client) => client.everything({ revision }, { timeoutMs: 30_000 }));
		const hashes = await ofEach("a hash", (client) => client.hashKv(revision, { timeoutMs: 30_000 }));
		if (new Set(hashes.map((hash) => hash.hash)).size !== 1) findings.push(`hashes differ: ${hashes.map((hash) => hash.hash).join(" ")}`);
		const texts = states.map((state) => JSON.stringify(state.kvs));
		if (new Set(texts).size !== 1) findings.push(`contents differ at revision ${revision}`);
		const pairs = (states[0]?.kvs ?? []).map(
			(kv): FinalPair => ({
				key: kv.key.toString(),
				value: kv.value.toString(),
				createRevision: Number(kv.create_revision),
				modRevision: Number(kv.mod_revision),
				version: Number(kv.version),
			}),
		);
		const lastPair = pairs.find((pair) => pair.key === "last");
		const rest = pairs.filter((pair) => pair.key !== "last");
		findings.push(...checkDurability(writes, rest, (lastPair?.createRevision ?? revision) - 1));
		return findings;
	} finally {
		for (const client of clients) client.close();
	}
}
