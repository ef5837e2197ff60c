/**
 * A store is lost whose log no longer reaches back to the beginning (rule S6): the member refuses by name and leaves log and
 * votes as they are, the others go on, and each way out that it names is a way out.
 */
import { createHash } from "node:crypto";
import { cp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { KvClient } from "../src/client/kv-client.ts";
import { addMember, removeMember } from "../src/client/member-changes.ts";
import { type ClusterMember, CUT_ALL_THE_TIME, FLOTILLA_PROGRAM, ProcessCluster } from "../src/process/cluster.ts";
import { runTool } from "../src/process/tools.ts";
import { eventually } from "../src/process/wait.ts";

const MINUTE = 60_000;

const REFUSED =
	/Cannot start \(storeMismatch\): the store is not what it must be and the log does not reach back far enough to make it again\. store\.\d+: found .*; and a log from entry \d+ on, need a log from entry 2 on\. Log and votes are left as they are: restore the folder store\.\d+ from a copy, or: Keep the folder for examination; remove this member from the cluster/;

/** Each key until it is acknowledged: members elect and lag meanwhile. */
async function writeMuch(client: KvClient, prefix: string): Promise<void> {
	for (let n = 0; n < 600; n += 100) {
		const keys = Array.from({ length: 100 }, (_, i) => `${prefix}/${n + i}`);
		await Promise.all(keys.map((key) => eventually(`a write of ${key}`, () => client.put(key, "x".repeat(400), { timeoutMs: 10_000 }))));
	}
}

async function equalHashes(endpoints: readonly string[]): Promise<void> {
	const clients = endpoints.map((endpoint) => new KvClient(endpoint));
	try {
		const [first] = clients as [KvClient];
		const { header } = await eventually("a last write", () => first.put("last", "write", { timeoutMs: 3_000 }));
		const revision = Number(header.revision);
		const hashes = await Promise.all(clients.map((one) => eventually("a hash", () => one.hashKv(revision, { timeoutMs: 10_000 }))));
		expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1);
	} finally {
		for (const client of clients) client.close();
	}
}

async function storeOf({ dataDir }: ClusterMember): Promise<string> {
	const stores = (await readdir(join(dataDir, "member"))).filter((name) => name.startsWith("store."));
	expect(stores.length).toBe(1);
	return join(dataDir, "member", stores[0] as string);
}

/** Names and contents of the log's files and of the file that says whose they are; what stands in a spare one is nobody's. */
async function promised({ dataDir }: ClusterMember): Promise<string> {
	const folder = join(dataDir, "member");
	const files = (await readdir(join(folder, "wal"))).filter((name) => name.endsWith(".wal")).sort();
	expect(files.length).toBeGreaterThan(0);
	const hash = createHash("sha256");
	for (const name of ["identity", ...files.map((file) => join("wal", file))]) hash.update(name).update(await readFile(join(folder, name)));
	return hash.digest("hex");
}

async function refusesAgain(member: ClusterMember): Promise<void> {
	const before = await promised(member);
	for (let attempt = 0; attempt < 2; attempt++) {
		member.process.spawn();
		expect(await member.process.exited()).not.toBe(0);
		expect(member.process.tail).toMatch(REFUSED);
		expect(await promised(member)).toBe(before);
	}
}

test(
	"a member without its store refuses as often as it is started, promises nothing new, and comes back by a copy or by a new member",
	async () => {
		const cluster = await ProcessCluster.start({ tuning: CUT_ALL_THE_TIME });
		const writer = new KvClient(cluster.endpoints[0] as string);
		const newcomers: ClusterMember[] = [];
		try {
			const lost = cluster.member(2);
			await writeMuch(writer, "before");
			await cluster.caughtUp();
			await lost.process.kill("SIGKILL");
			const store = await storeOf(lost);
			const copy = join(cluster.folder, "copy");
			await rename(store, copy);
			const [, ...refusals] = await Promise.all([writeMuch(writer, "meanwhile"), refusesAgain(lost)]);
			expect(refusals).toEqual([undefined]);
			const doctor = await runTool(FLOTILLA_PROGRAM, ["doctor", "--scratch", cluster.folder, "--data-dir", lost.dataDir], {
				timeoutMs: 3 * MINUTE,
			});
			expect([doctor.status, doctor.stdout]).toEqual([1, expect.stringMatching(REFUSED)]);

			await rm(store, { recursive: true, force: true });
			await cp(copy, store, { recursive: true });
			await lost.process.start();
			await equalHashes(cluster.endpoints);

			await lost.process.kill("SIGKILL");
			await rm(await storeOf(lost), { recursive: true });
			await refusesAgain(lost);
			const present = cluster.members.slice(0, 2);
			const { members } = await writer.members();
			const { ID } = members.find(({ name }) => name === lost.name) as { ID: string };
			await eventually("the removal", () => removeMember(writer, ID));
			const other = await cluster.newcomer("m4", present);
			newcomers.push(other);
			await eventually("the addition", () => addMember(writer, { peerUrl: other.peerUrl }));
			await other.process.start();
			await equalHashes([...cluster.endpoints.slice(0, 2), other.clientUrl.slice("http://".length)]);
		} finally {
			writer.close();
			await Promise.all(newcomers.map(({ process }) => process.dispose()));
			await cluster.dispose();
		}
	},
	10 * MINUTE,
);
