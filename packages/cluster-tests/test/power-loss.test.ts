/**
 * Power is lost at every machine of a cluster at once: of the files only that is left which was synced. The log is written synced;
 * the stores' records are not, up to the next floor, and are torn out here at random.
 */
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Dice } from "@flotilla/base";
import { expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { type ClusterMember, ProcessCluster } from "../src/process/cluster.ts";
import { eventually } from "../src/process/wait.ts";

const seed = process.env.FLOTILLA_SEED ?? String(Math.floor(Math.random() * 1e9));
const PAGE_BYTES = 4_096;

/** LevelDB's logs of a member's stores, with their sizes. */
async function storeLogs({ dataDir }: ClusterMember): Promise<ReadonlyMap<string, number>> {
	const names = await readdir(join(dataDir, "member"), { recursive: true });
	const paths = names.filter((name) => /^store\.\d+\/.*\d\.log$/.test(name)).map((name) => join(dataDir, "member", name));
	return new Map(await Promise.all(paths.map(async (path) => [path, (await stat(path)).size] as const)));
}

/** What the disk never had: pages that read as zeros, and perhaps the end of the file. Returns the bytes lost. */
async function loseUnsynced(path: string, syncedBytes: number, dice: Dice): Promise<number> {
	const file = await open(path, "r+");
	try {
		const { size } = await file.stat();
		let lost = 0;
		for (let at = syncedBytes; at < size; at += PAGE_BYTES) {
			if (!dice.chance(1, 2)) continue;
			const bytes = Math.min(PAGE_BYTES, size - at);
			await file.write(Buffer.alloc(bytes), 0, bytes, at);
			lost += bytes;
		}
		if (dice.chance(1, 3)) await file.truncate(dice.range(syncedBytes, size));
		return lost;
	} finally {
		await file.close();
	}
}

test(`SC-095 SC-100 power is lost everywhere, and with it what was not synced: every acknowledged write is there (FLOTILLA_SEED=${seed})`, {
	timeout: 600_000,
}, async () => {
	const dice = new Dice(`${seed}/power`);
	const cluster = await ProcessCluster.start();
	try {
		let written = 0;
		for (let round = 0; round < 2; round++) {
			// All that a start syncs it has synced before it serves.
			const synced = new Map((await Promise.all(cluster.members.map(storeLogs))).flatMap((logs) => [...logs]));
			const clients = cluster.endpoints.map((endpoint) => new KvClient(endpoint));
			const puts = Array.from({ length: 300 }, (_, at) => {
				const client = clients[at % clients.length] as KvClient;
				return client.put(`k${written + at}`, `${written + at}/${"x".repeat(at)}`, { timeoutMs: 60_000 });
			});
			await Promise.all(puts);
			written += puts.length;
			for (const client of clients) client.close();
			await Promise.all(cluster.members.map(({ process }) => process.kill("SIGKILL")));
			let lost = 0;
			for (const [path, bytes] of (await Promise.all(cluster.members.map(storeLogs))).flatMap((logs) => [...logs])) {
				lost += await loseUnsynced(path, Math.min(synced.get(path) ?? 0, bytes), dice);
			}
			// Where nothing was lost nothing is shown.
			expect(lost).toBeGreaterThan(PAGE_BYTES);
			await Promise.all(cluster.members.map(({ process }) => process.start()));
			const hashes = new Set<number>();
			for (const endpoint of cluster.endpoints) {
				const client = new KvClient(endpoint);
				const { kvs, header } = await client.everything({}, { timeoutMs: 60_000 });
				const held = new Map(kvs.map((kv) => [kv.key.toString(), kv.value.toString()]));
				for (let n = 0; n < written; n++) expect(held.get(`k${n}`), `${endpoint}, k${n}`).toMatch(new RegExp(`^${n}/x*$`));
				const revision = Number(header.revision);
				hashes.add((await eventually("a hash", () => client.hashKv(revision, { timeoutMs: 30_000 }))).hash);
				client.close();
			}
			expect(hashes.size).toBe(1);
		}
	} finally {
		await cluster.dispose();
	}
});
